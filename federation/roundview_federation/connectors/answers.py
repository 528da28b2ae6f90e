"""Decides how large an answer may become in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

TOO_MANY_BELOW: Final = (
    "has too many rows below one row",
    "leave out the fields that are computed from them, or raise limits.rows and limits.bytes",
)
"""What to say of TooManyBelow, and what to do."""

_SCALAR_BYTES = 8


class TooManyBelow(Exception):
    """A row has more rows below it than one answer may have."""


def with_children(rows: list[tuple[Any, ...]], children: int, most: int) -> list[tuple[Any, ...]]:
    """Returns rows whose last columns are lists, parsed from JSON; NULL is an empty list.

    A list is never cut, because what is computed from it would be wrong: one of more than
    `most` rows raises TooManyBelow, text that is no JSON ValueError.
    """
    if not children:
        return rows
    first = -children
    read = orjson.loads
    if children == 1:
        parsed = [(*row[:-1], read(row[-1] or "[]")) for row in rows]
        is_over = any(len(row[-1]) > most for row in parsed)
    else:
        parsed = [(*row[:first], *[read(text or "[]") for text in row[first:]]) for row in rows]
        is_over = any(len(below) > most for row in parsed for below in row[first:])
    if is_over:
        raise TooManyBelow
    return parsed


class AnswerSize:
    """Adds up the bytes of an answer, batch by batch; texts count what they hold."""

    __slots__ = ("_left", "_limit", "_rows")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._left = limit_bytes
        self._rows = 0

    @property
    def is_exceeded(self) -> bool:
        """Tells whether more came than is allowed."""
        return self._left < 0

    @property
    def room(self) -> int:
        """Returns how many rows like those before still fit, at least one."""
        used = self._limit - self._left
        return max(1, self._left * self._rows // used) if used > 0 else self._left

    def is_over(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Counts some rows; returns whether the limit is passed."""
        self._left -= sum(
            len(value) if value.__class__ is str or value.__class__ is bytes else _SCALAR_BYTES
            for row in rows
            for value in row
        )
        self._rows += len(rows)
        return self._left < 0
