"""Decides where the vendors' systems lie: real databases, each made of a script beside its truth."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.connectors import mariadb_server, postgres_server

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

Made = tuple[str, str]
"""Lines of `connection`, and what the environment must hold as VENDOR_URL."""


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder by which the workers of one run share their servers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if WORKER else base


@pytest.fixture(scope="session")
def postgres(shared_folder: Path) -> Iterator[postgres_server.PostgresServer]:
    """Returns the run's PostgreSQL."""
    if postgres_server.binaries() is None:
        pytest.skip(postgres_server.MISSING)
    with postgres_server.postgres_server(shared_folder) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(shared_folder: Path) -> Iterator[mariadb_server.MariadbServer]:
    """Returns the run's MariaDB."""
    if mariadb_server.binaries() is None:
        pytest.skip(mariadb_server.MISSING)
    with mariadb_server.mariadb_server(shared_folder) as server:
        yield server


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str, str], Made]:
    """Returns `make(name, connector, script)`: a database of that script, and where it is."""

    def made(name: str, connector: str, script: str) -> Made:
        database = f"vendor_{name}{WORKER}"
        if connector == "sqlite":
            with closing(sqlite3.connect(tmp_path / "vendor.db")) as file:
                file.executescript(script)
            return "path: ${env:VENDOR_URL}", str(tmp_path / "vendor.db")
        if connector == "postgres":
            server = request.getfixturevalue("postgres")
            # PostgreSQL knows no datetime; JSON that can be compared is jsonb.
            native = script.replace(" datetime", " timestamp").replace(" json", " jsonb")
            server.make_now(database, native, {})
            return "url: ${env:VENDOR_URL}", server.url(database)
        mysql = request.getfixturevalue("mariadb")
        mysql.make_now(database, [s for s in script.split(";\n") if s.strip()])
        return "url: ${env:VENDOR_URL}", mysql.url(database)

    return made
