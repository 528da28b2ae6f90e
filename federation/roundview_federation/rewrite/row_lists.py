"""Decides which elements of a list are rows of their own, and which of several rows is first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

from roundview_catalog.expressions.closures import json_text

Value = Callable[[Any], Any]


class _NoRow:
    """Stands for the first row where there is none: every value is NULL."""

    def __getitem__(self, at: int) -> None:
        return None


NO_ROW: Final[Any] = _NoRow()


def first_of(rows: Any, terms: tuple[tuple[Value, bool], ...]) -> Any:
    """Returns the row that comes first by terms of (value, descending), NULLs last."""
    if not rows:
        return NO_ROW
    if len(rows) == 1:
        return rows[0]
    # Sorting by the last term first: equal rows keep the order they have.
    for value, descending in reversed(terms):
        present = [row for row in rows if value(row) is not None]
        absent = [row for row in rows if value(row) is None]
        present.sort(key=value, reverse=descending)
        rows = present + absent
    return rows[0]


def value_or_none(value: Value, row: Any) -> Any:
    """Returns a value, None where it does not convert."""
    try:
        return value(row)
    except ValueError:
        return None


def each_element(
    rows: Any, lists: tuple[Value, ...], note: Callable[[str], None]
) -> Iterator[tuple[Any, tuple[Any, ...], str]]:
    """Yields (row, elements, position) for every combination of a row's lists.

    Positions count from 1, those of several lists are joined by `/`. A row whose list is none
    has no elements and is a counted problem.
    """
    for row in rows:
        try:
            found = [list(enumerate(items(row), 1)) for items in lists]
        except ValueError:
            note("slot")
            continue
        for chosen in product(*found):
            yield row, tuple(e for _, e in chosen), "/".join(str(at) for at, _ in chosen)


def split_text(text: str | None, separator: str) -> list[str]:
    """Returns what `unnest(string_to_array(text, separator))` gives: nothing for '' and NULL."""
    return text.split(separator) if text else []


def json_elements(value: Any) -> list[str | None]:
    """Returns what `jsonb_array_elements_text(value)` gives; raises ValueError for no array."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("not a JSON array")
    return [json_text(value, at) for at in range(len(value))]
