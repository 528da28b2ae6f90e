"""Decides how all rows of one list are read, page after page, and when to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_catalog.tables import RestTable
from roundview_federation.connectors.rest.fetch import ABSENT, Meter
from roundview_federation.connectors.rest.paging import Paging, RepeatedPageError, SeenPages
from roundview_federation.connectors.rest.routes import Call
from roundview_federation.connectors.rest.sharing import SharedFetch
from roundview_federation.connectors.rest.values import getter, root_of
from roundview_federation.resilience.deadline import Deadline

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListReader:
    """Reads lists of one table for one question.

    `base` is the path of the base URL, `fields` what is needed of each row where the API can
    project, `key` the JSON paths of the columns that name a row, `most` the number of rows
    after which reading on is useless.
    """

    source: str
    fetch: SharedFetch
    limits: Limits
    table: RestTable
    base: str
    fields: frozenset[str]
    key: tuple[str, ...]
    most: int
    is_view: bool

    async def rows(
        self, call: Call, rows_path: str, deadline: Deadline, meter: Meter
    ) -> tuple[list[Any], bool]:
        """Returns the JSON rows of a list and whether some were left out by a cap."""
        is_one = rows_path == "."
        paging = Paging(None if is_one else self.table.page)
        seen = SeenPages(self.key)
        found: list[Any] = []
        state: Any = None
        for _ in range(self.limits.pages):
            document = await self._page(call, paging, state, deadline, meter)
            if document is ABSENT:
                return found, False
            rows = self._rows(document, rows_path)
            try:
                found += seen.fresh(state, rows)
                state = paging.following(state, document, len(rows))
            except RepeatedPageError:
                raise self._failed("sent the same page twice", "RV403", "check page") from None
            except ValueError:
                raise self._failed(
                    "answered without what its paging needs", "RV403", "check page"
                ) from None
            if state is None:
                return found, False
            if len(found) >= self.most or meter.bytes >= self.limits.bytes:
                return found, True
        raise self._failed("has more pages than limits.pages", "RV405")

    async def _page(
        self, call: Call, paging: Paging, state: Any, deadline: Deadline, meter: Meter
    ) -> Any:
        query = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in (*call.query, *paging.query(state))
        )
        path = self.base + call.path
        target = path if not query else f"{path}{'&' if '?' in path else '?'}{query}"
        return await self.fetch.document(
            target,
            self.fields,
            self.table,
            deadline,
            meter,
            is_view=self.is_view,
            may_be_absent=bool(call.carried),
        )

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
        return SourceError(self.source, f"{self.source} {what}", code=code, hint=hint)


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
