"""Decides how large the tables of a source are taken to be from now on, by what it says itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from roundview_federation.live.asking import Subject
from roundview_federation.live.findings import Finding, Verdict, counted

_FEW = 1_000


def sizes(subject: Subject) -> Mapping[str, int]:
    """Returns about how many rows each table of the catalog has; no row is read for it.

    A table of which the source does not know it is left out, unless a proof counted it.
    """
    found: dict[str, int] = {}
    for name in subject.source.tables:
        live = subject.live_table(name)
        known = subject.counted(name)
        if known is None and live is not None:
            known = live.rows_estimate
        if known is not None:
            found[name] = known
    return found


def distinct(subject: Subject) -> Mapping[str, Mapping[str, int]]:
    """Returns about how many values columns have, as far as the source itself notes it."""
    found: dict[str, Mapping[str, int]] = {}
    for name, table in subject.source.tables.items():
        live = subject.live_table(name)
        known = {} if live is None else live.distinct
        kept = {column: count for column, count in known.items() if column in table.columns}
        if kept:
            found[name] = kept
    return found


async def prove_sizes(subject: Subject) -> AsyncIterator[Finding]:
    """Yields whether the tables are about as large as they were noted to be."""
    now = sizes(subject)
    if not now:
        return
    tables = subject.source.tables
    other = [name for name, rows in now.items() if _is_other(tables[name].rows_estimate, rows)]
    at = subject.places.in_schema("tables")
    claim = f"the sizes of {counted(len(now), 'table')} are known"
    if other:
        seen = f"{counted(len(other), 'table')} with twice or half as many rows as noted, or never"
        yield subject.finding(at, claim, Verdict.NOT_REFUTED, f"{seen}; they are noted anew")
    else:
        yield subject.finding(at, claim, Verdict.PROVED, "they are about as noted")


def _is_other(noted: int | None, now: int) -> bool:
    if noted is None:
        return True
    low, high = sorted((noted, now))
    return high > _FEW and high >= 2 * low
