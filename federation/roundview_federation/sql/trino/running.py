"""Runs a question as one statement of Trino."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from roundview_federation.connectors.port import NO_CAP
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.engines.trino.engine import Answer, TrinoEngine
from roundview_federation.plan import Identifier
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.rewrite.trino.place import places_of, xref_of
from roundview_federation.sql.consenting import AGREED
from roundview_federation.sql.own_rows import own_rows
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.running import Asked
from roundview_federation.sql.streaming import too_many_rows
from roundview_federation.sql.trino.reads import Reading, constant_rows, relation_rows
from roundview_federation.sql.trino.statement import Statement, assembled, properties_of

_MOST_OWN_ROWS = 200


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
            name: await _look_up(one, asked)
            for name, one in planned.reads.items()
            if one.read.relation == LOOKUP
        }
        rows = {
            name: await _own_rows(one, asked)
            for name, one in planned.reads.items()
            if is_ours(one.read.relation) and one.read.relation != LOOKUP
        }
        return await asyncio.to_thread(self._written, planned, asked, found, rows)

    async def answer(
        self, planned: PlannedQuery, statement: Statement, deadline: Deadline
    ) -> Answer:
        """Returns the rows of a question as they come."""
        types = [column.type for column in planned.columns]
        return await self.engine.stream(
            statement.text(), types, deadline, properties=statement.properties
        )

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
                picked = [_picked(row, one) for row in found[name]]
                made[name] = constant_rows(picked, one.columns)
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


def _check_size(one: PlannedRead) -> None:
    """Refuses a scan above the limits of its sources: Trino itself has no such limit."""
    if one.alone.row_cap not in (None, NO_CAP) and one.choice.estimate > (one.alone.row_cap or 0):
        raise too_many_rows(one.read.relation)


def _hands_on(planned: PlannedQuery) -> bool:
    return any(one.choice.bind is not None for one in planned.reads.values())


async def _look_up(one: PlannedRead, asked: Asked) -> list[tuple[Any, ...]]:
    found = await asked.find(Identifier(*map(str, one.read.arguments)))
    if found.error is not None:
        raise found.error
    return [] if found.customer_id is None else [(found.customer_id, found.link_state)]


def _picked(row: tuple[Any, ...], one: PlannedRead) -> tuple[Any, ...]:
    at = {"customer_id": 0, "link_state": 1}
    return tuple(row[at[name]] for name in one.columns)


async def _own_rows(one: PlannedRead, asked: Asked) -> list[tuple[Any, ...]]:
    if one.read.relation == AGREED:
        if len(asked.agreed) > _MOST_OWN_ROWS:
            raise not_on_trino("consents of that many customers")
        return [tuple(each for _ in one.columns) for each in asked.agreed]
    made = await own_rows(
        one.read.relation,
        one.columns,
        asked.snapshot,
        asked.decision,
        asked.deadline,
        asked.clock,
    )
    if len(made) > _MOST_OWN_ROWS:
        raise not_on_trino("that many rows of our own")
    return [tuple(row[name] for name in one.columns) for row in made]
