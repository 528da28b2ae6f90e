"""Decides how a source fails in tests: a TCP proxy that can do every harm, switched at run time.

    with fault_proxy(("127.0.0.1", port)) as proxy:
        proxy.fault = Fault.DRIP

Faults of the wire work for any protocol; faults of the answer speak HTTP.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cache


class Fault(StrEnum):
    """Names every way to fail; the values are the words of test ids."""

    NONE = "none"
    REFUSE = "refuse"
    """Nobody listens."""
    RESET = "reset"
    """The connection is reset as soon as something is asked."""
    MUTE = "mute"
    """Connects, reads, never answers."""
    BLACK_HOLE = "black hole"
    """Answers the first bytes, then nothing."""
    DRIP = "drip"
    """One byte every now and then."""
    CUT = "cut"
    """Closes in the middle of the answer."""
    GARBAGE = "garbage"
    """Bytes that are no protocol."""
    HTML = "html for json"
    """A login page with status 200."""
    NOT_JSON = "broken json"
    """JSON that ends too early, with the right length."""
    WRONG_TYPE = "wrong type"
    """JSON of another shape."""
    OTHER_RECORD = "another customer's record"
    """A well-formed answer to a question that nobody asked."""
    ENDLESS_PAGES = "endless pages"
    """Every page is new and has another one after it."""
    SAME_PAGE = "same page"
    """Every page is the same and has another one after it."""
    STORM = "429 storm"
    """Always busy, come back in an hour."""
    ERROR = "error"
    """500 with personal data in the text."""
    REDIRECT = "redirect"
    """Sends the caller to another address."""
    UNAUTHORIZED = "unauthorized"
    """401."""
    HUGE = "huge body"
    """A body without end."""
    BOMB = "gzip bomb"
    """A small body that unfolds to four times what is allowed."""


WIRE_FAULTS = (
    Fault.REFUSE,
    Fault.RESET,
    Fault.MUTE,
    Fault.BLACK_HOLE,
    Fault.DRIP,
    Fault.CUT,
    Fault.GARBAGE,
)
"""Those that mean something in front of any source."""

SECRET = "Erika Mustermann +49 30 1234567"
"""What answers of the proxy hold and no error text may."""

_DRIP_SECONDS = 0.02
_PASSED_BYTES = 40


class FaultProxy:
    """One listening port in front of a source (`upstream`), or in front of nothing."""

    def __init__(self, upstream: tuple[str, int] | None) -> None:
        self.fault = Fault.NONE
        self.port = 0
        self.calls = 0
        self._upstream = upstream
        self._pages = itertools.count()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def refusing_port(self) -> int:
        """Returns a port at which nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    async def start(self) -> None:
        """Begins to listen on a free loopback port."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drops every connection."""
        if self._server is not None:
            self._server.close()
        await self._drop()

    def drop(self) -> None:
        """Drops the connections that there are, from any thread; new ones meet the fault."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(5)

    async def _drop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._tasks.discard(task)
            with suppress(Exception):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await reader.read(65_536)
            if not request:
                return
            self.calls += 1
            fault = self.fault
            if fault is Fault.RESET:
                _reset(writer)
                return
            if fault is Fault.MUTE:
                await asyncio.sleep(3_600)
            if fault is Fault.GARBAGE:
                writer.write(bytes(range(256)) * 8)
                await writer.drain()
                return
            if fault in _ANSWERS:
                await self._answer(fault, writer)
                continue
            await self._pass(request, fault, reader, writer)
            return

    async def _pass(
        self,
        request: bytes,
        fault: Fault,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        assert self._upstream is not None, f"{fault} needs a source behind the proxy"
        back, forth = await asyncio.open_connection(*self._upstream)
        forth.write(request)
        up = asyncio.ensure_future(_copy(reader, forth))
        passed = 0
        try:
            while data := await back.read(65_536):
                if fault is Fault.DRIP:
                    for at in range(len(data)):
                        writer.write(data[at : at + 1])
                        await writer.drain()
                        await asyncio.sleep(_DRIP_SECONDS)
                    continue
                if fault in (Fault.BLACK_HOLE, Fault.CUT):
                    head = data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0
                    writer.write(data[: max(head, 0) + _PASSED_BYTES])
                    await writer.drain()
                    if fault is Fault.CUT:
                        return
                    await asyncio.sleep(3_600)
                writer.write(data)
                passed += len(data)
                await writer.drain()
        finally:
            up.cancel()
            forth.close()

    async def _answer(self, fault: Fault, writer: asyncio.StreamWriter) -> None:
        if fault is Fault.HUGE:
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            chunk = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
            while True:
                writer.write(chunk)
                await writer.drain()
        status, headers, body = self._http(fault)
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    def _http(self, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        as_json = {"content-type": "application/json"}
        if fault is Fault.HTML:
            page = f"<html><title>Log in</title>{SECRET}</html>"
            return 200, {"content-type": "text/html"}, page.encode()
        if fault is Fault.NOT_JSON:
            return 200, as_json, f'{{"items": [{{"id": 1, "name": "{SECRET}"'.encode()
        if fault is Fault.WRONG_TYPE:
            return 200, as_json, json.dumps({"items": SECRET, "data": [1, SECRET]}).encode()
        if fault is Fault.STORM:
            return 429, {"retry-after": "3600", **as_json}, json.dumps(SECRET).encode()
        if fault is Fault.ERROR:
            return 500, as_json, json.dumps({"error": SECRET}).encode()
        if fault is Fault.UNAUTHORIZED:
            return 401, as_json, json.dumps({"error": SECRET}).encode()
        if fault is Fault.REDIRECT:
            return 302, {"location": f"http://127.0.0.1:{self.port}/elsewhere"}, b""
        if fault is Fault.BOMB:
            return 200, {**as_json, "content-encoding": "gzip"}, _bomb()
        number = 999_999 if fault in (Fault.SAME_PAGE, Fault.OTHER_RECORD) else next(self._pages)
        row = {"id": number, "name": SECRET, "person_id": number, "user_id": number}
        has_more = fault is not Fault.OTHER_RECORD
        cursor = f"cursor-{number}" if has_more else None
        pages = 10**9 if has_more else 1
        # The names of every API that is tested: each reader finds its own.
        document = {
            **row,
            "items": [row],
            "data": [row],
            "next": cursor,
            "meta": {"pages": pages, "last_page": pages, "next_cursor": cursor},
        }
        return 200, as_json, json.dumps(document).encode()


@contextmanager
def fault_proxy(upstream: tuple[str, int] | None = None) -> Iterator[FaultProxy]:
    """Runs a proxy in a thread of its own, so that a blocked event loop cannot hide a fault."""
    _bomb()
    proxy = FaultProxy(upstream)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(5)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


_ANSWERS = frozenset(
    {
        Fault.HTML,
        Fault.NOT_JSON,
        Fault.WRONG_TYPE,
        Fault.OTHER_RECORD,
        Fault.ENDLESS_PAGES,
        Fault.SAME_PAGE,
        Fault.STORM,
        Fault.ERROR,
        Fault.REDIRECT,
        Fault.UNAUTHORIZED,
        Fault.HUGE,
        Fault.BOMB,
    }
)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    # Lingering for no time makes close() send RST instead of FIN.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 32 * 1024 * 1024, 1)
