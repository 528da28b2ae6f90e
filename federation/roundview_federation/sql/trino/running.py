"""Runs a question as one statement of Trino."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from cachetools import LRUCache
from sqlglot import exp

from roundview_catalog.engines import Trino
from roundview_catalog.errors import EngineError, RequestError
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.engines.trino.engine import Answer, TrinoEngine
from roundview_federation.engines.trino.settings import settings_of
from roundview_federation.plan import Identifier, Section
from roundview_federation.result import Found
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.rewrite.trino.place import places_of, xref_of
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.running import Asked, awaited_keys, looked_up, own, picked
from roundview_federation.sql.streaming import too_many_rows
from roundview_federation.sql.trino.absent import Absences
from roundview_federation.sql.trino.reads import Reading, among, constant_rows, relation_rows
from roundview_federation.sql.trino.statement import NOW, Statement, assembled, properties_of
from roundview_federation.sql.trino.templates import Template

_MOST_OWN_ROWS = 200
_MOST_STATEMENTS = 256
_VARIANTS = 4
"""Statements that are kept of one plan for values of which sources make something else."""
_MOST_KEY_LETTERS = 200_000
"""Of longer lists a statement would come near to what Trino takes, a million letters."""
_TOO_MANY_ROWS = "RV117"
_LATE, _UNREADABLE = "RV502", "RV506"
"""What Trino says where one of its connectors fails, or what it asks does not answer."""
_UNFIT = "RV105"


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
    absences: Absences = field(default_factory=Absences)
    _kept: LRUCache[int, list[Template]] = field(default_factory=lambda: LRUCache(_MOST_STATEMENTS))
    """statements by the residual of their plan, which they hold so that it is none other's"""

    async def statement(
        self, planned: PlannedQuery, asked: Asked, *, is_shown: bool = False
    ) -> Statement:
        """Returns the statement of a question; raises RequestError RV103 where there is none.

        Reads whose keys others wait for are asked first, by us: their sources then see lists of
        keys, whatever Trino knows of the sizes. A statement that is only shown has no such keys.
        Raises SourceError RV402 for a source that does not answer; a partial answer does without.
        """
        now = asked.clock()
        for one in self._kept.get(id(planned.residual), ()):
            served = one.serves(planned, asked.params, now)
            if served is not None:
                if await self.absences.among(served.sources, asked):
                    break
                return served
        asked = replace(asked, find=_once(asked.find))
        keys = {} if is_shown else await _awaited(planned, asked)
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
        written = partial(self._written, planned, asked, found, rows, keys, now)
        made = await asyncio.to_thread(written)
        absent = () if is_shown else await self.absences.among(made.statement.sources, asked)
        if absent:
            return (await asyncio.to_thread(written, absent)).statement
        has_customers = any(one.customers is not None for one in planned.reads.values())
        if not (found or rows or keys or has_customers or is_shown):
            others = self._kept.get(id(planned.residual), [])[: _VARIANTS - 1]
            self._kept[id(planned.residual)] = [made, *others]
        return made.statement

    async def answer(self, planned: PlannedQuery, statement: Statement, asked: Asked) -> Answer:
        """Returns the rows of a question as they come.

        Raises what the engine does, SourceError for a source that does not answer us either.
        """
        sources = statement.sources
        types = [column.type for column in planned.columns]
        try:
            return await self.engine.stream(
                statement.text(),
                types,
                asked.deadline,
                properties=statement.properties,
                trace=asked.trace,
            )
        except EngineError as error:
            if error.code in (_UNREADABLE, _LATE):
                self.absences.doubt(sources)
            if error.code == _UNREADABLE:
                await self.absences.among(sources, replace(asked, is_partial=False))
            raise
        except RequestError as error:
            if error.code == _UNFIT and asked.is_partial:
                raise not_on_trino("values that are not of their type become no NULL") from None
            raise

    def _written(
        self,
        planned: PlannedQuery,
        asked: Asked,
        found: Mapping[str, list[tuple[Any, ...]]],
        rows: Mapping[str, list[tuple[Any, ...]]],
        keys: Mapping[str, list[Any]],
        now: datetime,
        absent: tuple[str, ...] = (),
    ) -> Template:
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
            absent,
        )
        made: dict[str, exp.Query] = {}
        known_of = _known_of(planned, keys)
        for name, one in planned.reads.items():
            if name in found:
                made[name] = constant_rows(picked(found[name], one), one.columns)
            elif name in rows:
                made[name] = constant_rows(rows[name], one.columns)
            else:
                read = _rows(name, one, keys.get(name), reading)
                made[name] = among(read, one.columns, known_of.get(name, {}))
        connectors = {source: known[source].connector for source in reading.sources}
        statement = Statement(
            tree=assembled(
                planned.residual, made, {name: one.columns for name, one in planned.reads.items()}
            ),
            notes=tuple(reading.notes),
            values={**planned.values, **reading.values, NOW: now},
            properties=properties_of(
                connectors, reading.places, reading.keys, hands_on=_hands_on(planned, keys)
            ),
            sources=tuple(reading.sources),
            pruned=tuple(reading.pruned),
            missing=absent,
        )
        return Template(
            planned, dict(asked.params), tuple(reading.open), reading.is_open, statement
        )


def _rows(name: str, one: PlannedRead, keys: list[Any] | None, reading: Reading) -> exp.Query:
    customers = None if one.customers is None else tuple(map(str, one.customers))
    if customers is not None:
        # An id of before a merge still leads to records, which have another id now.
        customers = tuple(one for one in customers if reading.xref.resolve_id(one) == one)
    if keys is None or one.bound is None:
        if customers is None and one.choice.bind is None:
            _check_size(one)
        return relation_rows(_said(name, one, one.alone), one.columns, customers, reading)
    bound = _said(name, one, one.bound)
    if one.key:
        by = {one.key: dict.fromkeys(keys)}
        return relation_rows(bound, one.columns, customers, reading, by)
    return relation_rows(bound, one.columns, tuple(map(str, keys)), reading)


def _said(name: str, one: PlannedRead, section: Section) -> Section:
    """Returns a read's section by its name, with the values of the question."""
    return replace(section, name=name, values=one.conditions.values)


def _once(
    find: Callable[[Identifier], Awaitable[Found]],
) -> Callable[[Identifier], Awaitable[Found]]:
    """Returns what looks each identifier up once."""
    known: dict[Identifier, asyncio.Future[Found]] = {}

    def found(identifier: Identifier) -> Awaitable[Found]:
        if identifier not in known:
            known[identifier] = asyncio.ensure_future(find(identifier))
        return known[identifier]

    return found


async def _awaited(planned: PlannedQuery, asked: Asked) -> dict[str, list[Any]]:
    """Returns the keys of reads that wait for others; none where those bring too much."""
    try:
        found = await awaited_keys(planned, asked)
    except RequestError as error:
        if error.code != _TOO_MANY_ROWS:
            raise
        return {}
    return {
        name: keys
        for name, keys in found.items()
        if sum(len(str(key)) for key in keys) <= _MOST_KEY_LETTERS
    }


def _known_of(
    planned: PlannedQuery, keys: Mapping[str, list[Any]]
) -> dict[str, dict[str, list[Any]]]:
    """Returns the values that were read of columns for whose values others waited."""
    known: dict[str, dict[str, list[Any]]] = {}
    for name, values in keys.items():
        bind = planned.reads[name].choice.bind
        for other, column in bind.of if bind is not None else ():
            known.setdefault(other, {})[column] = values
    return known


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


def _hands_on(planned: PlannedQuery, keys: Mapping[str, list[Any]]) -> bool:
    """Tells whether Trino itself hands keys of one read on to another."""
    return any(
        one.choice.bind is not None and name not in keys for name, one in planned.reads.items()
    )
