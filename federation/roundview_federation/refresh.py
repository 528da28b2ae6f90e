"""Reads the key columns of people through the ordinary path and hands them to identity."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from roundview_catalog.errors import SourceError
from roundview_federation.federation import Federation
from roundview_federation.people import CHUNK, read_people
from roundview_federation.records import sources_with_persons
from roundview_identity.records import Record
from roundview_identity.refresh import Summary, refresh

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
    *,
    chunk: int = CHUNK,
) -> Refreshed:
    """Rebuilds the links of some sources (default: all) from their live key columns.

    People are read and handed on `chunk` at a time, so that any number of them fits in memory.
    A source that cannot be read to its end keeps the links it has.
    `progress(stage, done, total)` is called between steps, with the total where it is known.
    """
    snapshot = federation.current
    known = sources_with_persons(snapshot.catalog)
    wanted = None if sources is None else set(sources)
    reading = _Reading(
        federation, [one for one in known if wanted is None or one in wanted], progress, chunk
    )
    handed = _Handed(reading.all(), asyncio.get_running_loop())
    try:
        summary = await asyncio.to_thread(
            refresh,
            federation.xref,
            handed.records(),
            federation.rules(),
            sources=reading.sources,
            unread=reading.skipped,
            progress=reading.linking if progress else None,
        )
    finally:
        await handed.end()
    snapshot.finder.forget_unknown()
    return Refreshed(summary, summary.records, reading.skipped)


@dataclass(slots=True)
class _Reading:
    federation: Federation
    sources: list[str]
    progress: Progress | None
    chunk: int
    skipped: dict[str, str] = field(default_factory=dict)

    async def all(self) -> AsyncGenerator[list[Record], None]:
        """Yields the people of one source after the other."""
        snapshot = self.federation.current
        for source in self.sources:
            people = read_people(
                source,
                planner=snapshot.planner,
                connectors=snapshot.connectors,
                clock=self.federation.clock,
                chunk=self.chunk,
            )
            count = 0
            self._report(source, count)
            try:
                async for records in people:
                    yield records
                    count += len(records)
                    self._report(source, count)
            except SourceError as error:
                self.skipped[source] = error.message

    def linking(self, stage: str, done: int, total: int | None) -> None:
        """Reports what comes after reading: what is read meanwhile is reported already."""
        if stage != "hashing" and self.progress is not None:
            self.progress(stage, done, total)

    def _report(self, source: str, count: int) -> None:
        if self.progress is not None:
            self.progress(f"reading {source}", count, None)


@dataclass(slots=True)
class _Handed:
    """Hands records of the event loop to a thread, which asks for each chunk when it needs it."""

    source: AsyncGenerator[list[Record], None]
    loop: asyncio.AbstractEventLoop
    is_over: bool = False
    reading: asyncio.Task[Any] | None = None

    def records(self) -> Iterator[Record]:
        """Yields every record; called in the thread."""
        while True:
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self.loop).result()
            if chunk is None:
                return
            yield from chunk

    async def end(self) -> None:
        """Stops reading; a thread that still wants records gets an error, never an end."""
        self.is_over = True
        if self.reading is not None and not self.reading.done():
            self.reading.cancel()
            await asyncio.wait([self.reading])
        await self.source.aclose()

    async def _next(self) -> list[Record] | None:
        if self.is_over:
            raise asyncio.CancelledError
        self.reading = asyncio.current_task()
        return await anext(self.source, None)
