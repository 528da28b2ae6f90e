"""Decides what clients talk to: our server over an estate, and PostgreSQL with the same rows."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.connectors.postgres_server import ADMIN, PASSWORD, PostgresServer
from tests.sql import odd_world
from tests.sql.conftest import odd_opened
from tests.sql.oracles import PostgresOracle
from tests.sql.stores import Servers

from roundview_federation.federation import Federation
from roundview_sql.admission import Limits
from roundview_sql.metadata.catalog import PostgresCatalog
from roundview_sql.server import SqlServer


@dataclass(frozen=True, slots=True)
class Served:
    """Our server, and the PostgreSQL that has every row as plain tables, as drivers find them."""

    federation: Federation
    server: SqlServer
    port: int
    postgres: PostgresServer
    database: str

    @property
    def ours(self) -> str:
        """Returns where our server is."""
        return f"host=127.0.0.1 port={self.port} user=demo dbname=c360 sslmode=disable"

    @property
    def theirs(self) -> str:
        """Returns where PostgreSQL is."""
        return (
            f"host=127.0.0.1 port={self.postgres.port} user={ADMIN} password={PASSWORD} "
            f"dbname={self.database} sslmode=disable options='-c timezone=UTC'"
        )

    @property
    def places(self) -> tuple[Place, Place]:
        """Returns ours and theirs in parts, for clients that do not read such texts."""
        return (
            Place(self.port, "demo", "", "c360"),
            Place(self.postgres.port, ADMIN, PASSWORD, self.database),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, and as whom it is asked."""

    port: int
    user: str
    password: str
    database: str

    def url(self, scheme: str = "postgresql") -> str:
        """Returns it as one text."""
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{scheme}://{self.user}{password}@127.0.0.1:{self.port}/{self.database}"


@asynccontextmanager
async def odd_served(name: str, folder: Path, servers: Servers) -> AsyncIterator[Served]:
    """Serves the world of odd rows; its databases bear the name."""
    database = f"{name}_truth"
    oracle = await PostgresOracle.of(
        servers.postgres, database, odd_world.ENTITIES, odd_world.rows()
    )
    await oracle.close()
    async with odd_opened(name, folder, servers) as estate:
        federation = estate.connection.federation
        async with serving(federation) as (server, port):
            yield Served(federation, server, port, servers.postgres, database)


@asynccontextmanager
async def serving(
    federation: Federation, limits: Limits | None = None
) -> AsyncIterator[tuple[SqlServer, int]]:
    """Serves a federation on a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    metadata = PostgresCatalog(lambda: federation.catalog)
    server = SqlServer(federation, listener, limits=limits, metadata=metadata)
    await server.start()
    try:
        yield server, listener.getsockname()[1]
    finally:
        await server.close()
