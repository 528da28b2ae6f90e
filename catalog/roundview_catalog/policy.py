"""Decides what a policy is: roles, what they see, for which purposes, and by whose consent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

PURPOSES = ("service", "marketing", "fraud", "analytics")
"""Purposes of every catalog; `purposes` of policy.yaml adds others."""

ATTRIBUTES = ("region", "business_unit")
"""Attributes of every principal; `attributes` of policy.yaml adds others."""

Place = tuple[str, str]
"""Names a field of an entity, or with "" all of the entity."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one role may see; expressions are over canonical fields and `principal.x`.

    `sees`: entity or "*" -> fields or None for all; `row_filter` has a filter for each entity that
    has one. A role that `is_break_glass` counts only for a request that breaks the glass.
    """

    name: str
    purposes: tuple[str, ...]
    sees: Mapping[str, tuple[str, ...] | None]
    row_filter: Mapping[str, exp.Expr] = field(default_factory=dict)
    mask: Mapping[Place, exp.Expr] = field(default_factory=dict)
    actions: frozenset[str] = frozenset()
    is_break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person must have agreed to before the places that need it are shown.

    A person agrees where one of their consents is `given` and none is `refused`; both are
    conditions on rows of the entity consent.
    """

    given: exp.Expr
    refused: exp.Expr | None
    needed_by: frozenset[Place]


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that policy.yaml says; without it nobody sees anything.

    `only_for`: place -> the only purposes that it may be read for. `consents`: purpose -> consent.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    purposes: tuple[str, ...] = PURPOSES
    attributes: tuple[str, ...] = ATTRIBUTES
    only_for: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    consents: Mapping[str, Consent] = field(default_factory=dict)
