"""Decides which questions one fragment answers alone, and answers them without detours.

That is found out when one of them is first answered; others of its shape only bind their values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from roundview_federation.engines.failures import too_late
from roundview_federation.execute.alone import gather_alone, stands_alone
from roundview_federation.plan import ROW_HEAD
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.narrow import alike, compared, judged
from roundview_federation.rewrite.query.conditions import said
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.answered import positional
from roundview_federation.sql.checking import check
from roundview_federation.sql.direct import LATE_COLUMNS
from roundview_federation.sql.planned import PlannedQuery, PointPlan, as_parameters
from roundview_federation.sql.recorded import named, wanted
from roundview_federation.sql.running import Fetched, ReadRun
from roundview_federation.sql.sharing import fitting
from roundview_federation.sql.tables import schema_of, table

_MOST: Final = 4
"""Plans that are kept of one question, for values of which sources make something else."""
_NOTHING: Final = pa.table({})


@dataclass(slots=True)
class Point:
    """A question that is answered at once, with the parameters that its values make of it."""

    planned: PlannedQuery
    known: PointPlan
    params: Mapping[str, Any]

    async def answer(
        self, snapshot: Snapshot, deadline: Deadline, clock: Callable[[], datetime]
    ) -> tuple[pa.Table, Fetched]:
        """Returns the rows and what was fetched; raises what the long way raises."""
        ((name, one),) = self.planned.reads.items()
        known = self.known
        try:
            async with asyncio.timeout(deadline.left):
                got = await gather_alone(
                    known.plan,
                    self.params,
                    deadline,
                    catalog=snapshot.catalog,
                    connectors=snapshot.connectors,
                    clock=clock,
                )
        except TimeoutError:
            raise too_late() from None
        failures = {} if got.failure is None else {got.failure.source: got.failure}
        check(one, got.statuses, failures, is_truncated=got.is_truncated, is_partial=False)
        rows = table(got.rows, one.inputs, len(ROW_HEAD), known.schema)
        made = known.finish.finish(rows, positional(len(self.planned.columns)))
        return made, Fetched({name: ReadRun(_NOTHING, 0, known.plan, None, got.statuses)})


def learn(planned: PlannedQuery, fetched: Fetched, snapshot: Snapshot) -> None:
    """Keeps how a question was answered without an engine, where others need no more than that.

    No customer has to be known for it, before it is asked or after.
    """
    direct = planned.direct
    if direct is None or len(planned.reads) != 1 or len(planned.points) >= _MOST:
        return
    ((name, one),) = planned.reads.items()
    run = fetched.runs[name]
    if run.plan is None or run.is_streamed or not stands_alone(run.plan):
        return
    is_bound = one.customers is not None or one.choice.bind is not None
    is_made = one.fold is not None or one.world is not None
    is_judged = len(one.conditions.trees) == len(direct.conditions)
    if is_bound or is_made or not is_judged or not LATE_COLUMNS.isdisjoint(one.inputs):
        return
    told = (*wanted(planned, snapshot.catalog), named(planned))
    finish = replace(direct, conditions=())
    planned.points.append(PointPlan(run.plan, schema_of(one.inputs), finish, told))


def found(planned: PlannedQuery, texts: Sequence[str], decision: Decision) -> Point | None:
    """Returns how the question of some texts is answered at once, None where it takes long."""
    if not planned.points:
        return None
    (one,) = planned.reads.values()
    values = said(one.conditions.values, texts)
    if values is None or (texts and fitting(planned, texts) is None):
        return None
    for known in planned.points:
        turned = known.plan.turned
        verdicts = [judged(branch, values) for branch in turned]
        if alike(verdicts) == known.plan.key.narrowing:
            params = {f"principal.{name}": value for name, value in decision.attributes.items()}
            params |= known.plan.constants
            params |= as_parameters(values)
            params |= compared(turned, verdicts)
            return Point(planned, known, params)
    return None
