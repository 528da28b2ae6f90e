"""Runs a question as one statement of Trino."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from roundview_catalog.engines import Trino
from roundview_catalog.errors import EngineError, SourceError
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.engines.trino.engine import Answer, TrinoEngine
from roundview_federation.engines.trino.settings import settings_of
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.rewrite.trino.place import places_of, xref_of
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.running import Asked, looked_up, own, picked
from roundview_federation.sql.streaming import too_many_rows
from roundview_federation.sql.trino.reads import Reading, constant_rows, relation_rows
from roundview_federation.sql.trino.statement import Statement, assembled, properties_of

_MOST_OWN_ROWS = 200
_UNREADABLE = "RV506"
"""What Trino says where one of its connectors fails."""


def trino_questions(
    told: Trino, root: Path, env: Mapping[str, str], known: TrinoEngine | None
) -> TrinoQuestions:
    """Returns what asks the Trino that a catalog names: the known one while it is the same."""
    settings = settings_of(told, root, env)
    if known is None or known.settings != settings:
        # Answers of before a reload go on; their engine ends with them.
        known = TrinoEngine(settings)
    return TrinoQuestions(known, env)


@dataclass(slots=True)
class TrinoQuestions:
    """Asks one Trino; `env` resolves where it finds the sources."""

    engine: TrinoEngine
    env: Mapping[str, str]

    async def statement(self, planned: PlannedQuery, asked: Asked) -> Statement:
        """Returns the statement of a question; raises RequestError RV103 where there is none."""
        if asked.is_partial:
            raise not_on_trino("an answer without some of its sources")
        found = {
            name: await looked_up(one, asked)
            for name, one in planned.reads.items()
            if one.read.relation == LOOKUP
        }
        rows = {
            name: await _few(one, asked)
            for name, one in planned.reads.items()
            if is_ours(one.read.relation) and one.read.relation != LOOKUP
        }
        return await asyncio.to_thread(self._written, planned, asked, found, rows)

    async def answer(self, planned: PlannedQuery, statement: Statement, asked: Asked) -> Answer:
        """Returns the rows of a question as they come.

        Raises what the engine does, SourceError for a source that does not answer us either.
        """
        types = [column.type for column in planned.columns]
        try:
            return await self.engine.stream(
                statement.text(), types, asked.deadline, properties=statement.properties
            )
        except EngineError as error:
            if error.code == _UNREADABLE:
                await _name_dead_sources(statement.sources, asked)
            raise

    def _written(
        self,
        planned: PlannedQuery,
        asked: Asked,
        found: Mapping[str, list[tuple[Any, ...]]],
        rows: Mapping[str, list[tuple[Any, ...]]],
    ) -> Statement:
        snapshot = asked.snapshot
        known = snapshot.catalog.sources
        attributes = {
            name.removeprefix("principal."): value for name, value in asked.params.items()
        }
        reading = Reading(
            snapshot.catalog,
            snapshot.planner,
            asked.decision,
            places_of(snapshot.catalog, self.env),
            asked.xref,
            attributes,
            xref_of(snapshot.catalog),
        )
        made: dict[str, exp.Query] = {}
        for name, one in planned.reads.items():
            if name in found:
                made[name] = constant_rows(picked(found[name], one), one.columns)
            elif name in rows:
                made[name] = constant_rows(rows[name], one.columns)
            else:
                made[name] = _rows(one, planned, found, reading)
        connectors = {source: known[source].connector for source in reading.sources}
        return Statement(
            tree=assembled(planned.residual, made, asked.clock()),
            properties=properties_of(
                connectors, reading.places, reading.keys, hands_on=_hands_on(planned)
            ),
            sources=tuple(reading.sources),
            pruned=tuple(reading.pruned),
        )


def _rows(
    one: PlannedRead,
    planned: PlannedQuery,
    found: Mapping[str, list[tuple[Any, ...]]],
    reading: Reading,
) -> exp.Query:
    customers = None if one.customers is None else tuple(map(str, one.customers))
    section = one.alone
    bind = one.choice.bind
    is_of_customers = bind is not None and bind.column == "customer_id"
    of = bind.of if bind is not None and is_of_customers else ()
    if of and one.bound is not None and all(name in found for name, _ in of):
        customers = tuple(str(row[0]) for name, _ in of for row in found[name])
        section = one.bound
    if customers is None and bind is None:
        _check_size(one)
    return relation_rows(section, one.columns, customers, reading)


async def _name_dead_sources(sources: Collection[str], asked: Asked) -> None:
    """Raises SourceError for a source that does not answer."""
    for state in await asked.snapshot.states():
        if state.name in sources and state.state == "unavailable":
            raise SourceError(state.name, f"{state.name} cannot be reached", code="RV402") from None


def _check_size(one: PlannedRead) -> None:
    """Refuses a scan above the limits of its sources: Trino itself has no such limit."""
    if one.alone.row_cap not in (None, NO_CAP) and one.choice.estimate > (one.alone.row_cap or 0):
        raise too_many_rows(one.read.relation)


async def _few(one: PlannedRead, asked: Asked) -> list[tuple[Any, ...]]:
    """Returns the rows of a relation of our own, of which few stand in a statement."""
    rows = await own(one, asked)
    if len(rows) > _MOST_OWN_ROWS:
        raise not_on_trino("that many rows of our own")
    return rows


def _hands_on(planned: PlannedQuery) -> bool:
    return any(one.choice.bind is not None for one in planned.reads.values())
