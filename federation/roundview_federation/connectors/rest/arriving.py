"""Decides which rows of a call count: those that were asked for, with what its path carried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roundview_federation.connectors.rest.columns import COMPARE, Named
from roundview_federation.connectors.rest.routes import (
    Call,
    Condition,
    Route,
    normal,
    normal_forms,
)
from roundview_federation.connectors.rest.tables import ColumnValue


class ForeignRowsError(Exception):
    """A call brought rows and none that it asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fragment wants of its rows."""

    named: Named
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]

    def kept(
        self, route: Route | None, one: Call, found: list[Any], params: Mapping[str, Any]
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Returns the rows of one call that were asked for, and how many were not.

        Rows of a held table have no route. Raises ForeignRowsError where none was asked for: an
        answer to another question is no empty one.
        """
        rows = self.named.rows.unfold(found)
        forms = normal_forms(route) if route is not None else {}
        sent = route.keys if route is not None else ""
        dropped = 0
        for condition in self.conditions:
            value = _carrying(self.named.value(condition.column), one)
            form = forms.get(value.resource_column, "")
            if condition.keys:
                is_sent = condition.keys == sent
                keys = one.keys if one.keys and is_sent else params[condition.keys]
                wanted = frozenset(normal(key, form) for key in keys)
                kept = [row for row in rows if _is_among(row, value, wanted, form)]
                if is_sent:
                    if rows and not kept:
                        raise ForeignRowsError
                    dropped += len(rows) - len(kept)
            else:
                asked = normal(condition.asked(params), form)
                compare = COMPARE[condition.operator]
                kept = [row for row in rows if _is_true(row, value, compare, asked, form)]
            rows = kept
        for join in self.named.joins:
            if join.is_inner:
                rows = [row for row in rows if join.find(row) is not None]
        return _values(rows, [_carrying(self.named.value(c), one) for c in self.columns]), dropped


def _values(rows: list[Any], columns: Sequence[ColumnValue]) -> list[tuple[Any, ...]]:
    gets = [column.get for column in columns]
    return [tuple([get(row) for get in gets]) for row in rows]


def _carrying(value: ColumnValue, one: Call) -> ColumnValue:
    """Returns a column that has the path's value where the answer lacks it."""
    if value.resource_column not in one.carried:
        return value
    carried = one.carried[value.resource_column]
    get = value.get

    def found(row: Any) -> Any:
        own = get(row)
        return carried if own is None else own

    return ColumnValue(found, value.decode, value.resource_column)


def _is_among(row: Any, value: ColumnValue, wanted: frozenset[Any], form: str) -> bool:
    try:
        return normal(value.decode(value.get(row)), form) in wanted
    except (ValueError, TypeError):
        return False


def _is_true(
    row: Any, value: ColumnValue, compare: Callable[[Any, Any], Any], asked: Any, form: str
) -> bool:
    try:
        own = normal(value.decode(value.get(row)), form)
        return own is not None and asked is not None and bool(compare(own, asked))
    except (ValueError, TypeError):
        return False
