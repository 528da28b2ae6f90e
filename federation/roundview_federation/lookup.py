"""Decides which customer an identifier means: the xref, live numbers and live probes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cachetools import TTLCache
from sqlglot import exp

from roundview_catalog import normalizers
from roundview_catalog.errors import IdentityError, RequestError, RoundviewError, SourceError
from roundview_catalog.model import Branch, Catalog, IdentifierKind, SourceTable
from roundview_catalog.types import Kind
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import (
    ROW_HEAD,
    ArrivalContext,
    Identifier,
    Origin,
    PlannedFragment,
    Section,
    selecting,
)
from roundview_federation.planner import Planner
from roundview_federation.records import read_records
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Found
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.push import FragmentDraft, push
from roundview_federation.rewrite.unfold import asked_of, unfold
from roundview_identity.refresh import remember
from roundview_identity.rules import Rules
from roundview_identity.store import Xref

_VALUE = "value"
_UNKNOWN_FOR_SECONDS = 60
_MOST_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Locator:
    """Asks one source for the records that carry an identifier, by the source's index."""

    planned: PlannedFragment
    form: str
    column_kind: Kind
    normalizer: str


@dataclass(frozen=True, slots=True)
class Located:
    """A live record with the identifier; `person` is its individual's source key."""

    source: str
    source_key: str
    person: str | None


class Finder:
    """Resolves identifiers for one catalog snapshot."""

    def __init__(
        self,
        planner: Planner,
        connectors: Mapping[str, Connector],
        xref: Xref,
        clock: Callable[[], datetime],
    ) -> None:
        self.catalog: Catalog = planner.catalog
        self._planner = planner
        self._connectors = connectors
        self._xref = xref
        self._clock = clock
        self._locators: dict[str, tuple[Locator, ...]] = {}
        self._unknown: TTLCache[tuple[str, str], bool] = TTLCache(10_000, _UNKNOWN_FOR_SECONDS)
        self._regions = tuple(
            dict.fromkeys(
                s.defaults.phone_region
                for s in self.catalog.sources.values()
                if s.defaults.phone_region
            )
        )

    def normalized(self, identifier: Identifier) -> tuple[str, ...]:
        """Returns the normal forms that the caller may mean; RV101 if there is none."""
        kind = self.catalog.canonical.identifiers.get(identifier.kind)
        if kind is None:
            raise RequestError(f"unknown identifier kind {identifier.kind}", code="RV101")
        forms = normalizers.candidates(kind.normalizer, identifier.value, self._regions)
        if not forms:
            raise RequestError(
                f"this cannot be a {kind.name.replace('_', ' ')}",
                code="RV101",
                hint="check what was typed",
            )
        return forms

    async def find_each(self, many: Sequence[Identifier], deadline: Deadline) -> tuple[Found, ...]:
        """Returns the customer of each identifier; what cannot be asked at all is raised."""
        if len(many) == 1:
            return (await self._found(many[0], deadline),)
        return tuple(await asyncio.gather(*(self._found(one, deadline) for one in many)))

    async def find(self, identifier: Identifier, deadline: Deadline) -> Found:
        """Returns the customer of an identifier; ambiguity and unlinked records are errors."""
        kind = self.catalog.canonical.identifiers.get(identifier.kind)
        forms = self.normalized(identifier)
        if kind is None or kind.name == "customer_id":
            return self._customer(forms[0])
        if kind.is_live:
            return await self._live(kind, forms, deadline)
        found = self._known(kind, forms)
        if found:
            return self._one(found)
        if all((kind.name, form) in self._unknown for form in forms):
            return Found()
        await self._probe(kind, forms, deadline)
        found = self._known(kind, forms)
        if not found:
            self._unknown.update({(kind.name, form): True for form in forms})
        return self._one(found)

    def forget_unknown(self) -> None:
        """Forgets what was unknown, after identity was refreshed."""
        self._unknown.clear()

    # -- the three ways ----------------------------------------------------------------------

    async def _found(self, identifier: Identifier, deadline: Deadline) -> Found:
        try:
            return await self.find(identifier, deadline)
        except RoundviewError as error:
            if error.code.startswith("RV1"):
                raise
            return Found(error=error)

    def _customer(self, customer_id: str) -> Found:
        known = self._xref.resolve_id(customer_id)
        return Found() if known is None else self._one((known,))

    def _known(self, kind: IdentifierKind, forms: Sequence[str]) -> tuple[str, ...]:
        ids = (i for form in forms for i in self._xref.lookup(kind.name, form))
        return tuple(dict.fromkeys(ids))

    def _one(self, ids: Sequence[str]) -> Found:
        if not ids:
            return Found()
        if len(ids) == 1:
            linked = self._xref.linked(ids[0])
            state = "provisional" if linked.is_provisional else "linked"
            return Found(ids[0], state, fingerprints=linked.fingerprints)
        error = IdentityError("several customers share this identifier", code="RV600")
        error.extensions["candidate_ids"] = tuple(ids[:_MOST_CANDIDATES])
        return Found(error=error)

    async def _live(self, kind: IdentifierKind, forms: Sequence[str], deadline: Deadline) -> Found:
        located, failures = await self._locate(kind, forms, deadline)
        persons = {(one.source, one.person) for one in located if one.person is not None}
        if not persons:
            if located:
                first = located[0]
                return Found(error=_unlinked(first))
            if failures:
                raise failures[0]
            return Found()
        owners = {p: self._xref.owner(p[0], str(p[1])) for p in persons}
        if None in owners.values():
            await self._remember({p for p, owner in owners.items() if owner is None}, deadline)
            owners = {p: self._xref.owner(p[0], str(p[1])) for p in persons}
        ids = tuple(dict.fromkeys(owner for owner in owners.values() if owner is not None))
        if not ids:
            return Found(error=_unlinked(located[0]))
        return self._one(ids)

    async def _probe(self, kind: IdentifierKind, forms: Sequence[str], deadline: Deadline) -> None:
        limit = deadline.sooner(self.catalog.deadlines.probe)
        located, _ = await self._locate(kind, forms, limit)
        persons = {(one.source, one.person) for one in located if one.person is not None}
        await self._remember({(s, p) for s, p in persons if p is not None}, deadline)

    async def _remember(self, persons: set[tuple[str, Any]], deadline: Deadline) -> None:
        by_source: dict[str, list[str]] = defaultdict(list)
        for source, person in sorted(persons):
            by_source[source].append(person)
        records = []
        for source, keys in by_source.items():
            try:
                records += await read_records(
                    source,
                    keys,
                    deadline,
                    planner=self._planner,
                    connectors=self._connectors,
                    clock=self._clock,
                )
            except SourceError:
                continue
        if records:
            remember(self._xref, records, Rules.of(self.catalog), actor="probe")

    # -- asking the owning source ------------------------------------------------------------

    async def _locate(
        self, kind: IdentifierKind, forms: Sequence[str], deadline: Deadline
    ) -> tuple[list[Located], list[SourceError]]:
        locators = self._locators.get(kind.name)
        if locators is None:
            found = locators_of(kind, self._planner)
            locators = self._locators[kind.name] = tuple(found)
        asked = [
            (locator, value)
            for locator in locators
            for value in dict.fromkeys(_as_source(form, locator) for form in forms)
            if value is not None
        ]
        answers = await asyncio.gather(
            *(self._ask(locator, value, deadline) for locator, value in asked),
            return_exceptions=True,
        )
        located: list[Located] = []
        failures: list[SourceError] = []
        for (locator, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, SourceError):
                failures.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                located += self._matching(locator, answer, forms)
        return list(dict.fromkeys(located)), failures

    async def _ask(self, locator: Locator, value: Any, deadline: Deadline) -> list[tuple[Any, ...]]:
        source = locator.planned.fragment.source
        limit = deadline.sooner(self.catalog.sources[source].limits.timeout)
        try:
            async with asyncio.timeout(limit.left + 0.02):
                answer = await self._connectors[source].rows(
                    locator.planned.call, {_VALUE: value}, limit
                )
        except TimeoutError:
            raise SourceError(source, f"{source} did not answer in time", code="RV401") from None
        return answer.rows

    def _matching(
        self, locator: Locator, rows: list[tuple[Any, ...]], forms: Sequence[str]
    ) -> Iterator[Located]:
        source = locator.planned.fragment.source
        now = self._clock()
        known = self.catalog.sources[source]
        origin = Origin(source, known.system, known.instance, now, now)
        context = ArrivalContext(origin, {}, (), (), {}, lambda _: None)
        for arrival in locator.planned.arrivals:
            out: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
            arrival.convert(rows, out, context)
            for person, found in out.items():
                for row in found:
                    value = normalizers.normalize(locator.normalizer, str(row[len(ROW_HEAD)]))
                    if value in forms:
                        yield Located(source, row[1], person)


def locators_of(kind: IdentifierKind, planner: Planner) -> Iterator[Locator]:
    """Yields every way to ask a source, by its index, for records that carry an identifier."""
    for entity, field in planner.catalog.canonical.identifier_fields(kind.name):
        if planner.catalog.canonical.entities[entity].fields[field].identifier_from:
            continue
        for branch in planner.catalog.branches(entity):
            yield from _branch_locators(kind, branch, field, planner)


def _branch_locators(
    kind: IdentifierKind, branch: Branch, field: str, planner: Planner
) -> Iterator[Locator]:
    connector = planner.connectors[branch.source]
    capabilities = connector.capabilities
    section = Section("locate", branch.entity, selecting(branch.entity, (field,)), "")
    leaf, sealing = _leaf(section), planner.sealing
    joins = capabilities.joins
    for unfolded in unfold(
        asked_of(leaf), branch, planner.catalog, (field,), joins=joins, sealing=sealing
    ):
        column = _base_column(branch, unfolded.slot, field, planner.catalog)
        if column is None or column.table not in unfolded.aliases:
            continue
        table = unfolded.source.tables[unfolded.aliases[column.table]]
        declared, form = table.searched(column.name)
        form = form or ("text" if kind.is_live else "")
        if not form or not _is_indexed(table, declared.name):
            continue
        drafts: dict[str, FragmentDraft] = {}
        asked = exp.column(declared.name, table=column.table)
        condition = exp.EQ(this=asked, expression=exp.Placeholder(this=_VALUE))
        pushed = push(
            unfolded, None, capabilities, drafts, conditions=(condition,), params=(_VALUE,)
        )
        compiled = arrive(unfolded, pushed, "locate")
        fragment = pushed.draft.fragment()
        try:
            call = connector.compile(fragment)
        except RequestError:
            continue
        yield Locator(
            planned=PlannedFragment(fragment, call, (compiled(),)),
            form=form,
            column_kind=declared.type.kind,
            normalizer=kind.normalizer,
        )


def _leaf(section: Section) -> exp.Select:
    name = section.entity
    inner = section.tree.copy()
    tree = section.tree.copy()
    tree.set(
        "from_",
        exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(name)))),
    )
    return tree


def _base_column(branch: Branch, slot: str, field: str, catalog: Catalog) -> exp.Column | None:
    """Returns the plain source column that an identifier field is, or is derived from."""
    mapping = branch.slots[slot].get(field)
    if mapping is not None:
        return mapping.expr if isinstance(mapping.expr, exp.Column) else None
    derive = catalog.canonical.entities[branch.entity].fields[field].derive
    if derive is None:
        return None
    for column in derive.find_all(exp.Column):
        return _base_column(branch, slot, column.name, catalog)
    return None


def _is_indexed(table: SourceTable, column: str) -> bool:
    if table.access is not None:
        return True
    keys = (table.primary_key, *table.unique, *table.indexes)
    return any(key and key[0] == column for key in keys)


def _as_source(form: str, locator: Locator) -> Any:
    """Returns a normal form as the source's column holds it, None where it cannot."""
    if locator.column_kind in (Kind.INTEGER, Kind.BIGINT):
        return int(form) if form.isdigit() and len(form) < 19 else None
    if locator.form == "lower":
        return form.lower()
    if locator.form == "upper":
        return form.upper()
    return form


def _unlinked(located: Located) -> RoundviewError:
    error = IdentityError("the record is known, its person is not", code="RV601")
    error.extensions.update(source=located.source, sourceKey=located.source_key)
    return error
