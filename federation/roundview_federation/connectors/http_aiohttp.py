"""Decides how HTTP is spoken where aiohttp is installed: as with httpx, for less CPU."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from roundview_federation.connectors.http_port import (
    KEEPALIVE_SECONDS,
    Body,
    CheckedAddress,
    Failure,
    HttpAnswer,
    HttpError,
    Origin,
    require_plain,
    tls_context,
)

# Cursors of next pages come in the Link header, and aiohttp allows 8 kB.
_LONGEST_FIELD: Final = 65_536
_UNSENT: Final = ("User-Agent", "Accept", "Content-Type")


class AiohttpPort:
    """aiohttp's client without its redirects, cookies, proxies, retries and name lookups.

    `tls` tells whom to trust instead of the public authorities.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        private: bool,
        connections: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._origin = origin
        self._address = CheckedAddress(origin, private=private)
        self._connections = connections
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._starting = asyncio.Lock()
        self._is_closed = False

    async def get(self, target: str, headers: Mapping[str, str], limit_bytes: int) -> HttpAnswer:
        """Sends GET and returns the answer."""
        return await self._send("GET", target, headers, limit_bytes, b"")

    async def post(
        self, target: str, headers: Mapping[str, str], limit_bytes: int, body: bytes
    ) -> HttpAnswer:
        """Sends POST and returns the answer."""
        return await self._send("POST", target, headers, limit_bytes, body)

    async def close(self) -> None:
        """Closes every connection."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self, method: str, target: str, headers: Mapping[str, str], limit_bytes: int, body: bytes
    ) -> HttpAnswer:
        require_plain(target)
        address = await self._address.get()
        session = self._session or await self._start()
        if self._is_closed:
            raise HttpError(Failure.UNREACHABLE)
        host = f"[{address}]" if ":" in address else address
        try:
            async with session.request(
                method,
                # Encoded: yarl would resolve dots in the path and so ask for something else.
                URL(f"{self._origin.scheme}://{host}:{self._origin.port}{target}", encoded=True),
                headers={"Host": self._origin.authority, "Accept-Encoding": "gzip", **headers},
                data=body or None,
                allow_redirects=False,
                # The certificate must be the host's, although the address is what we connect to.
                server_hostname=self._origin.host if self._origin.scheme == "https" else None,
            ) as response:
                return await _received(response, limit_bytes)
        except aiohttp.ClientConnectorError:
            self._address.forget()
            raise HttpError(Failure.UNREACHABLE) from None
        except aiohttp.ClientError as error:
            raise _failed(error) from None
        except ValueError:
            # A header that cannot be sent.
            raise HttpError(Failure.GARBAGE) from None

    async def _start(self) -> aiohttp.ClientSession:
        async with self._starting:
            if self._session is None:
                context = self._tls or await tls_context(self._origin)
                if self._is_closed:
                    raise HttpError(Failure.UNREACHABLE)
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        ssl=context,
                        resolver=_NoNames(),
                        limit=self._connections,
                        keepalive_timeout=KEEPALIVE_SECONDS,
                    ),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    skip_auto_headers=_UNSENT,
                    # The caller has a deadline for everything.
                    timeout=aiohttp.ClientTimeout(),
                    # Its own decoding would unfold a bomb before we see it.
                    auto_decompress=False,
                    max_field_size=_LONGEST_FIELD,
                    middlewares=(_once,),
                )
            return self._session


class _NoNames(AbstractResolver):
    """Looks no name up: what we connect to is an address that was checked."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError("names are looked up before")

    async def close(self) -> None:
        pass


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a call again by itself: who counts calls must know."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ClientError as error:
        raise _failed(error) from None


def _failed(error: aiohttp.ClientError) -> HttpError:
    if isinstance(error, aiohttp.ClientConnectionError):
        return HttpError(Failure.CUT, is_stale_connection=True)
    is_cut = isinstance(error, aiohttp.ClientPayloadError)
    return HttpError(Failure.CUT if is_cut else Failure.GARBAGE)


async def _received(response: aiohttp.ClientResponse, limit_bytes: int) -> HttpAnswer:
    if response.status == 101:
        # Nobody asked for another protocol, and what this connection speaks now is unknown.
        response.close()
        raise HttpError(Failure.GARBAGE)
    body = Body(response.headers.get("Content-Encoding", ""), limit_bytes)
    with _noticing_garbage(response):
        async for chunk in response.content.iter_any():
            body.add(chunk)
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpAnswer(response.status, headers, body.whole())


@contextmanager
def _noticing_garbage(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Ends the body when its connection ends.

    aiohttp 3.14 closes the connection at a malformed chunk and leaves the reader waiting.
    """
    connection = response.connection
    protocol = None if connection is None else connection.protocol
    closed = None if protocol is None else protocol.closed
    if closed is None:
        yield
        return

    def end(_: object) -> None:
        if response.content.exception() is None and not response.content.is_eof():
            response.content.set_exception(HttpError(Failure.GARBAGE))

    # It lives as long as the connection: one callback stays, and says that its error was seen.
    closed.remove_done_callback(_seen)
    closed.add_done_callback(_seen)
    closed.add_done_callback(end)
    try:
        yield
    finally:
        closed.remove_done_callback(end)


def _seen(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()
