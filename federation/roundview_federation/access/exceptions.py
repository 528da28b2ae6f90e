"""Decides when a request may see more than its roles usually do: by a reason, never silently."""

from __future__ import annotations

from roundview_catalog.errors import AccessError, RequestError
from roundview_catalog.policy import Policy
from roundview_federation.request import Decision, Principal, Request

SHORTEST_REASON = 5


def check_emergency(request: Request, policy: Policy) -> None:
    """Raises AccessError RV300, RV304 for a request that may not break the glass."""
    if not request.is_emergency:
        return
    if not may_break_glass(request.principal, policy):
        raise AccessError(
            "no role of yours is for emergencies", code="RV300", hint="ask without breaking glass"
        )
    _check_reason(request)


def may_break_glass(principal: Principal, policy: Policy) -> bool:
    """Tells whether one of the roles of a principal is for emergencies."""
    roles = (policy.roles.get(name) for name in principal.roles)
    return any(role is not None and role.is_break_glass for role in roles)


def check_reveal(request: Request, decision: Decision) -> None:
    """Raises where a request may not reveal what it names: RV102, RV300, RV304.

    A field that the asker cannot read does not exist, so that nobody learns which are masked.
    """
    if request.reveals is None:
        return
    entity, field = request.reveals
    if field not in decision.fields.get(entity, ()):
        raise RequestError(f"unknown column {field} of {entity}", code="RV102")
    if "reveal" not in decision.actions:
        raise AccessError(
            "no role of yours may reveal", code="RV300", hint="the action reveal is needed"
        )
    _check_reason(request)


def _check_reason(request: Request) -> None:
    if len(request.reason.strip()) < SHORTEST_REASON:
        raise AccessError(
            "a reason is needed for this",
            code="RV304",
            hint="say in a few words what it is for: it is kept in the audit log",
        )
