"""Decides how a connection begins: with TLS or without, to cancel, or to log in.

https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

import asyncio
import shlex
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final

from roundview_sql import messages
from roundview_sql.channel import Channel, GoneError
from roundview_sql.encryption import PROTOCOL, Encryption
from roundview_sql.failures import WireError

TLS_REQUEST: Final = 80_877_103
GSS_REQUEST: Final = 80_877_104
CANCEL_REQUEST: Final = 80_877_102
NEWEST_MINOR: Final = 2
_MAJOR: Final = 3
_MOST_BYTES: Final = 10_000
_TLS_HANDSHAKE: Final = 0x16


@dataclass(frozen=True, slots=True)
class Startup:
    """What a client says first: its version's minor number, and its parameters."""

    minor: int
    user: str
    database: str
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Asks to stop the statement of another connection."""

    process: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that can be talked over, and whether it is encrypted."""

    channel: Channel
    is_encrypted: bool


async def opened(sock: socket.socket, tls: Encryption | None) -> Opened:
    """Finds out whether a client encrypts, and returns the channel behind that.

    Raises GoneError for one that leaves, WireError for one that cannot be served.
    """
    loop = asyncio.get_running_loop()
    first = await _peeked(sock)
    if first == _TLS_HANDSHAKE:
        if tls is None:
            raise GoneError
        channel = await _connected(sock, tls)
        transport = channel.transport
        secured = transport.get_extra_info("ssl_object") if transport is not None else None
        if secured is None or secured.selected_alpn_protocol() != PROTOCOL:
            # Without it another protocol's client could be led here.
            channel.abort()
            raise GoneError
        return Opened(channel, is_encrypted=True)
    asked_for: set[int] = set()
    while True:
        head = await _exactly(sock, 8)
        size, code = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        if size != 8 or code not in (TLS_REQUEST, GSS_REQUEST) or code in asked_for:
            return Opened(await _connected(sock, None, head), is_encrypted=False)
        asked_for.add(code)
        if code == TLS_REQUEST and tls is not None:
            await loop.sock_sendall(sock, b"S")
            return Opened(await _connected(sock, tls), is_encrypted=True)
        await loop.sock_sendall(sock, b"N")


async def first_message(channel: Channel) -> Startup | CancelRequest:
    """Reads what a client says first; raises WireError for what is none."""
    size = int.from_bytes(await channel.exactly(4), "big", signed=True)
    if not 8 <= size <= _MOST_BYTES:
        raise WireError("08P01", "invalid length of startup packet", is_fatal=True)
    body = await channel.exactly(size - 4)
    code = int.from_bytes(body[:4], "big")
    if code == CANCEL_REQUEST:
        if not 4 <= len(body) - 8 <= 256:
            raise GoneError
        return CancelRequest(int.from_bytes(body[4:8], "big"), body[8:])
    major, minor = code >> 16, code & 0xFFFF
    if major != _MAJOR:
        raise WireError(
            "0A000", f"unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2",
            is_fatal=True,
        )  # fmt: skip
    said = _pairs(body[4:])
    unknown = [name for name in said if name.startswith("_pq_.")]
    if minor > NEWEST_MINOR or unknown:
        channel.put(messages.negotiate(min(minor, NEWEST_MINOR), unknown))
    user = said.pop("user", "")
    if not user:
        raise WireError("28000", "no user name specified in startup packet", is_fatal=True)
    if said.pop("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise WireError("0A000", "there is no replication here", is_fatal=True)
    database = said.pop("database", "") or user
    settings = _options(said.pop("options", ""))
    settings |= {name: value for name, value in said.items() if not name.startswith("_pq_.")}
    return Startup(min(minor, NEWEST_MINOR), user, database, settings)


def _pairs(body: bytes) -> dict[str, str]:
    reader = messages.Reader(body)
    found: dict[str, str] = {}
    try:
        while name := reader.text():
            found[name] = reader.text()
        reader.end()
    except WireError:
        raise WireError("08P01", "invalid startup packet layout", is_fatal=True) from None
    return found


def _options(text: str) -> dict[str, str]:
    """Returns the settings of command-line options: `-c name=value` and `--name=value`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise WireError("42601", "the startup options cannot be read", is_fatal=True) from None
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        word = words[at]
        if word == "-c" and at + 1 < len(words):
            at += 1
            name, sign, value = words[at].partition("=")
        elif word.startswith(("-c", "--")):
            name, sign, value = word[2:].partition("=")
        else:
            raise WireError("42601", "the startup options cannot be read", is_fatal=True)
        if not sign:
            raise WireError("42601", "a startup option is name=value", is_fatal=True)
        found[name.replace("-", "_")] = value
        at += 1
    return found


async def _connected(sock: socket.socket, tls: Encryption | None, head: bytes = b"") -> Channel:
    loop = asyncio.get_running_loop()
    try:
        _, channel = await loop.connect_accepted_socket(
            lambda: Channel(head), sock, ssl=None if tls is None else tls.context
        )
    except (OSError, ssl.SSLError):
        raise GoneError from None
    return channel


async def _peeked(sock: socket.socket) -> int:
    """Returns the first byte that a client sends, and leaves it there."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            found = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(sock.fileno(), _set, readable)
            try:
                await readable
            finally:
                loop.remove_reader(sock.fileno())
            continue
        except OSError:
            raise GoneError from None
        if not found:
            raise GoneError
        return found[0]


def _set(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    found = b""
    while len(found) < count:
        try:
            more = await loop.sock_recv(sock, count - len(found))
        except OSError:
            raise GoneError from None
        if not more:
            raise GoneError
        found += more
    return found
