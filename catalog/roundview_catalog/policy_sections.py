"""Decides which keys policy.yaml has; what they mean together is policy_file's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from roundview_catalog.tables import Shape

Action = Literal["steward", "reveal", "erase", "audit.read", "allow_scan"]
Purposes = Annotated[tuple[str, ...], Field(min_length=1)]


class RoleSection(Shape):
    """What one role may see and do; nothing else exists for it."""

    purposes: Purposes
    """Purposes for which the role may ask."""
    sees: Mapping[str, Literal["all"] | tuple[str, ...]]
    """Entity or "*" -> all or a list of fields."""
    row_filter: Mapping[str, str] = Field(default_factory=dict)
    """Entity -> condition, "*" for every entity; rows for which it is not TRUE are hidden."""
    mask: Mapping[str, str] = Field(default_factory=dict)
    """entity.field -> expression shown instead."""
    actions: tuple[Action, ...] = ()
    """What the role may do beyond reading."""
    break_glass: bool = False
    """Whether the role counts only in an emergency, with a reason and an alarm."""


class PurposeSection(Shape):
    """A reason to read, and what people must have agreed to for it."""

    comment: str = ""
    """What the purpose is."""
    needs_consent: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Entities and entity.field that are shown of those only who agreed."""
    given: str = ""
    """Condition on a row of consent that says yes."""
    refused: str = ""
    """Condition on a row of consent that says no; one no outweighs every yes."""


class PolicyFile(Shape):
    """Roles; without this file nobody sees anything."""

    roles: Mapping[str, RoleSection] = Field(default_factory=dict)
    """Name -> what it may see."""
    purposes: Mapping[str, PurposeSection] = Field(default_factory=dict)
    """Purposes beside service, marketing, fraud and analytics, and the consent that one needs."""
    only_for: Mapping[str, Purposes] = Field(default_factory=dict)
    """Entity or entity.field -> the only purposes that it may be read for."""
    attributes: tuple[str, ...] = ()
    """Attributes of principals beside region and business_unit."""
