"""Decides which customers exist for an asker: those of whom some row is shown to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from roundview_federation.connectors.port import Connector
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import Lookup, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Found

Records = Sequence[tuple[str, str]]
"""What a customer consists of: (source, source key) of each record."""

Scope = tuple[str, tuple[tuple[str, object], ...]]
"""Names those to whom the same customers exist: their rules, and the attributes that these read."""

EVERYBODY: Final[Scope] = ("", ())

_WHO = "who"


class Sight:
    """Tells one asker's customers from those that do not exist for them.

    Where rows are filtered, sources are asked the same whether there is a customer or not: who
    has no record in one is asked for by a key that is nobody's.
    """

    def __init__(
        self,
        decision: Decision,
        planner: Planner,
        connectors: Mapping[str, Connector],
        clock: Callable[[], datetime],
    ) -> None:
        self._decision = decision
        self._planner = planner
        self._connectors = connectors
        self._clock = clock

    @property
    def is_everybody(self) -> bool:
        """Tells whether every customer exists for the asker, without a look at their rows."""
        return self._decision.people is None

    @property
    def is_nobody(self) -> bool:
        """Tells whether no customer exists for the asker: none of their roles reads of people."""
        return self._decision.people is not None and not self._decision.people

    @property
    def scope(self) -> Scope:
        """Returns what this sight has in common with that of others."""
        if self.is_everybody:
            return EVERYBODY
        return self._decision.policy_shape, tuple(sorted(self._decision.attributes.items()))

    def shows_all(self, entity: str) -> bool:
        """Tells whether every row of an entity is shown."""
        shown = self._decision
        return entity in shown.fields and not shown.row_filters.get(entity)

    async def seen(self, people: Sequence[Records], deadline: Deadline) -> tuple[bool, ...]:
        """Tells of each customer whether one of their rows is shown now; none share a record.

        Raises the SourceError of a source that could not say, where nobody else is seen.
        """
        filters = self._decision.people
        if filters is None:
            return tuple(True for _ in people)
        sections = tuple(
            Section(entity, entity, selecting(entity, ("source_key",)), _WHO) for entity in filters
        )
        ruled = replace(self._decision, row_filters=filters, masks={}, consent=None)
        question = Question("sight", (Lookup(_WHO),), sections)
        plan = await self._planner.prepare(question, ruled)
        members = {str(at): records for at, records in enumerate(people)}
        customers = Customers.of([Found(name) for name in members], lambda name: members[name])
        customers.asks_for_nobody = True
        customers.ids = [*customers.ids, None]
        customers.link_states = [*customers.link_states, ""]
        gathered = await gather(
            plan,
            {_WHO: customers},
            {f"principal.{name}": value for name, value in ruled.attributes.items()},
            deadline,
            catalog=self._planner.catalog,
            connectors=self._connectors,
            clock=self._clock,
        )
        seen = tuple(
            any(gathered.rows[section.name].get(at) for section in sections)
            for at in range(len(people))
        )
        if not any(seen):
            failures = {s: e for many in gathered.failures.values() for s, e in many.items()}
            if failures:
                raise failures[min(failures)]
        return seen
