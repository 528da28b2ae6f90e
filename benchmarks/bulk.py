"""Measures a million rows of four columns from each source to Arrow, beside its own driver.

The same rows lie in SQLite, one Parquet file, PostgreSQL and MariaDB on this machine: a number, a
time, an amount, a text. A figure is how fast they arrive as batches of Roundview, as a multiple of
the baseline: sqlite3's rows, DuckDB's own Arrow, and for the servers the rows of the drivers that
Roundview uses; `benchmarks/rivals/bulk_drivers.sh` compares with ADBC and connectorx instead.

python -m benchmarks.bulk [--json] [--drivers PYTHON]
"""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncmy
import asyncpg
import duckdb
import uvloop
from asyncmy.cursors import SSCursor
from benchmarks.report import Figure, emit
from sqlglot import exp, parse_one

from roundview.demo import servers
from roundview.demo.servers import MARIADB, POSTGRES, Logins, Server
from roundview_catalog.errors import Position
from roundview_catalog.model import Defaults, Limits, Source, SourceTable
from roundview_catalog.tables import FileTable
from roundview_federation.connectors import open_connector
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline

ROWS = 1_000_000
ROUNDS = 5
SECONDS = 120.0
TARGET = 0.5
SERVERS = ("postgres", "mysql")
COLUMNS = {"id": "bigint", "at": "timestamp", "total": "decimal(12,2)", "name": "text"}
SELECT = "SELECT t.id AS c0, t.at AS c1, t.total AS c2, t.name AS c3 FROM t"
LOGINS = Logins("boss", "reader", "benchmark")
MADE = {
    "duckdb": "SELECT i AS id, TIMESTAMP '2024-01-01' + i * INTERVAL 37 SECOND AS at,"
    f" (i / 100)::DECIMAL(12,2) AS total, 'Person ' || i AS name FROM range({ROWS}) r(i)",
    "postgres": "INSERT INTO t SELECT i, timestamp '2024-01-01' + i * interval '37 seconds',"
    f" i / 100.0, 'Person ' || i FROM generate_series(0, {ROWS - 1}) AS i",
    "mysql": "INSERT INTO t SELECT seq, '2024-01-01' + INTERVAL seq * 37 SECOND, seq / 100,"
    f" concat('Person ', seq) FROM seq_0_to_{ROWS - 1}",
}
TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, at {time}, total decimal(12,2), name varchar(80))"
DRIVERS = {"postgres": "ADBC", "mysql": "connectorx"}

Read = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Place:
    """One source with the rows, and how its own driver reads them."""

    source: Source
    baseline: str
    read: Read


async def main(directory: Path, python: str | None) -> list[Figure]:
    """Returns a figure per source whose software is installed."""
    figures = []
    with ExitStack() as stack:
        for place in [in_sqlite(directory), in_parquet(directory)]:
            figures.append(await measured(place, python))
        for kind, technology in ((POSTGRES, "postgres"), (MARIADB, "mysql")):
            if servers.programs_of(kind) is None:
                print(kind.missing, file=sys.stderr)
                continue
            temporary = tempfile.TemporaryDirectory(prefix="roundview-bulk-")
            folder = Path(stack.enter_context(temporary))
            folder.chmod(0o755)
            servers.initialise(kind, folder, LOGINS)
            server = servers.start(kind, folder, LOGINS)
            stack.callback(server.stop)
            place = await (in_postgres if technology == "postgres" else in_mysql)(server)
            figures.append(await measured(place, python))
    return figures


async def measured(place: Place, python: str | None) -> Figure:
    """Returns how fast the rows come, as a multiple of the baseline, the best of some rounds."""
    technology = place.source.connector
    url = str(place.source.connection.get("url", ""))
    is_rival = python is not None and technology in SERVERS
    first = open_connector(place.source, env={})
    tables = dict(await first.introspect())
    await first.close()
    connector: Any = open_connector(replace(place.source, tables=tables), env={})
    tree = parse_one(SELECT, read="postgres")
    assert isinstance(tree, exp.Select)
    types = tuple(tables["t"].columns[name].type for name in COLUMNS)
    fragment = Fragment("f", "t", tree, types, (), (), row_cap=NO_CAP, is_scan=True)
    call = connector.compile(fragment)

    async def ours() -> int:
        batches = connector.batches(call, {}, Deadline.after(SECONDS))
        return sum([batch.num_rows async for batch in batches])

    fastest = {"ours": 1e9, "theirs": 1e9}
    for _ in range(ROUNDS):
        fastest["ours"] = min(fastest["ours"], await timed(ours))
        if python is not None and is_rival:
            theirs = rival(python, technology, url)
        else:
            theirs = await timed(place.read)
        fastest["theirs"] = min(fastest["theirs"], theirs)
    await connector.close()
    baseline = DRIVERS[technology] if is_rival else place.baseline
    ratio = fastest["theirs"] / fastest["ours"]
    return Figure(
        f"{technology}: 1 M rows to Arrow, {fastest['ours']:.2f} s",
        ratio,
        "x",
        f"{baseline}, {fastest['theirs']:.2f} s",
        f">= {TARGET}x" if technology in SERVERS else "",
        ratio >= TARGET if technology in SERVERS else None,
    )


async def timed(read: Read) -> float:
    """Returns the seconds that one reading takes."""
    gc.collect()
    started = time.perf_counter()
    assert await read() == ROWS
    return time.perf_counter() - started


def rival(python: str, technology: str, url: str) -> float:
    """Returns the seconds that a driver of another environment takes."""
    script = Path(__file__).with_name("rivals") / "bulk_drivers.py"
    told = subprocess.run(
        [python, str(script), technology, url], capture_output=True, text=True, check=True
    )
    rows, seconds = told.stdout.split()
    assert int(rows) == ROWS
    return float(seconds)


def source(connector: str, connection: dict[str, Any], tables: dict[str, SourceTable]) -> Source:
    """Returns a source of the catalog around a connection."""
    return Source(
        name=connector, title="", owner="", connector=connector, connection=connection,
        limits=Limits(timeout=SECONDS), defaults=Defaults(), tables=tables, branches=(),
        root=Path("/"), position=Position("benchmark.yaml", 1, 1),
    )  # fmt: skip


def relation() -> duckdb.DuckDBPyRelation:
    """Returns the rows, made by DuckDB."""
    made = duckdb.sql(MADE["duckdb"])
    assert made is not None
    return made


def in_sqlite(directory: Path) -> Place:
    """Writes the rows as a SQLite file."""
    path = directory / "t.db"
    rows = relation().project('id, CAST("at" AS VARCHAR), total, name').fetchall()
    with sqlite3.connect(path) as connection:
        connection.execute(TABLE.format(time="timestamp"))
        values = [(key, at, float(total), name) for key, at, total, name in rows]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", values)
    connection.close()

    async def read() -> int:
        connection = sqlite3.connect(path)
        found = len(connection.execute("SELECT * FROM t").fetchall())
        connection.close()
        return found

    return Place(source("sqlite", {"path": str(path)}, {}), "sqlite3 rows", read)


def in_parquet(directory: Path) -> Place:
    """Writes the rows as a Parquet file."""
    path = directory / "t.parquet"
    relation().write_parquet(str(path))
    access = FileTable.model_validate({"path": path.name, "key": "id"})
    table = SourceTable(name="t", physical="t", columns={}, access=access)

    async def read() -> int:
        with duckdb.connect(config={"threads": 1}) as engine:
            reader = engine.read_parquet(str(path)).to_arrow_reader(65_536)
            return sum(batch.num_rows for batch in reader)

    return Place(source("files", {"root": str(directory)}, {"t": table}), "DuckDB", read)


async def in_postgres(server: Server) -> Place:
    """Writes the rows into a new PostgreSQL."""

    async def connected(user: str, database: str) -> Any:
        return await asyncpg.connect(
            host="127.0.0.1", port=server.port, user=user, password=LOGINS.password,
            database=database, ssl=False,
        )  # fmt: skip

    admin = await connected(LOGINS.admin, "postgres")
    await admin.execute("CREATE DATABASE bulk")
    await admin.close()
    owner = await connected(LOGINS.admin, "bulk")
    await owner.execute(TABLE.format(time="timestamp"))
    await owner.execute(MADE["postgres"])
    await owner.execute("GRANT SELECT ON t TO reader; ANALYZE t")
    await owner.close()

    async def read() -> int:
        connection = await connected(LOGINS.reader, "bulk")
        found = len(await connection.fetch("SELECT * FROM t"))
        await connection.close()
        return found

    return Place(source("postgres", {"url": server.url("bulk")}, {}), "asyncpg rows", read)


async def in_mysql(server: Server) -> Place:
    """Writes the rows into a new MariaDB."""

    async def connected(user: str) -> Any:
        return await asyncmy.connect(
            host="127.0.0.1", port=server.port, user=user, password=LOGINS.password,
            autocommit=True,
        )  # fmt: skip

    admin = await connected(LOGINS.admin)
    for statement in (
        "CREATE DATABASE bulk",
        "GRANT SELECT ON bulk.* TO reader",
        "USE bulk",
        TABLE.format(time="datetime"),
        MADE["mysql"],
        "ANALYZE TABLE t",
    ):
        await admin.query(statement)
    await admin.ensure_closed()

    async def read() -> int:
        connection = await connected(LOGINS.reader)
        cursor = connection.cursor(SSCursor)
        await cursor.execute("SELECT * FROM bulk.t")
        found = len(await cursor.fetchall())
        await connection.ensure_closed()
        return found

    return Place(source("mysql", {"url": server.url("bulk")}, {}), "asyncmy rows", read)


if __name__ == "__main__":
    drivers = sys.argv[sys.argv.index("--drivers") + 1] if "--drivers" in sys.argv else None
    with tempfile.TemporaryDirectory() as temporary:
        figures = uvloop.run(main(Path(temporary), drivers))
    emit(figures, as_json="--json" in sys.argv)
