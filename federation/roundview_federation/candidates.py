"""Decides what an asker sees of several customers that one identifier leads to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather
from roundview_federation.plan import ROW_HEAD, Lookup, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Candidate, Found
from roundview_federation.rewrite.consents import AGREED
from roundview_federation.snapshot import Snapshot
from roundview_identity.store import Xref

_LOOKUP = "candidates"
_NAMES = ("given_name", "family_name", "full_name")


async def with_candidates(
    found: dict[str, tuple[Found, ...]],
    snapshot: Snapshot,
    decision: Decision,
    xref: Xref,
    deadline: Deadline,
    clock: Callable[[], datetime],
) -> dict[str, tuple[Found, ...]]:
    """Adds masked hints to every ambiguous identifier: initials and the systems, live."""
    for ones in found.values():
        for one in ones:
            if one.error is not None and "candidate_ids" in one.error.extensions:
                ids = one.error.extensions.pop("candidate_ids")
                hints = await _hints(ids, snapshot, decision, xref, deadline, clock)
                one.error.extensions["candidates"] = tuple(
                    Candidate(customer_id, hint)
                    for customer_id, hint in zip(ids, hints, strict=True)
                )
    return found


async def _hints(
    ids: tuple[str, ...],
    snapshot: Snapshot,
    decision: Decision,
    xref: Xref,
    deadline: Deadline,
    clock: Callable[[], datetime],
) -> list[str]:
    customers = Customers.of([Found(customer_id) for customer_id in ids], xref.members)
    systems = [
        ", ".join(dict.fromkeys(source for source, _ in xref.members(customer_id)))
        for customer_id in ids
    ]
    readable = decision.fields.get("individual", frozenset())
    columns = tuple(name for name in _NAMES if name in readable)
    if not columns:
        return systems if decision.people is None else ["" for _ in ids]
    section = Section("names", "individual", selecting("individual", columns), _LOOKUP)
    question = Question(f"candidates:{','.join(columns)}", (Lookup(_LOOKUP),), (section,))
    plan = await snapshot.planner.prepare(question, decision)
    gathered = await gather(
        plan,
        {_LOOKUP: customers},
        {**{f"principal.{k}": v for k, v in decision.attributes.items()}, AGREED: frozenset()},
        deadline,
        catalog=snapshot.catalog,
        connectors=snapshot.connectors,
        clock=clock,
    )
    hints = []
    for index, system in enumerate(systems):
        initials = ""
        rows = sorted(gathered.rows["names"].get(index, ()), key=lambda r: r[0].source)
        if decision.people is not None:
            # Systems whose rows are hidden have nothing of them.
            system = ", ".join(dict.fromkeys(row[0].source for row in rows))
        for row in rows:
            values = dict(zip(columns, row[len(ROW_HEAD) :], strict=False))
            initials = _initials(values)
            if initials:
                break
        hints.append(f"{initials} ({system})" if initials else system)
    return hints


def _initials(values: dict[str, str | None]) -> str:
    given, family = values.get("given_name"), values.get("family_name")
    words = [w for w in (given, family) if w] or (values.get("full_name") or "").split()
    return " ".join(f"{word[0]}." for word in words[:3])
