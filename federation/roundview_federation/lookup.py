"""Decides which customer an identifier means: the xref, live numbers and live probes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cachetools import TTLCache

from roundview_catalog import normalizers
from roundview_catalog.errors import IdentityError, RequestError, RoundviewError, SourceError
from roundview_catalog.model import Catalog, IdentifierKind
from roundview_federation.connectors.port import Connector
from roundview_federation.locating import Located, Locating
from roundview_federation.plan import Identifier
from roundview_federation.planner import Planner
from roundview_federation.records import read_records
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Found
from roundview_federation.sight import Records, Scope, Sight
from roundview_identity.refresh import remember
from roundview_identity.rules import Rules
from roundview_identity.store import Xref

_UNKNOWN_FOR_SECONDS = 60
_MOST_CANDIDATES = 10

Person = tuple[str, str]
"""The source and the source key of an individual."""


class Finder:
    """Resolves identifiers for one catalog snapshot, for each asker among the customers who exist
    for them: others are looked for as if nobody had ever heard of them.
    """

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
        self._locating = Locating(planner, connectors, clock)
        # By asker: who is unknown to one may be known to another.
        self._unknown: TTLCache[tuple[Scope, str, str], bool] = TTLCache(
            10_000, _UNKNOWN_FOR_SECONDS
        )
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

    async def find_each(
        self, many: Sequence[Identifier], decision: Decision, deadline: Deadline
    ) -> tuple[Found, ...]:
        """Returns the customer of each identifier; what cannot be asked at all is raised."""
        sight = Sight(decision, self._planner, self._connectors, self._clock)
        if len(many) == 1:
            return (await self._found(many[0], sight, deadline),)
        return tuple(await asyncio.gather(*(self._found(one, sight, deadline) for one in many)))

    def forget_unknown(self) -> None:
        """Forgets what was unknown, after identity was refreshed."""
        self._unknown.clear()

    async def _found(self, identifier: Identifier, sight: Sight, deadline: Deadline) -> Found:
        try:
            return await self._find(identifier, sight, deadline)
        except RoundviewError as error:
            if error.code.startswith("RV1"):
                raise
            return Found(error=error)

    async def _find(self, identifier: Identifier, sight: Sight, deadline: Deadline) -> Found:
        """Returns a customer of the asker's; ambiguity and unlinked records are errors."""
        kind = self.catalog.canonical.identifiers.get(identifier.kind)
        forms = self.normalized(identifier)
        if sight.is_nobody:
            return Found()
        if kind is None or kind.name == "customer_id":
            known = self._xref.resolve_id(forms[0])
            ids = () if known is None else (known,)
            return self._one(await self._shown(ids, sight, deadline))
        if kind.is_live:
            return await self._live(kind, forms, sight, deadline)
        found = await self._shown(self._known(kind, forms), sight, deadline)
        if found:
            return self._one(found)
        if all((sight.scope, kind.name, form) in self._unknown for form in forms):
            return Found()
        found = await self._probe(kind, forms, sight, deadline)
        if not found:
            self._unknown.update({(sight.scope, kind.name, form): True for form in forms})
        return self._one(found)

    # -- the three ways ----------------------------------------------------------------------

    async def _shown(self, ids: Sequence[str], sight: Sight, deadline: Deadline) -> tuple[str, ...]:
        """Returns the customers who exist for the asker."""
        if sight.is_everybody:
            return tuple(ids)
        seen = await sight.seen([self._xref.members(one) for one in ids], deadline)
        return tuple(one for one, is_seen in zip(ids, seen, strict=True) if is_seen)

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

    async def _live(
        self, kind: IdentifierKind, forms: Sequence[str], sight: Sight, deadline: Deadline
    ) -> Found:
        located, failures = await self._locating.locate(kind, forms, deadline)
        persons = await self._persons(located, sight, deadline)
        if not persons:
            told = [one for one in located if sight.shows_all(one.entity)]
            if told and all(one.person is None for one in told):
                return Found(error=_unlinked(told[0]))
            if failures:
                raise failures[0]
            return Found()
        owners = {p: self._xref.owner(*p) for p in persons}
        if None in owners.values():
            await self._remember([p for p in persons if owners[p] is None], deadline)
            owners = {p: self._xref.owner(*p) for p in persons}
        ids = tuple(dict.fromkeys(owner for owner in owners.values() if owner is not None))
        if not ids:
            theirs = (one for one in located if (one.source, one.person) in owners)
            return Found(error=_unlinked(next(theirs)))
        return self._one(ids)

    async def _probe(
        self, kind: IdentifierKind, forms: Sequence[str], sight: Sight, deadline: Deadline
    ) -> tuple[str, ...]:
        """Links the persons whom sources have with an identifier, and returns the customers."""
        limit = deadline.sooner(self.catalog.deadlines.probe)
        located, _ = await self._locating.locate(kind, forms, limit)
        persons = await self._persons(located, sight, deadline)
        await self._remember(persons, deadline)
        known = self._known(kind, forms)
        if sight.is_everybody:
            return known
        owners = {self._xref.owner(*person) for person in persons}
        return tuple(one for one in known if one in owners)

    async def _persons(
        self, located: Sequence[Located], sight: Sight, deadline: Deadline
    ) -> list[Person]:
        """Returns the persons of records who exist for the asker, in order."""
        persons = sorted({(one.source, one.person) for one in located if one.person is not None})
        if sight.is_everybody:
            return persons
        customers: dict[Records, list[Person]] = defaultdict(list)
        for person in persons:
            customers[tuple(self._records(*person))].append(person)
        seen = await sight.seen(list(customers), deadline)
        shown = (many for many, is_seen in zip(customers.values(), seen, strict=True) if is_seen)
        return [person for many in shown for person in many]

    def _records(self, source: str, source_key: str) -> Sequence[Person]:
        """Returns the records of the customer whose record one is; that one where it has none."""
        owner = self._xref.owner(source, source_key)
        return [(source, source_key)] if owner is None else self._xref.members(owner)

    async def _remember(self, persons: Sequence[Person], deadline: Deadline) -> None:
        by_source: dict[str, list[str]] = defaultdict(list)
        for source, person in persons:
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


def _unlinked(located: Located) -> RoundviewError:
    error = IdentityError("the record is known, its person is not", code="RV601")
    error.extensions.update(source=located.source, sourceKey=located.source_key)
    return error
