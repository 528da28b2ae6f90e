"""Reads and writes the messages of one connection, with bounds on both sides."""

from __future__ import annotations

import asyncio
from typing import Final

from roundview_sql.failures import WireError

MOST_BYTES: Final = 16 * 2**20
"""The longest message of a client."""
_READ_AHEAD: Final = 256 * 1024
_FLUSH: Final = 64 * 1024


class GoneError(Exception):
    """The client has gone."""


class Channel(asyncio.Protocol):
    """One connection: messages come as they are asked for, and go as fast as they are taken."""

    def __init__(self, head: bytes = b"") -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray(head)
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_paused = False
        self._is_gone = False
        self._out: list[bytes] = []
        self._size = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Keeps what came; stops reading where nobody asks for it."""
        self._buffer += data
        is_full = len(self._buffer) > _READ_AHEAD and self._waiter is None
        if is_full and not self._is_paused and self.transport is not None:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Ends the connection."""
        self._is_gone = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes whoever waits."""
        self._is_gone = True
        self._writable.set()
        self._wake()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Lets writers wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Lets writers go on."""
        self._writable.set()

    async def exactly(self, count: int) -> bytes:
        """Returns so many bytes; raises GoneError where the client ends before."""
        while len(self._buffer) < count:
            if self._is_gone:
                raise GoneError
            if self._is_paused and self.transport is not None:
                self._is_paused = False
                self.transport.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def message(self, most: int = MOST_BYTES) -> tuple[int, bytes]:
        """Returns the tag and body of the next message; raises WireError 08P01 for a broken one."""
        head = await self.exactly(5)
        size = int.from_bytes(head[1:], "big", signed=True)
        if not 4 <= size <= most:
            raise WireError("08P01", "invalid message length", is_fatal=True)
        return head[0], await self.exactly(size - 4)

    def has_message(self) -> bool:
        """Tells whether a message has begun to come."""
        return bool(self._buffer)

    def put(self, data: bytes) -> None:
        """Adds messages to those that are sent next."""
        self._out.append(data)
        self._size += len(data)

    async def send(self, data: bytes | memoryview) -> None:
        """Sends messages behind those that were put, as fast as the client takes them."""
        if len(data) < _FLUSH:
            self.put(bytes(data))
            if self._size >= _FLUSH:
                await self.flush()
            return
        await self.flush()
        self._write(data)
        await self._drain()

    async def flush(self) -> None:
        """Sends what was put."""
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._size = 0
            self._write(data)
        await self._drain()

    def close(self) -> None:
        """Ends the connection once everything is sent."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _write(self, data: bytes | memoryview) -> None:
        if self._is_gone or self.transport is None:
            raise GoneError
        self.transport.write(data)

    async def _drain(self) -> None:
        if not self._writable.is_set():
            await self._writable.wait()
        if self._is_gone:
            raise GoneError

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
