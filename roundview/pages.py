"""Decides which page of the desk a caller gets: one per catalog version and set of rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cachetools import LRUCache

from roundview_catalog.model import Catalog
from roundview_desktop.page import Caller, PageContext, page_context
from roundview_federation.access.exceptions import may_break_glass
from roundview_federation.access.policy import purpose_of
from roundview_federation.access.principals import of_role
from roundview_federation.federation import Federation
from roundview_federation.request import Decision, Principal, Request

_PAGES = 64
_MOST_USUAL = 8


class Pages:
    """Keeps the desk's pages of the current catalog, with the documents of the one before it."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._pages: LRUCache[tuple[str, str, Caller], PageContext] = LRUCache(_PAGES)
        self._newest: LRUCache[str, Mapping[str, str]] = LRUCache(_PAGES)

    def newest(self, principal: Principal) -> tuple[str, ...]:
        """Returns the ids of a principal's documents of the current catalog."""
        self.of(Request(principal))
        decision = self._federation.decide(principal)
        return tuple(self._newest[decision.policy_shape])

    def of(self, request: Request) -> PageContext:
        """Returns the page of who sends a request, made where its rules have none yet.

        Without a purpose, and where the caller has no default one, it is a page for the first of
        theirs. Raises AccessError RV301 for a purpose that they may not have.
        """
        catalog, who = self._federation.catalog, request.principal
        purpose = request.purpose or who.default_purpose or next(iter(who.purposes), "")
        purpose = purpose_of(replace(request, purpose=purpose))
        is_emergency = request.is_emergency
        decision = self._federation.decide(who, purpose, is_emergency=is_emergency)
        caller = Caller(
            # Equal rules are shown one page: it names roles, never one of those who have them.
            name=" ".join(who.roles),
            purposes=who.purposes,
            purpose=purpose,
            has_login=catalog.access.is_configured,
            may_break_glass=may_break_glass(who, catalog.policy),
            is_emergency=is_emergency,
        )
        key = (catalog.version, decision.policy_shape, caller)
        known = self._pages.get(key)
        if known is None:
            fresh = page_context(catalog, decision.fields, caller, _revealable(catalog, decision))
            # A page that is open keeps asking with the documents of its version.
            documents = {**self._newest.get(decision.policy_shape, {}), **fresh.documents}
            self._newest[decision.policy_shape] = fresh.documents
            known = PageContext(documents, fresh.settings, fresh.kinds)
            self._pages[key] = known
        return known


def usual(federation: Federation) -> list[Principal]:
    """Returns for whom plans are made ahead: somebody of each role, some roles at most."""
    catalog = federation.catalog
    if not catalog.access.is_configured:
        return [federation.principal]
    names = [name for name, role in catalog.policy.roles.items() if not role.is_break_glass]
    return [of_role(catalog, name) for name in names[:_MOST_USUAL]]


def _revealable(catalog: Catalog, decision: Decision) -> frozenset[tuple[str, str]]:
    """Returns the masked fields that may be revealed; who may not is not told which they are."""
    if "reveal" not in decision.actions:
        return frozenset()
    entities = catalog.canonical.entities
    return frozenset(place for place in decision.masks if entities[place[0]].has_person)
