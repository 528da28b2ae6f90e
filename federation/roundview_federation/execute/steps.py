"""Finishes the rows of a section in process: order, pages, groups below parents."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from roundview_catalog.errors import RequestError
from roundview_federation.execute.cursors import CursorSeal, binding
from roundview_federation.plan import PlannedSection, Rows

Groups = dict[Any, list[tuple[Any, ...]]]

LARGEST_PAGE = 1000


def below_parents(groups: Mapping[int, list[tuple[Any, ...]]]) -> Groups:
    """Regroups rows of customers by the record that they lie below: (source, parent key).

    Customers who are one have one list, which counts once.
    """
    result: Groups = {}
    for rows in {id(rows): rows for rows in groups.values()}.values():
        for row in rows:
            if row[3] is not None:
                result.setdefault((row[0].source, row[3]), []).append(row)
    return result


def ordered(section: PlannedSection, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorts rows by the section's order, NULLS LAST both ways, ties by record.

    Text compares by code point, as Python does.
    """
    if len(rows) < 2:
        return rows
    rows = sorted(rows, key=_record)
    for index, descending in reversed(section.order):
        present = [row for row in rows if row[index] is not None]
        absent = [row for row in rows if row[index] is None]
        # reverse=True keeps equal elements in order, which the tie-break needs.
        present.sort(key=itemgetter(index), reverse=descending)
        rows = present + absent
    return rows


def paged(
    section: PlannedSection,
    rows: list[tuple[Any, ...]],
    params: Mapping[str, Any],
    seal: CursorSeal,
    policy_shape: str,
) -> Rows:
    """Cuts one ordered list to the page that was asked and seals the cursor behind it."""
    page = section.section.page
    if page is None:
        return Rows(rows)
    first = params[page.first]
    if not isinstance(first, int) or not 0 <= first <= LARGEST_PAGE:
        raise RequestError(
            f"a page has 0 to {LARGEST_PAGE} rows", code="RV105", hint="change `first`"
        )
    after = params.get(page.after) if page.after else None
    bound = b""
    if after is not None or (rows and page.wants_cursor):
        bound = _binding(section, params, policy_shape)
    if after is not None:
        rows = _behind(section, rows, seal.open(after, bound))
    shown = rows[:first]
    cursor = None
    if shown and page.wants_cursor:
        last = shown[-1]
        position = [last[index] for index, _ in section.order]
        cursor = seal.seal([*position, *_record(last)], bound)
    return Rows(shown, has_next=len(rows) > first, end_cursor=cursor)


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
