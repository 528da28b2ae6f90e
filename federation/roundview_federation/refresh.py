"""Reads the key columns of people through the ordinary path and hands them to identity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from roundview_catalog.errors import SourceError
from roundview_federation.federation import Federation
from roundview_federation.records import read_records, sources_with_persons
from roundview_federation.resilience.deadline import Deadline
from roundview_identity.records import Record
from roundview_identity.refresh import Summary, refresh

_SCAN_SECONDS = 600.0
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one refresh did; `skipped` names sources that could not be read, with the reason."""

    summary: Summary
    records: int
    skipped: dict[str, str]


async def refresh_identity(
    federation: Federation,
    sources: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> Refreshed:
    """Rebuilds the links of some sources (default: all) from their live key columns.

    A source that cannot be read keeps the links it has. `progress(stage, done, total)` is
    called between steps.
    """
    snapshot = federation.current
    known = sources_with_persons(snapshot.catalog)
    wanted = [name for name in known if sources is None or name in set(sources)]
    records: list[Record] = []
    skipped: dict[str, str] = {}
    for at, name in enumerate(wanted):
        if progress is not None:
            progress(f"reading {name}", at, len(wanted))
        try:
            records += await read_records(
                name,
                None,
                Deadline.after(_SCAN_SECONDS),
                planner=snapshot.planner,
                connectors=snapshot.connectors,
                clock=federation.clock,
            )
        except SourceError as error:
            skipped[name] = error.message
    summary = await asyncio.to_thread(
        refresh,
        federation.xref,
        records,
        federation.rules(),
        progress=progress,
        sources={name for name in wanted if name not in skipped},
    )
    snapshot.finder.forget_unknown()
    return Refreshed(summary, len(records), skipped)
