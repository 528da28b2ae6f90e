"""Decides how one masked field of one customer is shown: for a reason, on record, for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from roundview_catalog.errors import RequestError
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Result

SHOWN_FOR = timedelta(minutes=5)

_WHO = "who"


class Runs(Protocol):
    """What a reveal needs of the federation."""

    async def run(self, question: Question, params: Mapping[str, Any], request: Request) -> Result:
        """Answers a question."""


@dataclass(frozen=True, slots=True)
class RevealedValue:
    """What one record has in the revealed field."""

    source: str
    source_key: str
    slot: str
    value: Any


@dataclass(frozen=True, slots=True)
class Revealed:
    """One field of a customer as each record has it; whoever shows it hides it at `expires_at`.

    `missing` names sources that were asked for it and did not answer.
    """

    customer_id: str
    values: tuple[RevealedValue, ...]
    expires_at: datetime
    missing: tuple[str, ...] = ()


async def reveal(
    federation: Runs, identifier: Identifier, place: tuple[str, str], request: Request
) -> Revealed | None:
    """Shows one field of one customer's records without its mask, and of nothing else.

    The request needs a reason, one of its roles the action `reveal`. Row filters, purposes and
    consent hold as ever; what other roles would not show stays hidden. Returns None for an unknown
    customer. Raises RV102 for a field that the asker cannot read, RV300, RV304, and what any
    question raises.

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
    if found.customer_id is None:
        return None
    output = result.outputs["revealed"]
    if output.failed is not None:
        raise output.failed
    rows = output.groups[0].rows if 0 in output.groups else []
    values = tuple(RevealedValue(row[0].source, row[1], row[2], row[len(ROW_HEAD)]) for row in rows)
    return Revealed(found.customer_id, values, result.fetched_at + SHOWN_FOR, output.missing)


def place_of(name: str) -> tuple[str, str]:
    """Splits the name of a field to reveal; raises RequestError RV102 for what is none.

    >>> place_of("individual.birth_date")
    ('individual', 'birth_date')
    """
    entity, _, field = name.strip().partition(".")
    if not (entity.isidentifier() and field.isidentifier() and name.isascii()):
        raise RequestError(
            "this is no field of an entity", code="RV102", hint="for example individual.birth_date"
        )
    return entity, field
