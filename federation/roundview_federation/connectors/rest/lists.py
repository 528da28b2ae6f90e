"""Decides how all rows of one list are read, page after page, and when to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_catalog.tables import RestTable
from roundview_federation.connectors.http_port import Origin
from roundview_federation.connectors.rest.bodies import put
from roundview_federation.connectors.rest.failures import failed
from roundview_federation.connectors.rest.fetch import Meter
from roundview_federation.connectors.rest.origin import target_of
from roundview_federation.connectors.rest.paging import Paging, RepeatedPageError, SeenPages
from roundview_federation.connectors.rest.routes import Call
from roundview_federation.connectors.rest.sharing import SharedFetch
from roundview_federation.connectors.rest.values import getter, root_of
from roundview_federation.resilience.deadline import Deadline

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListReader:
    """Reads lists of one table for one question.

    `base` is the path of the base URL at `origin`, `fields` what is needed of each row where
    the API can project, `key` the JSON paths of the columns that name a row, `most` the number
    of rows after which reading on is useless.
    """

    source: str
    fetch: SharedFetch
    limits: Limits
    table: RestTable
    origin: Origin
    base: str
    fields: frozenset[str]
    key: tuple[str, ...]
    most: int
    is_view: bool

    async def rows(
        self, call: Call, rows_path: str, deadline: Deadline, meter: Meter
    ) -> tuple[list[Any], bool]:
        """Returns the JSON rows of a list and whether some were left out by a cap."""
        found: list[Any] = []
        pages = self._pages(call, rows_path, deadline, meter, SeenPages(self.key))
        count = 0
        async for rows, is_last in pages:
            found += rows
            count += 1
            if is_last:
                return found, False
            if len(found) >= self.most or meter.bytes >= self.limits.bytes:
                return found, True
            if count == self.limits.pages:
                raise self._failed("has more pages than limits.pages", "RV405")
        return found, False

    async def pages(
        self, call: Call, rows_path: str, deadline: Deadline
    ) -> AsyncIterator[tuple[list[Any], int]]:
        """Yields the JSON rows of each page, however many there are, and how many calls it took.

        Only what tells pages apart is remembered of those before.
        """
        meter = Meter()
        pages = self._pages(call, rows_path, deadline, meter, SeenPages(()))
        async for rows, _ in pages:
            yield rows, meter.calls
            meter.calls = 0

    async def capped_pages(
        self, call: Call, rows_path: str, deadline: Deadline
    ) -> AsyncIterator[list[Any]]:
        """Yields the JSON rows of each page, each row once, up to limits.pages."""
        pages = self._pages(call, rows_path, deadline, Meter(), SeenPages(self.key))
        count = 0
        async for rows, is_last in pages:
            yield rows
            count += 1
            if count == self.limits.pages and not is_last:
                raise self._failed("has more pages than limits.pages", "RV405")

    async def _pages(
        self, call: Call, rows_path: str, deadline: Deadline, meter: Meter, seen: SeenPages
    ) -> AsyncIterator[tuple[list[Any], bool]]:
        """Yields the new rows of each page and whether it is the last one."""
        paging = Paging(None if rows_path == "." else self.table.page)
        state: Any = None
        while True:
            target, body = self._asked(call, paging, state)
            page = await self.fetch.document(
                target,
                body,
                # A link has the fields already.
                frozenset() if paging.is_by_link and state is not None else self.fields,
                self.table,
                deadline,
                meter,
                is_view=self.is_view,
                may_be_absent=bool(call.carried),
            )
            if page is None:
                return
            rows = self._rows(page.document, rows_path)
            try:
                fresh = seen.fresh(state, rows)
                state = paging.following(state, page.document, page.link, len(rows))
            except RepeatedPageError:
                raise self._failed("sent the same page twice", "RV403", "check page") from None
            except ValueError:
                raise self._failed(
                    "answered without what its paging needs", "RV403", "check page"
                ) from None
            yield fresh, state is None
            if state is None:
                return
            if paging.is_by_link:
                state = self._linked(state, target)

    def _asked(
        self, call: Call, paging: Paging, state: Any
    ) -> tuple[str, Mapping[str, Any] | None]:
        """Returns target and body of a page."""
        if paging.is_by_link and state is not None:
            return state, None
        path = self.base + call.path
        sent = (*call.query, *paging.query(state))
        if call.body is not None:
            body = call.body
            for name, value in sent:
                body = put(body, name, value)
            return path, body
        query = "&".join(
            f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in sent
        )
        return path if not query else f"{path}{'&' if '?' in path else '?'}{query}", None

    def _linked(self, link: str, here: str) -> str:
        try:
            return target_of(link, here, self.origin, self.base)
        except ValueError:
            what = "links to a page outside of its base_url, which is not followed"
            raise self._failed(what, "RV403", "check base_url") from None

    def _rows(self, document: Any, rows_path: str) -> list[Any]:
        if rows_path == ".":
            rows = [] if document is None else [document]
            if rows and not self._is_record(document):
                raise self._failed("answered with something else than a record", "RV403")
        else:
            rows = getter(rows_path)(document)
            if rows is None and isinstance(document, dict) and rows_path:
                raise self._failed("answered without its list of rows", "RV403", "check rows")
        if not isinstance(rows, list) or not all(row.__class__ is dict for row in rows):
            raise self._failed("answered with rows that are no objects", "RV403", "check rows")
        return rows

    def _is_record(self, document: Any) -> bool:
        """Tells whether a lone object has one of the columns; any error page is an object too."""
        names = {root_of(one.path or name) for name, one in self.table.columns.items()}
        return document.__class__ is not dict or "" in names or not names.isdisjoint(document)

    def _failed(self, what: str, code: str, hint: str = "") -> SourceError:
        return failed(self.source, what, code, hint)


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Returns all results in order; the first failure cancels the rest and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.gather(*unfinished, return_exceptions=True)
