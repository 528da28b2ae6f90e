"""Decides how tests get a real PostgreSQL: one server per run, a database per user of it.

The server's binaries come from the system's packages. It listens on a free loopback port,
holds its data in a temporary folder and never runs as root.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
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

ADMIN = "boss"
READER = "reader"
PASSWORD = "pa:ss/wo%rd"
# Workers of one run share the server, so each has a world of its own.
WORLD = f"world_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
MISSING = "PostgreSQL is not installed (Debian: postgresql)"
_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "listen_addresses": "127.0.0.1",
    "ssl": "on",
    "autovacuum": "off",
    "jit": "off",
}
_START_SECONDS = 60.0


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


def binaries() -> Path | None:
    """Returns the folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    at = shutil.which("initdb")
    return Path(at).resolve().parent if at else None


@contextmanager
def postgres_server(shared_folder: Path) -> Iterator[PostgresServer]:
    """Yields the run's server; `shared_folder` is the same for every worker of the run."""
    programs = binaries()
    assert programs is not None, MISSING
    with shared(shared_folder, "postgres", lambda: _start(programs)) as told:
        folder = Path(told["folder"])
        yield PostgresServer(told["port"], folder)
    if not (shared_folder / "postgres.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _version(path: Path) -> float:
    try:
        return float(path.parent.parent.name)
    except ValueError:
        return 0.0


def _start(programs: Path) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-postgres-"))
    secret = folder / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    write_certificate(folder)
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        # The server refuses to run as root.
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", ADMIN, "--pwfile", secret, "-A", "scram-sha-256",
         "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = {
        **_SETTINGS,
        "port": str(port),
        "unix_socket_directories": str(folder),
        "ssl_cert_file": str(folder / "server.crt"),
        "ssl_key_file": str(folder / "server.key"),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            stdout=log, stderr=log, cwd=folder, start_new_session=True, **who,
        )  # fmt: skip
    psql = [programs / "psql", "-h", folder, "-p", str(port), "-U", ADMIN, "-d", "postgres", "-qc"]
    until = time.monotonic() + _START_SECONDS
    script = f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'"
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    while subprocess.run([*psql, script], capture_output=True, env=environment).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError((folder / "log").read_text())
        time.sleep(0.05)
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}
