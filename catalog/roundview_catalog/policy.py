"""Decides what a policy is: what roles see, for which purposes, by whose consent; its tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    `text` is the file.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    purposes: tuple[str, ...] = PURPOSES
    attributes: tuple[str, ...] = ATTRIBUTES
    only_for: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    consents: Mapping[str, Consent] = field(default_factory=dict)
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of canonical values; `shows` None: the row must be hidden."""

    entity: str
    given: Mapping[str, Any]
    consents: tuple[Mapping[str, Any], ...]
    shows: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class LiveQuestion:
    """One question in SQL and what its answer must be; `rows` None: any number."""

    sql: str
    rows: int | None = None
    shows: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """What somebody must and must not be shown."""

    name: str
    roles: tuple[str, ...]
    purpose: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    is_emergency: bool = False
    sees: tuple[Place, ...] = ()
    hides: tuple[Place, ...] = ()
    masks: tuple[Place, ...] = ()
    samples: tuple[Sample, ...] = ()
    questions: tuple[LiveQuestion, ...] = ()
