"""Decides how tests get a real MariaDB: one server per run, a database per user of it.

It is started as the demo's own is, in a temporary folder, and shown to all workers of a run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asyncmy.connection import Connection
from tests.connectors import world
from tests.connectors.server_certificate import write_certificate
from tests.connectors.shared_process import shared

from roundview.demo import servers
from roundview.demo.servers import MARIADB

ADMIN = "boss"
READER = "reader"
PASSWORD = "pa:ss/wo%rd ñ"
MISSING = MARIADB.missing
# Workers of one run share the server, so each has a world of its own.
WORLD = f"world_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """A running server; `ca` is the certificate that clients must trust."""

    port: int
    folder: Path

    @property
    def ca(self) -> Path:
        """Returns the file with the server's certificate."""
        return self.folder / "server.crt"

    def url(self, database: str, user: str = READER, *, port: int | None = None) -> str:
        """Returns the address of a database as catalogs have it."""
        return f"mysql://{user}:{quote(PASSWORD, safe='')}@127.0.0.1:{port or self.port}/{database}"

    async def admin(self, database: str = "mysql") -> Any:
        """Returns a connection that may do everything."""
        driver: Any = Connection
        connection = driver(
            host="127.0.0.1", port=self.port, user=ADMIN, password=PASSWORD.encode(),
            database=database, charset="utf8mb4", autocommit=True,
        )  # fmt: skip
        await connection.connect()
        return connection

    async def run(self, statements: Sequence[str], database: str = "mysql") -> None:
        """Runs statements as the administrator."""
        connection = await self.admin(database)
        try:
            for statement in statements:
                await connection.query(statement)
        finally:
            await connection.ensure_closed()

    async def ask(self, statement: str, params: Any = None, database: str = "mysql") -> list[Any]:
        """Returns the rows of a statement, asked as the administrator."""
        connection = await self.admin(database)
        try:
            cursor = connection.cursor()
            await cursor.execute(statement, params)
            return list(await cursor.fetchall())
        finally:
            await connection.ensure_closed()

    def make_now(self, database: str, statements: Sequence[str]) -> None:
        """Makes a database where no event loop may run."""
        thread = threading.Thread(target=asyncio.run, args=[self.make(database, statements)])
        thread.start()
        thread.join()

    async def make(self, database: str, statements: Sequence[str], options: str = "") -> None:
        """Makes a database anew; the login `reader` may read all of it."""
        await self.run(
            [
                f"DROP DATABASE IF EXISTS `{database}`",
                f"CREATE DATABASE `{database}` {options}",
                f"GRANT SELECT, SHOW VIEW ON `{database}`.* TO {READER}@'%'",
            ]
        )
        await self.run(statements, database)


@contextmanager
def serving(base: Path) -> Iterator[MariadbServer]:
    """Yields the run's server with the world in it; without one the tests are not run.

    `base` is the temporary folder of this process.
    """
    if binaries() is None:
        pytest.skip(MISSING)
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    with mariadb_server(base.parent if is_worker else base) as server:
        server.make_now(WORLD, world.mariadb_statements(world.world()))
        yield server


def binaries() -> Mapping[str, Path] | None:
    """Returns the programs of the installed server."""
    return servers.programs_of(MARIADB)


@contextmanager
def mariadb_server(shared_folder: Path) -> Iterator[MariadbServer]:
    """Yields the run's server; `shared_folder` is the same for every worker of the run."""
    with shared(shared_folder, "mariadb", _start, MARIADB.stop_signal) as told:
        folder = Path(told["folder"])
        yield MariadbServer(told["port"], folder)
    if not (shared_folder / "mariadb.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _start() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-mariadb-"))
    write_certificate(folder)
    servers.initialise(MARIADB, folder, servers.Logins(ADMIN, READER, PASSWORD))
    port = servers.free_port()
    settings = (
        "innodb-buffer-pool-size=32M", "innodb-log-file-size=8M", "max-connections=120",
        "max-allowed-packet=1G", f"ssl-cert={folder / 'server.crt'}",
        f"ssl-key={folder / 'server.key'}",
    )  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            servers.command_of(MARIADB, folder, port, settings),
            stdout=log, stderr=log, cwd=folder, start_new_session=True,
            **servers.account(MARIADB),
        )  # fmt: skip
    servers.await_ready(MARIADB, folder, process)
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}
