"""Decides how whoever is on duty learns of a question that breaks the glass."""

from __future__ import annotations

import logging

from roundview_federation.request import Request

_ALARMS = logging.getLogger("roundview.alarm")


def sound_alarm(request: Request, record: str) -> None:
    """Tells of a question that breaks the glass, at level CRITICAL of the log `roundview.alarm`.

    It names the asker, their roles, the purpose and the `record` of the audit log, which has the
    reason.
    """
    principal = request.principal
    _ALARMS.critical(
        "the glass is broken: %r, roles %s, purpose %s, record %s",
        principal.name,
        ", ".join(principal.roles),
        request.purpose or principal.default_purpose,
        record,
    )
