"""Runs a plan: binds key sets, asks every source at once, labels what did not come."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from roundview_catalog.errors import RoundviewError
from roundview_catalog.model import Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.asking import Asking, Outcome, Run
from roundview_federation.execute.collecting import Collecting, Gathered, end
from roundview_federation.execute.consents import settled
from roundview_federation.execute.cursors import CursorSeal
from roundview_federation.execute.customers import (
    NOBODY,
    Customers,
    bind,
    nobodys_key,
    values_of,
)
from roundview_federation.execute.ledger import Ledger
from roundview_federation.execute.mirror import fill
from roundview_federation.execute.steps import Pages, below_parents, ordered
from roundview_federation.execute.survive import survive
from roundview_federation.plan import Plan, PlannedFragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, Output


async def gather(
    plan: Plan,
    customers: Mapping[str, Customers],
    params: Mapping[str, Any],
    deadline: Deadline,
    *,
    catalog: Catalog,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
    is_patient: bool = False,
    agreed: asyncio.Future[Agreed] | None = None,
) -> Gathered:
    """Runs every fragment as soon as its keys are known and turns the answers into rows.

    Fragments that wait for no other are all asked at once. A source that fails or is late
    costs its own rows only; everything is back at the deadline, whatever a source does.
    `is_patient` gives each source all of the time, not only its own limit. `agreed` brings the
    customers without whose consent something is not shown: nobody, where it fails or is late.
    """
    gathered = Gathered(rows={name: defaultdict(list) for name in plan.sections})
    params = {**plan.constants, **params} if plan.constants else params
    asking = Asking(params, deadline, catalog.sources, connectors, is_patient=is_patient)
    runs: dict[str, Run] = {}
    owners: dict[str, dict[Any, Any]] = {}
    for planned in plan.fragments:
        run = _run(planned, plan, customers, params, runs, owners)
        if run is not None:
            runs[planned.fragment.id] = run
    if not runs:
        gathered.agreed = None if agreed is None else await settled(agreed, deadline)
        return gathered
    loop = asyncio.get_running_loop()
    whole: asyncio.Future[None] = loop.create_future()
    collecting = Collecting(
        customers, params, Ledger(catalog, clock()), len(runs), whole, agreed=agreed
    )
    tasks: list[asyncio.Task[Outcome]] = []
    for run in sorted(runs.values(), key=_turn):
        task = asking.start(run, loop)
        task.add_done_callback(partial(collecting.came, run))
        tasks.append(task)
    late = loop.call_later(deadline.left + 0.02, end, whole)
    try:
        await whole
        gathered.agreed = await collecting.agree(deadline)
    finally:
        late.cancel()
        collecting.is_over = True
        for task in tasks:
            if not task.done():
                task.cancel()
    for run in runs.values():
        collecting.put(run, gathered)
    for name, section in plan.sections.items():
        for mirror in section.mirrors:
            fill(gathered.rows[name], gathered.rows[mirror.section], mirror)
    _repeat(plan, customers, gathered)
    gathered.statuses = collecting.ledger.statuses()
    return gathered


def finish(
    plan: Plan,
    gathered: Gathered,
    customers: Mapping[str, Customers],
    params: Mapping[str, Any],
    seal: CursorSeal,
) -> dict[str, Output]:
    """Turns gathered rows into the outputs of the asked sections."""
    outputs: dict[str, Output] = {}
    for name, customer in plan.customer.items():
        lookup = plan.sections[customer.reads[0]].section.lookup
        who = customers[lookup]
        failed = _failed(customer.reads, gathered)
        output = Output(customer.columns, missing=_missing(customer.reads, gathered))
        for index, customer_id in enumerate(who.ids):
            if customer_id is None:
                continue
            row, provenance = survive(
                customer, gathered.rows, index, customer_id, who.link_states[index]
            )
            output.groups[index] = row
            if customer.provenance:
                output.provenance[index] = provenance
        output.failed = failed
        outputs[name] = output
    for name in plan.outputs:
        section = plan.sections[name]
        groups: dict[Any, list[tuple[Any, ...]]] = gathered.rows[name]
        if section.section.lookup:
            # A customer whom the re-check refuted has no rows.
            ids = customers[section.section.lookup].ids
            groups = {owner: rows for owner, rows in groups.items() if ids[owner] is not None}
        if section.section.parent:
            groups = below_parents(section, groups)
        else:
            groups = {owner: ordered(section, rows) for owner, rows in groups.items()}
        missing = _missing((name, *(m.section for m in section.mirrors)), gathered)
        output = Output(section.columns, missing=missing, failed=_failed((name,), gathered))
        pages = Pages(section, params, seal, plan.key.policy_shape)
        is_truncated = name in gathered.truncated
        output.groups = pages.cut(groups, missing, is_truncated=is_truncated)
        outputs[name] = output
    return outputs


def _repeat(plan: Plan, customers: Mapping[str, Customers], gathered: Gathered) -> None:
    """Gives a customer who was asked for twice the same rows twice."""
    for name, section in plan.sections.items():
        who = customers.get(section.section.lookup)
        rows = gathered.rows[name]
        for index, first in who.repeats.items() if who else ():
            if first in rows:
                rows[index] = rows[first]


def _missing(sections: Sequence[str], gathered: Gathered) -> tuple[str, ...]:
    if not gathered.failures:
        return ()
    return tuple(sorted({s for name in sections for s in gathered.failures.get(name, ())}))


def _failed(sections: Sequence[str], gathered: Gathered) -> RoundviewError | None:
    if not gathered.failures:
        return None
    asked = {source for name in sections for source in gathered.asked.get(name, ())}
    errors = {s: e for name in sections for s, e in gathered.failures.get(name, {}).items()}
    if not asked or asked - errors.keys():
        return None
    return errors[min(errors)]


def _run(
    planned: PlannedFragment,
    plan: Plan,
    customers: Mapping[str, Customers],
    params: Mapping[str, Any],
    runs: Mapping[str, Run],
    bound: dict[str, dict[Any, Any]],
) -> Run | None:
    """Returns what is to run; None where no key can become known.

    `bound` keeps the owners of key sets of customers: most fragments of a source share one.
    """
    if not planned.fragment.keysets:
        return Run(planned, None, {})
    keyset = plan.keysets[planned.fragment.keysets[0]]
    if keyset.param:
        known = values_of(keyset, params)
        return Run(planned, keyset, known) if known else None
    who = customers.get(keyset.lookup)
    otherwise = {nobodys_key(keyset): NOBODY} if who and who.asks_for_nobody else None
    if keyset.fragment:
        above = runs.get(keyset.fragment)
        return None if above is None else Run(planned, keyset, {}, above, otherwise=otherwise)
    owners = bound.get(keyset.name)
    if owners is None:
        owners = bound[keyset.name] = bind(keyset, customers[keyset.lookup]) or otherwise or {}
    return Run(planned, keyset, owners) if owners else None


def _turn(run: Run) -> tuple[int, float]:
    """Orders what is asked: fragments after those they wait for, the slowest of late first.

    Sending a question costs time as well, and the slowest source is the one to lose none of it.
    """
    return run.planned.round, -run.planned.pace.seconds


def utc_now() -> datetime:
    """Returns the present instant."""
    return datetime.now(UTC)
