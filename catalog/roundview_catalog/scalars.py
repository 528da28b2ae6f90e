"""Finds where each character of a YAML scalar's value stands in the file."""

from __future__ import annotations

_ESCAPED = {"x": 4, "u": 6, "U": 10}


def places(text: str, start: int, end: int, style: str | None, value: str) -> list[int]:
    """Returns for each character of `value` its index in `text`.

    `text[start:end]` is the scalar as written, `style` its first character if it is quoted or
    a block (`'`, `"`, `|`, `>`), None if it is plain. Characters made by folding point at the
    line break they come from.
    """
    if style in ("|", ">"):
        found = _block(text, start, end, style == ">", value)
    elif style is None:
        found = _flowing(text, start, end, "")
    else:
        found = _flowing(text, start + 1, end - 1, style)
    return (found + [end] * len(value))[: len(value)]


def _flowing(text: str, start: int, end: int, quote: str) -> list[int]:
    """Follows plain and quoted scalars: escapes, and line breaks folded into blanks."""
    found: list[int] = []
    at = start
    while at < end:
        character = text[at]
        if quote == "'" and character == "'":
            found.append(at)
            at += 2
        elif quote == '"' and character == "\\":
            if text[at + 1] == "\n":
                at, breaks = _breaks(text, at + 2, end)
                found += breaks
            else:
                found.append(at)
                at += _ESCAPED.get(text[at + 1], 2)
        elif character in " \n":
            after = at
            while after < end and text[after] == " ":
                after += 1
            if after == end or text[after] != "\n":
                found += range(at, after)
                at = after
            else:
                at, breaks = _breaks(text, after + 1, end)
                found += breaks or [after]
        else:
            found.append(at)
            at += 1
    return found


def _breaks(text: str, at: int, end: int) -> tuple[int, list[int]]:
    """Skips blank lines and indentation; returns where text goes on and the kept breaks."""
    kept = []
    while at < end and text[at] in " \n":
        if text[at] == "\n":
            kept.append(at)
        at += 1
    return at, kept


def _block(text: str, start: int, end: int, is_folded: bool, value: str) -> list[int]:
    """Follows `|` and `>`: indentation is dropped, `>` folds breaks between flush lines."""
    at = text.find("\n", start, end) + 1
    if at == 0:
        return []
    lines = []
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        lines.append((at, stop))
        at = stop + 1
    indent = _indent(text, lines, value)
    found: list[int] = []
    pending: list[int] = []  # breaks since the last line that has text, its own first
    before_is_flush = False
    seen = False
    for begin, stop in lines:
        begin_text = begin + indent
        if begin_text >= stop:
            pending.append(stop)
            continue
        is_flush = text[begin_text] != " "
        if seen and is_folded and before_is_flush and is_flush:
            found += pending[1:] if len(pending) > 1 else pending
        else:
            found += pending
        found += range(begin_text, stop)
        pending = [stop]
        before_is_flush = is_flush
        seen = True
    return found + pending


def _indent(text: str, lines: list[tuple[int, int]], value: str) -> int:
    first = next((line for line in value.split("\n") if line), "")
    for begin, stop in lines:
        if text[begin:stop].strip(" ") or (first and not first.strip(" ")):
            # Folding joins lines, so only what stands before the first word can be compared.
            return (stop - begin) - len(text[begin:stop].lstrip(" ")) - _leading(first)
    return 0


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
