"""Decides how connections are served: framed calls one after the other, bounded in every way."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from roundview_federation.bridge.answering import Bridge
from roundview_federation.bridge.frames import MalformedError, read_call

_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take; durations in seconds, sizes in bytes.

    `frame_bytes` is the largest call, `large_frames` how many of more than `small_bytes` arrive
    at once. A frame that began has to be whole after `frame_seconds`, an answer has to be taken
    within `answer_seconds`.
    """

    connections: int = 256
    frame_bytes: int = 16 * 1024 * 1024
    small_bytes: int = 1024 * 1024
    large_frames: int = 8
    frame_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 600.0


class BridgeServer:
    """Serves a bridge on a listening socket until it is closed."""

    def __init__(self, bridge: Bridge, limits: ConnectionLimits | None = None) -> None:
        self._bridge = bridge
        self._limits = limits or ConnectionLimits()
        self._large = asyncio.Semaphore(self._limits.large_frames)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Begins to accept connections; `tls` must ask for a certificate of the caller."""
        self._server = await asyncio.start_server(self._connected, sock=listener, ssl=tls)

    async def close(self) -> None:
        """Ends every connection and reading."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._bridge.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= self._limits.connections:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (MalformedError, TimeoutError, OSError, asyncio.IncompleteReadError):
            # Who speaks something else, is too slow or went away is not answered.
            pass
        except asyncio.CancelledError:
            # We are closing; raised on, asyncio's own callback would fail with it (Python 3.11).
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limits = self._limits
        following = asyncio.create_task(reader.readexactly(1))
        try:
            while True:
                async with asyncio.timeout(limits.idle_seconds):
                    first = await following
                frame = await self._frame(first, reader)
                following = asyncio.create_task(reader.readexactly(1))
                answer = await self._answered(frame, following)
                writer.write(answer)
                async with asyncio.timeout(limits.answer_seconds):
                    await writer.drain()
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await following

    async def _frame(self, first: bytes, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self._limits.frame_seconds):
            (length,) = _LENGTH.unpack(first + await reader.readexactly(_LENGTH.size - 1))
            if length > self._limits.frame_bytes:
                raise MalformedError
            if length <= self._limits.small_bytes:
                return await reader.readexactly(length)
            async with self._large:
                return await reader.readexactly(length)

    async def _answered(self, frame: bytes, following: asyncio.Task[bytes]) -> bytes:
        """Returns the answer to a call; who goes away meanwhile ends it."""
        work = asyncio.create_task(self._bridge.answer(read_call(frame)))
        try:
            await asyncio.wait((work, following), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and following.exception() is not None:
                raise OSError
            return await work
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait((work,))
