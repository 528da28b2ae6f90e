"""Decides what is recorded of a question: who asks for what of whom before it is answered."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import orjson
from cachetools import LRUCache

from roundview_catalog.errors import AccessError, RoundviewError
from roundview_federation.audit.alarms import sound_alarm
from roundview_federation.audit.log import AuditLog, Shape
from roundview_federation.plan import Plan
from roundview_federation.request import Decision, Request
from roundview_federation.result import Found, SourceStatus

_SHAPES = 1_000
_LONGEST_REASON = 500
_PATIENCE_SECONDS = 5.0
_ID_BYTES = 8


class Questions:
    """Records questions in one log."""

    def __init__(self, log: AuditLog, clock: Callable[[], datetime]) -> None:
        self._log = log
        self._clock = clock
        self._shapes: LRUCache[Any, Shape] = LRUCache(_SHAPES)

    def of_plan(
        self,
        plan: Plan,
        request: Request,
        decision: Decision,
        found: Mapping[str, Sequence[Found]],
        kinds: Iterable[str],
    ) -> Asked:
        """Begins the record of a question about found customers and their candidates."""
        shape = self._shapes.get(plan.key)
        if shape is None:
            sections = (plan.sections[name].section for name in plan.outputs)
            customer = (plan.customer[name].columns for name in plan.customer)
            fields = [(one.entity, one.columns) for one in sections]
            fields += [("customer", columns) for columns in customer]
            sources = {one.fragment.source for one in plan.fragments}
            shape = self._shapes[plan.key] = shape_of(fields, sources)
        who = dict.fromkeys(one for many in found.values() for f in many for one in _people(f))
        told = self._told("view", request, decision)
        told["by"] = list(kinds)
        return self._begin(request, told, tuple(who), shape)

    def of_query(
        self,
        request: Request,
        decision: Decision,
        fields: Iterable[tuple[str, Iterable[str]]],
        sources: Iterable[str],
        named: tuple[Sequence[str], bool],
    ) -> Asked:
        """Begins the record of a SQL question; `named`: customers, and whether of no others."""
        told = self._told("sql", request, decision)
        customers, is_narrow = named
        if not is_narrow:
            told["many"] = True
        return self._begin(request, told, tuple(customers), shape_of(fields, sources))

    @contextmanager
    def refusals(self, request: Request) -> Iterator[None]:
        """Records that a question is refused, where it is."""
        try:
            yield
        except AccessError as error:
            self._log.note({**self._head("refused", request), "code": error.code})
            raise

    def _told(self, door: str, request: Request, decision: Decision) -> dict[str, Any]:
        told = self._head("intent", request)
        told["question"] = door
        told["policy"] = decision.catalog_version
        told["rules"] = decision.policy_shape
        return told

    def _head(self, kind: str, request: Request) -> dict[str, Any]:
        principal = request.principal
        told: dict[str, Any] = {
            "is": kind,
            "id": secrets.token_hex(_ID_BYTES),
            "at": self._now(),
            "actor": principal.name,
            "roles": principal.roles,
            "purpose": request.purpose or principal.default_purpose,
        }
        if request.reason:
            told["reason"] = request.reason[:_LONGEST_REASON]
        if request.trace_id:
            told["trace"] = request.trace_id
        if request.is_emergency:
            told["emergency"] = True
        if request.reveals is not None:
            told["reveals"] = ".".join(request.reveals)
        return told

    def _begin(
        self, request: Request, told: dict[str, Any], who: tuple[str, ...], shape: Shape
    ) -> Asked:
        told["shape"] = shape.reference
        if request.is_emergency:
            sound_alarm(request, told["id"])
        return Asked(told["id"], self._log, self._now, self._log.keep(told, who, shape))

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat()


@dataclass(slots=True)
class Asked:
    """A question whose record is on its way to the disk.

    Leaving the `with` waits until it is there, then notes how the question ended.
    """

    id: str
    _log: AuditLog
    _now: Callable[[], str]
    _kept: asyncio.Future[None]
    statuses: Sequence[SourceStatus] = field(default=())
    rows: int = -1
    error: BaseException | None = None

    async def kept(self) -> None:
        """Waits until the record is on disk; raises AccessError RV310 where it cannot be."""
        if self._kept.done():
            return self._kept.result()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._kept
        except TimeoutError:
            raise AccessError(
                "the audit log was not written in time",
                code="RV310",
                hint="its disk is too slow, or another process holds the log",
                retryable=True,
            ) from None

    def ended(self, error: BaseException | None = None) -> None:
        """Notes how the question ended: status, code and counts, never a value."""
        error = error or self.error
        told: dict[str, Any] = {"is": "outcome", "id": self.id, "at": self._now()}
        if error is not None:
            told["status"] = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
            told["code"] = error.code if isinstance(error, RoundviewError) else ""
        else:
            is_whole = all(one.status == "ok" for one in self.statuses)
            told["status"] = "ok" if is_whole else "partial"
        told["sources"] = {one.name: [one.status, one.rows] for one in self.statuses}
        if self.rows >= 0:
            told["rows"] = self.rows
        self._log.note(told)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        if error is None:
            await self.kept()
        self.ended(error)


def shape_of(fields: Iterable[tuple[str, Iterable[str]]], sources: Iterable[str]) -> Shape:
    """Returns what is asked for: fields by entity, and the sources that have them."""
    asked: dict[str, set[str]] = {}
    for entity, columns in fields:
        asked.setdefault(entity, set()).update(columns)
    told = {
        "fields": {entity: sorted(asked[entity]) for entity in sorted(asked)},
        "sources": sorted(sources),
    }
    body = orjson.dumps(told)
    reference = hashlib.sha256(body).hexdigest()[:16]
    return Shape(reference, b'{"is":"shape","shape":"%s",' % reference.encode() + body[1:])


def _people(found: Found) -> Iterable[str]:
    if found.customer_id is not None:
        yield found.customer_id
    if found.error is not None:
        for one in found.error.extensions.get("candidates", ()):
            yield one.customer_id
