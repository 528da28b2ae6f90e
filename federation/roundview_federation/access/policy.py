"""Turns a principal's roles and purpose into one Decision: default deny, fields, filters, masks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_catalog.errors import AccessError
from roundview_catalog.model import COMMON_FIELDS, Catalog, Entity
from roundview_catalog.policy import Policy, Role
from roundview_federation.access.cells import Cells
from roundview_federation.request import Decision, Principal, Request

_PERSON = "individual"


def decide(
    catalog: Catalog,
    principal: Principal,
    purpose: str = "",
    *,
    is_emergency: bool = False,
    reveals: tuple[str, str] | None = None,
) -> Decision:
    """Returns what a principal may see for a purpose ("": its default).

    Unknown roles see nothing. Only roles that have the purpose count, and those that break the
    glass only in an emergency. With several, a row is shown if one of them shows it, and of a row
    each value that one of those roles reads: masked only if all of those mask it. A row that no
    filter judges TRUE is hidden. The field that a request `reveals` is shown without the masks of
    roles that may reveal.
    """
    purpose = purpose or principal.default_purpose
    policy = catalog.policy
    roles = _roles(policy, principal, purpose, is_emergency=is_emergency)
    fields: dict[str, frozenset[str]] = {}
    filters: dict[str, tuple[exp.Expr, ...]] = {}
    masks: dict[tuple[str, str], exp.Expr] = {}
    personal: dict[str, list[Role]] = {}
    for entity in catalog.canonical.entities.values():
        sees = {role.name: _sees(role, entity, policy, purpose) for role in roles}
        seeing = [role for role in roles if sees[role.name] is not None]
        if not seeing:
            continue
        if entity.has_person and catalog.branches(entity.name):
            personal[entity.name] = seeing
        readable = frozenset[str]().union(*(sees[role.name] or () for role in seeing))
        fields[entity.name] = readable
        revealed = reveals[1] if reveals is not None and reveals[0] == entity.name else ""
        cells = Cells(entity.name, seeing, revealed)
        if cells.row_filters:
            filters[entity.name] = cells.row_filters
        for name in readable:
            mask = cells.mask(name, [role for role in seeing if name in (sees[role.name] or ())])
            if mask is not None:
                masks[(entity.name, name)] = mask
    consent = policy.consents.get(purpose)
    return Decision(
        policy_shape=_shape(roles, purpose, reveals),
        catalog_version=catalog.version,
        fields=fields,
        row_filters=filters,
        masks=masks,
        actions=frozenset(action for role in roles for action in role.actions),
        attributes=attributes_of(policy, principal),
        purpose=purpose,
        consent=consent,
        people=_people(personal),
    )


def for_principal(decision: Decision, policy: Policy, principal: Principal) -> Decision:
    """Returns the decision of equal roles and purpose, with the attributes of one principal."""
    return replace(decision, attributes=attributes_of(policy, principal))


def attributes_of(policy: Policy, principal: Principal) -> Mapping[str, Any]:
    """Returns every attribute that rules may name: a text, or None where the principal has none.

    What is neither a text nor a whole number is no attribute: a rule that names it shows nothing.
    """
    found: dict[str, Any] = {}
    for name in policy.attributes:
        value = principal.attributes.get(name)
        is_plain = isinstance(value, str | int) and not isinstance(value, bool)
        found[name] = str(value) if is_plain else None
    return found


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


def may_query(request: Request, decision: Decision) -> None:
    """Raises RV300 for a request in SQL that reveals, or scans though none of the roles may."""
    if request.reveals is not None:
        raise AccessError(
            "SQL reveals nothing", code="RV300", hint="reveal one field of one customer"
        )
    if request.allow_scan and "allow_scan" not in decision.actions:
        raise AccessError(
            "no role of yours may read whole sources",
            code="RV300",
            hint="ask for less, or for a role with the action allow_scan",
        )


def _roles(policy: Policy, principal: Principal, purpose: str, *, is_emergency: bool) -> list[Role]:
    """Returns the roles that count, in one order for all principals who have them."""
    known = (policy.roles.get(name) for name in sorted(set(principal.roles)))
    return [
        role
        for role in known
        if role is not None
        and purpose in role.purposes
        and (is_emergency or not role.is_break_glass)
    ]


def _sees(role: Role, entity: Entity, policy: Policy, purpose: str) -> set[str] | None:
    """Returns the fields that one role reads for a purpose, None where it knows no such entity."""
    if entity.name in role.sees:
        listed = role.sees[entity.name]
    elif "*" in role.sees:
        listed = role.sees["*"]
    else:
        return None
    if not _is_for(policy, (entity.name, ""), purpose):
        return None
    always = {*COMMON_FIELDS, *entity.parents.values()}
    readable = set(entity.types) if listed is None else always | set(listed)
    return {
        name for name in readable if name in always or _is_for(policy, (entity.name, name), purpose)
    }


def _people(personal: Mapping[str, Sequence[Role]]) -> dict[str, tuple[exp.Expr, ...]] | None:
    """Returns by which rows there is a customer, `personal`: entity -> the roles that see it.

    A role tells by the rows of individuals, one that does not see these by any rows of people that
    it sees. None where a role need not look at a row.
    """
    people: dict[str, dict[str, exp.Expr]] = {}
    telling = {role.name for role in personal.get(_PERSON, ())}
    for entity, roles in personal.items():
        for role in roles:
            if role.name in telling and entity != _PERSON:
                continue
            condition = role.row_filter.get(entity)
            if condition is None:
                return None
            people.setdefault(entity, {})[condition.sql()] = condition
    return {entity: tuple(filters.values()) for entity, filters in people.items()}


def _is_for(policy: Policy, place: tuple[str, str], purpose: str) -> bool:
    only = policy.only_for.get(place)
    return only is None or purpose in only


def _shape(roles: Sequence[Role], purpose: str, reveals: tuple[str, str] | None) -> str:
    names = ",".join((purpose, *(role.name for role in roles)))
    if reveals is not None:
        names = f"{names} reveals {'.'.join(reveals)}"
    return hashlib.sha256(names.encode()).hexdigest()[:16]
