"""Decides what identity reads of a person: key columns, through the ordinary path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from roundview_catalog import normalizers
from roundview_catalog.errors import SourceError
from roundview_catalog.model import Canonical, Catalog, Entity
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import ROW_HEAD, Lookup, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.source_keys import split_key
from roundview_identity.records import Record

PERSONS = "persons"
NOTHING: Decision = Decision("own", "", {}, {}, {}, frozenset(), {})
"""Under which we read for ourselves: the planner lifts it for hidden sections."""

_KEY_AND_SLOT = itemgetter(ROW_HEAD.index("source_key"), ROW_HEAD.index("slot"))


@dataclass(slots=True)
class _Person:
    identifiers: dict[tuple[str, str], None] = field(default_factory=dict)
    matches: dict[str, str] = field(default_factory=dict)


class Forming:
    """Makes identity records of some people of a source from the rows that arrive of them."""

    def __init__(self, source: str, canonical: Canonical) -> None:
        self._source = source
        self._canonical = canonical
        self._persons: dict[Any, _Person] = {}

    @property
    def owners(self) -> Sequence[Any]:
        """Returns whose rows came, in their order."""
        return list(self._persons)

    def add(self, section: Section, groups: Mapping[Any, Sequence[tuple[Any, ...]]]) -> None:
        """Takes the rows of a section by owner; those of nobody (None) are left out.

        They count in the order of their keys, since no source promises one of its own.
        """
        entity = self._canonical.entities[section.entity]
        for owner, rows in groups.items():
            if owner is None:
                continue
            person = self._persons.setdefault(owner, _Person())
            for row in sorted(rows, key=_KEY_AND_SLOT) if len(rows) > 1 else rows:
                _add(person, entity, section.columns, row[len(ROW_HEAD) :], self._canonical)

    def records(self, keys: Sequence[str] | None = None) -> list[Record]:
        """Returns a record per owner, who is a source key or the position of one in `keys`."""
        return [
            _record(self._source, owner if keys is None else keys[owner], person)
            for owner, person in self._persons.items()
        ]


async def read_records(
    source: str,
    keys: Sequence[str],
    deadline: Deadline,
    *,
    planner: Planner,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
) -> list[Record]:
    """Returns the normalised identity records of some persons of a source.

    `keys` are source keys of individuals. Raises the SourceError of the first fragment that
    failed, and RV405 if a cap left rows out: half a record would unlink what the other half
    proves.
    """
    sections = identity_sections(planner.catalog.canonical, PERSONS)
    question = Question(f"records:{source}:keys", (Lookup(PERSONS),), ())
    plan = await planner.prepare(
        question, NOTHING, hidden=lambda: sections, sources=frozenset({source})
    )
    customers = {PERSONS: persons_of(source, keys)}
    gathered = await gather(
        plan, customers, {}, deadline,
        catalog=planner.catalog, connectors=connectors, clock=clock,
    )  # fmt: skip
    raise_failure(gathered)
    if gathered.truncated:
        raise too_many(source)
    forming = Forming(source, planner.catalog.canonical)
    for section in sections:
        forming.add(section, gathered.rows[section.name])
    return forming.records(keys)


def identity_sections(canonical: Canonical, lookup: str) -> tuple[Section, ...]:
    """Returns what identity reads: the key columns of every entity that belongs to a person."""
    return tuple(
        Section(f"own#{entity.name}", entity.name, selecting(entity.name, columns), lookup)
        for entity, columns in _identity_columns(canonical)
    )


def persons_of(source: str, keys: Sequence[str]) -> Customers:
    """Returns people as the executor binds customers: the owner of a row is a position in keys."""
    entries = [(*split_key(key), at) for at, key in enumerate(keys)]
    return Customers(list(keys), ["linked"] * len(keys), {source: entries})


def raise_failure(gathered: Gathered) -> None:
    """Raises the first failure of a source, if there is one."""
    for failures in gathered.failures.values():
        raise next(iter(failures.values()))


def too_many(source: str) -> SourceError:
    """Returns the error for a source of which a cap left rows out."""
    return SourceError(
        source,
        f"{source} has more of its people than its limits allow to read",
        code="RV405",
        hint="raise limits.rows, limits.scan_rows or limits.bytes",
        retryable=False,
    )


def fingerprint_columns(canonical: Canonical) -> tuple[str, ...]:
    """Returns the columns of `individual` whose change makes a link suspicious."""
    individual = canonical.entities["individual"]
    return tuple(f.name for f in individual.fields.values() if f.match)


def fingerprint_record(
    source: str, source_key: str, columns: Sequence[str], row: Sequence[Any], canonical: Canonical
) -> Record:
    """Returns the names and birth date of an individual's row as identity compares them."""
    fields = canonical.entities["individual"].fields
    person = _Person()
    for name, value in zip(columns, row, strict=False):
        if value is not None:
            person.matches.setdefault(fields[name].match, str(value))
    return _record(source, source_key, person)


def sources_with_persons(catalog: Catalog) -> tuple[str, ...]:
    """Returns the sources that map people."""
    return tuple(
        source.name
        for source in catalog.sources.values()
        if any(branch.entity == "individual" for branch in source.branches)
    )


def _identity_columns(canonical: Canonical) -> Iterable[tuple[Entity, tuple[str, ...]]]:
    for entity in canonical.entities.values():
        if not entity.has_person:
            continue
        columns: dict[str, None] = {}
        for f in entity.fields.values():
            kind = canonical.identifiers.get(f.identifier)
            if f.identifier_from:
                columns |= {f.identifier_from: None, f.name: None}
            elif (kind is not None and not kind.is_live) or f.match:
                columns[f.name] = None
        if columns:
            yield entity, tuple(columns)


def _add(
    person: _Person,
    entity: Entity,
    columns: Sequence[str],
    values: Sequence[Any],
    canonical: Canonical,
) -> None:
    row = dict(zip(columns, values, strict=False))
    for name, value in row.items():
        if value is None:
            continue
        f = entity.fields[name]
        if f.match:
            person.matches.setdefault(f.match, str(value))
        kind = canonical.identifiers.get(
            str(row.get(f.identifier_from, "")) if f.identifier_from else f.identifier
        )
        if kind is None or kind.is_live:
            continue
        normalized = normalizers.normalize(kind.normalizer, str(value))
        if normalized is not None:
            person.identifiers[(kind.name, normalized)] = None


def _record(source: str, source_key: str, person: _Person) -> Record:
    given = person.matches.get("given", "")
    family = person.matches.get("family", "")
    full = person.matches.get("full", "")
    if full and not (given and family):
        first, _, last = full.rpartition(" ")
        given, family = given or first, family or last
    return Record(
        source=source,
        source_key=source_key,
        identifiers=tuple(person.identifiers),
        given_name=given,
        family_name=family,
        birth_date=person.matches.get("birth_date", ""),
        postal_code=person.matches.get("postal_code", ""),
        street=person.matches.get("street", ""),
    )
