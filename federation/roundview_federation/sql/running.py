"""Runs a planned SQL question: reads at once or after those they wait for, then the residual."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roundview_federation.engines.failures import too_late
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.consents import NOBODY
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import NOT_ASKED, ROW_HEAD, UNKNOWN_CODE, Identifier, Plan
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, Found, SourceStatus
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.checking import check, check_values
from roundview_federation.sql.consenting import AGREED
from roundview_federation.sql.folding import as_folded
from roundview_federation.sql.key_values import KeyValues
from roundview_federation.sql.own_rows import own_rows
from roundview_federation.sql.planned import PlannedQuery, PlannedRead, known_values
from roundview_federation.sql.planning import ROWS, WHO, plans_of
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.row_store import RowStore
from roundview_federation.sql.strategy import MOST_KEYS
from roundview_federation.sql.streaming import (
    read_streams,
    streamed,
    wants_customers,
    with_customers,
)
from roundview_federation.sql.tables import table
from roundview_identity.store import Xref

_KEYS = ("source_key", "slot")
_MANY_KEYS = 256
"""Keys from which on rows cost less in batches: 1,000 keys two thirds of the CPU, 9,000 a seventh
(half with SQLite), while those of 100 cost a third more."""


@dataclass(slots=True)
class ReadRun:
    """What one read brought, and how: `keys` counts those it was bound by (None: not bound).

    `loaded` counts the rows that are in the engine already, the others are in `table`.
    """

    table: pa.Table
    loaded: int = 0
    plan: Plan | None = None
    keys: int | None = None
    statuses: tuple[SourceStatus, ...] = ()
    missing: tuple[str, ...] = ()
    is_streamed: bool = False

    @property
    def count(self) -> int:
        """Counts the rows."""
        here: int = self.table.num_rows
        return here + self.loaded

    @property
    def is_here(self) -> bool:
        """Tells whether no row is in the engine yet."""
        return not self.loaded


@dataclass(slots=True)
class Fetched:
    """What all reads of a question brought."""

    runs: dict[str, ReadRun] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Counts the rows that sources sent."""
        return sum(status.rows for run in self.runs.values() for status in run.statuses)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names the sources whose rows are missing."""
        return tuple(sorted({name for run in self.runs.values() for name in run.missing}))

    def notices(self, reads: Mapping[str, PlannedRead]) -> tuple[str, ...]:
        """Names fields that are NULL in some rows because of what their source holds."""
        found = {
            f"{status.name} has {what} of {reads[name].named(field)}: NULL"
            for name, run in self.runs.items()
            for status in run.statuses
            for what, field in map(_noted, status.noted)
            if what and field in reads[name].inputs
        }
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Asked:
    """What every read of one question shares."""

    snapshot: Snapshot
    decision: Decision
    xref: Xref
    deadline: Deadline
    clock: Callable[[], datetime]
    params: Mapping[str, Any]
    find: Callable[[Identifier], Awaitable[Found]]
    store: RowStore
    is_partial: bool
    agreed: Agreed = NOBODY
    """customers who agreed to the purpose, where the question needs them"""
    trace: str = ""
    """what records of the question have in common, and sources may log"""


async def fetch(planned: PlannedQuery, asked: Asked) -> Fetched:
    """Runs every read, each as soon as what it waits for is there; the first failure ends all."""
    if len(planned.reads) == 1:
        ((name, one),) = planned.reads.items()
        try:
            async with asyncio.timeout(asked.deadline.left):
                run = await _run(one, asked, {}, _key_values(planned.reads))
        except TimeoutError:
            raise too_late() from None
        except ExceptionGroup as failures:
            raise _first(failures) from None
        return Fetched({name: run})
    tasks = await _run_all(planned.reads, _key_values(planned.reads), asked)
    return Fetched({name: task.result() for name, task in tasks.items()})


async def awaited_keys(planned: PlannedQuery, asked: Asked) -> dict[str, list[Any]]:
    """Runs the reads that others wait for; returns the values by which each of these is asked.

    Reads of which they are too many are left out. Raises like `fetch`.
    """
    binds = {name: one.choice.bind for name, one in planned.reads.items()}
    awaited = {name for bind in binds.values() if bind is not None for name, _ in bind.of}
    seen = _key_values(planned.reads)
    reads = {name: one for name, one in planned.reads.items() if name in awaited}
    tasks = await _run_all(reads, seen, asked)
    found = {name: await _keys(one, tasks, seen) for name, one in planned.reads.items()}
    return {name: keys for name, keys in found.items() if keys is not None}


async def looked_up(planned: PlannedRead, asked: Asked) -> list[tuple[Any, ...]]:
    """Returns id and link state of the customer that a lookup names, if there is one."""
    found = await asked.find(Identifier(*map(str, planned.read.arguments)))
    if found.error is not None:
        raise found.error
    return [] if found.customer_id is None else [(found.customer_id, found.link_state)]


def picked(rows: Sequence[Sequence[Any]], planned: PlannedRead) -> list[tuple[Any, ...]]:
    """Returns the columns of a read of what was looked up."""
    at = {"customer_id": 0, "link_state": 1}
    return [tuple(row[at[name]] for name in planned.columns) for row in rows]


async def own(planned: PlannedRead, asked: Asked) -> list[tuple[Any, ...]]:
    """Returns the rows of a relation of our own."""
    if planned.read.relation == AGREED:
        return [tuple(one for _ in planned.columns) for one in sorted(asked.agreed.ids)]
    made = await own_rows(
        planned.read.relation,
        planned.columns,
        asked.snapshot,
        asked.decision,
        asked.deadline,
        asked.clock,
    )
    return [tuple(row[name] for name in planned.columns) for row in made]


async def _run_all(
    reads: Mapping[str, PlannedRead], seen: Mapping[str, KeyValues], asked: Asked
) -> dict[str, asyncio.Task[ReadRun]]:
    """Runs reads, in an order in which nobody waits for a later one; returns what is done."""
    tasks: dict[str, asyncio.Task[ReadRun]] = {}
    try:
        async with asyncio.timeout(asked.deadline.left), asyncio.TaskGroup() as group:
            for name, one in reads.items():
                tasks[name] = group.create_task(_run(one, asked, tasks, seen))
    except TimeoutError:
        raise too_late() from None
    except ExceptionGroup as failures:
        raise _first(failures) from None
    return tasks


def _key_values(reads: Mapping[str, PlannedRead]) -> dict[str, KeyValues]:
    """Returns what will be the values of each read by which others are asked."""
    wanted: dict[str, set[str]] = {name: set() for name in reads}
    for one in reads.values():
        for name, column in one.choice.bind.of if one.choice.bind is not None else ():
            wanted[name].add(column)
    return {name: KeyValues(wanted[name], one.conditions) for name, one in reads.items()}


async def _run(
    planned: PlannedRead,
    asked: Asked,
    tasks: Mapping[str, asyncio.Task[ReadRun]],
    seen: Mapping[str, KeyValues],
) -> ReadRun:
    own = seen[planned.read.name]
    run = await _read(planned, asked, await _keys(planned, tasks, seen), own)
    if not run.is_streamed:
        own.see(run.table)
    return run


async def _read(
    planned: PlannedRead, asked: Asked, keys: list[Any] | None, seen: KeyValues
) -> ReadRun:
    if planned.read.relation == LOOKUP:
        return ReadRun(table(picked(await looked_up(planned, asked), planned), planned.columns, 0))
    if is_ours(planned.read.relation):
        return ReadRun(table(await own(planned, asked), planned.columns, 0))
    customers: dict[str, Customers] = {}
    params = {**asked.params, **known_values(planned)}
    by = None if planned.customers is None else tuple(map(str, planned.customers))
    if by is not None:
        # An id of before a merge still leads to records, which have another id now.
        by = tuple(one for one in by if asked.xref.resolve_id(one) == one)
    if keys is not None and not planned.key:
        by = tuple(str(key) for key in keys)
    elif keys is not None:
        params[planned.key] = dict.fromkeys(keys)
    if by is not None:
        customers[WHO] = Customers.of([Found(one) for one in by], asked.xref.members)
    planner = asked.snapshot.planner
    plan = await plans_of(planned, planner, asked.decision, is_bound=keys is not None)
    count = None if keys is None else len(keys)
    if by is None and not planned.is_point and (count is None or count >= _MANY_KEYS):
        run = await _streamed(planned, plan, params, asked, seen)
        if run is not None:
            run.keys = count
            return run
        if keys is None:
            plan = await plans_of(planned, planner, asked.decision, is_bound=False, by_row=True)
    gathered = await gather(
        plan,
        customers,
        params,
        asked.deadline,
        catalog=asked.snapshot.catalog,
        connectors=asked.snapshot.connectors,
        clock=asked.clock,
        is_patient=True,
    )
    run = ReadRun(pa.table({}), 0, plan, count, gathered.statuses)
    failures = {s: e for failed in gathered.failures.values() for s, e in failed.items()}
    is_cut = ROWS in gathered.truncated
    check(planned, run.statuses, failures, is_truncated=is_cut, is_partial=asked.is_partial)
    run.missing = tuple(sorted(failures))
    rows = [row for rows in gathered.rows[ROWS].values() for row in rows]
    made = table(rows, planned.inputs, len(ROW_HEAD))
    is_named = by is not None or not wants_customers(made)
    run.table = made if is_named else _with_customers(made, gathered, asked)
    if planned.fold is not None:
        run.table = as_folded(run.table, planned.inputs, planned.fold)
    return run


async def _streamed(
    planned: PlannedRead, plan: Plan, params: Mapping[str, Any], asked: Asked, seen: KeyValues
) -> ReadRun | None:
    """Reads in batches, where all sources can."""
    name = planned.read.name
    schema = table((), planned.columns, 0).schema
    connectors = asked.snapshot.connectors
    streams = streamed(plan, planned.inputs, connectors, planned.fold)
    if streams is None:
        return None

    async def take(
        rows: AsyncIterator[pa.RecordBatch],
    ) -> tuple[list[pa.RecordBatch], int]:
        return await asked.store.take(name, schema, rows)

    batches, loaded, ledger, failures = await read_streams(
        streams,
        {**plan.constants, **params},
        asked.deadline,
        catalog=asked.snapshot.catalog,
        connectors=connectors,
        clock=asked.clock,
        xref=asked.xref,
        take=take,
        see=seen.see,
        enough=_enough(planned),
    )
    if failures and not asked.is_partial:
        raise failures[min(failures)]
    if any(failure.code == "RV403" for failure in failures.values()):
        # One bad value ends a batch; of rows that come one by one it is NULL.
        await asked.store.drop(name)
        return None
    if not asked.is_partial:
        check_values(planned, ledger.statuses())
    return ReadRun(
        pa.Table.from_batches(batches, schema),
        loaded,
        plan,
        None,
        ledger.statuses(),
        tuple(sorted(failures)),
        is_streamed=True,
    )


def _enough(planned: PlannedRead) -> int | None:
    """Returns how many rows will do, whichever they are; None where it matters which."""
    first = planned.alone.first
    if first is None or first.order or planned.alone.tree.args.get("where") is not None:
        return None
    return first.count


async def _keys(
    planned: PlannedRead,
    tasks: Mapping[str, asyncio.Task[ReadRun]],
    seen: Mapping[str, KeyValues],
) -> list[Any] | None:
    """Returns the values by which a read is asked; None where they are too many, or none are."""
    bind = planned.choice.bind
    if bind is None:
        return None
    await asyncio.wait([tasks[name] for name, _ in bind.of])
    found: dict[Any, None] = {}
    for name, column in bind.of:
        # What failed ends those who wait for it.
        tasks[name].result()
        found |= seen[name].by_column[column]
        if len(found) > MOST_KEYS:
            return None
    return list(found)


def _with_customers(made: pa.Table, gathered: Gathered, asked: Asked) -> pa.Table:
    """Puts customers in the place of the person keys that rows came with."""
    sources = pa.array(
        [row[0].source for rows in gathered.rows[ROWS].values() for row in rows],
        pa.string(),
    )
    parts = [
        with_customers(made.filter(pc.equal(sources, source)), source.as_py(), asked.xref)
        for source in pc.unique(sources)
    ]
    return pa.concat_tables(parts) if parts else made


def _noted(note: str) -> tuple[str, str]:
    """Returns what a note says of a field; of what is no field's value it says nothing."""
    if note.startswith(UNKNOWN_CODE):
        return "codes without a meaning", note.removeprefix(UNKNOWN_CODE)
    return ("", "") if note in (NOT_ASKED, *_KEYS) else ("values out of type", note)


def _first(failures: BaseExceptionGroup[Any]) -> BaseException:
    for one in failures.exceptions:
        return _first(one) if isinstance(one, BaseExceptionGroup) else one
    return failures
