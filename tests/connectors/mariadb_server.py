"""Decides how tests get a real MariaDB: one server per run, a database per user of it.

The server's binaries come from the system's packages. It listens on a free loopback port,
holds its data in a temporary folder and never runs as root.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
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

ADMIN = "boss"
READER = "reader"
PASSWORD = "pa:ss/wo%rd ñ"
MISSING = "MariaDB is not installed (Debian: mariadb-server)"
# Workers of one run share the server, so each has a world of its own.
WORLD = f"world_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
_SETTINGS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--max-connections=120",
    "--max-allowed-packet=128M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--require-secure-transport=OFF",
)
_START_SECONDS = 60.0


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


def binaries() -> dict[str, Path] | None:
    """Returns the programs of the installed server."""
    found = {name: shutil.which(name, path=_path()) for name in ("mariadbd", "mariadb-install-db")}
    return {n: Path(p) for n, p in found.items() if p} if all(found.values()) else None


@contextmanager
def mariadb_server(shared_folder: Path) -> Iterator[MariadbServer]:
    """Yields the run's server; `shared_folder` is the same for every worker of the run."""
    programs = binaries()
    assert programs is not None, MISSING
    with shared(shared_folder, "mariadb", lambda: _start(programs), signal.SIGTERM) as told:
        folder = Path(told["folder"])
        yield MariadbServer(told["port"], folder)
    if not (shared_folder / "mariadb.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def _start(programs: dict[str, Path]) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-mariadb-"))
    write_certificate(folder)
    script = folder / "first.sql"
    secret = PASSWORD.replace("'", "''")
    script.write_text(
        f"CREATE USER {ADMIN}@'%' IDENTIFIED BY '{secret}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {ADMIN}@'%' WITH GRANT OPTION;\n"
        f"CREATE USER {READER}@'%' IDENTIFIED BY '{secret}';\n",
        encoding="utf-8",
    )
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": "mysql", "group": "mysql", "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "mysql", "mysql")
    subprocess.run(
        [programs["mariadb-install-db"], "--no-defaults", f"--datadir={folder / 'data'}",
         "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [programs["mariadbd"], *_SETTINGS, f"--datadir={folder / 'data'}", f"--port={port}",
             f"--socket={folder / 'socket'}", f"--init-file={script}",
             f"--ssl-cert={folder / 'server.crt'}", f"--ssl-key={folder / 'server.key'}"],
            stdout=log, stderr=log, cwd=folder, start_new_session=True, **who,
        )  # fmt: skip
    until = time.monotonic() + _START_SECONDS
    while "ready for connections" not in (folder / "log").read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError((folder / "log").read_text(errors="replace"))
        time.sleep(0.02)
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}
