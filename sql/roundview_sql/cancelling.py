"""Decides which statement a cancel means, in whichever process of the server it arrives."""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PROCESS: Final = 4
_MOST_BYTES: Final = 512


class Cancelling:
    """Knows the keys of this process's connections, and tells other processes of other keys.

    `exchange` is the folder in which the processes of one server listen, each at a socket of its
    own; only their owner can reach it. Without one there is one process.
    """

    def __init__(self, exchange: Path | None = None) -> None:
        self._exchange = exchange
        self._known: dict[int, tuple[bytes, Callable[[], None]]] = {}
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Begins to listen to other processes."""
        if self._exchange is None:
            return
        path = self._exchange / str(os.getpid())
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # Of a process that had the number before.
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._heard)

    async def close(self) -> None:
        """Stops listening."""
        if self._socket is not None and self._exchange is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            (self._exchange / str(os.getpid())).unlink(missing_ok=True)

    @contextmanager
    def known(self, process: int, secret: bytes, cancel: Callable[[], None]) -> Iterator[None]:
        """Lets a connection be cancelled with its key for the block."""
        self._known[process] = (secret, cancel)
        try:
            yield
        finally:
            del self._known[process]

    async def cancel(self, process: int, secret: bytes) -> None:
        """Cancels what a key means, here or in another process; a wrong key does nothing."""
        if process in self._known:
            self._cancel_here(process, secret)
            return
        if self._exchange is None or self._socket is None:
            return
        said = process.to_bytes(_PROCESS, "big") + secret
        for path in self._exchange.iterdir():
            if path.name != str(os.getpid()):
                with suppress(OSError):
                    self._socket.sendto(said, str(path))

    def _cancel_here(self, process: int, secret: bytes) -> None:
        known = self._known.get(process)
        if known is not None and hmac.compare_digest(known[0], secret):
            known[1]()

    def _heard(self) -> None:
        assert self._socket is not None  # noqa: S101  it is read only while it is open
        with suppress(OSError):
            said = self._socket.recv(_MOST_BYTES)
            self._cancel_here(int.from_bytes(said[:_PROCESS], "big"), said[_PROCESS:])
