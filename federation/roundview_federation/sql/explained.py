"""Decides how a person reads the way a question is answered: as text, as a Mermaid diagram."""

from __future__ import annotations

from collections.abc import Iterator

from roundview_catalog.harmless import harmless
from roundview_federation.sql.explanation import Explanation, ReadExplained

_LONGEST_LABEL = 60
_INDENT = "    "


def as_text(told: Explanation) -> str:
    """Returns an explanation as lines: the question, then each read, then what finishes it."""
    lines = ["question", *_block(told.question)]
    lines.append(f"engine    {told.engine}: {told.reason}")
    lines += [f"policy    {rule}" for rule in told.policy]
    if told.measured:
        ages = ", ".join(f"{name} {_age(age)}" for name, age in told.measured.items())
        lines.append(f"sizes     noted of {ages}")
    if told.rows_needed is not None:
        size = "" if told.bytes_fetched is None else f" ({told.bytes_fetched:,} bytes)"
        lines.append(
            f"rows      {told.rows_fetched or 0} fetched{size}, {told.rows_needed} in the answer"
        )
        lines.append(f"time      {', '.join(f'{k} {v:.3f} s' for k, v in told.seconds.items())}")
    for read in told.reads:
        lines += ["", *_read(read)]
    if told.statement:
        lines += ["", *_asked_of_trino(told)]
    else:
        lines += ["", "then", *_block(told.residual)]
    return "\n".join(lines) + "\n"


def as_mermaid(told: Explanation) -> str:
    """Returns an explanation as a Mermaid flowchart: sources, reads, what finishes, the answer."""
    lines = ["flowchart LR"]
    sources: dict[str, str] = {}
    for at, read in enumerate(told.reads):
        label = f"{read.name}: {read.relation}\n{read.strategy}, {read.why}"
        if read.rows is not None:
            label += f"\n{read.rows_fetched} rows fetched, {_milliseconds(read)}"
        lines.append(f"  read{at}[{_label(label)}]")
        for fragment in read.fragments:
            node = sources.get(fragment.source)
            if node is None:
                node = sources[fragment.source] = f"source{len(sources)}"
                lines.append(f"  {node}[({_label(fragment.source)})]")
            lines.append(f"  {node} --> read{at}")
    places = {read.name: at for at, read in enumerate(told.reads)}
    for at, read in enumerate(told.reads):
        lines += [f"  read{places[name]} -. keys .-> read{at}" for name in read.waits_for]
        lines.append(f"  read{at} --> finish")
    lines.append(f"  finish{{{{{_label(f'{told.engine}: {told.reason}')}}}}}")
    answer = "answer" if told.rows_needed is None else f"answer: {told.rows_needed} rows"
    lines.append(f"  finish --> answer([{_label(answer)}])")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _read(read: ReadExplained) -> Iterator[str]:
    yield f"read {read.name}: {read.relation} ({', '.join(read.columns)})"
    for condition in read.conditions:
        yield f"  where     {harmless(condition)}"
    yield f"  by        {read.strategy}: {read.why}"
    for note in read.pruned:
        yield f"  skips     {harmless(note)}"
    if read.rows is not None:
        keys = "" if read.keys is None else f" by {read.keys} keys"
        way = ", in batches" if read.is_streamed else ""
        yield (
            f"  brought   {read.rows} of {read.rows_fetched} rows fetched{keys}"
            f" in {_milliseconds(read)}{way}"
        )
    for fragment in read.fragments:
        keys = f", bound by {fragment.keys}" if fragment.keys else ""
        when = f", round {fragment.round}" if fragment.round else ""
        yield f"  asks {fragment.source}{keys}{when}"
        yield from _block(fragment.statement)


def _asked_of_trino(told: Explanation) -> Iterator[str]:
    yield "asks Trino"
    for branch in told.pruned:
        yield f"  skips     {harmless(branch)}: no row of it can match"
    for note in told.own:
        yield f"  reads     {harmless(note)}"
    for name, value in told.session.items():
        yield f"  with      {harmless(name)} = {harmless(value)}"
    yield from _block(told.statement)


def _age(seconds: float) -> str:
    """Returns an age as people say it.

    >>> _age(30), _age(7_200), _age(864_000)
    ('just now', '2 hours ago', '10 days ago')
    """
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def _milliseconds(read: ReadExplained) -> str:
    return f"{read.milliseconds or 0:.0f} ms"


def _block(text: str) -> list[str]:
    return [f"{_INDENT}{harmless(line).rstrip()}" for line in text.strip().splitlines()]


def _label(text: str) -> str:
    """Returns text as a quoted label; what Mermaid or HTML would read becomes a number."""
    shown = "<br>".join(_escaped(line) for line in text.split("\n"))
    return f'"{shown}"'


def _escaped(line: str) -> str:
    short = line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
    return "".join(
        sign if sign.isalnum() or sign in " .,:_-/()…" else f"#{ord(sign)};"
        for sign in harmless(short)
    )
