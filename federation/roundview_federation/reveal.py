"""Decides how one masked field of one customer is shown: for a reason, on record, for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section
from roundview_federation.planner import selecting
from roundview_federation.request import Request

SHOWN_FOR = timedelta(minutes=5)

_WHO = "who"


@dataclass(frozen=True, slots=True)
class Revealed:
    """One field of a customer as each record has it; whoever shows it hides it at `expires_at`.

    `values` are (source, source_key, value).
    """

    values: tuple[tuple[str, str, Any], ...]
    expires_at: datetime


async def reveal(
    federation: Federation, identifier: Identifier, place: tuple[str, str], request: Request
) -> Revealed:
    """Shows one field of one customer's records without its mask, and of nothing else.

    The request needs a reason, one of its roles the action `reveal`. Row filters, purposes and
    consent hold as ever; what other roles would not show stays hidden. Raises RV102 for a field
    that the asker cannot read, RV300, RV304, and what any question raises.

    >>> await reveal(federation, caller, ("individual", "birth_date"), request)
    """
    entity, field = place
    section = Section("revealed", entity, selecting(entity, (field,)), _WHO)
    question = Question(f"reveal:{entity}.{field}", (Lookup(_WHO),), (section,))
    revealing = replace(request, reveals=place)
    result = await federation.run(question, {_WHO: [identifier]}, revealing)
    (found,) = result.found[_WHO]
    if found.error is not None:
        raise found.error
    groups = result.outputs["revealed"].groups
    rows = groups[0].rows if 0 in groups else []
    values = tuple((row[0].source, row[1], row[len(ROW_HEAD)]) for row in rows)
    return Revealed(values, federation.clock() + SHOWN_FOR)
