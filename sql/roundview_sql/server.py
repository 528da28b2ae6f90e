"""Serves PostgreSQL's protocol: accepts connections, keeps count of them, ends them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from contextlib import suppress
from typing import Final

from roundview_catalog.errors import AccessError, RoundviewError
from roundview_federation.access.principals import is_this_machine
from roundview_federation.federation import Federation
from roundview_sql import messages
from roundview_sql.admission import Admission, Limits
from roundview_sql.cancelling import Cancelling
from roundview_sql.channel import Channel, GoneError
from roundview_sql.conversation import Conversation
from roundview_sql.encryption import Encryption
from roundview_sql.failures import WireError, told
from roundview_sql.greeting import CancelRequest, Opened, Startup, first_message, opened
from roundview_sql.login import log_in
from roundview_sql.metadata.port import Metadata, NoMetadata
from roundview_sql.session import Session
from roundview_sql.variables import Variables

_LOG = logging.getLogger("roundview.sql")
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_BACKLOG: Final = 512
# What a client's own machine says of it at the start, and what cannot be followed here.
_LENIENT: Final = frozenset(["timezone", "datestyle", "intervalstyle", "extra_float_digits"])


class SqlServer:
    """The door for BI tools of one federation.

    Example:
        server = SqlServer(federation, listener)
        await server.start()
        await server.close()
    """

    def __init__(
        self,
        federation: Federation,
        listener: socket.socket,
        *,
        tls: Encryption | None = None,
        limits: Limits | None = None,
        metadata: Metadata | None = None,
        cancelling: Cancelling | None = None,
    ) -> None:
        self._federation = federation
        self._listener = listener
        self._tls = tls
        self._limits = limits or Limits()
        self._metadata = metadata or NoMetadata()
        self._admission = Admission(self._limits)
        self._cancelling = cancelling or Cancelling()
        self._tasks: set[asyncio.Task[None]] = set()
        self._conversations: set[Conversation] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Counts the connections that are open."""
        return len(self._tasks)

    async def start(self) -> None:
        """Begins to accept connections."""
        self._listener.setblocking(False)
        self._listener.listen(_BACKLOG)
        await self._cancelling.start()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Ends every conversation: each is told why, and gets some seconds to hear it."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._listener.close()
        for conversation in tuple(self._conversations):
            conversation.end()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.shutdown_seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cancelling.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self._listener)
            except OSError:
                # No more descriptors for now: those that wait are not lost.
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            sock.setblocking(False)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            task = loop.create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        channel: Channel | None = None
        try:
            async with asyncio.timeout(self._limits.startup_seconds) as clock:
                begun = await opened(sock, self._tls)
                channel = begun.channel
                first = await first_message(channel)
                if isinstance(first, CancelRequest):
                    await self._cancelling.cancel(first.process, first.secret)
                    return
                await self._talk(begun, first, clock)
        except (GoneError, TimeoutError, ConnectionError):
            pass
        except (WireError, RoundviewError) as error:
            await _say_why(channel, error)
        except asyncio.CancelledError:
            await _say_why(
                channel, WireError("57P01", "the server is shutting down", is_fatal=True)
            )
        except Exception as error:  # noqa: BLE001  one connection must not end the server
            _LOG.warning("a connection failed: %s", type(error).__name__)
            await _say_why(channel, error)
        finally:
            if channel is None:
                sock.close()
            else:
                channel.close()

    async def _talk(self, begun: Opened, first: Startup, clock: asyncio.Timeout) -> None:
        channel = begun.channel
        if self.connections > self._limits.connections:
            raise WireError("53300", "sorry, too many clients already", is_fatal=True)
        transport = channel.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        is_local = peer is not None and is_this_machine(str(peer[0]))
        if not begun.is_encrypted and not is_local:
            raise WireError("28000", "connections from elsewhere go over TLS only", is_fatal=True)
        principal = await log_in(
            channel, first.user, self._federation,
            is_local=is_local, is_encrypted=begun.is_encrypted,
            binding=self._tls.binding if self._tls is not None and begun.is_encrypted else b"",
        )  # fmt: skip
        variables = Variables(
            {"session_authorization": first.user, "ssl": "on" if begun.is_encrypted else "off"}
        )
        for name, value in first.settings.items():
            try:
                variables.start(name, value)
            except WireError as error:
                if name.lower() not in _LENIENT:
                    error.is_fatal = True
                    raise
        with self._admission.admitted(principal.name) as turn:
            process, secret = (
                secrets.randbits(31),
                secrets.token_bytes(32 if first.minor >= 2 else 4),
            )
            session = Session(
                self._federation, self._metadata, principal, first.user, first.database, process,
                variables,
            )  # fmt: skip
            conversation = Conversation(
                session, channel, turn, idle_seconds=self._limits.idle_seconds
            )
            channel.put(messages.AUTHENTICATION_OK)
            for name, value in variables.told().items():
                channel.put(messages.parameter_status(name, value))
            channel.put(messages.backend_key(process, secret))
            channel.put(messages.ready(b"I"))
            await channel.flush()
            clock.reschedule(None)
            self._conversations.add(conversation)
            try:
                with self._cancelling.known(process, secret, conversation.cancel):
                    await _until_lost(conversation, channel)
            finally:
                self._conversations.discard(conversation)


async def _until_lost(conversation: Conversation, channel: Channel) -> None:
    """Holds a conversation; a client that goes takes its statement with it."""
    talking = asyncio.get_running_loop().create_task(conversation.hold())
    try:
        await asyncio.wait({talking, channel.lost}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not talking.done():
            talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    if talking.cancelled():
        raise GoneError
    error = talking.exception()
    if error is not None:
        raise error


async def _say_why(channel: Channel | None, error: BaseException) -> None:
    """Tells a client why its connection ends, if it listens."""
    if channel is None:
        return
    if isinstance(error, AccessError):
        fatal: BaseException = WireError(
            "28P01" if error.code == "RV302" else error.row.sqlstate, error.message,
            detail=error.code, hint=error.hint, is_fatal=True,
        )  # fmt: skip
    else:
        fatal = error
    fields = {**told(fatal), "S": "FATAL", "V": "FATAL"}
    with suppress(GoneError, TimeoutError):
        channel.put(messages.fields(b"E", fields))
        async with asyncio.timeout(1):
            await channel.flush()
