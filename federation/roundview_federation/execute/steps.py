"""Finishes the rows of a section in process: order, pages, groups below parents."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from roundview_catalog.errors import RequestError
from roundview_federation.execute.cursors import CursorSeal, binding
from roundview_federation.plan import PlannedSection
from roundview_federation.result import Rows

Groups = dict[Any, list[tuple[Any, ...]]]

LARGEST_PAGE = 1000

_KEY_AND_SLOT = itemgetter(1, 2)


def below_parents(section: PlannedSection, groups: Mapping[int, list[tuple[Any, ...]]]) -> Groups:
    """Regroups rows of customers by the record that they lie below: (source, parent key).

    Each group is ordered. Customers who are one have one list, which counts once.
    """
    lists = {id(rows): rows for rows in groups.values()}
    below: Groups = defaultdict(list)
    for row in ordered(section, [row for rows in lists.values() for row in rows]):
        if row[3] is not None:
            below[row[0].source, row[3]].append(row)
    return below


def ordered(section: PlannedSection, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorts rows by the section's order, NULLS LAST both ways, ties by record.

    Text compares by code point, as Python does.
    """
    if len(rows) < 2:
        return rows
    if section.order:
        index, descending = section.order[0]
        try:
            distinct = {row[index] for row in rows}
        except TypeError:
            distinct = set()
        if len(distinct) == len(rows) and None not in distinct:
            return sorted(rows, key=itemgetter(index), reverse=descending)
    is_of_one_source = len({id(row[0]) for row in rows}) == 1
    rows = sorted(rows, key=_KEY_AND_SLOT if is_of_one_source else _record)
    for index, descending in reversed(section.order):
        column = itemgetter(index)
        absent = [row for row in rows if row[index] is None]
        if absent:
            rows = [row for row in rows if row[index] is not None]
        # reverse=True keeps equal elements in order, which the tie-break needs.
        rows.sort(key=column, reverse=descending)
        rows += absent
    return rows


class Pages:
    """Cuts the ordered lists of one section to the page that was asked."""

    def __init__(
        self,
        section: PlannedSection,
        params: Mapping[str, Any],
        seal: CursorSeal,
        policy_shape: str,
    ) -> None:
        """Raises RV105 for a page of an impossible size."""
        self._section = section
        self._seal = seal
        self._first: int | None = None
        self._after: str | None = None
        self._wants_cursor = False
        self._bound = b""
        page = section.section.page
        if page is None:
            return
        first = params[page.first]
        if not isinstance(first, int) or not 0 <= first <= LARGEST_PAGE:
            raise RequestError(
                f"a page has 0 to {LARGEST_PAGE} rows", code="RV105", hint="change `first`"
            )
        self._first = first
        self._after = params.get(page.after) if page.after else None
        self._wants_cursor = page.wants_cursor
        if self._after is not None or page.wants_cursor:
            self._bound = _binding(section, params, policy_shape)

    def cut(
        self, groups: Groups, missing: tuple[str, ...], *, is_truncated: bool
    ) -> dict[Any, Rows]:
        """Returns the page of each list, with the cursor behind it."""
        most = self._first
        if most is None:
            most = sys.maxsize
        elif self._after is not None and groups:
            position = self._seal.open(self._after, self._bound)
            groups = {
                owner: _behind(self._section, rows, position) for owner, rows in groups.items()
            }
        cut = {
            owner: Rows(rows, False, None, is_truncated, missing)
            if len(rows) <= most
            else Rows(rows[:most], True, None, is_truncated, missing)
            for owner, rows in groups.items()
        }
        if self._wants_cursor:
            for page in cut.values():
                if page.rows:
                    page.end_cursor = self._sealed(page.rows[-1])
        return cut

    def _sealed(self, last: tuple[Any, ...]) -> str:
        position = [last[index] for index, _ in self._section.order]
        return self._seal.seal([*position, *_record(last)], self._bound)


def _record(row: tuple[Any, ...]) -> tuple[str, str, str]:
    return row[0].source, row[1], row[2]


def _binding(section: PlannedSection, params: Mapping[str, Any], policy_shape: str) -> bytes:
    values = [repr(params.get(name)) for name in section.parameters]
    return binding(section.section.entity, section.text, *values, policy_shape)


def _behind(
    section: PlannedSection, rows: list[tuple[Any, ...]], position: list[Any]
) -> list[tuple[Any, ...]]:
    values, record = position[: len(section.order)], tuple(position[len(section.order) :])
    if len(record) != 3:
        raise RequestError("the cursor does not belong to this list", code="RV104")
    for at, row in enumerate(rows):
        if _is_behind(section, row, values, record):
            return rows[at:]
    return []


def _is_behind(
    section: PlannedSection, row: tuple[Any, ...], values: list[Any], record: tuple[Any, ...]
) -> bool:
    for (index, descending), value in zip(section.order, values, strict=True):
        mine = row[index]
        if mine == value:
            continue
        if mine is None or value is None:
            return mine is None
        return bool(mine < value) if descending else bool(mine > value)
    return _record(row) > record
