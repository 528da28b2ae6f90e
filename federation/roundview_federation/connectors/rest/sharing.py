"""Decides which calls of one moment are one call: the same list, whatever is needed of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from roundview_catalog.tables import RestTable
from roundview_federation.connectors.rest.fetch import Fetch, Meter
from roundview_federation.resilience.deadline import Deadline

_Key = tuple[str, int, bool, bool]


@dataclass(slots=True)
class _Shared:
    """One call that several wait for; `fields` grow until it is sent, None means everything."""

    fields: frozenset[str] | None
    deadline: Deadline
    meter: Meter = field(default_factory=Meter)
    waiting: int = 0
    task: asyncio.Task[Any] | None = None


class SharedFetch:
    """Fetches documents; equal calls made in one turn of the event loop are sent once.

    A view asks for a person's tickets and for the ratings inside them at the same moment: one
    call brings both, with the fields of either. A call that is under way is never joined, so
    nobody gets an answer that is older than the question.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._beginning: dict[_Key, _Shared] = {}

    async def document(
        self,
        target: str,
        fields: frozenset[str],
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> Any:
        """Returns the JSON at a target, or ABSENT; raises SourceError.

        `fields` are the names that are needed, none for everything. Who comes first counts
        the calls, everybody counts the bytes. The last one to give up cancels the call.
        """
        key = (target, id(table), is_view, may_be_absent)
        shared = self._beginning.get(key)
        is_first = shared is None
        if shared is None:
            shared = self._beginning[key] = _Shared(fields or None, deadline)
            shared.task = asyncio.ensure_future(self._begin(key, shared, table))
        else:
            known = shared.fields
            shared.fields = known | fields if known and fields else None
            shared.deadline = max(shared.deadline, deadline, key=lambda one: one.at)
        assert shared.task is not None  # noqa: S101  made with the entry
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            meter.bytes += shared.meter.bytes
            if is_first:
                meter.calls += shared.meter.calls
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                # A call that has not begun yet must not be joined any more.
                self._beginning.pop(key, None)
                shared.task.cancel()

    async def _begin(self, key: _Key, shared: _Shared, table: RestTable) -> Any:
        # A task starts in the next turn of the loop: who asked in this one has joined by now.
        self._beginning.pop(key, None)
        target, _, is_view, may_be_absent = key
        if shared.fields and table.fields is not None:
            names = quote(",".join(sorted(shared.fields)), safe="")
            send = quote(table.fields.send, safe="")
            target = f"{target}{'&' if '?' in target else '?'}{send}={names}"
        return await self._fetch.document(
            target,
            table,
            shared.deadline,
            shared.meter,
            is_view=is_view,
            may_be_absent=may_be_absent,
        )
