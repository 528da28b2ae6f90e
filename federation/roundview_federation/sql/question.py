"""Answers SQL questions: one text, one plan, one stream of Arrow batches."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from roundview_catalog.errors import EngineError, RequestError, RoundviewError, SourceError
from roundview_federation.access.policy import may_query
from roundview_federation.audit.questions import Asked as Recorded
from roundview_federation.audit.questions import Questions
from roundview_federation.dialect.translate import OutputColumn
from roundview_federation.engines.duckdb.pool import DuckDBEngine
from roundview_federation.plan import Identifier
from roundview_federation.planner import own_decision
from roundview_federation.request import Decision, Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Found, SourceStatus
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.aliases import with_todays_ids
from roundview_federation.sql.consenting import agreement_of
from roundview_federation.sql.direct import MOST_ROWS
from roundview_federation.sql.explanation import Explanation, ages_of, explain
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.planning import plans_of
from roundview_federation.sql.plans import Plans
from roundview_federation.sql.recorded import named, wanted
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.row_store import RowStore
from roundview_federation.sql.running import Asked, Fetched, fetch
from roundview_federation.sql.trino.choosing import estimated_bytes, is_for_others
from roundview_identity.store import Xref

if TYPE_CHECKING:
    from roundview_federation.sql.trino.running import TrinoQuestions

AUTO, DIRECT, EMBEDDED, TRINO = "auto", "direct", "embedded", "trino"
ENGINES = (AUTO, DIRECT, EMBEDDED, TRINO)

_LOG = logging.getLogger("roundview.access")
_UNREADABLE = "RV506"
"""What Trino says where one of its connectors fails."""

Find = Callable[[Identifier, Request], Awaitable[Found]]
"""Returns the customer of an identifier that stands on a live record."""


@dataclass(slots=True)
class SqlResult:
    """The answer to a SQL question; read it to its end, or close it.

    `columns` have the names and types that PostgreSQL would give. Batches have positional names.
    """

    columns: tuple[OutputColumn, ...]
    planned: PlannedQuery
    fetched: Fetched
    engine: str
    schema: pa.Schema
    _batches: AsyncIterator[pa.RecordBatch]
    _open: AsyncExitStack
    seconds: dict[str, float] = field(default_factory=dict)
    _recorded: Recorded | None = None

    @property
    def rows_fetched(self) -> int:
        """Counts the rows that sources sent for the answer."""
        return self.fetched.rows

    @property
    def missing(self) -> tuple[str, ...]:
        """Names the sources without which the answer was made; empty unless that was asked for."""
        return self.fetched.missing

    @property
    def notices(self) -> tuple[str, ...]:
        """Names fields that are NULL in some rows because of what their source holds."""
        return self.fetched.notices(self.planned.reads)

    @property
    def statuses(self) -> tuple[SourceStatus, ...]:
        """Returns what each source did for each read."""
        return tuple(status for run in self.fetched.runs.values() for status in run.statuses)

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as they come, then closes the result."""
        async with self:
            try:
                async for batch in self._batches:
                    if self._recorded is not None:
                        self._recorded.rows += batch.num_rows
                    yield batch
            except BaseException as error:
                if self._recorded is not None and not isinstance(error, GeneratorExit):
                    self._recorded.error = error
                raise

    async def table(self) -> pa.Table:
        """Returns all rows."""
        return pa.Table.from_batches([one async for one in self.batches()], schema=self.schema)

    def record(self, recorded: Recorded) -> None:
        """Lets the end of the answer be recorded."""
        recorded.statuses, recorded.rows = self.statuses, 0
        self._recorded = recorded
        self._open.callback(recorded.ended)

    async def close(self) -> None:
        """Stops the question and frees the engine."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class SqlQuestions:
    """Plans and runs SQL for one catalog snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        xref: Xref,
        clock: Callable[[], datetime],
        find: Find,
        audit: Questions,
        trino: TrinoQuestions | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._xref = xref
        self._clock = clock
        self._find = find
        self._audit = audit
        self._trino = trino
        self.plans = Plans(snapshot)

    async def explain(
        self, text: str, request: Request, engine: DuckDBEngine, *, analyze: bool = False
    ) -> Explanation:
        """Says how a text is answered; with `analyze` it is answered, and its rows are dropped."""
        decision = self.snapshot.decide_for(request)
        may_query(request, decision)
        connectors = self.snapshot.connectors
        text = with_todays_ids(text, self._xref)
        planned = await self.plans.as_written(text, decision, allow_scan=request.allow_scan)
        if analyze:
            result = await self._run(text, request, engine, planned=planned)
            needed = sum([batch.num_rows async for batch in result.batches()])
            runs = result.fetched.runs
            plans = {name: run.plan for name, run in runs.items() if run.plan is not None}
            explained = explain(result.planned, plans, connectors, decision, result.fetched)
            explained.engine, explained.seconds = result.engine, result.seconds
            explained.rows_needed = needed
            explained.measured = ages_of(result.planned, self.snapshot.catalog, self._clock())
            return explained
        planner = self.snapshot.planner
        plans = {
            name: await plans_of(one, planner, decision, is_bound=one.bound is not None)
            for name, one in planned.reads.items()
            if not is_ours(one.read.relation)
        }
        explained = explain(planned, plans, connectors, decision)
        if self._trino is not None:
            self._explain_choice(explained, planned)
        explained.measured = ages_of(planned, self.snapshot.catalog, self._clock())
        return explained

    async def run(
        self, text: str, request: Request, engine: DuckDBEngine, *, choice: str = AUTO
    ) -> SqlResult:
        """Answers a text; raises RequestError, SourceError, EngineError, IdentityError.

        `choice` is auto, direct, embedded or trino: what may finish the question.
        """
        if choice not in ENGINES:
            raise RequestError(
                "there is no such engine", code="RV102", hint=f"one of {', '.join(ENGINES)}"
            )
        text = with_todays_ids(text, self._xref)
        return await self._run(text, request, engine, choice=choice)

    async def _run(
        self,
        text: str,
        request: Request,
        engine: DuckDBEngine,
        *,
        choice: str = AUTO,
        planned: PlannedQuery | None = None,
    ) -> SqlResult:
        snapshot = self.snapshot
        decision = snapshot.decide_for(request)
        may_query(request, decision)
        started = time.perf_counter()
        if not request.trace_id:
            # What it looks up is recorded by itself: this is what the records have in common.
            request = replace(request, trace_id=secrets.token_hex(8))
        if planned is None and choice == TRINO:
            planned = await self.plans.as_written(
                text, decision, allow_scan=request.allow_scan, is_for_trino=True
            )
        elif planned is None:
            planned = await self.plans.prepare(text, decision, allow_scan=request.allow_scan)
        prepared = time.perf_counter()
        if choice == DIRECT and planned.direct is None:
            raise RequestError(
                "this question needs an engine",
                code="RV103",
                hint="direct answers columns of one relation, filtered, ordered and cut",
            )
        recorded = self._audit.of_query(
            request, decision, *wanted(planned, snapshot.catalog), named(planned)
        )
        try:
            result = await self._answered(
                text, planned, request, decision, engine, choice, prepared - started
            )
            try:
                await recorded.kept()
            except BaseException:
                await result.close()
                raise
        except BaseException as error:
            recorded.ended(error)
            raise
        result.record(recorded)
        return result

    async def _answered(
        self,
        text: str,
        planned: PlannedQuery,
        request: Request,
        decision: Decision,
        engine: DuckDBEngine,
        choice: str,
        preparing: float,
    ) -> SqlResult:
        snapshot = self.snapshot
        deadline = Deadline.after(request.timeout_seconds or snapshot.catalog.deadlines.sql)
        prepared = time.perf_counter()
        params = {f"principal.{k}": v for k, v in decision.attributes.items()}
        agreed = await self._agreed(planned, decision, request, engine)
        async with AsyncExitStack() as stack:
            store = RowStore(engine, deadline, stack, is_here=choice == DIRECT)
            asked = Asked(
                snapshot,
                decision,
                self._xref,
                deadline,
                self._clock,
                params,
                lambda identifier: self._find(identifier, request),
                store,
                is_partial=request.is_partial,
                agreed=agreed,
            )
            if choice == TRINO:
                return await self._on_trino(planned, asked, preparing)
            if choice == AUTO and not request.is_partial and self._is_large(planned):
                whole = await self.plans.as_written(
                    text, decision, allow_scan=request.allow_scan, is_for_trino=True
                )
                try:
                    return await self._on_trino(whole, asked, preparing)
                except RequestError as error:
                    if not is_for_others(error):
                        raise
            fetched = await fetch(planned, asked)
            seconds = {"plan": preparing, "fetch": time.perf_counter() - prepared}
            direct = planned.direct if choice != EMBEDDED else None
            only = fetched.runs[direct.read] if direct is not None else None
            is_small = only is not None and only.is_here and only.count <= MOST_ROWS
            if direct is not None and only is not None and (is_small or choice == DIRECT):
                made = direct.finish(only.table, positional(len(planned.columns)))
                return SqlResult(
                    planned.columns,
                    planned,
                    fetched,
                    DIRECT,
                    made.schema,
                    _each(made),
                    stack.pop_all(),
                    seconds,
                )
            session = await store.session()
            for name, run in fetched.runs.items():
                if run.is_here or run.table.num_rows:
                    await session.load(name, run.table.schema, run.table.to_batches())
            values: dict[str, Any] = {**planned.values}
            if planned.uses_clock:
                values["now"] = self._clock()
            stream = await session.stream(planned.text, values or None)
            return SqlResult(
                planned.columns,
                planned,
                fetched,
                EMBEDDED,
                stream.schema,
                stream,
                stack.pop_all(),
                seconds,
            )

    async def _agreed(
        self, planned: PlannedQuery, decision: Decision, request: Request, engine: DuckDBEngine
    ) -> tuple[str, ...]:
        """Returns who agreed to the purpose: nobody where a consent cannot be read, maybe a no."""
        text = agreement_of(planned, decision)
        if text is None:
            return ()
        own = replace(own_decision(self.snapshot.catalog, decision), policy_shape="own")
        everything = replace(request, allow_scan=True, is_partial=False)
        try:
            asked = await self.plans.prepare(text, own, allow_scan=True)
            # Before the question itself, which may hold an engine while it waits.
            result = await self._answered(text, asked, everything, own, engine, AUTO, 0.0)
            rows = await result.table()
        except RoundviewError as error:
            _LOG.warning("consents cannot be read, so what needs them is withheld: %s", error.code)
            return ()
        return tuple(rows.column(0).to_pylist())

    async def _name_dead_sources(self, error: EngineError, sources: Collection[str]) -> None:
        """Raises SourceError for a source of a failed statement that does not answer us either."""
        if error.code != _UNREADABLE:
            return
        for state in await self.snapshot.states():
            if state.name in sources and state.state == "unavailable":
                raise SourceError(
                    state.name, f"{state.name} cannot be reached", code="RV402"
                ) from None

    def _explain_choice(self, explained: Explanation, planned: PlannedQuery) -> None:
        """Says whether Trino finishes a question, and by which numbers."""
        most = self.snapshot.catalog.engines.embedded_up_to
        size = f"about {_mebibytes(estimated_bytes(planned))} of {_mebibytes(most)}"
        if self._is_large(planned):
            explained.engine, explained.reason = TRINO, f"{size} that are finished here"
        elif explained.engine == EMBEDDED:
            explained.reason += f", {size} that are not asked of Trino"

    def _is_large(self, planned: PlannedQuery) -> bool:
        """Tells whether a question is larger than what the embedded engine is meant for."""
        most = self.snapshot.catalog.engines.embedded_up_to
        return self._trino is not None and estimated_bytes(planned) > most

    async def _on_trino(
        self, planned: PlannedQuery, asked: Asked, planning_seconds: float
    ) -> SqlResult:
        trino = self._trino
        if trino is None:
            raise RequestError(
                "this catalog names no Trino", code="RV103", hint="engines.trino in roundview.yaml"
            )
        started = time.perf_counter()
        statement = await trino.statement(planned, asked)
        async with AsyncExitStack() as stack:
            try:
                answer = await trino.answer(planned, statement, asked.deadline)
            except EngineError as error:
                await self._name_dead_sources(error, statement.sources)
                raise
            stack.push_async_callback(answer.aclose)
            seconds = {"plan": planning_seconds, "first rows": time.perf_counter() - started}
            return SqlResult(
                planned.columns,
                planned,
                Fetched(),
                TRINO,
                answer.schema,
                answer,
                stack.pop_all(),
                seconds,
            )


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"


async def _each(rows: pa.Table) -> AsyncIterator[pa.RecordBatch]:
    for batch in rows.to_batches():
        yield batch


def positional(count: int) -> list[str]:
    """Returns the names of an answer's columns, which may have one name twice."""
    return [f"c{at}" for at in range(count)]
