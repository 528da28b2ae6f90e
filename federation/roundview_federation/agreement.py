"""Decides which customers agreed to the purpose of a question, by their consents of now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from sqlglot import exp

from roundview_federation.execute.rounds import Customers, gather
from roundview_federation.plan import Lookup, Plan, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Found
from roundview_federation.rewrite.consents import needs_any
from roundview_federation.snapshot import Snapshot
from roundview_identity.store import Xref

_WHO = "who"
_GIVEN, _REFUSED = "given", "refused"


@asynccontextmanager
async def being_read(
    plan: Plan,
    customers: Mapping[str, Customers],
    snapshot: Snapshot,
    decision: Decision,
    xref: Xref,
    deadline: Deadline,
    clock: Callable[[], datetime],
) -> AsyncIterator[asyncio.Task[frozenset[str]] | None]:
    """Reads the consents of customers beside their records; None where no plan needs them."""
    if not any(needs_any(decision, one.section.entity) for one in plan.sections.values()):
        yield None
        return
    ids = {one for who in customers.values() for one in who.ids if one is not None}
    reading = agreed(sorted(ids), snapshot, decision, xref, deadline, clock)
    task = asyncio.ensure_future(reading)
    try:
        yield task
    finally:
        task.cancel()


async def agreed(
    ids: Iterable[str],
    snapshot: Snapshot,
    decision: Decision,
    xref: Xref,
    deadline: Deadline,
    clock: Callable[[], datetime],
) -> frozenset[str]:
    """Returns the customers who have a consent that is given and none that is refused.

    They are nobody where a source that has consents did not answer, or not with everything: what
    it would have said may be a no. Consents are read for ourselves, whatever the asker sees.
    """
    found = [Found(one) for one in ids]
    if not found:
        return frozenset()
    sections = _sections(decision)
    question = Question(f"consent:{decision.purpose}", (Lookup(_WHO),), ())
    plan = await snapshot.planner.prepare(question, decision, hidden=lambda: sections)
    customers = Customers.of(found, xref.members)
    gathered = await gather(
        plan,
        {_WHO: customers},
        {},
        deadline,
        catalog=snapshot.catalog,
        connectors=snapshot.connectors,
        clock=clock,
    )
    reads = {name: read.section for name, read in plan.hidden.items()}
    if any(gathered.failures.get(one) or one in gathered.truncated for one in reads.values()):
        return frozenset()
    having = {name: gathered.rows[section] for name, section in reads.items()}
    return frozenset(
        one.customer_id
        for index, one in enumerate(found)
        if one.customer_id is not None
        and having[_GIVEN].get(index)
        and not having.get(_REFUSED, {}).get(index)
    )


def _sections(decision: Decision) -> tuple[Section, ...]:
    consent = decision.consent
    if consent is None:
        return ()
    conditions: dict[str, exp.Expr] = {_GIVEN: consent.given}
    if consent.refused is not None:
        conditions[_REFUSED] = consent.refused
    tree = selecting("consent", ("status",))
    return tuple(
        Section(name, "consent", tree.where(condition.copy()), _WHO)
        for name, condition in conditions.items()
    )
