"""Decides how the bytes are counted that a source sends: a TCP relay on loopback before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 262_144


class Relay:
    """One listening port before a source; `received` counts what the source has sent."""

    def __init__(self, host: str, port: int) -> None:
        self.received = 0
        self.port = 0
        self._upstream = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begins to listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drops every connection."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back, forth = await asyncio.open_connection(*self._upstream)
        asking = asyncio.ensure_future(self._copy(reader, forth, is_answer=False))
        try:
            with suppress(asyncio.CancelledError):
                await self._copy(back, writer, is_answer=True)
        finally:
            self._tasks.discard(task)
            asking.cancel()
            forth.close()
            writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                if is_answer:
                    self.received += len(data)
                writer.write(data)
                await writer.drain()
            # What closes on one side closes on the other: a pool waits for it.
            writer.close()


@asynccontextmanager
async def counting(host: str, port: int) -> AsyncIterator[Relay]:
    """Runs a relay before a source.

    >>> async with counting("127.0.0.1", 5432) as relay:  # doctest: +SKIP
    ...     await ask_over(relay.port)
    ...     relay.received
    """
    relay = Relay(host, port)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()
