"""Decides which identifiers may link records, and how many records one may have."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from roundview_catalog.model import Catalog, IdentifierKind
from roundview_catalog.normalizers import is_placeholder


@dataclass(frozen=True, slots=True)
class Rules:
    """Identifier kinds by name."""

    kinds: Mapping[str, IdentifierKind]
    _blocked: Mapping[str, re.Pattern[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        blocked = {
            kind.name: re.compile("|".join(map(fnmatch.translate, kind.blocked)), re.IGNORECASE)
            for kind in self.kinds.values()
            if kind.blocked
        }
        object.__setattr__(self, "_blocked", blocked)

    @classmethod
    def of(cls, catalog: Catalog) -> Rules:
        """Returns the rules of a catalog."""
        return cls(catalog.canonical.identifiers)

    @property
    def digest(self) -> str:
        """Returns a hash that changes when a rule does."""
        text = repr(sorted((k.name, k.usage, k.max_records, k.blocked) for k in self._stored))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def is_blocked(self, kind: str, normalized: str) -> bool:
        """Tells whether a value never links: placeholders and blocked patterns."""
        if is_placeholder(kind, normalized):
            return True
        blocked = self._blocked.get(kind)
        return blocked is not None and blocked.fullmatch(normalized) is not None

    def is_stored(self, kind: str) -> bool:
        """Tells whether identifiers of this kind are kept as hashes: no live numbers, no ids."""
        known = self.kinds.get(kind)
        return known is not None and not known.is_live and kind != "customer_id"

    @property
    def _stored(self) -> list[IdentifierKind]:
        return [kind for kind in self.kinds.values() if self.is_stored(kind.name)]
