"""Proves that messages which would end the driver's process never reach it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from roundview_federation.connectors.postgres.sessions import Wire

BODIES = (b"", b"a row", b"d" * 300, b"\xff" * 7, b"x" * 70_000, b"")


def message(body: bytes) -> bytes:
    """Returns the message of some rows of COPY."""
    return b"d" + struct.pack(">i", len(body) + 4) + body


SOUND = b"".join(map(message, BODIES))


class Driver(asyncio.Protocol):
    """Keeps what reaches it."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.is_over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.seen += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over.set()


@asynccontextmanager
async def sending(parts: Sequence[bytes]) -> AsyncIterator[int]:
    """Serves one client, which gets the parts; each arrives on its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await reader.read(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def received(parts: Sequence[bytes]) -> bytes:
    """Returns what reaches the driver until the connection ends."""
    async with sending(parts) as port:
        loop = asyncio.get_running_loop()
        transport, driver = await loop.create_connection(Driver, "127.0.0.1", port)
        wire = Wire(transport)
        size = 0
        for part in parts:
            size += len(part)
            while wire.received < size and not driver.is_over.is_set():
                await asyncio.sleep(0)
            if not driver.is_over.is_set():
                transport.write(b".")
        await driver.is_over.wait()
    return bytes(driver.seen)


@pytest.mark.parametrize("size", [3, 7, 301, len(SOUND)])
async def test_sound_messages_arrive_however_they_are_cut(size: int) -> None:
    some = SOUND if size > 100 else SOUND[:350]
    parts = [some[at : at + size] for at in range(0, len(some), size)]
    assert await received(parts) == some


@pytest.mark.parametrize("length", [-1, -(2**31), 0, 3])
@pytest.mark.parametrize("cut", [0, 1, 4, 5])
async def test_a_message_of_an_impossible_length_ends_the_connection(length: int, cut: int) -> None:
    bad = b"d" + struct.pack(">i", length) + b"s3cr3t"
    found = await received([SOUND, bad] if cut == 0 else [SOUND + bad[:cut], bad[cut:] + SOUND])
    assert (SOUND + bad[:4]).startswith(found)
    assert cut == 5 or len(found) == len(SOUND) + cut
