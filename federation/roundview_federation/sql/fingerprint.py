"""Decides which texts are one question with other constants: the text without them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roundview_federation.dialect.reading import MAX_BYTES

# What is odd may hold a quote or end a constant: escapes, comments, dollar quotes, prefixes of
# strings, numbers of other forms. A text that has it shares nothing.
_PARTS = re.compile(
    r"""
    (?P<odd> [\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\\$\ud800-\udfff] | -- | /\* | \w' | &['"] | '['"] )
    | "[^"]*"
    | '(?P<text> [^'\\$\x00-\x1f\x7f\ud800-\udfff]* )'(?!['\w])
    | (?P<number> (?<![\w.]) [0-9]{1,18} (?: \.[0-9]{1,18} )? (?![\w.]) )
    | [^\W\d][\w]*(?!')
    | [0-9.][\w.]*
    | (?P<stray> ['"] )
    """,
    re.VERBOSE,
)
_MOST_TEXT = MAX_BYTES // 4


@dataclass(frozen=True, slots=True)
class Constant:
    """Where a constant stands, its number, and its type (None: a text of unknown type).

    Equal constants have one number: whether two are equal belongs to the question.
    """

    start: int
    number: int
    type: str | None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A text without its constants, and what they say by their numbers."""

    shape: str
    constants: tuple[Constant, ...]
    texts: tuple[str, ...]

    def without(self, numbers: frozenset[int]) -> tuple[str, ...]:
        """Returns the texts of all constants but some."""
        return tuple([text for at, text in enumerate(self.texts) if at not in numbers])


def fingerprint(text: str) -> Fingerprint | None:
    """Returns what a question is but for its constants; None where that cannot be told simply.

    >>> fingerprint("SELECT a FROM t WHERE b = 'x' AND c < 7").texts
    ('x', '7')
    """
    if len(text) > _MOST_TEXT:
        return None
    pieces: list[str] = []
    constants: list[Constant] = []
    numbers: dict[tuple[str | None, str], int] = {}
    done = 0
    for part in _PARTS.finditer(text):
        kind = part.lastgroup
        if kind is None:
            continue
        if kind in ("odd", "stray"):
            return None
        said = part[kind]
        type_ = None if kind == "text" else _type_of(said)
        number = numbers.setdefault((type_, said), len(numbers))
        constants.append(Constant(part.start(), number, type_))
        pieces += (text[done : part.start()], f"\x00{number}:{type_}\x00")
        done = part.end()
    pieces.append(text[done:])
    return Fingerprint("".join(pieces), tuple(constants), tuple(said for _, said in numbers))


def _type_of(number: str) -> str:
    """Returns the type that PostgreSQL gives a number as it is written."""
    whole, point, fraction = number.partition(".")
    if point:
        digits = max(1, len((whole + fraction).lstrip("0")), len(fraction))
        return f"decimal({digits}, {len(fraction)})"
    return "int" if int(number) < 1 << 31 else "bigint"
