"""Runs a plan: binds key sets, asks every source at once, labels what did not come."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from roundview_catalog.errors import InternalError, RoundviewError, SourceError
from roundview_catalog.model import Catalog, Source
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Connector
from roundview_federation.execute.cursors import CursorSeal
from roundview_federation.execute.steps import below_parents, ordered, paged
from roundview_federation.execute.survive import survive
from roundview_federation.plan import (
    Answer,
    ArrivalContext,
    Found,
    KeySet,
    Origin,
    Output,
    Plan,
    PlannedFragment,
    SourceStatus,
)
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.arrive import unescape_key


@dataclass(slots=True)
class Customers:
    """The customers of one lookup, in the order asked.

    `keys`: source -> (individual branch, source key without it, customer index) of every
    record that the xref links to them.
    """

    ids: list[str | None]
    link_states: list[str]
    keys: dict[str, list[tuple[str, str, int]]]

    @classmethod
    def of(
        cls, found: Sequence[Found], members: Callable[[str], Sequence[tuple[str, str]]]
    ) -> Customers:
        """Collects the records of each found customer; `members` reads the xref."""
        keys: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for index, one in enumerate(found):
            if one.customer_id is None:
                continue
            for source, source_key in members(one.customer_id):
                branch, key = split_key(source_key)
                keys[source].append((branch, key, index))
        return cls([f.customer_id for f in found], [f.link_state for f in found], dict(keys))


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


def split_key(source_key: str) -> tuple[str, str]:
    """Splits `guest:17` into branch and key; a key without branch has an empty one."""
    branch, colon, key = source_key.partition(":")
    return (branch, key) if colon else ("", source_key)


def bind(keyset: KeySet, customers: Customers) -> dict[Any, int]:
    """Returns the native keys of a key set and whose they are.

    Keys that do not fit the column's type cannot be in the source and are left out.
    """
    owners: dict[Any, int] = {}
    for branch, text, index in customers.keys.get(keyset.source, ()):
        if branch != keyset.branch:
            continue
        native = native_key(text, keyset.type, keyset.prefix)
        if native is not None:
            owners[native] = index
    return owners


def native_key(text: str, type_: Type, prefix: str = "") -> Any:
    """Returns a source key as its column holds it, None where that is impossible."""
    if prefix:
        text = unescape_key(text)
        if not text.startswith(prefix):
            return None
        text = text[len(prefix) :]
    if type_.kind in (Kind.INTEGER, Kind.BIGINT):
        try:
            return int(text)
        except ValueError:
            return None
    return text if prefix else unescape_key(text)


async def gather(
    plan: Plan,
    customers: Mapping[str, Customers],
    params: Mapping[str, Any],
    deadline: Deadline,
    *,
    catalog: Catalog,
    connectors: Mapping[str, Connector],
    clock: Callable[[], datetime],
) -> Gathered:
    """Runs every fragment at once and turns the answers into rows.

    A source that fails or is late costs its own rows only; everything is back at the
    deadline, whatever a source does.
    """
    gathered = Gathered(rows={name: defaultdict(list) for name in plan.sections})
    ready: list[tuple[PlannedFragment, dict[Any, Any], dict[str, Any]]] = []
    for planned in plan.fragments:
        owners: dict[Any, Any] = {}
        bound = dict(params)
        for name in planned.fragment.keysets:
            keyset = plan.keysets[name]
            owners = bind(keyset, customers[keyset.lookup])
            bound[name] = list(owners)
        if planned.fragment.keysets and not owners:
            continue
        ready.append((planned, owners, bound))
    if not ready:
        return gathered
    tasks = [
        asyncio.ensure_future(
            _ask(connectors[p.fragment.source], p, bound, deadline, catalog.sources)
        )
        for p, _, bound in ready
    ]
    try:
        await asyncio.wait(tasks, timeout=deadline.left + 0.02)
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()
    ledger = _Ledger(catalog, clock())
    for (planned, owners, _), task in zip(ready, tasks, strict=True):
        source = planned.fragment.source
        for arrival in planned.arrivals:
            gathered.asked.setdefault(arrival.section, set()).add(source)
        outcome = _outcome(task, source)
        if isinstance(outcome, SourceError):
            for arrival in planned.arrivals:
                gathered.failures.setdefault(arrival.section, {})[source] = outcome
            ledger.failed(source, outcome)
            continue
        answer, seconds = outcome
        origin = ledger.answered(source, answer, seconds)
        if answer.is_truncated:
            gathered.truncated.update(a.section for a in planned.arrivals)
        who = customers[plan.keysets[planned.fragment.keysets[0]].lookup] if owners else None
        context = ArrivalContext(
            origin=origin,
            owners=owners,
            customer_ids=who.ids if who else (),
            link_states=who.link_states if who else (),
            params=params,
            note=ledger.noter(source),
        )
        for arrival in planned.arrivals:
            arrival.convert(answer.rows, gathered.rows[arrival.section], context)
    gathered.statuses = ledger.statuses()
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
        if section.section.parent:
            groups = below_parents(groups)
        missing = _missing((name,), gathered)
        output = Output(section.columns, missing=missing, failed=_failed((name,), gathered))
        for owner, rows in groups.items():
            cut = paged(section, ordered(section, rows), params, seal, plan.key.policy_shape)
            cut.missing = missing
            cut.is_truncated = name in gathered.truncated
            output.groups[owner] = cut
        outputs[name] = output
    return outputs


def _missing(sections: Sequence[str], gathered: Gathered) -> tuple[str, ...]:
    return tuple(sorted({s for name in sections for s in gathered.failures.get(name, ())}))


def _failed(sections: Sequence[str], gathered: Gathered) -> RoundviewError | None:
    asked = {source for name in sections for source in gathered.asked.get(name, ())}
    errors = {s: e for name in sections for s, e in gathered.failures.get(name, {}).items()}
    if not asked or asked - errors.keys():
        return None
    return errors[min(errors)]


async def _ask(
    connector: Connector,
    planned: PlannedFragment,
    params: Mapping[str, Any],
    deadline: Deadline,
    sources: Mapping[str, Source],
) -> tuple[Answer, float]:
    started = time.perf_counter()
    limit = deadline.sooner(sources[planned.fragment.source].limits.timeout)
    answer = await connector.rows(planned.call, params, limit)
    return answer, time.perf_counter() - started


def _outcome(
    task: asyncio.Future[tuple[Answer, float]], source: str
) -> tuple[Answer, float] | SourceError:
    if not task.done() or task.cancelled():
        return SourceError(source, f"{source} did not answer in time", code="RV401")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, SourceError):
        return error
    if isinstance(error, RoundviewError):
        raise error
    raise InternalError(f"asking {source} failed: {type(error).__name__}") from error


class _Ledger:
    """Adds up what each source did for one answer."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._entries: dict[str, dict[str, Any]] = {}
        self._problems: dict[str, Counter[str]] = defaultdict(Counter)

    def answered(self, source: str, answer: Answer, seconds: float) -> Origin:
        entry = self._entry(source)
        as_of = answer.as_of or self._now
        entry["ms"] = max(entry["ms"], seconds * 1000)
        entry["rows"] += len(answer.rows)
        entry["calls"] += answer.calls
        entry["as_of"] = min(entry["as_of"] or as_of, as_of)
        entry["truncated"] |= answer.is_truncated
        entry["ok"] += 1
        known = self._catalog.sources[source]
        return Origin(source, known.system, known.instance, self._now, as_of)

    def failed(self, source: str, error: SourceError) -> None:
        entry = self._entry(source)
        entry["error"] = error

    def noter(self, source: str) -> Callable[[str], None]:
        counts = self._problems[source]

        def note(name: str) -> None:
            counts[name] += 1

        return note

    def statuses(self) -> tuple[SourceStatus, ...]:
        result = []
        for name in sorted(self._entries):
            entry = self._entries[name]
            error: SourceError | None = entry["error"]
            status = "ok"
            if error is not None:
                status = "partial" if entry["ok"] else "failed"
            elif entry["truncated"]:
                status = "partial"
            result.append(
                SourceStatus(
                    name=name,
                    status=status,
                    as_of=entry["as_of"],
                    ms=round(entry["ms"], 3),
                    rows=entry["rows"],
                    calls=entry["calls"],
                    code=error.row.graphql if error else "",
                    rv_code=error.code if error else "",
                    reason=error.message if error else "",
                    is_truncated=entry["truncated"],
                    problems=sum(self._problems[name].values()),
                )
            )
        return tuple(result)

    def _entry(self, source: str) -> dict[str, Any]:
        return self._entries.setdefault(
            source,
            {
                "ms": 0.0,
                "rows": 0,
                "calls": 0,
                "as_of": None,
                "truncated": False,
                "ok": 0,
                "error": None,
            },
        )


def utc_now() -> datetime:
    """Returns the present instant."""
    return datetime.now(UTC)
