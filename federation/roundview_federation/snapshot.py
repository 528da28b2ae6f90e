"""Decides what one catalog version consists of at run time: connectors, plans, decisions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cachetools import LRUCache

from roundview_catalog.errors import RoundviewError
from roundview_catalog.model import Catalog, Source
from roundview_federation.access.exceptions import check_emergency, check_reveal
from roundview_federation.access.policy import decide, for_principal, purpose_of
from roundview_federation.connectors import open_connector
from roundview_federation.connectors.port import Connector
from roundview_federation.lookup import Finder
from roundview_federation.planner import Planner
from roundview_federation.request import Decision, Principal, Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.learn import learn
from roundview_federation.rewrite.sealing import KeySealing
from roundview_identity.store import Xref

_DECISIONS = 1_000
_PROOF_SECONDS = 5.0
_WARM_SECONDS = 5.0
_Asker = tuple[tuple[str, ...], str, bool, tuple[str, str] | None]
"""Roles, purpose, whether it is an emergency, and what is revealed."""
_LOG = logging.getLogger("roundview.sources")


@dataclass(frozen=True, slots=True)
class SourceState:
    """Says whether a source may be asked: ready | unproven | unavailable, and why."""

    name: str
    title: str
    connector: str
    state: str
    detail: str
    entities: tuple[str, ...]


class Snapshot:
    """One catalog version, ready to answer; requests that began with it end with it."""

    def __init__(
        self,
        catalog: Catalog,
        xref: Xref,
        *,
        sealing: KeySealing,
        env: Mapping[str, str],
        clock: Callable[[], datetime],
        previous: Snapshot | None = None,
    ) -> None:
        self.catalog = catalog
        self.in_flight = 0
        self.connectors: dict[str, Connector] = {}
        for name, source in catalog.sources.items():
            kept = previous.connectors.get(name) if previous else None
            if kept is not None and previous and _same(previous.catalog.sources[name], source):
                self.connectors[name] = kept
            else:
                self.connectors[name] = open_connector(source, env=env)
        self.planner = Planner(catalog, self.connectors, sealing)
        self.finder = Finder(self.planner, self.connectors, xref, clock)
        self._decisions: LRUCache[_Asker, Decision] = LRUCache(_DECISIONS)

    def decide(
        self,
        principal: Principal,
        purpose: str = "",
        *,
        is_emergency: bool = False,
        reveals: tuple[str, str] | None = None,
    ) -> Decision:
        """Returns the principal's decision, made once for roles and purpose ("": the default)."""
        key = (principal.roles, purpose or principal.default_purpose, is_emergency, reveals)
        known = self._decisions.get(key)
        if known is None:
            known = decide(
                self.catalog, principal, purpose, is_emergency=is_emergency, reveals=reveals
            )
            self._decisions[key] = known
        return for_principal(known, self.catalog.policy, principal)

    def decide_for(self, request: Request) -> Decision:
        """Returns the decision for a request; raises RV301 for a purpose it may not have.

        Raises RV300 and RV304 for a request that may not break the glass or reveal.
        """
        purpose, who = purpose_of(request), request.principal
        if not request.is_emergency and request.reveals is None:
            return self.decide(who, purpose)
        decision = self.decide(who, purpose, is_emergency=request.is_emergency)
        check_emergency(request, self.catalog.policy)
        check_reveal(request, decision)
        return self.decide(who, purpose, is_emergency=request.is_emergency, reveals=request.reveals)

    async def states(
        self, names: Collection[str] | None = None, seconds: float = _PROOF_SECONDS
    ) -> tuple[SourceState, ...]:
        """Proves sources read-only, all at once, and says what came of it.

        Without `names` these are all sources; each has some seconds to answer.
        """
        proved = self.catalog.sources if names is None else sorted(names)
        return tuple(await asyncio.gather(*(self._state(name, seconds) for name in proved)))

    def learn(self) -> None:
        """Finds out what the plans of all questions have in common."""
        able = {name: connector.capabilities for name, connector in self.connectors.items()}
        learn(self.catalog, able, self.planner.rows, self.planner.sealing)

    async def warm(self, sources: Collection[str] | None = None) -> None:
        """Lets sources do ahead what the plans that are kept need; all or some, all at once.

        What planning finds out of the catalog, whatever is asked, is found out with it.

        What fails here fails again, with its label, when somebody asks.
        """
        calls: dict[str, list[Any]] = {name: [] for name in self.connectors}
        for plan in self.planner.plans():
            for planned in plan.fragments:
                calls[planned.fragment.source].append(planned.call)
        chosen = [name for name in self.connectors if sources is None or name in sources]
        warming = [
            self.connectors[name].warm(calls[name], Deadline.after(_WARM_SECONDS))
            for name in chosen
        ]
        learning = asyncio.to_thread(self.learn)
        outcomes = await asyncio.gather(learning, *warming, return_exceptions=True)
        for name, outcome in zip(("planning", *chosen), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                code = outcome.code if isinstance(outcome, RoundviewError) else ""
                _LOG.info("%s is not ready ahead: %s", name, code or type(outcome).__name__)

    async def close(self, keep: Sequence[Snapshot] = ()) -> None:
        """Closes the connectors that no snapshot of `keep` uses."""
        kept = {id(connector) for one in keep for connector in one.connectors.values()}
        for connector in self.connectors.values():
            if id(connector) not in kept:
                await connector.close()

    async def _state(self, name: str, seconds: float) -> SourceState:
        source = self.catalog.sources[name]
        entities = tuple(dict.fromkeys(branch.entity for branch in source.branches))
        try:
            async with asyncio.timeout(seconds):
                detail = await self.connectors[name].prove_read_only()
            state = "ready"
        except TimeoutError:
            state, detail = "unavailable", "no answer in time"
        except RoundviewError as error:
            state = "unproven" if error.code == "RV407" else "unavailable"
            detail = error.message
        return SourceState(name, source.title, source.connector, state, detail, entities)


def _same(before: Source, after: Source) -> bool:
    """Tells whether a source is asked as before: how large its tables are does not matter."""
    return _asked(before) == _asked(after)


def _asked(source: Source) -> tuple[Any, ...]:
    tables = {name: replace(one, rows_estimate=None) for name, one in source.tables.items()}
    return source.connector, source.connection, source.limits, tables, source.root
