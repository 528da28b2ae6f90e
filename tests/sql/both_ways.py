"""Answers questions the short way and the long way, and says in what the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from roundview_catalog.errors import RequestError, RoundviewError
from roundview_federation.planner import Planner
from roundview_federation.request import Request
from roundview_federation.sql.answered import SqlResult
from roundview_federation.sql.planning import plan_query


@dataclass(slots=True)
class BothWays:
    """Counts the questions that were `asked`, and those of them that were answered at once."""

    federation: Any
    request: Request
    asked: int = 0
    short: int = 0

    async def compare(self, text: str) -> bool:
        """Asks a question both ways; tells whether one of them was the short one."""
        questions = self.federation._questions()
        snapshot = questions.snapshot
        decision = snapshot.decide_for(self.request)
        planner = Planner(snapshot.catalog, snapshot.connectors, snapshot.planner.sealing)
        relations = questions.plans.relations(decision)
        scan = self.request.allow_scan
        engine = self.federation._engine()
        try:
            own = plan_query(text, planner, relations, allow_scan=scan, decision=decision)
        except RequestError:
            return False
        if own.direct is None:
            # Only what needs no engine can be short.
            return False
        long = await _told(lambda: questions._run(text, self.request, engine, planned=own))
        results: list[SqlResult] = []

        async def ask() -> SqlResult:
            results.append(await self.federation.sql(text, self.request))
            return results[0]

        short = await _told(ask)
        assert short == long, text
        is_short = bool(results) and results[0].is_at_once
        self.asked += 1
        self.short += is_short
        return is_short


async def _told(ask: Any) -> tuple[Any, ...]:
    """Returns all that an answer says but for when: types, rows, what each source did."""
    try:
        result = await ask()
        rows: pa.Table = await result.table()
    except RoundviewError as error:
        return type(error).__name__, error.code, str(error), error.hint
    sources = tuple(
        (one.name, one.status, one.rows, one.calls, one.problems, one.noted, one.is_truncated)
        for one in result.statuses
    )
    told = result.engine, result.notices, result.missing, result.rows_fetched, sources
    return result.columns, rows.schema, rows.to_pylist(), told
