"""Decides when a request may see more than its roles usually do: by a reason, never silently."""

from __future__ import annotations

import logging

from roundview_catalog.errors import AccessError, RequestError
from roundview_catalog.policy import Policy
from roundview_federation.request import Decision, Request

SHORTEST_REASON = 5
_ALARMS = logging.getLogger("roundview.alarm")


def check_emergency(request: Request, policy: Policy, decision: Decision) -> None:
    """Raises an alarm for a request that breaks the glass; RV300, RV304 where it may not.

    The alarm names the asker, the purpose and the roles, at level CRITICAL of the log
    `roundview.alarm`; the reason is in the audit log.
    """
    if not request.is_emergency:
        return
    known = (policy.roles.get(name) for name in sorted(set(request.principal.roles)))
    roles = [role.name for role in known if role is not None and role.is_break_glass]
    if not roles:
        raise AccessError(
            "no role of yours is for emergencies", code="RV300", hint="ask without breaking glass"
        )
    _check_reason(request)
    _ALARMS.critical(
        "the glass is broken: %r, purpose %s, roles %s",
        request.principal.name,
        decision.purpose,
        ", ".join(roles),
    )


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
