"""Decides how all people of a source are read: chunk after chunk, and never half of them.

The table behind a mapping of `individual` is walked in the order of its key, where the source can
order and cut, or along the pages of its list; what else is known of the people of a chunk is asked
by their keys. Whatever can be asked in neither way is read at once, within the limits of views.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Branch, Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.ledger import Ledger
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import (
    Answer,
    Arrival,
    ArrivalContext,
    Lookup,
    Plan,
    PlannedFragment,
    Question,
    Section,
)
from roundview_federation.planner import Planner
from roundview_federation.records import (
    NOTHING,
    PERSONS,
    Forming,
    identity_sections,
    persons_of,
    raise_failure,
    too_many,
)
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.walk import Walk
from roundview_identity.records import Record

CHUNK = 5_000
"""How many people are read at once; they and what is known of them are held in memory."""

MOST_PEOPLE = 100_000_000
"""A source that gives more never ends."""

_CHUNK_SECONDS = 60.0

Groups = Mapping[Any, Sequence[tuple[Any, ...]]]
"""Rows by the source key of their person."""


async def read_people(
    source: str,
    *,
    planner: Planner,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
    chunk: int = CHUNK,
) -> AsyncIterator[list[Record]]:
    """Yields the normalised identity records of everybody in a source, some at a time.

    Memory is bound by the chunk. Who moves within a list while it is read may come twice.
    Raises the SourceError of whatever failed, and RV405 if a cap left rows out: then what was
    yielded is not all.
    """
    reading = await _reading(source, planner, connectors, clock)
    count = 0
    for walk in reading.walks:
        async for answer in walk.pieces(chunk):
            groups = reading.arrived(walk, answer)
            keys = list(dict.fromkeys(key for rows in groups.values() for key in rows))
            count += len(keys)
            if count > MOST_PEOPLE:
                raise too_many(source)
            for at in range(0, len(keys), chunk):
                yield await reading.people(keys[at : at + chunk], groups)
    yield reading.left()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One section that is asked by keys, without what a walk brings; `most` keys at once."""

    section: Section
    plan: Plan
    most: int


@dataclass(slots=True)
class _Reading:
    """One source being read; `whole` is what was read at once, by section."""

    source: str
    catalog: Catalog
    connectors: Mapping[str, Connector]
    clock: Callable[[], datetime]
    sections: tuple[Section, ...]
    walks: list[Walk] = field(default_factory=list)
    asked: list[_Asked] = field(default_factory=list)
    whole: dict[str, dict[Any, list[tuple[Any, ...]]]] = field(default_factory=dict)

    def arrived(self, walk: Walk, answer: Answer) -> dict[str, Groups]:
        """Turns the rows of a piece into rows of sections; those of nobody are left out."""
        ledger = Ledger(self.catalog, self.clock())
        context = ArrivalContext(
            origin=ledger.answered(self.source, answer, 0.0),
            owners={},
            customer_ids=(),
            link_states=(),
            params={},
            note=ledger.noter(self.source),
        )
        groups: dict[str, dict[Any, list[tuple[Any, ...]]]] = {}
        for arrival in walk.arrivals:
            rows = groups.setdefault(arrival.section, defaultdict(list))
            arrival.convert(answer.rows, rows, context)
            rows.pop(None, None)
        return dict(groups)

    async def people(self, keys: Sequence[str], walked: Mapping[str, Groups]) -> list[Record]:
        """Returns the records of some people, of whom the walk brought the first rows."""
        brought = await asyncio.gather(*(self._below(one, keys) for one in self.asked))
        others = {one.section.name: groups for one, groups in zip(self.asked, brought, strict=True)}
        forming = Forming(self.source, self.catalog.canonical)
        for section in self.sections:
            name = section.name
            first, further = walked.get(name, {}), others.get(name, {})
            held = self.whole.get(name, {})
            for key in keys:
                rows = [*first.get(key, ()), *further.get(key, ()), *held.pop(key, ())]
                if rows:
                    forming.add(section, {key: rows})
        return forming.records()

    def left(self) -> list[Record]:
        """Returns the records of people of whom no walk brought a row."""
        forming = Forming(self.source, self.catalog.canonical)
        for section in self.sections:
            forming.add(section, self.whole.get(section.name, {}))
        return forming.records()

    async def read_whole(self, plan: Plan, section: Section) -> None:
        """Reads a section at once and holds it until its people come."""
        if not plan.fragments:
            return
        gathered = await self._gathered(plan, ())
        if gathered.truncated:
            raise too_many(self.source)
        self.whole[section.name] = gathered.rows[section.name]

    async def _below(self, asked: _Asked, keys: Sequence[str]) -> Groups:
        found: dict[Any, Sequence[tuple[Any, ...]]] = {}
        for at in range(0, len(keys), asked.most):
            found.update(await self._by_keys(asked, keys[at : at + asked.most]))
        return found

    async def _by_keys(self, asked: _Asked, keys: Sequence[str]) -> Groups:
        gathered = await self._gathered(asked.plan, keys)
        if not gathered.truncated:
            return {keys[at]: rows for at, rows in gathered.rows[asked.section.name].items()}
        if len(keys) == 1:
            raise too_many(self.source)
        half = len(keys) // 2
        first = await self._by_keys(asked, keys[:half])
        return {**first, **await self._by_keys(asked, keys[half:])}

    async def _gathered(self, plan: Plan, keys: Sequence[str]) -> Gathered:
        gathered = await gather(
            plan,
            {PERSONS: persons_of(self.source, keys)},
            {},
            Deadline.after(_CHUNK_SECONDS),
            catalog=self.catalog,
            connectors=self.connectors,
            clock=self.clock,
        )
        raise_failure(gathered)
        return gathered


async def _reading(
    source: str,
    planner: Planner,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
) -> _Reading:
    catalog = planner.catalog
    known = catalog.sources[source]
    # Many people take longer than the one of a view.
    patient = replace(known, limits=replace(known.limits, timeout=_CHUNK_SECONDS))
    reading = _Reading(
        source=source,
        catalog=replace(catalog, sources={**catalog.sources, source: patient}),
        connectors=connectors,
        clock=clock,
        sections=identity_sections(catalog.canonical, ""),
    )
    scan = await _scan(reading.sections, source, planner)
    listed = [planned for planned in scan.fragments if _own(planned, known.branches)]
    walks = [_walk(planned, known.branches, connectors[source]) for planned in listed]
    if None in walks:
        # Whom no walk brings would be missed by what is asked for those it brings.
        for section in reading.sections:
            await reading.read_whole(_only(scan, section.name, ()), section)
        return reading
    reading.walks = [walk for walk in walks if walk is not None]
    covered = {_name(arrival) for walk in reading.walks for arrival in walk.arrivals}
    for section in identity_sections(catalog.canonical, PERSONS):
        keyed = await _planned((section,), "keys", source, planner)
        if keyed is None:
            await reading.read_whole(_only(scan, section.name, covered), section)
            continue
        plan = _only(keyed, section.name, covered)
        if plan.fragments:
            calls = known.limits.calls
            most = [f.keys_per_call * calls for f in plan.fragments if f.keys_per_call]
            reading.asked.append(_Asked(section, plan, min(most, default=CHUNK)))
    return reading


async def _scan(sections: tuple[Section, ...], source: str, planner: Planner) -> Plan:
    """Returns the plan that scans whatever may be scanned, the individuals at least."""
    plan = await _planned(sections, "scan", source, planner)
    if plan is None:
        alone = [(one, await _planned((one,), "scan", source, planner)) for one in sections]
        sections = tuple(section for section, found in alone if found is not None)
        plan = await _planned(sections, "scan", source, planner)
    if plan is None or not any(section.entity == "individual" for section in sections):
        raise SourceError(
            source,
            f"{source} cannot list its people",
            code="RV405",
            hint="declare a list of them under get",
            retryable=False,
        )
    return plan


async def _planned(
    sections: tuple[Section, ...], mode: str, source: str, planner: Planner
) -> Plan | None:
    """Returns the plan for some sections, None where the source cannot be asked so."""
    names = ",".join(section.name for section in sections)
    lookups = (Lookup(PERSONS),) if mode == "keys" else ()
    try:
        return await planner.prepare(
            Question(f"people:{source}:{mode}:{names}", lookups, ()),
            NOTHING,
            hidden=lambda: sections,
            sources=frozenset({source}),
        )
    except RequestError as error:
        if error.code != "RV117":
            raise
        return None


def _walk(
    planned: PlannedFragment, branches: Sequence[Branch], connector: Connector
) -> Walk | None:
    """Returns the walk over a scan that brings individuals, None where there is none.

    Only what the mapping of the individual makes of its own row comes along: another entity over
    the same table may belong to people of another chunk.
    """
    first, *others = _own(planned, branches)
    if planned.fragment.keysets or any(one.person != first.person for one in others):
        return None
    alike = {b.id for b in branches if b.scan is first.scan and b.person == first.person}
    arrivals = tuple(arrival for arrival in planned.arrivals if arrival.branch in alike)
    return Walk.over(planned.fragment, first, arrivals, connector)


def _own(planned: PlannedFragment, branches: Sequence[Branch]) -> list[Branch]:
    """Returns the mappings of individuals that a fragment brings."""
    brought = {arrival.branch for arrival in planned.arrivals}
    return [one for one in branches if one.entity == "individual" and one.id in brought]


def _only(plan: Plan, section: str, covered: Collection[tuple[str, str, str]]) -> Plan:
    """Returns the part of a plan that brings rows of a section which no walk brings."""
    kept: dict[str, PlannedFragment] = {}
    needed: set[str] = set()
    for planned in reversed(plan.fragments):
        arrivals = tuple(
            arrival
            for arrival in planned.arrivals
            if arrival.section == section and _name(arrival) not in covered
        )
        if arrivals or planned.fragment.id in needed:
            kept[planned.fragment.id] = replace(planned, arrivals=arrivals)
            needed |= {plan.keysets[name].fragment for name in planned.fragment.keysets}
    return replace(plan, fragments=tuple(reversed(kept.values())))


def _name(arrival: Arrival) -> tuple[str, str, str]:
    return arrival.section, arrival.branch, arrival.slot
