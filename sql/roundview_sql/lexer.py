"""Decides where the statements of a query text begin and end, and what words they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from roundview_sql.failures import WireError

WORD, NAME, STRING, NUMBER, PARAMETER, SIGN = "word", "name", "string", "number", "$", "sign"

_TOKEN = re.compile(
    r"""
    (?P<blank> \s+ | --[^\r\n]* )
    | (?P<comment> /\* )
    | (?P<escaped> [eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<string> (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*' )
    | (?P<name> (?:[uU]&)?"(?:[^"]|"")*" )
    | (?P<dollar> \$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$ )
    | (?P<parameter> \$[0-9]+ )
    | (?P<number> [0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)? | \.[0-9]+(?:[eE][+-]?[0-9]+)? )
    | (?P<word> [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<sign> :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign; `text` is a word in lower case, a name or string without its quotes."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Text:
    """One statement of a query: its text, where it begins, and its tokens."""

    text: str
    offset: int
    tokens: tuple[Token, ...]


def statements(text: str) -> list[Text]:
    """Returns the statements of a query text; blank ones are left out.

    Raises WireError 42601 for a literal or comment without an end.

    >>> [one.text for one in statements("select 1; select ';'")]
    ['select 1', "select ';'"]
    """
    found: list[Text] = []
    held: list[Token] = []
    for token in _tokens(text):
        if token.kind == SIGN and token.text == ";":
            _keep(found, held, text)
            held = []
        else:
            held.append(token)
    _keep(found, held, text)
    return found


def _keep(found: list[Text], held: list[Token], text: str) -> None:
    if held:
        start, end = held[0].start, held[-1].end
        found.append(Text(text[start:end], start, tuple(held)))


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unread(at)
        kind, start, end = match.lastgroup, at, match.end()
        at = end
        if kind == "blank":
            continue
        if kind == "comment":
            at = _after_comment(text, start)
            continue
        raw = match[0]
        if kind == "word":
            yield Token(WORD, raw.lower(), start, end)
        elif kind == "name":
            yield Token(NAME, raw[raw.index('"') + 1 : -1].replace('""', '"'), start, end)
        elif kind == "string":
            yield Token(STRING, raw[raw.index("'") + 1 : -1].replace("''", "'"), start, end)
        elif kind == "escaped":
            yield Token(STRING, _unescaped(raw[2:-1]), start, end)
        elif kind == "dollar":
            close = text.find(raw, end)
            if close < 0:
                raise _unread(start)
            at = close + len(raw)
            yield Token(STRING, text[end:close], start, at)
        elif kind == "parameter":
            yield Token(PARAMETER, raw[1:], start, end)
        elif kind == "number":
            yield Token(NUMBER, raw, start, end)
        elif raw in "'\"":
            raise _unread(start)
        else:
            yield Token(SIGN, raw, start, end)


def _after_comment(text: str, start: int) -> int:
    depth = 0
    for match in _COMMENT.finditer(text, start):
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return match.end()
    raise _unread(start)


def _unescaped(text: str) -> str:
    return re.sub(
        r"''|\\(.)", lambda m: "'" if m[0] == "''" else _ESCAPES.get(m[1], m[1]), text, flags=re.S
    )


def _unread(at: int) -> WireError:
    return WireError("42601", "a literal or comment has no end", position=at + 1)
