"""Decides how PostgreSQL connections live: opened when needed, counted in bytes, ended whole."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import asyncpg

from roundview_federation.connectors.login import Login
from roundview_federation.connectors.postgres import failures, times

_END_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 300.0
_STATEMENTS: Final = 512
_LONGEST_STATEMENT: Final = 256 * 1024
_SLACK: Final = 4
_HEADER: Final = struct.Struct(">ci")
_SHORTEST: Final = 4
_SET_TIMEOUT: Final = "SELECT set_config('statement_timeout', $1, false)"
_SETTINGS: Final = {
    "application_name": "roundview",
    "default_transaction_read_only": "on",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


class Wire(asyncio.Protocol):
    """Stands before the driver's protocol and ends the connection at a number of bytes.

    The driver keeps every row of an answer; only here can a huge one be stopped in time. It also
    trusts the length of every message: one that is less than its own four bytes, as bytes that are
    no PostgreSQL may have, would end the process.
    """

    __slots__ = ("_ahead", "_driver", "_head", "_most", "_transport", "received")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._driver = cast(asyncio.Protocol, transport.get_protocol())
        self._most = 0
        self._ahead = 0
        self._head = b""
        self.received = 0
        self.allow()
        transport.set_protocol(self)

    @property
    def is_exceeded(self) -> bool:
        """Tells whether more came than was allowed."""
        return self.received > self._most

    def allow(self, most: int = 1 << 62) -> None:
        """Counts from here on, at most that many bytes."""
        self._most = most
        self.received = 0

    def data_received(self, data: bytes) -> None:
        """Hands on what came, or ends the connection."""
        self.received += len(data)
        if self.received > self._most or not self._is_sound(data):
            self._transport.abort()
        else:
            self._driver.data_received(data)

    def eof_received(self) -> bool | None:
        """Hands on the end."""
        return self._driver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hands on the loss."""
        self._driver.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hands on that the transport is full."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Hands on that the transport has room."""
        self._driver.resume_writing()

    def _is_sound(self, data: bytes) -> bool:
        """Follows messages from one to the next; tells whether all lengths are possible."""
        at = self._ahead
        if self._head:
            data = self._head + data
        end = len(data) - _HEADER.size
        while at <= end:
            _, length = _HEADER.unpack_from(data, at)
            if length < _SHORTEST:
                return False
            at += 1 + length
        self._head = data[at:]
        self._ahead = max(0, at - len(data))
        return True


@dataclass(slots=True, eq=False)
class Session:
    """One connection; `is_used` once it has answered, `timeout` in milliseconds."""

    connection: asyncpg.Connection[Any]
    wire: Wire
    timeout: int
    is_used: bool = False
    idle_since: float = 0.0

    async def bound(self, seconds: float) -> None:
        """Makes the server end a statement itself soon after so many seconds.

        The setting is kept while it is near enough: another one costs a round trip.
        """
        wanted = int(seconds * 1000) + 1
        if wanted <= self.timeout <= _SLACK * wanted:
            return
        await self.connection.execute(_SET_TIMEOUT, str(wanted))
        self.timeout = wanted


@dataclass(slots=True)
class Sessions:
    """At most `size` connections, the last used first; `seconds` is how long a call may take."""

    source: str
    login: Login
    size: int
    seconds: float
    _slots: asyncio.Semaphore = field(init=False)
    _idle: list[Session] = field(default_factory=list)
    _open: set[Session] = field(default_factory=set)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.size)

    def session(self, *, is_new: bool = False) -> Lent:
        """Lends a connection; it comes back unless something went wrong in it.

        Cancelling ends the statement in the server, then the connection.
        """
        return Lent(self, is_new)

    async def take(self, *, is_new: bool) -> Session:
        """Takes a connection, as soon as one may be open; who takes it gives it back."""
        if self._is_closed:
            raise failures.closed(self.source)
        await self._slots.acquire()
        try:
            session = await self._taken(is_new)
        except BaseException:
            self._slots.release()
            raise
        session.wire.allow()
        return session

    def give_back(self, session: Session, error: BaseException | None) -> None:
        """Takes a connection back after what went wrong in it, if anything did."""
        if error is None:
            session.is_used = is_sound = True
        elif isinstance(error, asyncpg.PostgresError):
            # What the server refuses harms nothing; what it prepared may be out of date.
            is_sound = not isinstance(error, failures.CHANGED)
        else:
            is_sound = isinstance(error, asyncpg.InterfaceError)
        self._back(session, is_sound=is_sound)
        self._slots.release()

    async def close(self) -> None:
        """Ends every connection, and what runs in it."""
        self._is_closed = True
        self._idle.clear()
        for session in tuple(self._open):
            self._end(session)
        if self._ending:
            await asyncio.wait(tuple(self._ending), timeout=2 * _END_SECONDS)

    async def _taken(self, is_new: bool) -> Session:
        now = asyncio.get_running_loop().time()
        while self._idle:
            session = self._idle.pop()
            if session.connection.is_closed():
                self._open.discard(session)
                session.connection.terminate()
            elif is_new or now - session.idle_since > _IDLE_SECONDS:
                self._end(session)
            else:
                return session
        return await self._connected()

    async def _connected(self) -> Session:
        login = self.login
        timeout = int(self.seconds * 1250) + 1
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password,
            database=login.database,
            ssl=login.tls or False,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=_LONGEST_STATEMENT,
            server_settings={**_SETTINGS, "statement_timeout": str(timeout)},
        )
        times.bind_as_they_are(connection)
        session = Session(connection, Wire(connection._transport), timeout)
        self._open.add(session)
        if self._is_closed:
            self._end(session)
            raise failures.closed(self.source)
        return session

    def _back(self, session: Session, *, is_sound: bool) -> None:
        if is_sound and not self._is_closed and not session.connection.is_closed():
            session.idle_since = asyncio.get_running_loop().time()
            self._idle.append(session)
        else:
            self._end(session)

    def _end(self, session: Session) -> None:
        if session in self._open:
            self._open.discard(session)
            task = asyncio.get_running_loop().create_task(_ended(session.connection))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


@dataclass(slots=True)
class Lent:
    """A connection on loan for the length of an `async with`."""

    # Not a generator with a decorator: every question lends one, and that costs four times as much.
    _sessions: Sessions
    _is_new: bool
    _session: Session | None = None

    async def __aenter__(self) -> Session:
        self._session = await self._sessions.take(is_new=self._is_new)
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        if self._session is not None:
            self._sessions.give_back(self._session, error)


@asynccontextmanager
async def read_only(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """Runs what is inside in one transaction that cannot write.

    It is rolled back after errors of statements only. After anything else the connection goes,
    and a deaf server must not be waited for.
    """
    transaction = connection.transaction(readonly=True)
    await transaction.start()
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        with suppress(asyncpg.InterfaceError):
            await transaction.rollback()
        raise
    await transaction.commit()


async def _ended(connection: asyncpg.Connection[Any]) -> None:
    """Waits until the server has let go of the statement; a deaf one is not waited for."""
    try:
        await connection.close(timeout=_END_SECONDS)
    except Exception:  # noqa: BLE001 - whatever it is, the connection goes
        connection.terminate()
