"""Runs a plan: binds key sets, asks every source at once, labels what did not come."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from roundview_catalog.errors import InternalError, RoundviewError, SourceError
from roundview_catalog.model import Catalog
from roundview_catalog.types import Type
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.asking import Asking, Outcome, Run
from roundview_federation.execute.consents import settled
from roundview_federation.execute.cursors import CursorSeal
from roundview_federation.execute.ledger import Ledger
from roundview_federation.execute.mirror import fill
from roundview_federation.execute.steps import Pages, below_parents, ordered
from roundview_federation.execute.survive import survive
from roundview_federation.plan import ArrivalContext, KeySet, Plan, PlannedFragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, Found, Output, SourceStatus
from roundview_federation.rewrite.consents import AGREED
from roundview_federation.rewrite.source_keys import OWN_KEYS, native_key, native_value, split_key


@dataclass(slots=True)
class Customers:
    """The customers of one lookup, in the order asked.

    `keys`: source -> (individual branch, source key without it, customer index) of every
    record that the xref links to them. `repeats`: index of a customer who was asked for before
    -> the first index, which has the keys.
    """

    ids: list[str | None]
    link_states: list[str]
    keys: dict[str, list[tuple[str, str, int]]]
    repeats: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, found: Sequence[Found], members: Callable[[str], Sequence[tuple[str, str]]]
    ) -> Customers:
        """Collects the records of each found customer; `members` reads the xref."""
        keys: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        first: dict[str, int] = {}
        repeats: dict[int, int] = {}
        for index, one in enumerate(found):
            if one.customer_id is None:
                continue
            if first.setdefault(one.customer_id, index) != index:
                repeats[index] = first[one.customer_id]
                continue
            for source, source_key in one.fingerprints or members(one.customer_id):
                branch, key = split_key(source_key)
                keys[source].append((branch, key, index))
        ids, states = [f.customer_id for f in found], [f.link_state for f in found]
        return cls(ids, states, dict(keys), repeats)


@dataclass(slots=True)
class Gathered:
    """What the fragments of a plan brought: rows by section and owner, and who failed."""

    rows: dict[str, dict[Any, list[tuple[Any, ...]]]]
    asked: dict[str, set[str]] = field(default_factory=dict)
    """section -> sources that were asked for it"""
    failures: dict[str, dict[str, SourceError]] = field(default_factory=dict)
    """section -> source -> what went wrong"""
    truncated: set[str] = field(default_factory=set)
    statuses: tuple[SourceStatus, ...] = ()
    agreed: Agreed | None = None
    """who agreed to the purpose, None where no consent is needed"""


def bind(keyset: KeySet, customers: Customers) -> dict[Any, Any]:
    """Returns the native keys of a key set and whose they are.

    Keys that do not fit the column's type cannot be in the source and are left out.
    """
    owners: dict[Any, Any] = {}
    for branch, text, index in customers.keys.get(keyset.source, ()):
        if branch != keyset.branch:
            continue
        if keyset.opened is not None:
            opened = keyset.opened(text)
            if opened is None:
                continue
            text = opened
        native = native_key(text, keyset.types, keyset.prefixes)
        if native is not None:
            owners[native] = index
    return owners


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
    collecting = _Collecting(customers, params, Ledger(catalog, clock()), agreed)
    tasks: list[asyncio.Future[Outcome]] = []
    for run in sorted(runs.values(), key=_turn):
        task = asking.start(run)
        task.add_done_callback(partial(collecting.take, run))
        tasks.append(task)
    try:
        await asyncio.wait(tasks, timeout=deadline.left + 0.02)
        gathered.agreed = await collecting.agree(deadline)
    finally:
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
    if keyset.fragment:
        above = runs.get(keyset.fragment)
        return None if above is None else Run(planned, keyset, {}, above)
    owners = bound.get(keyset.name)
    if owners is None:
        owners = bound[keyset.name] = bind(keyset, customers[keyset.lookup])
    return Run(planned, keyset, owners) if owners else None


def _turn(run: Run) -> tuple[int, float]:
    """Orders what is asked: fragments after those they wait for, the slowest of late first.

    Sending a question costs time as well, and the slowest source is the one to lose none of it.
    """
    return run.planned.round, -run.planned.pace.seconds


def values_of(keyset: KeySet, params: Mapping[str, Any]) -> dict[Any, Any]:
    """Returns the values of a key set's parameter as its columns hold them."""
    native = native_key if keyset.is_record_key else _native
    found = (native(value, keyset.types, keyset.prefixes) for value in params[keyset.param])
    return {value: None for value in found if value is not None}


def _native(value: Any, types: tuple[Type, ...], prefixes: tuple[str, ...]) -> Any:
    return native_value(value, types[0], prefixes[0])


@dataclass(slots=True)
class _Part:
    """What one fragment brought: rows by section and owner, or why it brought none."""

    rows: dict[str, dict[Any, list[tuple[Any, ...]]]] = field(default_factory=dict)
    error: SourceError | None = None
    is_truncated: bool = False


class _Collecting:
    """Turns answers into rows while slower sources are still awaited."""

    def __init__(
        self,
        customers: Mapping[str, Customers],
        params: Mapping[str, Any],
        ledger: Ledger,
        agreed: asyncio.Future[Agreed] | None = None,
    ) -> None:
        self._agreed = agreed
        self._held: list[tuple[Run, asyncio.Future[Outcome]]] | None = (
            None if agreed is None else []
        )
        self.ledger = ledger
        self.is_over = False
        self._customers = customers
        self._params = params
        self._parts: dict[str, _Part] = {}
        self._broken: Exception | None = None

    def take(self, run: Run, task: asyncio.Future[Outcome]) -> None:
        """Takes the outcome of one fragment; what comes after the end is dropped."""
        if self.is_over:
            # Looked at, or the event loop complains of a failure that nobody waited for.
            if not task.cancelled():
                task.exception()
            return
        if self._held is not None:
            self._held.append((run, task))
            return
        try:
            self._parts[run.planned.fragment.id] = self._part(run, task)
        except Exception as error:  # noqa: BLE001 - raised by `put`, not by the event loop
            self._broken = self._broken or error

    async def agree(self, deadline: Deadline) -> Agreed | None:
        """Takes what waited for consents, as soon as these are known."""
        if self._agreed is None:
            return None
        agreed = await settled(self._agreed, deadline)
        self._params = {**self._params, AGREED: agreed.ids}
        held, self._held = self._held or [], None
        for run, task in held:
            self.take(run, task)
        return agreed

    def put(self, run: Run, gathered: Gathered) -> None:
        """Adds what a fragment brought; called in the plan's order, so that rows have one."""
        if self._broken is not None:
            raise self._broken
        source = run.planned.fragment.source
        part = self._parts.get(run.planned.fragment.id)
        if part is None:
            part = _Part(error=_late(source))
            self.ledger.failed(source, _late(source))
        for arrival in run.planned.arrivals:
            gathered.asked.setdefault(arrival.section, set()).add(source)
            if part.error is not None:
                gathered.failures.setdefault(arrival.section, {})[source] = part.error
            if part.is_truncated:
                gathered.truncated.add(arrival.section)
        for section, groups in part.rows.items():
            known = gathered.rows[section]
            for owner, rows in groups.items():
                if owner in known:
                    known[owner] += rows
                else:
                    known[owner] = rows

    def _part(self, run: Run, task: asyncio.Future[Outcome]) -> _Part:
        source = run.planned.fragment.source
        outcome = _outcome(task, source)
        if isinstance(outcome, SourceError):
            self.ledger.failed(source, outcome)
            return _Part(error=outcome)
        answer, seconds = outcome
        origin = self.ledger.answered(source, answer, seconds)
        part = _Part(is_truncated=answer.is_truncated)
        if not answer.rows:
            return part
        who = self._customers[run.keyset.lookup] if run.keyset and run.keyset.lookup else None
        context = ArrivalContext(
            origin=origin,
            owners=run.owners,
            customer_ids=who.ids if who else OWN_KEYS,
            link_states=who.link_states if who else OWN_KEYS,
            params=self._params,
            note=self.ledger.noter(source),
        )
        for arrival in run.planned.arrivals:
            rows = part.rows.setdefault(arrival.section, defaultdict(list))
            arrival.convert(answer.rows, rows, context)
        return part


def _late(source: str) -> SourceError:
    return SourceError(source, f"{source} did not answer in time", code="RV401")


def _outcome(task: asyncio.Future[Outcome], source: str) -> Outcome | SourceError:
    if task.cancelled():
        return _late(source)
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, SourceError):
        return error
    if isinstance(error, RoundviewError):
        raise error
    raise InternalError(f"asking {source} failed: {type(error).__name__}") from error


def utc_now() -> datetime:
    """Returns the present instant."""
    return datetime.now(UTC)
