"""The fragment that took longest of late is asked first; rows keep the plan's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.federation.conftest import World

from roundview_federation.connectors.port import Connector
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import Answer, Identifier, Pace, Plan
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.whole import whole_customer


@dataclass(frozen=True)
class Noting:
    """Notes which call was made of a connector, and makes it."""

    connector: Connector
    asked: list[Any]

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Asks the source."""
        self.asked.append(call)
        return await self.connector.rows(call, params, deadline)


def test_pace_follows_what_was_measured() -> None:
    pace = Pace()
    for _ in range(50):
        pace.took(0.8)
    assert 0.79 < pace.seconds < 0.8
    pace.took(0.0)
    assert 0.69 < pace.seconds < 0.7


async def test_the_slowest_of_late_is_asked_first(world: World) -> None:
    federation = world.connection.federation
    decision = federation.decide(federation.principal)
    identifier = Identifier("phone", world.heroine["phone"][0])
    question, params = whole_customer(federation.catalog, decision, identifier, 20)
    question = replace(question, shape="turns")
    result = await federation.run(question, params, Request(federation.principal))
    snapshot = federation.current
    plans = snapshot.planner.plans()
    (plan,) = (one for one in plans if one.key.shape.startswith("turns|"))
    customers = {
        name: Customers.of(found, federation.xref.members) for name, found in result.found.items()
    }
    first = [one for one in plan.fragments if one.round == 1 and one.pace.seconds > 0]
    assert {one.fragment.source for one in first} == {"crm", "mail", "pos", "support"}

    async def asked(plan: Plan) -> tuple[list[Any], Gathered]:
        calls: list[Any] = []
        noting: Any = {name: Noting(one, calls) for name, one in snapshot.connectors.items()}
        gathered = await gather(
            plan,
            customers,
            params,
            Deadline.after(20),
            catalog=snapshot.catalog,
            connectors=noting,
            clock=federation.clock,
        )
        assert not gathered.failures
        return calls, gathered

    known = None
    for slowest in (first[0], first[len(first) // 2], first[-1]):
        fragments = tuple(
            replace(one, pace=Pace(9.0) if one is slowest else Pace()) for one in plan.fragments
        )
        calls, gathered = await asked(replace(plan, fragments=fragments))
        assert calls[0] is slowest.call
        keys = {
            name: [[row[1:3] for row in rows] for rows in groups.values()]
            for name, groups in gathered.rows.items()
        }
        assert known is None or keys == known
        known = keys
