"""Measures the embedded engine: what a session costs over DuckDB itself, and how fast rows pass.

python -m benchmarks.engine [--json]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import uvloop
from benchmarks.report import Figure, emit

from roundview_federation.engines.duckdb.database import Limits, open_locked, read
from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings
from roundview_federation.resilience.deadline import Deadline

SESSIONS = 300
ROUNDS = 7
ROWS = 1_000_000
SECONDS = 60.0
MOST_OVERHEAD_MS = 2.5
LEAST_SHARE = 0.25
"""Of what DuckDB hands over in process, with the same table already in its hands."""
JOIN = 'SELECT * FROM "r0" JOIN "r1" USING ("number") WHERE "amount" > $1'
SCAN = 'SELECT * FROM "r0"'


def small() -> tuple[pa.Table, pa.Table]:
    """Returns two tables of 50 rows that join."""
    numbers = list(range(50))
    return (
        pa.table({"number": numbers, "name": [f"name {number}" for number in numbers]}),
        pa.table({"number": numbers, "amount": [number * 1.5 for number in numbers]}),
    )


def large() -> pa.Table:
    """Returns a million rows of four columns."""
    return pa.table(
        {
            "number": pa.array(range(ROWS), pa.int64()),
            "amount": pa.array((at / 7 for at in range(ROWS)), pa.float64()),
            "name": pa.array([f"name {at % 1000}" for at in range(ROWS)]),
            "part": pa.array((at % 97 for at in range(ROWS)), pa.int32()),
        }
    )


def bare(database: duckdb.DuckDBPyConnection, tables: Sequence[pa.Table], sql: str) -> float:
    """Returns the seconds that DuckDB takes in this process."""
    began = time.perf_counter()
    with database.cursor() as cursor:
        for at, table in enumerate(tables):
            cursor.register(f"r{at}", table)
        for _ in read(cursor, sql, [1.0] if "$1" in sql else None):
            pass
    return time.perf_counter() - began


async def engine_takes(engine: DuckDBEngine, tables: Sequence[pa.Table], sql: str) -> float:
    """Returns the seconds that a session takes, everything included."""
    began = time.perf_counter()
    async with engine.session(Deadline.after(SECONDS)) as session:
        for at, table in enumerate(tables):
            await session.load(f"r{at}", table.schema, table.to_batches(65_536))
        stream = await session.stream(sql, [1.0] if "$1" in sql else None)
        async for _ in stream:
            pass
        return time.perf_counter() - began


def copied(table: pa.Table) -> float:
    """Returns the seconds that pyarrow takes to write and read a table in this process."""
    began = time.perf_counter()
    for batch in table.to_batches(65_536):
        pa.ipc.read_record_batch(batch.serialize(), table.schema)
    return time.perf_counter() - began


async def measure() -> list[Figure]:
    """Measures small sessions one by one, then large ones."""
    engine = DuckDBEngine(EngineSettings(workers=2, threads=2))
    await engine.start()
    database = open_locked(Limits(2**29, 2**30, 2))
    tables = small()
    ours, theirs = [], []
    # In turns, so that a busy machine is busy for both; the first of each pay for what is lazy.
    for at in range(SESSIONS):
        theirs.append(bare(database, tables, JOIN))
        ours.append(await engine_takes(engine, tables, JOIN))
        if at == SESSIONS // 10:
            ours.clear()
            theirs.clear()
    # The best tenth: on a busy machine a process that is nice waits for all others.
    p10, bare_p10 = (sorted(taken)[len(taken) // 10] * 1e3 for taken in (ours, theirs))
    table = large()
    passed, scanned, moved = [], [], []
    for _ in range(ROUNDS):
        scanned.append(bare(database, [table], SCAN))
        moved.append(copied(table))
        passed.append(await engine_takes(engine, [table], SCAN))
    await engine.close()
    database.close()
    rate, scan_rate, copy_rate = (table.nbytes / min(t) / 1e6 for t in (passed, scanned, moved))
    return [
        Figure(
            "session, 2 tables of 50 rows, p10",
            p10,
            "ms",
            f"DuckDB in process {bare_p10:.2f} ms",
            f"+{MOST_OVERHEAD_MS} ms",
            p10 <= bare_p10 + MOST_OVERHEAD_MS,
        ),
        Figure(
            "1 M rows, 4 columns, in and out",
            rate,
            "MB/s",
            f"DuckDB in process {scan_rate:,.0f}, IPC copy {copy_rate:,.0f} MB/s",
            f"{LEAST_SHARE:.0%} of DuckDB",
            rate >= LEAST_SHARE * scan_rate,
        ),
    ]


def main() -> int:
    """Runs everything; returns 1 if a figure misses its target."""
    figures = uvloop.run(measure())
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
