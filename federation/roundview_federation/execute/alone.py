"""Runs a plan of one fragment that waits for no customer: no task, nothing to put together."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.asking import bound_keys
from roundview_federation.execute.collecting import failure_of
from roundview_federation.execute.customers import values_of
from roundview_federation.execute.ledger import Ledger
from roundview_federation.plan import ArrivalContext, Plan
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import SourceStatus
from roundview_federation.rewrite.source_keys import OWN_KEYS


@dataclass(slots=True)
class Alone:
    """What the only fragment of a plan brought: rows of its section, or why it brought none."""

    rows: list[tuple[Any, ...]]
    statuses: tuple[SourceStatus, ...] = ()
    failure: SourceError | None = None
    is_truncated: bool = False


def stands_alone(plan: Plan) -> bool:
    """Tells whether `gather_alone` does for a plan what `gather` does."""
    if len(plan.fragments) != 1 or len(plan.sections) != 1 or plan.customer or plan.hidden:
        return False
    (fragment,), (section,) = plan.fragments, plan.sections.values()
    is_simple = fragment.top_call is None and not fragment.handovers and not section.mirrors
    return is_simple and all(keyset.param for keyset in plan.keysets.values())


async def gather_alone(
    plan: Plan,
    params: Mapping[str, Any],
    deadline: Deadline,
    *,
    catalog: Catalog,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
) -> Alone:
    """Does what `gather` does with the constants of a plan among the parameters.

    It runs in the caller's task, who ends it at the deadline: another costs more than a row.
    """
    (planned,) = plan.fragments
    source = planned.fragment.source
    owners: Mapping[Any, Any] = {}
    if planned.fragment.keysets:
        keyset = plan.keysets[planned.fragment.keysets[0]]
        owners = values_of(keyset, params)
        if not owners:
            return Alone([])
        params = {**params, **bound_keys(keyset, owners)}
    ledger = Ledger(catalog, clock())
    started = time.perf_counter()
    try:
        answer = await connectors[source].rows(planned.call, params, deadline)
    except Exception as error:  # noqa: BLE001 - what is no failure of the source is raised again
        failure = failure_of(error, source)
        ledger.failed(source, failure)
        return Alone([], ledger.statuses(), failure)
    seconds = time.perf_counter() - started
    planned.pace.took(seconds)
    origin = ledger.answered(source, answer, seconds)
    groups: defaultdict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    if answer.rows:
        noter = ledger.noter(source)
        context = ArrivalContext(origin, owners, OWN_KEYS, OWN_KEYS, params, noter)
        for arrival in planned.arrivals:
            arrival.convert(answer.rows, groups, context)
    rows = [row for group in groups.values() for row in group]
    return Alone(rows, ledger.statuses(), None, answer.is_truncated)
