"""Decides what is known about a question besides the question: who, why, until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.policy import Consent

OPEN_GRAPHQL: Final = "graphql:open"
"""The scope of those who may ask GraphQL documents of their own, and see the schema."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Names who asks; `attributes` are what row filters and masks read as `principal.x`.

    `scopes` are the ways in which they may ask: without `graphql:open` only documents that are
    kept here.
    """

    name: str
    roles: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    purposes: tuple[str, ...] = ()
    default_purpose: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """Carries one question's context through every layer.

    `timeout_seconds` None means the catalog's deadline for the kind of question. `allow_scan`
    lets SQL read more of a source than its limits say; `is_partial` lets it answer without the
    sources that failed. `is_emergency` breaks the glass: roles that only count then do, and
    `reason` says why. `reveals` is an entity and a field that are asked for without their mask.
    """

    principal: Principal
    purpose: str = ""
    timeout_seconds: float | None = None
    trace_id: str = ""
    allow_scan: bool = False
    is_partial: bool = False
    is_emergency: bool = False
    reason: str = ""
    reveals: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """States what one principal may see, compiled from policy for one catalog version.

    `fields`: entity -> readable column names (an entity that is absent does not exist).
    `policy_shape` names the rules and the purpose, never attribute values. `consent` is what people
    must have agreed to for the purpose. `people` says who exists for the principal: customers of
    whom a row of one of its entities fulfils a filter; None: every customer, empty: none.
    """

    policy_shape: str
    catalog_version: str
    fields: Mapping[str, frozenset[str]]
    row_filters: Mapping[str, tuple[exp.Expr, ...]]
    masks: Mapping[tuple[str, str], exp.Expr]
    actions: frozenset[str]
    attributes: Mapping[str, Any]
    purpose: str = ""
    consent: Consent | None = None
    people: Mapping[str, tuple[exp.Expr, ...]] | None = None
