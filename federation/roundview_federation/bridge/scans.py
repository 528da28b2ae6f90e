"""Decides how the rows of a split go to Trino: page by page, read ahead in bounded memory.

Trino says neither that it wants no more of a split nor that a question ended. So a scan that
nobody asked for in a while makes room for another one of its source, and none outlives its
deadline.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from roundview_catalog.errors import RequestError, SourceError
from roundview_federation.bridge.blocks import page, page_bytes, wire_column
from roundview_federation.resilience.deadline import Deadline

_TOKEN: Final = struct.Struct(">16sI")
_SHORT_SECONDS: Final = 0.002
"""How long a page waits to know whether it is the last one."""
_IDLE_SECONDS: Final = 1.0
"""How long nobody asked where a scan counts as forgotten."""
_LATE_SECONDS: Final = 0.25
_LARGEST_PAGE: Final = 4 * 1024 * 1024
_AHEAD_BYTES: Final = 8 * 1024 * 1024
"""How much of a scan waits for Trino at most, and one batch more."""
_SPARE_BYTES: Final = 64 * 1024
_FEW_ROWS: Final = 4_096
_EMPTY: Final[Mapping[str, pa.DataType]] = MappingProxyType(
    {
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "varchar": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
)

Batches = AsyncGenerator[pa.RecordBatch, None]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a page: each column with its type in Trino, as it travels."""

    columns: tuple[tuple[str, pa.Array], ...]
    rows: int

    def part(self, at: int, rows: int) -> Piece:
        """Returns some of the rows."""
        return Piece(tuple((kind, one.slice(at, rows)) for kind, one in self.columns), rows)


class Scan:
    """The rows of one split on their way: read ahead as far as memory allows.

    Where all of them fit, the source is done with them however slowly they are taken.
    """

    def __init__(
        self, source: str, batches: Batches, types: tuple[str, ...], deadline: Deadline
    ) -> None:
        self.id = secrets.token_bytes(16)
        self.source = source
        self.deadline = deadline
        self.used_at = asyncio.get_running_loop().time()
        self.is_asked = False
        self.when_read: Callable[[], None] | None = None
        self._batches = batches
        self._types = types
        self._pieces: deque[Piece] = deque()
        self._held = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._number = 0
        self._last = b""
        self._reader: asyncio.Task[None] | None = None

    @property
    def held_bytes(self) -> int:
        """Returns how many bytes wait for Trino."""
        return self._held

    @property
    def is_reading(self) -> bool:
        """Tells whether its source still works for it."""
        return self._reader is None or not self._reader.done()

    async def page(self, number: int, most_bytes: int) -> tuple[bytes, bool]:
        """Returns the page of a number, and whether it is the last one.

        Pages come in order; the one before can be had again, since an answer may get lost.
        """
        if number == self._number - 1 and self._last:
            return self._last, False
        if number != self._number or self.is_asked:
            raise RequestError("a page was asked for out of order", code="RV104")
        self.is_asked = True
        try:
            return await self._next(most_bytes)
        finally:
            self.is_asked = False
            self.used_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Stops reading; what runs in the source ends."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait((self._reader,))
            if not self._reader.cancelled():
                self._reader.exception()
        with suppress(Exception):
            await self._batches.aclose()

    async def _next(self, most_bytes: int) -> tuple[bytes, bool]:
        # Trino's own limit holds for the frame, to which some bytes belong beside the rows.
        most = max(1, min(_LARGEST_PAGE, most_bytes - _SPARE_BYTES))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
            self._reader.add_done_callback(self._has_read)
        await self._some(self._reader)
        piece = self._fitting(most)
        is_last = not self._pieces and await self._is_over(self._reader)
        token = None if is_last else _TOKEN.pack(self.id, self._number + 1)
        if piece.rows > _FEW_ROWS:
            encoded = await asyncio.to_thread(page, piece.columns, piece.rows, token)
        else:
            encoded = page(piece.columns, piece.rows, token)
        self._number += 1
        self._last = encoded
        return encoded, is_last

    def _has_read(self, _: asyncio.Task[None]) -> None:
        self._arrived.set()
        if self.when_read is not None:
            self.when_read()

    async def _some(self, reader: asyncio.Task[None]) -> None:
        """Waits for rows, or the end of them; raises what the reading failed with."""
        while not self._pieces and not reader.done():
            self._arrived.clear()
            await self._arrived.wait()
        if not self._pieces:
            if reader.cancelled():
                raise ended()
            reader.result()

    async def _is_over(self, reader: asyncio.Task[None]) -> bool:
        """Tells whether it is known by now that no more rows come."""
        if not reader.done():
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), _SHORT_SECONDS)
        is_done = reader.done() and not reader.cancelled() and reader.exception() is None
        return is_done and not self._pieces

    def _fitting(self, most: int) -> Piece:
        """Takes as many rows as a page may have."""
        if not self._pieces:
            return Piece(tuple((kind, _nothing(kind)) for kind in self._types), 0)
        piece = self._pieces.popleft()
        while (size := page_bytes(piece.columns, piece.rows)) > most:
            if piece.rows == 1:
                raise SourceError(
                    self.source,
                    f"{self.source} has a row that is larger than a page of Trino",
                    code="RV405",
                    hint="leave the large column out, or raise trino-thrift.max-response-size",
                    retryable=False,
                )
            rows = max(1, min(piece.rows // 2, piece.rows * most // size))
            self._pieces.appendleft(piece.part(rows, piece.rows - rows))
            piece = piece.part(0, rows)
        self._held -= size
        self._room.set()
        return piece

    async def _read(self) -> None:
        async for batch in self._batches:
            if batch.num_rows:
                arrays = map(wire_column, batch.columns)
                piece = Piece(tuple(zip(self._types, arrays, strict=True)), batch.num_rows)
                self._pieces.append(piece)
                self._held += page_bytes(piece.columns, piece.rows)
                self._arrived.set()
            while self._held > _AHEAD_BYTES:
                self._room.clear()
                await self._room.wait()


class Scans:
    """The scans that are open, at most so many of one source at once as it takes calls."""

    def __init__(self, on_close: Callable[[Scan], None]) -> None:
        self._open: dict[bytes, Scan] = {}
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._on_close = on_close

    @property
    def open(self) -> tuple[Scan, ...]:
        """Returns the scans that have begun and not ended."""
        return tuple(self._open.values())

    async def begin(self, scan: Scan, most: int) -> None:
        """Takes a new scan where its source has room; raises SourceError RV406 at its deadline."""
        loop = asyncio.get_running_loop()
        while len(same := self._working_for(scan.source)) >= most:
            resting = [one for one in same if not one.is_asked]
            oldest = min(resting, key=lambda one: one.used_at, default=None)
            patience = scan.deadline.left
            if oldest is not None:
                idle = loop.time() - oldest.used_at
                if idle >= _IDLE_SECONDS:
                    await self.end(oldest)
                    continue
                patience = min(patience, _IDLE_SECONDS - idle)
            if not scan.deadline.left:
                await scan.close()
                raise SourceError(
                    scan.source, f"{scan.source} is busy with other scans", code="RV406"
                )
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), patience)
        self._open[scan.id] = scan
        scan.when_read = self._changed.set
        # A source that is still reading says by itself that it is late.
        left = scan.deadline.left + _LATE_SECONDS
        self._timers[scan.id] = loop.call_later(left, self._expire, scan)

    def of(self, token: bytes) -> tuple[Scan, int]:
        """Returns the scan and page number of a token; raises RequestError RV104 if it ended."""
        try:
            scan, number = _TOKEN.unpack(token)
        except struct.error:
            raise RequestError("this is no token of the bridge", code="RV104") from None
        if scan not in self._open:
            raise ended()
        return self._open[scan], number

    async def end(self, scan: Scan) -> None:
        """Closes a scan; one that is closed stays so."""
        if self._open.pop(scan.id, None) is None:
            return
        self._timers.pop(scan.id).cancel()
        try:
            await scan.close()
        finally:
            self._on_close(scan)
            self._changed.set()

    async def close(self) -> None:
        """Closes all of them."""
        await asyncio.gather(*(self.end(one) for one in self.open))
        await asyncio.gather(*self._closing)

    def _working_for(self, source: str) -> list[Scan]:
        found = (one for one in self._open.values() if one.source == source)
        return [one for one in found if one.is_reading]

    def _expire(self, scan: Scan) -> None:
        task = asyncio.create_task(self.end(scan))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def ended() -> RequestError:
    """Returns the error for a scan that is no more."""
    return RequestError(
        "the scan has ended: its time was over, or others needed its place",
        code="RV104",
        hint="ask again",
    )


def _nothing(trino: str) -> pa.Array:
    return pa.array([], _EMPTY[trino])
