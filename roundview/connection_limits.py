"""Decides how much and how long a connection may take before its request is whole."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_CLOSED = b"content-length: 0\r\nconnection: close\r\n\r\n"


class LimitedHttp(HttpToolsProtocol):
    """Speaks HTTP like its base, with bounds that uvicorn leaves to a proxy in front.

    A head above `head_bytes` gets 431, one that is not there after `head_seconds` gets 408,
    two Host fields get 400 (RFC 9112, 3.2). Who goes on sending a body that was refused is cut
    off after `refused_bytes`.
    """

    head_bytes = 64 * 1024
    head_seconds = 10.0
    refused_bytes = 8 * 1024 * 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._messages = 0
        self._head = 0
        self._refused = 0
        self._has_begun = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock of the first head."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head that is not whole yet."""
        messages = self._messages
        super().data_received(data)
        # What came together with the end of another request is not counted.
        if self._timer is not None and messages == self._messages:
            self._head += len(data)
            if self._head > self.head_bytes:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begins a head."""
        super().on_message_begin()
        self._has_begun = True
        self._refused = 0
        if self._timer is None:
            self._start_clock()

    def on_headers_complete(self) -> None:
        """Ends a head."""
        self._messages += 1
        self._stop_clock()
        if sum(name == b"host" for name, _ in self.headers) > 1:
            # The parser turns this into its own error, which is answered with 400.
            raise ValueError("more than one Host")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Cuts off who sends on after the answer."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._refused += len(body)
            if self._refused > self.refused_bytes:
                self.transport.abort()

    def _start_clock(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(self.head_seconds, self._expire)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expire(self) -> None:
        if self._is_answering:
            # A pipelined head is not read while the answer before it is on its way.
            self._start_clock()
        elif self._has_begun:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        self._stop_clock()
        if self.transport.is_closing():
            return
        if not self._is_answering:
            self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + _CLOSED)
        self.transport.close()
