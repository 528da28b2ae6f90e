"""Decides which identifiers may link records, and how many records one may have."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass

from roundview_catalog.model import Catalog, IdentifierKind
from roundview_catalog.normalizers import is_placeholder


@dataclass(frozen=True, slots=True)
class Rules:
    """Identifier kinds by name."""

    kinds: Mapping[str, IdentifierKind]

    @classmethod
    def of(cls, catalog: Catalog) -> Rules:
        """Returns the rules of a catalog."""
        return cls(catalog.canonical.identifiers)

    def is_blocked(self, kind: str, normalized: str) -> bool:
        """Tells whether a value never links: placeholders and blocked patterns."""
        if is_placeholder(kind, normalized):
            return True
        return any(fnmatch.fnmatch(normalized, p) for p in self.kinds[kind].blocked)
