"""Decides what an answer brings: rows by section and owner, or why it brings none."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roundview_catalog.errors import InternalError, RoundviewError, SourceError
from roundview_federation.execute.asking import Outcome, Run
from roundview_federation.execute.consents import settled
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.ledger import Ledger
from roundview_federation.plan import ArrivalContext
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed, SourceStatus
from roundview_federation.rewrite.consents import AGREED
from roundview_federation.rewrite.source_keys import OWN_KEYS


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


@dataclass(slots=True)
class _Part:
    """What one fragment brought: rows by section and owner, or why it brought none."""

    rows: dict[str, dict[Any, list[tuple[Any, ...]]]] = field(default_factory=dict)
    error: SourceError | None = None
    is_truncated: bool = False


class Collecting:
    """Turns answers into rows while slower sources are still awaited."""

    def __init__(
        self,
        customers: Mapping[str, Customers],
        params: Mapping[str, Any],
        ledger: Ledger,
        awaited: int,
        whole: asyncio.Future[None],
        *,
        agreed: asyncio.Future[Agreed] | None = None,
    ) -> None:
        self._awaited = awaited
        self._whole = whole
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

    def came(self, run: Run, task: asyncio.Future[Outcome]) -> None:
        """Takes the outcome of one fragment, and tells where it is the last."""
        self.take(run, task)
        self._awaited -= 1
        if not self._awaited:
            end(self._whole)

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


def end(whole: asyncio.Future[None]) -> None:
    """Ends the waiting, unless it ended."""
    if not whole.done():
        whole.set_result(None)


def failure_of(error: BaseException, source: str) -> SourceError:
    """Returns what a source failed with; raises what is no failure of the source."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, RoundviewError):
        raise error
    raise InternalError(f"asking {source} failed: {type(error).__name__}") from error


def _late(source: str) -> SourceError:
    return SourceError(source, f"{source} did not answer in time", code="RV401")


def _outcome(task: asyncio.Future[Outcome], source: str) -> Outcome | SourceError:
    if task.cancelled():
        return _late(source)
    error = task.exception()
    return task.result() if error is None else failure_of(error, source)
