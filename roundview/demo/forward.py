"""Hands connections on to another address, so that what listens on loopback can be published.

    python -m roundview.demo.forward 0.0.0.0:8360 127.0.0.1:8361

For containers that share one network: whoever publishes the first address decides who gets in.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

_CHUNK_BYTES = 64 * 1024
_MOST_CONNECTIONS = 512
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def forward(listen: tuple[str, int], to: tuple[str, int], stopped: asyncio.Event) -> None:
    """Hands on what arrives at one address until it is told to stop."""
    room = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def handed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with room:
                await _joined(reader, writer, to)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handed, *listen)
    async with server:
        await stopped.wait()


async def _joined(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: tuple[str, int]
) -> None:
    with suppress(OSError):
        behind, answering = await asyncio.open_connection(*to)
        try:
            await asyncio.gather(_copied(reader, answering), _copied(behind, writer))
        finally:
            answering.transport.abort()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def _run(listen: str, to: str) -> None:
    stopped = asyncio.Event()
    for one in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    await forward(_address(listen), _address(to), stopped)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
