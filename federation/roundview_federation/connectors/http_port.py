"""Decides how HTTP is spoken: one origin, one checked address, bounded bodies, no redirects."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import httpx

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_ADDRESS_SECONDS: Final = 60.0
KEEPALIVE_SECONDS: Final = 3.0
"""Below the usual 5 s of servers: a connection that both sides close at once loses a call."""
_TARGET: Final = re.compile(r"/[!-\"$-~]*")
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Failure(StrEnum):
    """Names what can go wrong below HTTP."""

    UNREACHABLE = "unreachable"
    FORBIDDEN_ADDRESS = "forbidden address"
    CUT = "cut"
    GARBAGE = "garbage"
    TOO_LARGE = "too large"


class HttpError(Exception):
    """A call that brought no answer. It carries no text of the source."""

    def __init__(self, failure: Failure, *, is_stale_connection: bool = False) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.is_stale_connection = is_stale_connection


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (names in lower case) and decoded body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port that every call of a source goes to."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Returns what stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.scheme == "https" else 80)
        return host if is_default else f"{host}:{self.port}"


class HttpPort(Protocol):
    """What the REST connector needs of an HTTP client; `target` is path and query, encoded.

    Raises HttpError. Cancelling the awaiting task closes the connection. Bodies above
    `limit_bytes`, counted after decompression, are refused while they arrive.
    """

    async def get(
        self, target: str, headers: Mapping[str, str], limit_bytes: int
    ) -> HttpAnswer: ...

    async def post(
        self, target: str, headers: Mapping[str, str], limit_bytes: int, body: bytes
    ) -> HttpAnswer: ...

    async def close(self) -> None: ...


class CheckedAddress:
    """The address to connect to: the one that was checked, never the name again."""

    def __init__(self, origin: Origin, *, private: bool) -> None:
        self._origin = origin
        self._private = private
        self._kept: tuple[str, float] = ("", 0.0)

    async def get(self) -> str:
        """Returns the address, asked for once a minute; raises HttpError."""
        address, until = self._kept
        if address and time.monotonic() < until:
            return address
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._origin.host, self._origin.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise HttpError(Failure.UNREACHABLE) from None
        addresses = [str(entry[4][0]) for entry in found]
        for one in addresses:
            if not is_allowed(ipaddress.ip_address(one.partition("%")[0]), private=self._private):
                raise HttpError(Failure.FORBIDDEN_ADDRESS)
        self._kept = (addresses[0], time.monotonic() + _ADDRESS_SECONDS)
        return addresses[0]

    def forget(self) -> None:
        """Asks for the address anew next time: nobody answered at this one."""
        self._kept = ("", 0.0)


class Body:
    """Collects and decodes a body; raises HttpError as soon as it passes its limit."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("identity", "gzip", "deflate", ""):
            raise HttpError(Failure.GARBAGE)
        is_packed = encoding in ("gzip", "deflate")
        # 32 + the window size: either header is recognised.
        self._inflate = zlib.decompressobj(32 + zlib.MAX_WBITS) if is_packed else None
        self._left = limit_bytes
        self._parts: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Takes bytes as they came over the wire."""
        if self._inflate is not None:
            try:
                # Asking for one byte more than is left shows a bomb before it unfolds.
                chunk = self._inflate.decompress(chunk, self._left + 1)
            except zlib.error:
                raise HttpError(Failure.GARBAGE) from None
        self._left -= len(chunk)
        if self._left < 0:
            raise HttpError(Failure.TOO_LARGE)
        self._parts.append(chunk)

    def whole(self) -> bytes:
        """Returns the decoded body after its last byte."""
        if self._inflate is not None and not self._inflate.eof and any(self._parts):
            raise HttpError(Failure.CUT)
        return b"".join(self._parts)


def require_plain(target: str) -> None:
    """Raises HttpError for a target that is not encoded: clients would send something else."""
    if _TARGET.fullmatch(target) is None:
        raise HttpError(Failure.GARBAGE)


async def tls_context(origin: Origin) -> ssl.SSLContext:
    """Returns a context that trusts the public authorities, whatever the environment says."""
    # Reading the certificates takes tens of milliseconds; plain HTTP needs none.
    if origin.scheme == "https":
        return await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_allowed(address: IPAddress, *, private: bool) -> bool:
    """Tells whether a source may be at an address; it is what counts, not how it is written.

    Link-local and metadata addresses never; loopback and private ones only with `private`.
    """
    address = _embedded(address)
    if address in _METADATA or address.is_link_local or address.is_multicast:
        return False
    if address.is_unspecified or (address.is_reserved and not address.is_loopback):
        return False
    return private or address.is_global


def _embedded(address: IPAddress) -> IPAddress:
    """Returns the IPv4 address that an IPv6 one leads to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
