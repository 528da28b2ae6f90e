"""Proves that the port for SQL is there beside HTTP, in several processes too."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import QueryCanceled
from tests.front.conftest import shell_env

from roundview.demo import estate, support
from roundview.demonstration import write_env

SECONDS = 60.0
LONG = (
    "SELECT sum(a.x * b.x) FROM generate_series(1, 100000) AS a(x)"
    " CROSS JOIN generate_series(1, 1000000) AS b(x)"
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Makes a small estate whose support app runs."""
    made = estate.make(tmp_path_factory.mktemp("estate"), 100)
    process = support.start(made.directory)
    write_env(made.directory, process)
    yield made.catalog
    process.stop()


@contextmanager
def serving(catalog: Path, *options: str) -> Iterator[str]:
    """Serves a catalog in processes of its own; yields what it tells psql to ask."""
    process = subprocess.Popen(
        ["roundview", "serve", str(catalog), "--port", "0", *options],
        env=shell_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while not (found := re.search(r'psql "(.*)"', said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    try:
        yield f"{found[1]} connect_timeout=30"
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=SECONDS) in (0, -signal.SIGTERM), rest


def test_psql_asks_what_serve_says(catalog: Path) -> None:
    with serving(catalog) as dsn:
        told = subprocess.run(
            ["psql", dsn, "-At", "-c", "SELECT count(*) FROM individual"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "PGSSLMODE": "prefer"},
        )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > 100


async def test_a_cancel_reaches_the_process_that_runs_the_statement(catalog: Path) -> None:
    with serving(catalog, "--workers", "2") as dsn:
        connections = [await connected(dsn) for _ in range(6)]
        asked = [asyncio.create_task(one.execute(LONG)) for one in connections]
        # None of them ends by itself in this time: each is stopped by its own key.
        done, _ = await asyncio.wait(asked, timeout=0.5)
        assert not done
        await asyncio.gather(*(one.cancel_safe(timeout=SECONDS) for one in connections))
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in told] == [QueryCanceled] * len(connections)
        for one in connections:
            assert (await (await one.execute("SELECT 1")).fetchone()) == (1,)
            await one.close()


async def connected(dsn: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    """Connects, once the processes listen."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        except psycopg.OperationalError:
            assert time.monotonic() < until
