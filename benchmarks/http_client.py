"""Measures the HTTP clients of the REST connector: CPU time of this process per call.

python -m benchmarks.http_client [--json]
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import cast

import orjson
import uvloop
from benchmarks.report import Figure, emit

from roundview_federation.connectors.http_aiohttp import AiohttpPort
from roundview_federation.connectors.http_httpx import HttpxPort
from roundview_federation.connectors.http_port import HttpPort, Origin

ROUNDS = 5
CALLS = 480
HEADERS = {"Accept": "application/json", "Authorization": "Bearer benchmark"}
SHAPES = ((1, 5), (1, 40), (4, 20), (16, 5), (16, 40))
"""Concurrent calls, kilobytes of JSON."""
CLIENTS: tuple[tuple[str, Callable[[Origin, int], HttpPort]], ...] = (
    ("httpx", lambda origin, most: HttpxPort(origin, private=True, connections=most)),
    ("aiohttp", lambda origin, most: AiohttpPort(origin, private=True, connections=most)),
)


def answer(kilobytes: int) -> bytes:
    """Returns the bytes of one answer over HTTP."""
    row = {"subject": "About the delivery", "status": "open", "opened_at": "2026-03-01T12:00:00Z"}
    count = kilobytes * 1_000 // (len(orjson.dumps(row)) + 11)
    body = orjson.dumps([{"id": 10_000 + at, **row} for at in range(count)])
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f'{head}\r\ndate: Sun, 01 Mar 2026 12:00:00 GMT\r\netag: "1"\r\n\r\n'.encode() + body


class Answering(asyncio.Protocol):
    """Answers `/40` with 40 kB, in as little time as can be."""

    answers: dict[bytes, bytes]
    transport: asyncio.Transport

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *asked, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in asked:
            self.transport.write(self.answers[head.split(b" ", 2)[1]])


def serve(pipe: Connection) -> None:
    """Serves in a process of its own; sends its port."""
    answers = {f"/{size}".encode(): answer(size) for _, size in SHAPES}

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Answering(answers), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def cpu_ms(port: HttpPort, concurrent: int, kilobytes: int) -> float:
    """Returns the CPU milliseconds of one call: the best round, all threads counted."""

    async def calls(count: int) -> None:
        for _ in range(count):
            got = await port.get(f"/{kilobytes}", HEADERS, 1_000_000)
            assert got.status == 200

    async def round_of(count: int) -> float:
        started = time.process_time_ns()
        await asyncio.gather(*(calls(count) for _ in range(concurrent)))
        return (time.process_time_ns() - started) / 1e6 / (count * concurrent)

    await round_of(10)
    gc.collect()
    return min([await round_of(CALLS // concurrent) for _ in range(ROUNDS)])


async def measure(number: int) -> list[Figure]:
    """Measures every client at every shape of load."""
    figures = []
    origin = Origin("http", "127.0.0.1", number)
    for concurrent, kilobytes in SHAPES:
        slowest = 0.0
        for name, made in CLIENTS:
            port = made(origin, concurrent)
            spent = await cpu_ms(port, concurrent, kilobytes)
            await port.close()
            title = f"{name}, {concurrent} at once, {kilobytes} kB"
            if not slowest:
                slowest = spent
                figures.append(Figure(title, spent, "ms"))
                continue
            ratio = slowest / spent
            figures.append(
                Figure(title, spent, "ms", f"httpx is {ratio:.1f} times", "3 times", ratio >= 3)
            )
    return figures


def main() -> int:
    """Runs everything; returns 1 if a figure misses its target."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        figures = uvloop.run(measure(here.recv()))
    finally:
        server.terminate()
        server.join()
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
