"""Reads whole batches from sources that can send them, all sources of a read at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Catalog
from roundview_catalog.types import Type
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.asking import bound_keys
from roundview_federation.execute.customers import values_of
from roundview_federation.execute.ledger import Ledger
from roundview_federation.plan import Answer, Fold, KeySet, Plan, PlannedFragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.sql.columns import Batch, ColumnArrival, column_arrival
from roundview_federation.sql.folding import FoldArrival, UnfoldedArrival, fold_arrival
from roundview_identity.store import Xref

_Arrival = ColumnArrival | FoldArrival | UnfoldedArrival
_PERSONS = ("customer_id", "link_state")

Take = Callable[[AsyncIterator[pa.RecordBatch]], Awaitable[tuple[list[pa.RecordBatch], int]]]
"""Takes the rows of a stream; returns those that stay here, and counts those that do not."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """A fragment whose batches become rows without being looked at one by one."""

    planned: PlannedFragment
    arrivals: tuple[_Arrival, ...]
    keyset: KeySet | None

    def rows_read(self, batch: pa.RecordBatch, arrived: list[pa.RecordBatch]) -> int:
        """Counts the rows of the source that a batch is made of."""
        folds = [one for one in self.arrivals if isinstance(one, FoldArrival)]
        if not folds:
            return int(batch.num_rows)
        return max(one.rows_read(made) for one, made in zip(folds, arrived, strict=True))


def streamed(
    plan: Plan,
    outputs: Mapping[str, Type],
    connectors: Mapping[str, Connector],
    fold: Fold | None = None,
) -> tuple[Streamed, ...] | None:
    """Returns a plan's fragments as streams; None if one of them must arrive row by row.

    `outputs` are the columns of rows; with a `fold` the folded rows of those come.
    """
    found = []
    if any(section.mirrors for section in plan.sections.values()):
        return None
    for planned in plan.fragments:
        capabilities = connectors[planned.fragment.source].capabilities
        if planned.handovers or not capabilities.batches:
            return None
        keysets = planned.fragment.keysets
        if not all(plan.keysets[name].param for name in keysets):
            return None
        if keysets and planned.keys_per_call:
            return None
        arrivals: list[_Arrival] = []
        for arrival in planned.arrivals:
            unfolded, pushed = arrival.made_of
            if fold is not None and pushed.draft.is_folded:
                arrivals.append(fold_arrival(unfolded, pushed, outputs, fold))
                continue
            made = column_arrival(unfolded, pushed, outputs)
            if made is None:
                return None
            arrivals.append(made if fold is None else UnfoldedArrival(made, outputs, fold))
        keyset = plan.keysets[keysets[0]] if keysets else None
        found.append(Streamed(planned, tuple(arrivals), keyset))
    return tuple(found)


async def read_streams(
    streams: tuple[Streamed, ...],
    params: Mapping[str, Any],
    deadline: Deadline,
    *,
    catalog: Catalog,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
    xref: Xref,
    take: Take,
    see: Callable[[pa.RecordBatch], None],
    enough: int | None = None,
) -> tuple[list[pa.RecordBatch], int, Ledger, dict[str, SourceError]]:
    """Reads all streams into `take`; returns what it does, what each source did, and who failed.

    `see` is shown all rows first, in threads.

    Where any `enough` rows will do, a source is not read beyond them.
    """
    ledger = Ledger(catalog, clock())
    failures: dict[str, SourceError] = {}

    async def rows_of(stream: Streamed) -> AsyncGenerator[pa.RecordBatch, None]:
        fragment = stream.planned.fragment
        connector: Any = connectors[fragment.source]
        started = time.perf_counter()
        rows, read_rows, made = 0, 0, 0
        origin = ledger.answered(fragment.source, Answer([], calls=1), 0.0)
        note = ledger.noter(fragment.source)
        bound = params
        if stream.keyset is not None:
            keys = values_of(stream.keyset, params)
            if not keys:
                return
            bound = {**params, **bound_keys(stream.keyset, keys)}
        read = connector.batches(stream.planned.call, bound, deadline)
        async with aclosing(read) as batches:
            async for batch in batches:
                rows += batch.num_rows
                if rows > fragment.row_cap:
                    raise too_many_rows(fragment.source)
                arriving = Batch(batch, origin, note)
                arrived = await asyncio.to_thread(_arrived, stream.arrivals, arriving, xref, see)
                read_rows += stream.rows_read(batch, arrived)
                if read_rows > fragment.row_cap:
                    raise too_many_rows(fragment.source)
                for one in arrived:
                    made += one.num_rows
                    yield one
                if enough is not None and made >= enough:
                    break
        ledger.streamed(fragment.source, rows, time.perf_counter() - started)

    async def taken(stream: Streamed) -> tuple[list[pa.RecordBatch], int]:
        try:
            async with aclosing(rows_of(stream)) as rows:
                return await take(rows)
        except SourceError as error:
            source = stream.planned.fragment.source
            ledger.failed(source, error)
            failures[source] = error
            return [], 0

    # What cannot be answered ends all of them: nobody reads on for it.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(taken(stream)) for stream in streams]
    found = [task.result() for task in tasks]
    kept = [batch for batches, _ in found for batch in batches]
    return kept, sum(count for _, count in found), ledger, failures


def _arrived(
    arrivals: tuple[_Arrival, ...],
    batch: Batch,
    xref: Xref,
    see: Callable[[pa.RecordBatch], None],
) -> list[pa.RecordBatch]:
    try:
        made = [arrival.convert(batch) for arrival in arrivals]
    except pa.ArrowInvalid:
        raise RequestError(
            f"{batch.origin.source} has a value that its canonical type does not hold",
            code="RV105",
            hint="roundview check --live names the columns",
        ) from None
    named = [
        with_customers(one, batch.origin.source, xref) if wants_customers(one) else one
        for one in made
    ]
    for one in named:
        see(one)
    return named


def wants_customers(rows: pa.RecordBatch | pa.Table) -> bool:
    """Tells whether rows name their customers."""
    return any(name in _PERSONS for name in rows.schema.names)


_Rows = TypeVar("_Rows", pa.RecordBatch, pa.Table)


def with_customers(rows: _Rows, source: str, xref: Xref) -> _Rows:
    """Puts customers in the place of the keys of persons of one source."""
    wanted = [name for name in _PERSONS if name in rows.schema.names]
    keys = rows.column(wanted[0])
    encoded = pc.dictionary_encode(keys, null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    known = encoded.dictionary.to_pylist()
    linked = xref.customers_of(source, [key for key in known if key is not None])
    for name in wanted:
        values = [_said(name, key, linked) for key in known]
        column = pa.array(values, pa.string()).take(encoded.indices)
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, column)
    return rows


def _said(name: str, key: str | None, linked: Mapping[str, tuple[str, bool]]) -> str | None:
    found = linked.get(key) if key is not None else None
    if name == "customer_id":
        return found[0] if found is not None else None
    if found is not None:
        return "provisional" if found[1] else "linked"
    return "anonymous" if key is None else "unlinked"


def too_many_rows(*sources: str) -> RequestError:
    """Returns the error for a scan above the limits of its sources."""
    return RequestError(
        f"more rows of {', '.join(sources)} would be read than its limits allow",
        code="RV117",
        hint="ask for less, or allow the scan: --allow-scan",
    )
