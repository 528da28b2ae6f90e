"""Turns a principal's roles into one Decision: default deny, fields, filters, masks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlglot import exp

from roundview_catalog.errors import AccessError
from roundview_catalog.model import COMMON_FIELDS, Catalog, Entity, Role
from roundview_federation.request import Decision, Principal, Request

DEMO = Principal(name="demo", roles=("demo",), purposes=("service",), default_purpose="service")
"""Who asks until authentication exists; the server then listens on loopback only."""


def decide(catalog: Catalog, principal: Principal) -> Decision:
    """Returns what the principal may see; unknown roles see nothing.

    With several roles a field is readable if one of them reads it, a row if one of their
    filters lets it through, and unmasked only if one of them that reads the field does not
    mask it. A row that no filter judges TRUE is hidden.
    """
    roles = [catalog.roles[name] for name in principal.roles if name in catalog.roles]
    fields: dict[str, frozenset[str]] = {}
    filters: dict[str, tuple[exp.Expr, ...]] = {}
    masks: dict[tuple[str, str], exp.Expr] = {}
    for entity in catalog.canonical.entities.values():
        seeing = [role for role in roles if _sees(role, entity) is not None]
        if not seeing:
            continue
        readable: set[str] = set()
        for role in seeing:
            readable |= _sees(role, entity) or set()
        fields[entity.name] = frozenset(readable)
        own = [role.row_filter.get(entity.name) for role in seeing]
        if all(one is not None for one in own):
            filters[entity.name] = tuple(one for one in own if one is not None)
        for name in readable:
            reading = [role for role in seeing if name in (_sees(role, entity) or ())]
            masking = [role.mask.get((entity.name, name)) for role in reading]
            first = masking[0]
            if first is not None and all(one is not None for one in masking):
                masks[(entity.name, name)] = first
    return Decision(
        policy_shape=_shape(roles),
        catalog_version=catalog.version,
        fields=fields,
        row_filters=filters,
        masks=masks,
        actions=frozenset(action for role in roles for action in role.actions),
        attributes=principal.attributes,
    )


def purpose_of(request: Request) -> str:
    """Returns the purpose of a request; RV301 if there is none or it is not the principal's."""
    purpose = request.purpose or request.principal.default_purpose
    if not purpose:
        raise AccessError("the request names no purpose", code="RV301", hint="send one")
    if purpose not in request.principal.purposes:
        raise AccessError(
            "this purpose is not allowed here",
            code="RV301",
            hint=f"one of: {', '.join(sorted(request.principal.purposes))}",
        )
    return purpose


def _sees(role: Role, entity: Entity) -> set[str] | None:
    always = {*COMMON_FIELDS, *entity.parents.values()}
    if entity.name in role.sees:
        listed = role.sees[entity.name]
    elif "*" in role.sees:
        listed = role.sees["*"]
    else:
        return None
    return set(entity.types) if listed is None else always | set(listed)


def _shape(roles: Sequence[Role]) -> str:
    names = ",".join(sorted(role.name for role in roles))
    return hashlib.sha256(names.encode()).hexdigest()[:16]
