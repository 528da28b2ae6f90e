"""Reads every canonical row of a catalog through the path that questions take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.sql.estate import Entity

from roundview_federation.execute.rounds import gather
from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Lookup, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline

EVERYTHING = Decision("scanned", "", {}, {}, {}, frozenset(), {})
SECONDS = 120.0


async def scanned(
    federation: Federation, entities: Sequence[Entity]
) -> dict[str, list[tuple[Any, ...]]]:
    """Returns the rows of each entity; asserts that no source failed and no value was lost."""
    sections = tuple(
        Section(entity.name, entity.name, selecting(entity.name, tuple(entity.fields)), "")
        for entity in entities
    )
    current = federation.current
    question = Question("everything", (Lookup("nobody"),), ())
    plan = await current.planner.prepare(question, EVERYTHING, hidden=lambda: sections)
    gathered = await gather(
        plan,
        {},
        {},
        Deadline.after(SECONDS),
        catalog=federation.catalog,
        connectors=current.connectors,
        clock=lambda: datetime.now(UTC),
    )
    assert not gathered.failures
    assert not gathered.truncated
    assert sum(status.problems for status in gathered.statuses) == 0
    return {
        entity.name: [
            row[len(ROW_HEAD) :] for some in gathered.rows[entity.name].values() for row in some
        ]
        for entity in entities
    }
