"""Measures what PostgreSQL's protocol costs here, beside a PostgreSQL on this machine.

A million rows of nine columns (bigint, three texts, float8, numeric, timestamp, date, boolean) lie
in a table of PostgreSQL; here the engine makes the same rows for each question. Both servers run in
processes of their own, and each figure is the best of some runs that take turns. Raw figures read
bytes from a socket and look at none.

python -m benchmarks.sql_endpoint [--json] [--rows 100000]
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import duckdb
import psycopg
from benchmarks.report import Figure, emit
from tests.connectors.postgres_server import ADMIN, PASSWORD, serving

from roundview.demo import estate
from roundview_sql.encoding import encode_rows
from roundview_sql.type_codes import Column

ROWS = 1_000_000
RUNS = 3
CONNECTIONS = 300
LOOKUPS = 100
SELECTED = (
    "x.i::bigint AS a, 'name ' || x.i AS b, 'mail' || x.i || '@example.com' AS c,"
    " CASE WHEN x.i % 7 = 0 THEN NULL ELSE 'city ' || x.i % 100 END AS d,"
    " x.i::float8 * 1.5::float8 AS e, (x.i * 0.37)::numeric(18, 4) AS f,"
    " timestamp '2024-01-01 00:00:00' + x.i * interval '1 second' AS g,"
    " date '2020-01-01' + (x.i % 1000)::integer AS h, x.i % 2 = 0 AS k"
)
OIDS = (20, 25, 25, 25, 701, 1700, 1114, 1082, 16)
STARTUP_SECONDS = 60.0


def main(rows: int, *, as_json: bool) -> None:
    """Measures and prints."""
    made = f"SELECT {SELECTED} FROM generate_series(1, {rows}) AS x(i)"
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        with serving(kept) as postgres, served(kept) as port:
            theirs = (
                f"host=127.0.0.1 port={postgres.port} user={ADMIN} password={PASSWORD}"
                " dbname=postgres sslmode=disable"
            )
            ours = f"host=127.0.0.1 port={port} user=demo dbname=c360 sslmode=disable"
            with psycopg.connect(theirs, autocommit=True) as connection:
                connection.execute(f"CREATE TABLE plain AS {made}")
                connection.execute("VACUUM ANALYZE plain")
            emit(measured(ours, theirs, made, "SELECT * FROM plain", rows), as_json=as_json)


def measured(ours: str, theirs: str, made: str, plain: str, rows: int) -> list[Figure]:
    """Returns all figures."""
    figures = []
    raw = {
        "text": lambda dsn, text: read_raw(dsn, text),
        "binary": lambda dsn, text: read_raw(dsn, text, is_binary=True),
        "copy binary": lambda dsn, text: read_raw(dsn, f"COPY ({text}) TO STDOUT (FORMAT binary)"),
        "psycopg fetchall": read_psycopg,
        "asyncpg fetch": read_asyncpg,
    }
    targets = (0.4, 0.4, 0.6, 0.8, 0.8)
    found: dict[str, tuple[float, float]] = {}
    for (name, read), target in zip(raw.items(), targets, strict=True):
        own, other = alternated(lambda r=read: r(ours, made), lambda r=read: r(theirs, plain))
        found[name] = own, other
        figures.append(ratio(name, rows / own, rows / other, target))
    for name, seconds in encoding(rows).items():
        figures.insert(0, ratio(f"encoder, {name}", rows / seconds, rows / found[name][1], 0.6))
    first = 1000 * min(first_row(ours, made) for _ in range(RUNS))
    figures.append(Figure("first row", first, "ms", "", "<= 150 ms", first <= 150))
    warm, plain_warm = alternated(lambda: prepared(ours), lambda: prepared(theirs))
    figures.append(
        Figure("prepared statement, warm", 1000 * warm, "ms p50", f"{1000 * plain_warm:.2f} ms")
    )
    stopped = 1000 * min(cancelled(ours) for _ in range(RUNS))
    figures.append(Figure("cancel", stopped, "ms", "", "<= 200 ms", stopped <= 200))
    many = asyncio.run(connections(ours))
    figures.append(
        Figure(f"{CONNECTIONS} connections, a query each", many, "s", "", "<= 3 s", many <= 3)
    )
    return figures


def ratio(name: str, own: float, other: float, target: float) -> Figure:
    """Returns rows per second beside PostgreSQL's."""
    shown = f"{other:,.0f} rows/s, ratio {own / other:.2f}"
    return Figure(name, own, "rows/s", shown, f">= {target} x", own >= target * other)


def alternated(one: Callable[[], float], two: Callable[[], float]) -> tuple[float, float]:
    """Returns the best seconds of both, measured by turns."""
    pairs = [(one(), two()) for _ in range(RUNS)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def encoding(rows: int) -> dict[str, float]:
    """Returns the seconds of the encoder alone."""
    text = (
        "SELECT i AS a, 'name ' || i AS b, 'mail' || i || '@example.com' AS c,"
        " CASE WHEN i % 7 = 0 THEN NULL ELSE 'city ' || (i % 100) END AS d, i * 1.5::DOUBLE AS e,"
        " (i * 0.37)::DECIMAL(18,4) AS f, TIMESTAMP '2024-01-01' + INTERVAL (i) SECOND AS g,"
        f" DATE '2020-01-01' + (i % 1000)::INT AS h, i % 2 = 0 AS k FROM range({rows}) r(i)"
    )
    table = duckdb.sql(text).to_arrow_table()
    columns = [Column(name, oid) for name, oid in zip(table.column_names, OIDS, strict=True)]
    batches = table.to_batches(max_chunksize=8192)
    best = {}
    for name, format_ in (("text", 0), ("binary", 1)):
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            for batch in batches:
                encode_rows(batch, columns, [format_] * len(columns))
            times.append(time.perf_counter() - start)
        best[name] = min(times)
    return best


def read_raw(dsn: str, text: str, *, is_binary: bool = False) -> float:
    """Returns the seconds of reading all bytes of an answer."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        # psycopg has logged in: from here on we speak for ourselves.
        with socket.socket(fileno=connection.pgconn.socket) as talk:
            talk.setblocking(True)
            start = time.perf_counter()
            talk.sendall(extended(text) if is_binary else message(b"Q", text.encode() + b"\0"))
            tail = b""
            while not tail.endswith(b"Z\x00\x00\x00\x05I"):
                tail = tail[-6:] + talk.recv(1 << 18)
            seconds = time.perf_counter() - start
            talk.detach()
        return seconds


def extended(text: str) -> bytes:
    """Returns the messages that ask for binary rows."""
    parse = message(b"P", b"\0" + text.encode() + b"\0\0\0")
    bind = message(b"B", b"\0\0" + struct.pack(">hhhh", 0, 0, 1, 1))
    return parse + bind + message(b"E", b"\0" + bytes(4)) + message(b"S", b"")


def message(tag: bytes, body: bytes) -> bytes:
    """Returns one message of a client."""
    return tag + struct.pack(">i", len(body) + 4) + body


def read_psycopg(dsn: str, text: str) -> float:
    """Returns the seconds of psycopg's fetchall."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        start = time.perf_counter()
        connection.execute(text).fetchall()
        return time.perf_counter() - start


def read_asyncpg(dsn: str, text: str) -> float:
    """Returns the seconds of asyncpg's fetch."""

    async def fetched() -> float:
        said = dict(part.split("=", 1) for part in dsn.split())
        connection = await asyncpg.connect(
            host=said["host"], port=int(said["port"]), user=said["user"], ssl=False,
            password=said.get("password"), database=said["dbname"],
        )  # fmt: skip
        start = time.perf_counter()
        await connection.fetch(text, timeout=120)
        seconds = time.perf_counter() - start
        await connection.close()
        return seconds

    return asyncio.run(fetched())


def first_row(dsn: str, text: str) -> float:
    """Returns the seconds up to the first bytes of a large answer."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        start = time.perf_counter()
        for _ in connection.cursor().stream(text):
            return time.perf_counter() - start
    raise AssertionError("no row came")


def prepared(dsn: str) -> float:
    """Returns the median seconds of a prepared statement with a parameter."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        times = []
        for at in range(LOOKUPS):
            start = time.perf_counter()
            connection.execute("SELECT %b::bigint + 1", (at,), prepare=True).fetchall()
            times.append(time.perf_counter() - start)
        return statistics.median(times[10:])


def cancelled(dsn: str) -> float:
    """Returns the seconds from a cancel to the error."""

    async def stopped() -> float:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            asked = asyncio.ensure_future(
                connection.execute(
                    "SELECT sum(a.x * b.x) FROM generate_series(1, 100000) AS a(x)"
                    " CROSS JOIN generate_series(1, 1000000) AS b(x)"
                )
            )
            await asyncio.wait([asked], timeout=1)
            start = time.perf_counter()
            await connection.cancel_safe()
            await asyncio.gather(asked, return_exceptions=True)
            return time.perf_counter() - start

    return asyncio.run(stopped())


async def connections(dsn: str) -> float:
    """Returns the seconds in which many connections are opened and asked."""

    async def one() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await (await connection.execute("SELECT 1")).fetchall()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return time.perf_counter() - start


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serves a small estate in a process of its own; yields the port for SQL."""
    made = estate.make(folder / "estate", 20)
    (made.directory / "env").write_text(
        f"ROUNDVIEW_DEMO={made.directory.resolve()}\nSUPPORT_URL=http://127.0.0.1:9\nSUPPORT_TOKEN=none\n"
    )
    command = ["serve", str(made.catalog), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from roundview.cli import main; main()", *command],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = 0
    while not port:
        found = re.search(r"psql .*port=(\d+)", process.stdout.readline())
        port = int(found[1]) if found else 0
    try:
        with psycopg.connect(f"host=127.0.0.1 port={port} user=demo connect_timeout=60") as first:
            first.execute("SELECT 1")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[given.index("--rows") + 1]) if "--rows" in given else ROWS,
        as_json="--json" in given,
    )
