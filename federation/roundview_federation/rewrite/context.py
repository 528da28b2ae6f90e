"""Decides what every pass may know: canonical schema, decision, section."""

from __future__ import annotations

from dataclasses import dataclass

from roundview_catalog.model import Canonical, Entity
from roundview_federation.plan import Section
from roundview_federation.request import Decision


@dataclass(frozen=True, slots=True)
class RewriteContext:
    """Carries what is constant while one section is rewritten."""

    canonical: Canonical
    decision: Decision
    section: Section

    @property
    def entity(self) -> Entity:
        """Returns the section's canonical entity."""
        return self.canonical.entities[self.section.entity]
