"""Decides which calls of one moment are one call: the same list, whatever is needed of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from roundview_catalog.tables import RestTable
from roundview_federation.connectors.rest.bodies import put
from roundview_federation.connectors.rest.fetch import Fetch, Fetched, Meter
from roundview_federation.resilience.deadline import Deadline

_Key = tuple[str, bytes, int, bool, bool]


@dataclass(slots=True)
class _Shared:
    """One call that several wait for; `fields` grow until it is sent, None means everything."""

    body: Mapping[str, Any] | None
    fields: frozenset[str] | None
    deadline: Deadline
    meter: Meter = field(default_factory=Meter)
    waiting: int = 0
    task: asyncio.Task[Fetched | None] | None = None


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
        body: Mapping[str, Any] | None,
        fields: frozenset[str],
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> Fetched | None:
        """Returns the JSON at a target, None where there is nothing; raises SourceError.

        A target with a `body` is asked by POST. `fields` are the names that are needed, none
        for everything. Who comes first counts the calls, everybody counts the bytes. The last
        one to give up cancels the call.
        """
        posted = b"" if body is None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        key = (target, posted, id(table), is_view, may_be_absent)
        shared = self._beginning.get(key)
        is_first = shared is None
        if shared is None:
            shared = self._beginning[key] = _Shared(body, fields or None, deadline)
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

    async def _begin(self, key: _Key, shared: _Shared, table: RestTable) -> Fetched | None:
        # A task starts in the next turn of the loop: who asked in this one has joined by now.
        self._beginning.pop(key, None)
        target, _, _, is_view, may_be_absent = key
        body = shared.body
        if shared.fields and table.fields is not None:
            names = sorted(shared.fields)
            if body is not None:
                body = put(body, table.fields.send, names)
            else:
                send = quote(table.fields.send, safe="")
                named = quote(",".join(names), safe="")
                target = f"{target}{'&' if '?' in target else '?'}{send}={named}"
        return await self._fetch.document(
            target,
            b"" if body is None else orjson.dumps(body),
            table,
            shared.deadline,
            shared.meter,
            is_view=is_view,
            may_be_absent=may_be_absent,
        )
