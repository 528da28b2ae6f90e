"""Decides what rows of an owner take from mirrors of them in other systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from roundview_federation.plan import Mirror

Groups = Mapping[Any, list[tuple[Any, ...]]]


def fill(groups: Groups, mirrored: Groups, mirror: Mirror) -> None:
    """Puts values of mirror rows where the rows of their owner have none, in place.

    Two rows are the same fact if they have the same value in the mirror's `by`; of several mirror
    rows the first counts.
    """
    known: dict[Any, tuple[Any, ...]] = {}
    for row in _rows(mirrored):
        if row[mirror.by_there] is not None:
            known.setdefault(row[mirror.by_there], row)
    if not known:
        return
    for rows in groups.values():
        for at, row in enumerate(rows):
            if row[0].source != mirror.owner:
                continue
            other = known.get(row[mirror.by_here])
            if other is not None:
                rows[at] = _filled(row, other, mirror)


def _filled(row: tuple[Any, ...], other: tuple[Any, ...], mirror: Mirror) -> tuple[Any, ...]:
    values = list(row)
    for here, there in mirror.columns:
        if values[here] is None:
            values[here] = other[there]
    return tuple(values)


def _rows(groups: Groups) -> Iterator[tuple[Any, ...]]:
    for rows in groups.values():
        yield from rows
