"""Answers SQL questions: one text, one plan, one stream of Arrow batches."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from roundview_catalog.errors import RequestError
from roundview_federation.access.policy import may_query
from roundview_federation.audit.questions import Questions
from roundview_federation.engines.duckdb.pool import DuckDBEngine
from roundview_federation.execute.consents import NOBODY
from roundview_federation.plan import Identifier
from roundview_federation.planner import own_decision
from roundview_federation.request import Decision, Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, Found
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.aliases import with_todays_ids
from roundview_federation.sql.answered import SqlResult, at_once, each, positional
from roundview_federation.sql.arguments import Arguments, Described
from roundview_federation.sql.consenting import agreement, notices_of
from roundview_federation.sql.direct import MOST_ROWS
from roundview_federation.sql.explanation import (
    ASKED_FOR,
    Explanation,
    ages_of,
    explain,
    explain_statement,
)
from roundview_federation.sql.lookups import Find, once
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.planning import plans_of
from roundview_federation.sql.plans import Plans
from roundview_federation.sql.point_questions import Point, learn
from roundview_federation.sql.recorded import named, wanted
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.row_store import RowStore
from roundview_federation.sql.running import Asked, Fetched, fetch
from roundview_federation.sql.trino.choosing import is_for_others, is_large, size_told
from roundview_identity.store import Xref

if TYPE_CHECKING:
    from roundview_federation.sql.trino.running import TrinoQuestions

AUTO, DIRECT, EMBEDDED, TRINO = "auto", "direct", "embedded", "trino"
ENGINES = (AUTO, DIRECT, EMBEDDED, TRINO)

FindFor = Callable[[Identifier, Request], Awaitable[Found]]
"""Returns the customer of an identifier that stands on a live record."""


class SqlQuestions:
    """Plans and runs SQL for one catalog snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        xref: Xref,
        clock: Callable[[], datetime],
        find: FindFor,
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
        self,
        text: str,
        request: Request,
        engine: DuckDBEngine,
        choice: str = AUTO,
        *,
        analyze: bool = False,
    ) -> Explanation:
        """Says how a text is answered; with `analyze` it is answered, and its rows are dropped."""
        decision = self.snapshot.decide_for(request)
        may_query(request, decision)
        connectors = self.snapshot.connectors
        text = with_todays_ids(_known(choice, text), self._xref)
        planned = await self.plans.as_written(text, decision, allow_scan=request.allow_scan)
        if analyze:
            asked = None if choice == TRINO else planned
            result = await self._run(text, request, engine, choice=choice, planned=asked)
            needed = sum([batch.num_rows async for batch in result.batches()])
            runs = result.fetched.runs
            plans = {name: run.plan for name, run in runs.items() if run.plan is not None}
            explained = explain(result.planned, plans, connectors, decision, result.fetched)
            explained.engine, explained.seconds = result.engine, result.seconds
            explained.rows_needed, explained.bytes_fetched = needed, result.bytes_fetched
            if result.statement is not None:
                explained.rows_fetched = result.rows_fetched
                explain_statement(explained, result.statement)
            explained.measured = ages_of(result.planned, self.snapshot.catalog, self._clock())
            return explained
        planner = self.snapshot.planner
        plans = {
            name: await plans_of(one, planner, decision, is_bound=one.bound is not None)
            for name, one in planned.reads.items()
            if not is_ours(one.read.relation)
        }
        explained = explain(planned, plans, connectors, decision)
        if choice != AUTO:
            explained.engine, explained.reason = choice, ASKED_FOR
        elif self._trino is not None:
            self._explain_choice(explained, planned)
        if explained.engine == TRINO and self._trino is not None:
            explained = await self._explained_on_trino(text, explained, request, engine)
        explained.measured = ages_of(planned, self.snapshot.catalog, self._clock())
        return explained

    async def run(
        self,
        text: str,
        request: Request,
        engine: DuckDBEngine,
        *,
        choice: str = AUTO,
        arguments: Arguments | None = None,
    ) -> SqlResult:
        """Answers a text; raises RequestError, SourceError, EngineError, IdentityError.

        `choice` is auto, direct, embedded or trino: what may finish the question. `arguments` are
        what is said for its $1, $2 …
        """
        text = with_todays_ids(_known(choice, text), self._xref)
        return await self._run(text, request, engine, choice=choice, arguments=arguments)

    async def _run(
        self,
        text: str,
        request: Request,
        engine: DuckDBEngine,
        *,
        choice: str = AUTO,
        planned: PlannedQuery | None = None,
        arguments: Arguments | None = None,
    ) -> SqlResult:
        snapshot = self.snapshot
        decision = snapshot.decide_for(request)
        may_query(request, decision)
        started = time.perf_counter()
        point: Point | None = None
        if planned is None and choice == TRINO:
            planned = await self._whole(text, arguments, request, decision)
        elif planned is None:
            is_short = choice in (AUTO, DIRECT) and not request.is_partial
            planned, point = await self.plans.begin(
                text, arguments, decision, self._today,
                allow_scan=request.allow_scan, is_short=is_short,
            )  # fmt: skip
        if point is None and not request.trace_id:
            # What it looks up is recorded by itself: this is what the records have in common.
            request = replace(request, trace_id=secrets.token_hex(8))
        preparing = time.perf_counter() - started
        if choice == DIRECT and planned.direct is None:
            raise RequestError(
                "this question needs an engine",
                code="RV103",
                hint="direct answers columns of one relation, filtered, ordered and cut",
            )
        if point is not None:
            told = point.known.told
        else:
            told = (*wanted(planned, snapshot.catalog), named(planned))
        recorded = self._audit.of_query(request, decision, *told)
        try:
            if point is not None:
                result = await self._at_once(point, request, preparing)
            else:
                result = await self._answered(
                    text, planned, request, decision, engine, choice, preparing, arguments
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

    async def _at_once(self, point: Point, request: Request, preparing: float) -> SqlResult:
        started = time.perf_counter()
        deadline = Deadline.after(request.timeout_seconds or self.snapshot.catalog.deadlines.sql)
        made, fetched = await point.answer(self.snapshot, deadline, self._clock)
        seconds = {"plan": preparing, "fetch": time.perf_counter() - started}
        return at_once(point.planned, fetched, DIRECT, made, seconds)

    async def _answered(
        self,
        text: str,
        planned: PlannedQuery,
        request: Request,
        decision: Decision,
        engine: DuckDBEngine,
        choice: str,
        preparing: float,
        arguments: Arguments | None = None,
    ) -> SqlResult:
        seconds = request.timeout_seconds or self.snapshot.catalog.deadlines.sql
        deadline = Deadline.after(seconds)
        find = once(lambda identifier: self._find(identifier, request))
        own = partial(self._own, request, decision, engine)
        agreed = await agreement(planned, decision, find, own)
        async with AsyncExitStack() as stack:
            store = RowStore(engine, deadline, stack, is_here=choice == DIRECT)
            asked = self._asked(request, decision, deadline, store, agreed, find)
            result = await self._finished(
                planned,
                asked,
                stack,
                choice,
                preparing,
                lambda: self._whole(text, arguments, request, decision),
            )
        result.withheld = notices_of(planned, decision, agreed)
        return result

    async def _finished(
        self,
        planned: PlannedQuery,
        asked: Asked,
        stack: AsyncExitStack,
        choice: str,
        preparing: float,
        whole: Callable[[], Awaitable[PlannedQuery]],
    ) -> SqlResult:
        prepared = time.perf_counter()
        if choice == TRINO:
            return await self._on_trino(planned, asked, preparing)
        if choice == AUTO and self._is_large(planned):
            try:
                return await self._on_trino(await whole(), asked, preparing)
            except RequestError as error:
                if not is_for_others(error):
                    raise
        rows = fetch(planned, asked)
        fetched = await (rows if self._trino is None else self._trino.absences.watch(rows))
        seconds = {"plan": preparing, "fetch": time.perf_counter() - prepared}
        direct = planned.direct if choice != EMBEDDED else None
        only = fetched.runs[direct.read] if direct is not None else None
        is_small = only is not None and only.is_here and only.count <= MOST_ROWS
        if direct is not None and only is not None and (is_small or choice == DIRECT):
            if not self._is_large(planned):
                learn(planned, fetched, self.snapshot)
            made = direct.finish(only.table, positional(len(planned.columns)))
            opened = stack.pop_all()
            return SqlResult(
                planned.columns, planned, fetched, DIRECT, made.schema, each(made), opened, seconds
            )
        session = await asked.store.session()
        for name, run in fetched.runs.items():
            if run.is_here or run.table.num_rows:
                await session.load(name, run.table.schema, run.table.to_batches())
        values: dict[str, Any] = {**planned.values}
        if planned.uses_clock:
            values["now"] = self._clock()
        stream = await session.stream(planned.text, values or None)
        opened = stack.pop_all()
        return SqlResult(
            planned.columns, planned, fetched, EMBEDDED, stream.schema, stream, opened, seconds
        )

    def _asked(
        self,
        request: Request,
        decision: Decision,
        deadline: Deadline,
        store: RowStore,
        agreed: Agreed,
        find: Find,
    ) -> Asked:
        return Asked(
            self.snapshot,
            decision,
            self._xref,
            deadline,
            self._clock,
            {f"principal.{k}": v for k, v in decision.attributes.items()},
            find,
            store,
            is_partial=request.is_partial,
            agreed=agreed,
            trace=request.trace_id,
        )

    async def _explained_on_trino(
        self, text: str, explained: Explanation, request: Request, engine: DuckDBEngine
    ) -> Explanation:
        """Puts the statement into an explanation, unless somebody must be looked up for it."""
        decision = self.snapshot.decide_for(request)
        planned = await self.plans.as_written(
            text, decision, allow_scan=request.allow_scan, is_for_trino=True
        )
        whole = explain(planned, {}, self.snapshot.connectors, decision)
        whole.engine, whole.reason = explained.engine, explained.reason
        if self._trino is None or any(is_ours(one.read.relation) for one in planned.reads.values()):
            return whole
        async with AsyncExitStack() as stack:
            deadline = Deadline.after(self.snapshot.catalog.deadlines.sql)
            store = RowStore(engine, deadline, stack, is_here=True)
            find = once(lambda identifier: self._find(identifier, request))
            asked = self._asked(request, decision, deadline, store, NOBODY, find)
            try:
                explain_statement(whole, await self._trino.statement(planned, asked, is_shown=True))
            except RequestError as error:
                if explained.reason == ASKED_FOR or not is_for_others(error):
                    raise
                explained.engine = EMBEDDED
                explained.reason += f", but {error.message}"
                return explained
        return whole

    async def describe(self, text: str, types: tuple[str, ...], request: Request) -> Described:
        """Returns the columns of a text and what its $1, $2 … are; nothing is asked or planned."""
        decision = self.snapshot.decide_for(request)
        may_query(request, decision)
        return await self.plans.describe(text, types, decision)

    def _today(self, customer_id: str) -> str:
        return self._xref.resolve_id(customer_id) or customer_id

    async def _whole(
        self, text: str, arguments: Arguments | None, request: Request, decision: Decision
    ) -> PlannedQuery:
        """Returns the plan of a question that is one statement of Trino."""
        plans, allow_scan = self.plans, request.allow_scan
        if arguments is None:
            return await plans.prepare(text, decision, allow_scan=allow_scan, is_for_trino=True)
        return await plans.prepare_with(
            text, arguments, decision, self._today, allow_scan=allow_scan, is_for_trino=True
        )

    async def _own(
        self, request: Request, decision: Decision, engine: DuckDBEngine, text: str
    ) -> list[Any]:
        """Returns the first column of a question of ours, whatever the asker may see of it."""
        own = replace(own_decision(self.snapshot.catalog, decision), policy_shape="own")
        everything = replace(request, allow_scan=True, is_partial=False)
        asked = await self.plans.prepare(text, own, allow_scan=True)
        # Before the question itself, which may hold an engine while it waits.
        result = await self._answered(text, asked, everything, own, engine, AUTO, 0.0)
        rows: list[Any] = (await result.table()).column(0).to_pylist()
        return rows

    def _explain_choice(self, explained: Explanation, planned: PlannedQuery) -> None:
        """Says whether Trino finishes a question, and by which numbers."""
        size = size_told(planned, self.snapshot.catalog)
        if self._is_large(planned):
            explained.engine, explained.reason = TRINO, f"{size} that are finished here"
        elif explained.engine == EMBEDDED:
            explained.reason += f", {size} that are not asked of Trino"

    def _is_large(self, planned: PlannedQuery) -> bool:
        return self._trino is not None and is_large(planned, self.snapshot.catalog)

    async def _on_trino(
        self, planned: PlannedQuery, asked: Asked, planning_seconds: float
    ) -> SqlResult:
        if (trino := self._trino) is None:
            raise RequestError(
                "this catalog names no Trino", code="RV103", hint="engines.trino in roundview.yaml"
            )
        started = time.perf_counter()
        statement = await trino.statement(planned, asked)
        async with AsyncExitStack() as stack:
            answer = await trino.answer(planned, statement, asked)
            stack.push_async_callback(answer.aclose)
            seconds = {"plan": planning_seconds, "first rows": time.perf_counter() - started}
            opened, none = stack.pop_all(), Fetched()
            return SqlResult(
                planned.columns, planned, none, TRINO, answer.schema, answer, opened, seconds,
                _on_trino=(statement, answer),
            )  # fmt: skip


def _known(choice: str, text: str) -> str:
    """Returns the text; raises RequestError RV102 for an engine that there is not."""
    if choice not in ENGINES:
        raise RequestError(
            "there is no such engine", code="RV102", hint=f"one of {', '.join(ENGINES)}"
        )
    return text
