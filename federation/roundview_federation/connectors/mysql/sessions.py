"""Decides how MySQL connections live: opened when needed, thrown away after a fault, killed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from asyncmy import errors
from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import SSL
from asyncmy.cursors import SSCursor

from roundview_catalog.errors import SourceError
from roundview_federation.connectors.login import Login
from roundview_federation.connectors.mysql import failures
from roundview_federation.connectors.mysql.values import DECODERS

# The driver ships types for part of this class only.
_Connection: Any = Connection
_LARGEST_PACKET: Final = 2**24 - 1
_HEADER_BYTES: Final = 4
_CLEAR_TEXT: Final = (b"mysql_clear_password", b"dialog")
_CLOSE_SECONDS: Final = 0.5
_KILL_SECONDS: Final = 2.0
_SORTED_BYTES: Final = 8_192
_MODES: Final = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT"
# One SET for everything: a round trip each would double the time to connect. MariaDB cuts
# JSON_ARRAYAGG at group_concat_max_len, and sorts by the first max_sort_length bytes.
_SET_UP: Final = (
    "SET SESSION sql_mode = %s, time_zone = '+00:00', autocommit = 1,"
    " group_concat_max_len = %s, max_sort_length = %s, "
)
_OLDEST_MARIADB: Final = (10, 6, 0)
_OLDEST_MYSQL: Final = (8, 0, 19)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_READ_ONLY: Final = {"mariadb": "tx_read_only = 1", "mysql": "transaction_read_only = 1"}


class BoundedConnection(_Connection):  # type: ignore[misc]
    """A connection that refuses huge packets before they are in memory, and weak logins."""

    largest = _LARGEST_PACKET
    waited = 0

    async def _fill_buffer(self, need: int) -> None:
        # A packet's length is known before its body is awaited; one of 16 MiB has another part.
        # What is already buffered is not awaited: up to one part may pass above the limit.
        if self.waited + need > self.largest:
            raise failures.TooLarge
        if need == _LARGEST_PACKET:
            self.waited += need
        elif need != _HEADER_BYTES:
            self.waited = 0
        await super()._fill_buffer(need)

    async def _request_authentication(self) -> Any:
        if self._ssl_context is not None and not self.server_capabilities & SSL:
            raise failures.NoTls
        return await super()._request_authentication()

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name in _CLEAR_TEXT and not self._secure:
            raise errors.OperationalError(2059, "a password is not sent in clear")
        return await super()._process_auth(plugin_name, auth_packet)


@dataclass(slots=True, eq=False)
class Session:
    """One connection and its id in the server.

    `is_used` once it has answered; `is_spent` if what is left of an answer is not wanted.
    """

    connection: BoundedConnection
    id: int
    is_used: bool = False
    is_spent: bool = False

    @property
    def flavor(self) -> str:
        """Returns mariadb or mysql."""
        return flavor_of(self.connection)

    async def select(self, text: str, params: Any = None) -> list[tuple[Any, ...]]:
        """Returns all rows of a short statement."""
        cursor = self.connection.cursor(SSCursor)
        await cursor.execute(text, params)
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
        await cursor.close()
        return rows


class Sessions:
    """At most `size` connections, the last used first; `largest` bounds a packet.

    A statement that is cancelled is ended in the server through a connection of its own.
    """

    def __init__(self, source: str, login: Login, size: int, largest: int) -> None:
        self._source = source
        self._login = login
        self._largest = largest
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Session] = []
        self._busy: set[Session] = set()
        self._doomed: set[int] = set()
        self._killer: asyncio.Task[None] | None = None
        self._is_closed = False

    @asynccontextmanager
    async def lend(self, *, is_new: bool = False) -> AsyncIterator[Session]:
        """Lends a connection; what breaks it meanwhile costs it, `is_new` ones are not kept.

        Cancelling ends the statement in the server too.
        """
        async with self._slots:
            session = await self._taken(is_new)
            self._busy.add(session)
            session.connection.waited = 0
            try:
                yield session
                session.is_used = True
            except errors.MySQLError as error:
                session.is_spent = failures.number_of(error) in failures.GONE
                session.is_spent |= not failures.number_of(error)
                raise
            except asyncio.CancelledError:
                session.is_spent = True
                raise
            except BaseException:
                session.is_spent = True
                raise
            finally:
                self._busy.discard(session)
                if session.is_spent:
                    self._kill(session)
                elif is_new or self._is_closed:
                    session.connection.close()
                else:
                    self._idle.append(session)

    async def close(self) -> None:
        """Ends what runs and says goodbye to the server, within a moment."""
        self._is_closed = True
        for session in tuple(self._busy):
            self._kill(session)
        idle, self._idle = self._idle, []
        with suppress(TimeoutError, OSError, errors.Error, *failures.GARBAGE):
            async with asyncio.timeout(_CLOSE_SECONDS):
                for session in idle:
                    await session.connection.ensure_closed()
        for session in idle:
            session.connection.close()
        if self._killer is not None:
            await asyncio.wait([self._killer])

    async def _taken(self, is_new: bool) -> Session:
        if self._is_closed:
            raise SourceError(self._source, f"{self._source} is closed", code="RV402")
        while self._idle and not is_new:
            session = self._idle.pop()
            # The server may have closed it meanwhile.
            if not session.connection._stream_broken:
                return session
            session.connection.close()
        connection = await self._connected()
        try:
            if is_too_old(connection.server_version):
                raise failures.too_old(self._source, flavor_of(connection))
            text = _SET_UP + _READ_ONLY[flavor_of(connection)]
            cursor = connection.cursor(SSCursor)
            await cursor.execute(text, (_MODES, self._largest, _SORTED_BYTES))
            await cursor.close()
            session = Session(connection, 0)
            ((session.id,),) = await session.select("SELECT CONNECTION_ID()")
        except BaseException:
            connection.close()
            raise
        return session

    async def _connected(self) -> BoundedConnection:
        login = self._login
        connection = BoundedConnection(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password.encode(),
            database=login.database,
            charset="utf8mb4",
            ssl=login.tls,
            autocommit=None,
            conv=DECODERS,
            program_name="roundview",
        )
        connection.largest = self._largest
        try:
            await connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _kill(self, session: Session) -> None:
        session.connection.close()
        if not session.id:
            return
        self._doomed.add(session.id)
        if self._killer is None or self._killer.done():
            self._killer = asyncio.create_task(self._killing())

    async def _killing(self) -> None:
        # Where this fails, the statement's own deadline ends it in the server.
        with suppress(TimeoutError, OSError, errors.Error, ValueError, *failures.GARBAGE):
            async with asyncio.timeout(_KILL_SECONDS):
                connection = await self._connected()
                try:
                    cursor = connection.cursor(SSCursor)
                    while self._doomed:
                        with suppress(errors.MySQLError):
                            await cursor.execute("KILL %s", (self._doomed.pop(),))
                finally:
                    connection.close()
        self._doomed.clear()


def is_too_old(greeting: str) -> bool:
    """Tells whether a server of this greeting has no JSON_TABLE with typed text columns.

    >>> is_too_old("5.5.5-10.5.23-MariaDB-log"), is_too_old("8.0.36"), is_too_old("10.6.1-MariaDB")
    (True, False, False)
    """
    is_mariadb = "mariadb" in greeting.lower()
    # Before its own version MariaDB may say 5.5.5, for the sake of old replicas.
    found = _VERSION.match(greeting.removeprefix("5.5.5-") if is_mariadb else greeting)
    if found is None:
        return True
    version = tuple(int(part) for part in found.groups())
    return version < (_OLDEST_MARIADB if is_mariadb else _OLDEST_MYSQL)


def flavor_of(connection: BoundedConnection) -> str:
    """Returns mariadb or mysql, as the server greets."""
    return "mariadb" if "mariadb" in connection.server_version.lower() else "mysql"
