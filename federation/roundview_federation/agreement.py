"""Decides which customers agreed to the purpose of a question, and what is withheld of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from sqlglot import exp

from roundview_federation.execute.consents import UNKNOWN
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import Lookup, Plan, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, Found, Withheld
from roundview_federation.rewrite.consents import needs, needs_all, needs_any
from roundview_federation.snapshot import Snapshot
from roundview_identity.store import Xref

CUSTOMER = "customer"
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
) -> AsyncIterator[asyncio.Task[Agreed] | None]:
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
) -> Agreed:
    """Returns the customers who have a consent that is given and none that is refused.

    They are nobody where a source that has consents did not answer, or not with everything: what
    it would have said may be a no. Consents are read for ourselves, whatever the asker sees.
    """
    found = [Found(one) for one in ids]
    if not found:
        return Agreed(frozenset())
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
        return UNKNOWN
    having = {name: gathered.rows[section] for name, section in reads.items()}
    return Agreed(
        frozenset(
            one.customer_id
            for index, one in enumerate(found)
            if one.customer_id is not None
            and having[_GIVEN].get(index)
            and not having.get(_REFUSED, {}).get(index)
        )
    )


def withheld(
    plan: Plan,
    customers: Mapping[str, Customers],
    decision: Decision,
    origins: Mapping[str, tuple[str, str]],
    agreed: Agreed | None,
) -> tuple[Withheld, ...]:
    """Returns what of an answer is withheld, in the order asked; `origins`: field of a customer.

    >>> # contact_point_email needs consent: (Withheld("contact_point_email", "", …),)
    """
    if agreed is None:
        return ()
    places: dict[tuple[str, str], dict[str, None]] = {}
    for lookup, place in _asked_places(plan, decision, origins):
        without = [one for one in customers[lookup].ids if one and one not in agreed.ids]
        if without:
            places.setdefault(place, {}).update(dict.fromkeys(without))
    return tuple(
        Withheld(entity, field, decision.purpose, tuple(ids), agreed.is_known)
        for (entity, field), ids in places.items()
    )


def _asked_places(
    plan: Plan, decision: Decision, origins: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yields the lookup and the place of everything that is asked for and needs consent."""
    for customer in plan.customer.values():
        lookup = plan.sections[customer.reads[0]].section.lookup
        for field in customer.columns:
            entity, column = origins.get(field, ("", ""))
            if needs_all(decision, entity) or needs(decision, entity, column):
                yield lookup, (CUSTOMER, field)
    for name in plan.outputs:
        section = above = plan.sections[name].section
        while above.parent:
            above = plan.sections[above.parent].section
        if needs_all(decision, section.entity):
            yield above.lookup, (section.entity, "")
            continue
        for field in section.columns:
            if needs(decision, section.entity, field):
                yield above.lookup, (section.entity, field)


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
