"""Decides what a source is asked for one split, and what of its answer goes to Trino."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.expressions import conjuncts
from roundview_catalog.model import Limits, SourceColumn
from roundview_federation.bridge.domains import (
    Conditions,
    NothingError,
    add_constraint,
    key_rows,
)
from roundview_federation.bridge.frames import MalformedError
from roundview_federation.bridge.messages import Constraint, Page
from roundview_federation.bridge.tables import BridgedTable, column_of, selecting
from roundview_federation.connectors.port import NO_CAP, Capabilities
from roundview_federation.key_sets import keyset_of
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Wanted:
    """What Trino asks of a table: `columns` and `key_columns` by their names there."""

    table: BridgedTable
    columns: tuple[str, ...]
    constraint: Constraint | None
    key_columns: tuple[str, ...] = ()
    keys: Page | None = None

    def __post_init__(self) -> None:
        if not {*self.columns, *self.key_columns} <= self.table.columns.keys():
            raise MalformedError


@dataclass(frozen=True, slots=True)
class Reading:
    """A fragment that answers a split; `keys` are those that its rows must have, if any.

    The fragment's columns are those wanted, then those of the keys that are not among them.
    """

    fragment: Fragment
    params: Mapping[str, Any]
    columns: tuple[str, ...]
    key_places: tuple[int, ...]
    keys: Sequence[tuple[Any, ...]]
    row_cap: int

    def shown(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns what of a batch Trino asked for: rows of the keys, and columns wanted."""
        if self.key_places and batch.num_rows:
            batch = _among(batch, self.key_places, self.keys)
        return batch.select(range(len(self.columns)))


def reading(
    wanted: Wanted, capabilities: Capabilities, limits: Limits, *, allow_scan: bool
) -> Reading:
    """Returns the fragment for a split of a source's table.

    Raises NothingError where no row can match, RequestError RV117 where the table is known to
    have more rows than may be read, MalformedError for what cannot be meant.
    """
    table = wanted.table
    conditions = Conditions()
    own = [table.columns[name] for name in wanted.columns]
    key_columns = [table.columns[name] for name in wanted.key_columns]
    keys = key_rows(key_columns, wanted.keys) if key_columns else []
    if key_columns:
        _add_keys(conditions, key_columns, keys, capabilities)
    add_constraint(conditions, wanted.constraint, table.columns, capabilities)
    row_cap = NO_CAP if allow_scan else limits.scan_rows
    if not conditions.conjuncts and (table.table.rows_estimate or 0) > row_cap:
        raise too_many_rows(table)
    hidden = [column for column in key_columns if column not in own]
    read = [*own, *hidden] or [_any_column(table)]
    tree = selecting(table.table, [column_of(column.name) for column in read])
    if conditions.conjuncts:
        tree = tree.where(*conditions.conjuncts, copy=False)
    fragment = Fragment(
        id="bridge",
        source=table.source,
        tree=tree,
        types=tuple(column.type for column in read),
        keysets=tuple(conditions.keysets),
        params=tuple(name for name in conditions.values if name not in conditions.keysets),
        row_cap=row_cap,
        is_scan=True,
    )
    places = () if _is_exact(key_columns, capabilities) else tuple(map(read.index, key_columns))
    return Reading(fragment, conditions.values, wanted.columns, places, keys, row_cap)


async def batches(
    connector: Any, one: Reading, table: BridgedTable, limits: Limits, deadline: Deadline
) -> AsyncGenerator[pa.RecordBatch, None]:
    """Yields the rows of a split; raises SourceError, and RV117 above the row cap.

    Where more calls would be needed for lists of keys than a source takes, or where its filter
    finds other rows than those of the keys, it is asked for the table instead, if that is possible.
    """
    call = connector.compile(one.fragment)
    per_call = getattr(call, "keys_per_call", 0)
    longest = max((len(one.params[name]) for name in one.fragment.keysets), default=0)
    if per_call and longest > per_call * limits.calls:
        with suppress(RequestError):
            call = connector.compile(_without_lists(one.fragment))
    count = 0
    while True:
        try:
            async with aclosing(connector.batches(call, one.params, deadline)) as found:
                async for batch in found:
                    count += batch.num_rows
                    if count > one.row_cap:
                        raise too_many_rows(table)
                    yield one.shown(batch)
        except SourceError as error:
            # A filter of an API may find rows by more than the column: then none has the keys.
            if error.code != "RV403" or not per_call or count:
                raise
            with suppress(RequestError):
                call, per_call = connector.compile(_without_lists(one.fragment)), 0
            if per_call:
                raise
        else:
            return


def too_many_rows(table: BridgedTable) -> RequestError:
    """Returns the error for a reading above the limits of a source."""
    return RequestError(
        f"more rows of {table.source} would be read than limits.scan_rows allows",
        code="RV117",
        hint="ask for less, raise it, or run the bridge with --allow-scan",
    )


def _without_lists(fragment: Fragment) -> Fragment:
    """Returns a fragment that leaves lists of keys to who reads its rows."""
    where = fragment.tree.args.get("where")
    kept = [
        conjunct
        for conjunct in conjuncts(where.this if where is not None else None)
        if keyset_of(conjunct) is None
    ]
    tree = fragment.tree.copy()
    tree.set("where", None)
    if kept:
        tree = tree.where(*kept)
    return replace(fragment, tree=tree, keysets=())


def _add_keys(
    conditions: Conditions,
    columns: Sequence[SourceColumn],
    keys: Sequence[tuple[Any, ...]],
    capabilities: Capabilities,
) -> None:
    if not keys:
        raise NothingError
    if len(columns) == 1:
        conditions.equal(column_of(columns[0].name), [key for (key,) in keys])
    elif capabilities.dialect:
        row = exp.Tuple(expressions=[column_of(column.name) for column in columns])
        conditions.equal(row, keys)
    else:
        for column, part in zip(columns, zip(*keys, strict=True), strict=True):
            conditions.equal(column_of(column.name), list(dict.fromkeys(part)))


def _is_exact(columns: Sequence[SourceColumn], capabilities: Capabilities) -> bool:
    """Tells whether a source lets through rows of the keys alone.

    An API compares normal forms, files the parts of a key on their own.
    """
    if not columns:
        return True
    return capabilities.dialect == "sqlite" or (len(columns) == 1 and capabilities.dialect != "")


def _among(
    batch: pa.RecordBatch, places: Sequence[int], keys: Sequence[tuple[Any, ...]]
) -> pa.RecordBatch:
    """Returns the rows whose values at some places are one of the keys."""
    if len(places) == 1:
        column = batch.column(places[0])
        wanted = pa.array([key for (key,) in keys], column.type)
        return batch.filter(pc.is_in(column, wanted))
    known = set(keys)
    rows = zip(*(batch.column(place).to_pylist() for place in places), strict=True)
    return batch.filter(pa.array([row in known for row in rows], pa.bool_()))


def _any_column(table: BridgedTable) -> SourceColumn:
    """Returns the column that is read where rows are only counted."""
    for name in table.table.primary_key:
        if name in table.table.columns:
            return table.table.columns[name]
    return next(iter(table.table.columns.values()))
