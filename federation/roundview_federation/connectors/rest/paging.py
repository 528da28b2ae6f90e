"""Decides how the pages of one list follow each other, and that they end."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from roundview_catalog.tables import Page
from roundview_federation.connectors.rest.values import getter

_FIRST_PAGE: Final = 1
_PARAMETER: Final = r"""\s*;\s*([^\s=;,"]+)\s*(?:=\s*("[^"]*"|[^\s;,"]*))?"""
_LINK: Final = re.compile(rf"""<([^<>]*)>((?:{_PARAMETER})*)""")


class RepeatedPageError(Exception):
    """A source sent a page again that it had sent before."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The declared way through a list; `None` declares that an answer is whole."""

    page: Page | None

    @property
    def is_by_link(self) -> bool:
        """Tells whether the state of a page is its address, which has everything in it."""
        return self.page is not None and self.page.by == "link"

    def query(self, state: Any) -> list[tuple[str, str | int]]:
        """Returns the query parameters of the page at a state (None: the first)."""
        page = self.page
        if page is None:
            return []
        sent: list[tuple[str, str | int]] = []
        if page.by == "page":
            sent.append((page.send, _FIRST_PAGE if state is None else state))
        elif page.by in ("offset", "cursor") and state is not None:
            sent.append((page.send, state))
        if page.size is not None:
            sent.append((page.size.send, page.size.max))
        return sent

    def following(self, state: Any, document: Any, link: str, count: int) -> Any:
        """Returns the state of the next page, None after the last one.

        `link` is the answer's Link header. Raises ValueError where the answer does not say what
        was declared.
        """
        page = self.page
        if page is None or page.by == "none":
            return None
        if page.more and getter(page.more)(document) in (False, None):
            return None
        if page.by == "link":
            address = getter(page.next)(document) if page.next else next_link(link)
            if address is not None and not isinstance(address, str):
                raise ValueError("an address is text")
            return address or None
        if page.by == "cursor":
            cursor = getter(page.next)(document)
            if cursor is not None and not isinstance(cursor, str | int):
                raise ValueError("a cursor is text or a number")
            return None if cursor == "" else cursor
        if count == 0:
            return None
        if page.by == "page":
            number = _FIRST_PAGE if state is None else state
            if page.last:
                last = getter(page.last)(document)
                if not isinstance(last, int):
                    raise ValueError("the number of pages is missing")
                return number + 1 if number < last else None
            return None if self._is_short(count) else number + 1
        return None if self._is_short(count) else (state or 0) + count

    def _is_short(self, count: int) -> bool:
        size = self.page.size if self.page is not None else None
        return size is not None and count < size.max and not (self.page and self.page.more)


def next_link(header: str) -> str | None:
    """Returns the address of the next page in a Link header (RFC 8288).

    >>> next_link('</items?page=2>; rel="next", </items?page=9>; rel=last')
    '/items?page=2'
    """
    for link in _LINK.finditer(header):
        relations = [
            value.strip('"').lower().split()
            for name, value in re.findall(_PARAMETER, link[2])
            if name.lower() == "rel"
        ]
        # Of several `rel` only the first counts.
        if relations and "next" in relations[0]:
            return link[1]
    return None


class SeenPages:
    """Remembers the pages of one list: the same page twice is an error, never a loop."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = [getter(path) for path in key]
        self._rows: set[Hashable] = set()
        self._pages: set[Hashable] = set()
        self._states: set[Hashable] = set()

    def fresh(self, state: Any, rows: list[Any]) -> list[Any]:
        """Returns the rows of a page that no earlier page had; raises RepeatedPageError."""
        if state is not None and state in self._states:
            raise RepeatedPageError
        self._states.add(state)
        if not rows:
            return rows
        if not self._key:
            content = hash(orjson.dumps(rows))
            if content in self._pages:
                raise RepeatedPageError
            self._pages.add(content)
            return rows
        fresh = []
        for row in rows:
            name = tuple(get(row) for get in self._key)
            if None in name:
                fresh.append(row)
            elif str(name) not in self._rows:
                self._rows.add(str(name))
                fresh.append(row)
        if not fresh:
            raise RepeatedPageError
        return fresh
