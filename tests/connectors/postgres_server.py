"""Decides how tests get a real PostgreSQL: one server per run, a database per user of it.

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

import asyncpg
import pytest
from tests.connectors import world
from tests.connectors.server_certificate import write_certificate
from tests.connectors.shared_process import shared

from roundview.demo import servers
from roundview.demo.servers import POSTGRES

ADMIN = "boss"
READER = "reader"
PASSWORD = "pa:ss/wo%rd"
# Workers of one run share the server, so each has a world of its own.
WORLD = f"world_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
MISSING = POSTGRES.missing


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `ca` is the certificate that clients must trust."""

    port: int
    folder: Path

    @property
    def ca(self) -> Path:
        """Returns the file with the server's certificate."""
        return self.folder / "server.crt"

    def url(self, database: str, user: str = READER, *, port: int | None = None) -> str:
        """Returns the address of a database as catalogs have it."""
        at = f"127.0.0.1:{port or self.port}"
        return f"postgresql://{user}:{quote(PASSWORD, safe='')}@{at}/{database}"

    async def admin(self, database: str = "postgres") -> asyncpg.Connection[Any]:
        """Returns a connection that may do everything."""
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=ADMIN, password=PASSWORD, database=database,
            ssl=False,
        )  # fmt: skip

    async def make(
        self,
        database: str,
        script: str,
        rows: Mapping[str, Sequence[Any]] | None = None,
        options: str = "",
    ) -> None:
        """Makes a database from a script and rows; the login `reader` may read all of it."""
        admin = await self.admin()
        await admin.execute(f'DROP DATABASE IF EXISTS "{database}"')
        await admin.execute(f'CREATE DATABASE "{database}" {options}')
        await admin.close()
        owner = await self.admin(database)
        await owner.execute(script)
        for table, records in (rows or {}).items():
            values = ", ".join(f"${at + 1}" for at in range(len(records[0])))
            await owner.executemany(f"INSERT INTO {table} VALUES ({values})", records)
        await owner.execute("ANALYZE")
        await owner.execute(
            f"GRANT USAGE ON SCHEMA public TO {READER};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"
        )
        await owner.close()

    def make_now(self, database: str, script: str, rows: Mapping[str, Sequence[Any]]) -> None:
        """Does the same where no event loop may run."""
        thread = threading.Thread(target=asyncio.run, args=[self.make(database, script, rows)])
        thread.start()
        thread.join()

    async def drop(self, database: str) -> None:
        """Drops a database and whoever is connected to it."""
        admin = await self.admin()
        await admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await admin.close()


@contextmanager
def serving(base: Path) -> Iterator[PostgresServer]:
    """Yields the run's server with the world in it; without one the tests are not run.

    `base` is the temporary folder of this process.
    """
    if binaries() is None:
        pytest.skip(MISSING)
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    with postgres_server(base.parent if is_worker else base) as server:
        server.make_now(WORLD, world.POSTGRES_SCRIPT, world.postgres_rows(world.world()))
        yield server


def binaries() -> Mapping[str, Path] | None:
    """Returns the programs of the newest installed server."""
    return servers.programs_of(POSTGRES)


@contextmanager
def postgres_server(shared_folder: Path) -> Iterator[PostgresServer]:
    """Yields the run's server; `shared_folder` is the same for every worker of the run."""
    with shared(shared_folder, "postgres", _start) as told:
        folder = Path(told["folder"])
        yield PostgresServer(told["port"], folder)
    if not (shared_folder / "postgres.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _start() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-postgres-"))
    write_certificate(folder)
    logins = servers.Logins(ADMIN, READER, PASSWORD)
    servers.initialise(POSTGRES, folder, logins)
    port = servers.free_port()
    settings = (
        "shared_buffers=16MB", "max_connections=80", "ssl=on",
        f"ssl_cert_file={folder / 'server.crt'}", f"ssl_key_file={folder / 'server.key'}",
    )  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            servers.command_of(POSTGRES, folder, port, settings),
            stdout=log, stderr=log, cwd=folder, start_new_session=True,
            **servers.account(POSTGRES),
        )  # fmt: skip
    servers.await_ready(POSTGRES, folder, process)
    servers.ensure_reader(POSTGRES, port, logins)
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}
