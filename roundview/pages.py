"""Decides which page of the desk a caller gets: one per catalog version and set of rules."""

from __future__ import annotations

from collections.abc import Mapping

from cachetools import LRUCache

from roundview_desktop.page import PageContext, page_context
from roundview_federation.access.principals import of_role
from roundview_federation.federation import Federation
from roundview_federation.request import Principal

_PAGES = 64
_MOST_USUAL = 8


class Pages:
    """Keeps the desk's pages of the current catalog, with the documents of the one before it."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._pages: LRUCache[tuple[str, str], PageContext] = LRUCache(_PAGES)
        self._newest: LRUCache[str, Mapping[str, str]] = LRUCache(_PAGES)

    def newest(self, principal: Principal) -> tuple[str, ...]:
        """Returns the ids of a principal's documents of the current catalog."""
        self.of(principal)
        decision = self._federation.decide(principal)
        return tuple(self._newest[decision.policy_shape])

    def of(self, principal: Principal, purpose: str = "") -> PageContext:
        """Returns the page of a principal, made where its rules have none yet."""
        catalog = self._federation.catalog
        decision = self._federation.decide(principal, purpose, catalog=catalog)
        key = (catalog.version, decision.policy_shape)
        known = self._pages.get(key)
        if known is None:
            # Equal rules are shown one page: it names roles, never one of those who have them.
            name = " ".join(principal.roles)
            fresh = page_context(catalog, decision.fields, name)
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
