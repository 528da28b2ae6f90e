"""Decides where SQL clients are let in: beside HTTP, under the same rules about addresses."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roundview.listening import bind
from roundview.settings import Settings, read_settings

if TYPE_CHECKING:
    from roundview_federation.federation import Federation
    from roundview_sql.encryption import Encryption
    from roundview_sql.server import SqlServer

PORT: Final = 8361
EXCHANGE: Final = "ROUNDVIEW_SQL_EXCHANGE"
"""Names the folder in which the processes of one server hand on what is to be cancelled."""


@dataclass(slots=True)
class SqlDoor:
    """A bound port for SQL clients; `exchange` is there where several processes share it."""

    listener: socket.socket
    exchange: Path | None = None

    @property
    def dsn(self) -> str:
        """Returns what psql is told to come here."""
        host, port = self.listener.getsockname()[:2]
        # Without a name psql takes this for its socket's folder on some systems.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return f"host={host} port={port} user=demo dbname=c360"

    def close(self) -> None:
        """Gives the port back where others serve it, and what they shared."""
        self.listener.close()
        if self.exchange is not None:
            shutil.rmtree(self.exchange, ignore_errors=True)

    async def open(self, federation: Federation) -> SqlServer:
        """Lets clients in; the caller closes the server."""
        server = await asyncio.to_thread(_made, self, federation)
        await server.start()
        return server


def sql_port(settings: Settings, http_port: int) -> int:
    """Returns the port for SQL: the one that is set, any free one where HTTP has any.

    >>> sql_port(Settings(), 0), sql_port(Settings(), 8360)
    (0, 8361)
    """
    if settings.sql_port is not None:
        return settings.sql_port
    return 0 if http_port == 0 else PORT


def sql_door(host: str, port: int, *, is_shared: bool = False) -> SqlDoor:
    """Binds the port of an address that was looked at; a shared one is bound by each process.

    Raises RequestError for a port in use.
    """
    if not is_shared:
        return SqlDoor(bind(host, port, option="--sql-port"))
    # Another server of this user could share it as well: that is found out first.
    with bind(host, port, option="--sql-port") as only:
        port = only.getsockname()[1]
    door = SqlDoor(bind(host, port, option="--sql-port", is_shared=True))
    door.exchange = Path(tempfile.mkdtemp(prefix="roundview-"))
    return door


def hand_over(door: SqlDoor, host: str) -> None:
    """Says to the processes that are started from here where they let clients in."""
    os.environ["ROUNDVIEW_HOST"] = host
    os.environ["ROUNDVIEW_SQL_PORT"] = str(door.listener.getsockname()[1])
    os.environ[EXCHANGE] = str(door.exchange)


def handed_over() -> SqlDoor:
    """Binds the port of which the process that started this one has said where it is."""
    settings = read_settings()
    assert settings.sql_port is not None  # noqa: S101  whoever hands over says it
    listener = bind(settings.host, settings.sql_port, option="--sql-port", is_shared=True)
    return SqlDoor(listener, Path(os.environ[EXCHANGE]))


def _made(door: SqlDoor, federation: Federation) -> SqlServer:
    # Imported here: Arrow takes longer to import than HTTP takes to be there.
    from roundview_sql.cancelling import Cancelling
    from roundview_sql.metadata.catalog import PostgresCatalog
    from roundview_sql.server import SqlServer

    return SqlServer(
        federation,
        door.listener,
        tls=_tls(read_settings()),
        metadata=PostgresCatalog(lambda: federation.catalog),
        cancelling=Cancelling(door.exchange),
    )


def _tls(settings: Settings) -> Encryption | None:
    from roundview_sql.encryption import encryption

    if settings.tls_certificate is None:
        return None
    key = settings.tls_key
    return encryption(str(settings.tls_certificate), None if key is None else str(key))
