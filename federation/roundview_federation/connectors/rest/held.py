"""Decides how small tables are kept in memory for their time, and how rows are joined to them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.expressions import conjuncts
from roundview_federation.connectors.rest.fetch import Meter
from roundview_federation.connectors.rest.tables import ColumnValue, RestRows
from roundview_federation.connectors.rest.values import Get
from roundview_federation.resilience.deadline import Deadline

_Key = tuple[Any, ...]
ReadAll = Callable[[Deadline, Meter], Awaitable[list[Any]]]


class HeldTable:
    """All rows of one resource, fetched by the first who needs them and kept for their time.

    `rows` are those of the last refresh. A fetch that fails keeps nothing, and rows whose time
    has passed are not shown again.
    """

    def __init__(self, seconds: float, read: ReadAll) -> None:
        self._seconds = seconds
        self._read = read
        self._reading = asyncio.Lock()
        self._until = -math.inf
        self.rows: list[Any] = []
        self._indexes: dict[tuple[str, tuple[str, ...]], dict[_Key, Any]] = {}

    @property
    def is_stale(self) -> bool:
        """Tells whether the time of the rows has passed."""
        return time.monotonic() >= self._until

    async def refresh(self, deadline: Deadline, meter: Meter) -> None:
        """Has the rows in memory, once for all who wait; raises SourceError."""
        async with self._reading:
            if not self.is_stale:
                return
            asked = time.monotonic()
            self.rows = await self._read(deadline, meter)
            self._indexes = {}
            self._until = asked + self._seconds

    def index(self, rows: RestRows, columns: tuple[str, ...]) -> Mapping[_Key, Any]:
        """Returns the rows of a table by the values of some columns, made once per refresh."""
        name = (rows.name, columns)
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = {}
            values = [rows.columns[column] for column in columns]
            for row in rows.unfold(self.rows):
                key = _key(values, row)
                if key is not None:
                    found.setdefault(key, row)
        return found


@dataclass(frozen=True, slots=True)
class HeldJoin:
    """One table that each row is joined to; `find` gives its row, None where there is none.

    `needs` are the columns of the fragment's own table in its condition.
    """

    alias: str
    held: HeldTable
    find: Get
    columns: Mapping[str, ColumnValue]
    is_inner: bool
    needs: tuple[str, ...]


def held_join(
    join: exp.Join,
    base: str,
    held: HeldTable,
    rows: RestRows,
    value_of: Callable[[exp.Column], ColumnValue],
) -> HeldJoin:
    """Returns how a join is done to the table that is named `base`, or to one joined before.

    `value_of` finds the columns of these. Raises RequestError where it is not by equal columns.
    """
    alias = join.this.alias_or_name
    pairs: dict[str, exp.Column] = {}
    for condition in conjuncts(join.args.get("on")):
        sides = (condition.this, condition.args.get("expression"))
        own = [s for s in sides if isinstance(s, exp.Column) and s.table == alias]
        other = [s for s in sides if isinstance(s, exp.Column) and s.table != alias]
        is_equality = isinstance(condition, exp.EQ) and len(own) == len(other) == 1
        if not is_equality or own[0].name not in rows.columns:
            raise RequestError(f"{rows.name} cannot be joined like this", code="RV103")
        pairs[own[0].name] = other[0]
    if not pairs:
        raise RequestError(f"{rows.name} cannot be joined like this", code="RV103")
    columns = tuple(pairs)
    values = [value_of(column) for column in pairs.values()]

    def find(row: Any) -> Any:
        key = _key(values, row)
        return None if key is None else held.index(rows, columns).get(key)

    return HeldJoin(
        alias=alias,
        held=held,
        find=find,
        columns={name: _joined(value, find) for name, value in rows.columns.items()},
        is_inner=join.side != "LEFT",
        needs=tuple(one.name for one in pairs.values() if one.table in ("", base)),
    )


def _key(values: list[ColumnValue], row: Any) -> _Key | None:
    try:
        key = tuple([value.decode(value.get(row)) for value in values])
    except (ValueError, TypeError):
        return None
    return None if None in key else key


def _joined(value: ColumnValue, find: Get) -> ColumnValue:
    get = value.get

    def found(row: Any) -> Any:
        other = find(row)
        return None if other is None else get(other)

    return ColumnValue(found, value.decode, "")
