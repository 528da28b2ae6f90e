"""Decides how tests get a PostgreSQL whose catalog is ours: same owner, database and tables."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from tests.connectors.shared_process import shared

from roundview.demo import servers
from roundview.demo.servers import POSTGRES

OWNER, READER, PASSWORD, DATABASE = "roundview", "demo", "secret", "c360"


@contextmanager
def catalog_server(shared_folder: Path) -> Iterator[int]:
    """Yields the port of the run's server; its database has no tables yet."""
    with shared(shared_folder, "pgcatalog", _start) as told:
        yield told["port"]


def dsn(port: int, user: str = READER, path: str = "") -> str:
    """Returns how to come to the database as a login, perhaps with a search path."""
    options = "-c timezone=UTC" + (f" -c search_path={path}" if path else "")
    return (
        f"host=127.0.0.1 port={port} user={user} password={PASSWORD} dbname={DATABASE}"
        f" sslmode=disable options='{options}'"
    )


def _start() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-pgcatalog-"))
    logins = servers.Logins(OWNER, READER, PASSWORD)
    servers.initialise(POSTGRES, folder, logins)
    port = servers.free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            servers.command_of(POSTGRES, folder, port, ("shared_buffers=16MB",)),
            stdout=log, stderr=log, cwd=folder, start_new_session=True,
            **servers.account(POSTGRES),
        )  # fmt: skip
    servers.await_ready(POSTGRES, folder, process)
    servers.ensure_reader(POSTGRES, port, logins)
    first = dsn(port, OWNER).replace(f"dbname={DATABASE}", "dbname=postgres")
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {DATABASE} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        )
    with psycopg.connect(dsn(port, OWNER), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public")
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}
