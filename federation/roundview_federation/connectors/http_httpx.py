"""Speaks HTTP with httpx, the client that is always there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

import httpx

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

# Plain httpx scans its pool on each call: more connections cost more than they bring.
_MOST_CONNECTIONS: Final = 16


class HttpxPort:
    """The default client: httpx's transport without its redirects, cookies and proxies.

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
        self._connections = min(connections, _MOST_CONNECTIONS)
        self._tls = tls
        self._transport: httpx.AsyncHTTPTransport | None = None
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
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    async def _send(
        self, method: str, target: str, headers: Mapping[str, str], limit_bytes: int, body: bytes
    ) -> HttpAnswer:
        if self._is_closed:
            raise HttpError(Failure.UNREACHABLE)
        require_plain(target)
        address = await self._address.get()
        transport = self._transport or await self._start()
        sent = {"Host": self._origin.authority, "Accept-Encoding": "gzip", **headers}
        request = httpx.Request(
            method,
            httpx.URL(scheme=self._origin.scheme, host=address, port=self._origin.port),
            # Bytes: as text httpx refuses what is not ASCII, and an ETag may be anything.
            headers=[
                (name.encode(), value.encode(errors="replace")) for name, value in sent.items()
            ],
            content=body,
            extensions={
                # The certificate must be the host's, although the address is what we connect to.
                "sni_hostname": self._origin.host,
                # As it is: httpx resolves dots in paths, and a key of dots would ask for others.
                "target": target.encode("ascii"),
                "timeout": {},
            },
        )
        try:
            response = await transport.handle_async_request(request)
            try:
                return await _received(response, limit_bytes)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            self._address.forget()
            raise HttpError(Failure.UNREACHABLE) from None
        except (httpx.RemoteProtocolError, httpx.LocalProtocolError) as error:
            if "disconnected without" in str(error):
                raise HttpError(Failure.CUT, is_stale_connection=True) from None
            is_cut = "peer closed connection" in str(error)
            raise HttpError(Failure.CUT if is_cut else Failure.GARBAGE) from None
        except httpx.TransportError:
            raise HttpError(Failure.CUT, is_stale_connection=True) from None

    async def _start(self) -> httpx.AsyncHTTPTransport:
        async with self._starting:
            if self._transport is None:
                self._transport = httpx.AsyncHTTPTransport(
                    verify=self._tls or await tls_context(self._origin),
                    trust_env=False,
                    limits=httpx.Limits(
                        max_connections=self._connections,
                        max_keepalive_connections=self._connections,
                        keepalive_expiry=KEEPALIVE_SECONDS,
                    ),
                )
            return self._transport


async def _received(response: httpx.Response, limit_bytes: int) -> HttpAnswer:
    body = Body(response.headers.get("content-encoding", ""), limit_bytes)
    # Raw: httpx's own decoding would unfold a bomb before we see it.
    async for chunk in response.aiter_raw():
        body.add(chunk)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(response.status_code, headers, body.whole())
