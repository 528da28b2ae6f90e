"""Decides how frames pass between the event loop and a worker without a copy or a thread."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import pyarrow as pa

from roundview_federation.engines.duckdb.frames import (
    HEADER,
    MOST_VIEWS,
    Kind,
    View,
    sent,
    size_of,
)

_FLUSH_BYTES: Final = 262_144
_MOST_BODY: Final = 2**32
_KINDS: Final = frozenset(map(int, Kind))


class GoneError(Exception):
    """The worker ended, or said what no worker says."""


class Channel:
    """One end of a socket pair; the other end is a worker.

    Nothing is read before it is asked for: a worker that nobody reads stops by itself, because the
    socket is full. Tasks may put frames at the same time; one at a time may receive.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._outgoing: list[View] = []
        self._sending = asyncio.Lock()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._failures = 0
        self._head = bytearray(HEADER.size)
        self._kind = Kind.READY
        self._body: pa.Buffer | None = None
        self._filled = 0
        self.torn = False
        """Whether a frame was sent in part: nothing sensible can follow it."""

    async def put(self, views: list[View]) -> None:
        """Queues whole frames; sends them when they are many."""
        self._outgoing += views
        if size_of(views) >= _FLUSH_BYTES or len(self._outgoing) >= MOST_VIEWS:
            await self.flush()

    async def flush(self) -> None:
        """Sends everything that is queued; raises GoneError when nobody is there to read it."""
        async with self._sending:
            if self.torn:
                raise GoneError
            views, self._outgoing = self._outgoing, []
            self.torn = bool(views)
            while views:
                try:
                    count = self._end.sendmsg(views[:MOST_VIEWS])
                except BlockingIOError:
                    await self._writable()
                except OSError:
                    raise GoneError from None
                else:
                    views = sent(views, count)
            self.torn = False

    async def receive(self) -> tuple[Kind, pa.Buffer]:
        """Returns the next frame; cancelled in the middle of one, it goes on from there."""
        if self._body is None:
            await self._fill(memoryview(self._head))
            kind, _, length = HEADER.unpack(self._head)
            if kind not in _KINDS or length > _MOST_BODY:
                raise GoneError
            self._kind = Kind(kind)
            self._body = pa.allocate_buffer(length)
            self._filled = 0
        body = self._body
        if body.size:
            await self._fill(memoryview(body))
        self._body = None
        self._filled = 0
        return self._kind, body

    def fail(self) -> None:
        """Takes the channel from the tasks that wait for the worker: they see GoneError."""
        self._failures += 1
        for waiter in (self._reader, self._writer):
            if waiter is not None and not waiter.done():
                waiter.set_exception(GoneError())
        self._forget_reader()
        self._forget_writer()

    def drop_queued(self) -> None:
        """Forgets what was queued and not sent."""
        self._outgoing = []

    def close(self) -> None:
        """Ends the line, for the tasks too that still wait on it."""
        self.fail()
        self._end.close()

    async def _fill(self, view: memoryview) -> None:
        size = view.nbytes
        while self._filled < size:
            try:
                count = self._end.recv_into(view[self._filled :])
            except BlockingIOError:
                await self._readable()
                continue
            except OSError:
                raise GoneError from None
            if not count:
                raise GoneError
            self._filled += count

    async def _readable(self) -> None:
        waiter = self._reader = self._loop.create_future()
        self._loop.add_reader(self._end.fileno(), _wake, waiter)
        failures = self._failures
        try:
            await waiter
        finally:
            if self._reader is waiter:
                self._forget_reader()
        self._still_ours(failures)

    async def _writable(self) -> None:
        waiter = self._writer = self._loop.create_future()
        self._loop.add_writer(self._end.fileno(), _wake, waiter)
        failures = self._failures
        try:
            await waiter
        finally:
            if self._writer is waiter:
                self._forget_writer()
        self._still_ours(failures)

    def _still_ours(self, failures: int) -> None:
        if failures != self._failures:
            # Awake already when the channel was taken away: another task uses it now.
            raise GoneError

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._loop.remove_reader(self._end.fileno())
            self._reader = None

    def _forget_writer(self) -> None:
        if self._writer is not None:
            self._loop.remove_writer(self._end.fileno())
            self._writer = None


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
