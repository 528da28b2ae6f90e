"""Measures TPC-H over tables that are split over four systems, against one DuckDB.

Both splits are those of the tests: every table in one source, and the large ones by key over two.
A query counts as equal if its rows are those of the DuckDB that holds all tables. Beside the rows
that sources sent stands how many rows the query's relations have.

python -m benchmarks.tpch [--scale 0.1] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
import uvloop
from benchmarks.report import Figure, emit
from sqlglot import exp
from tests.connectors import mariadb_server, postgres_server
from tests.sql.asking import asked
from tests.sql.estate import Split, build
from tests.sql.oracles import answered_by_duckdb, difference
from tests.sql.stores import Servers
from tests.sql.tpch_estate import ENTITIES, QUERIES, SMALL, SPLITS, truth

from roundview.client import AsyncConnection


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of one query: "" in `wrong` where it is equal."""

    wrong: str
    rows_fetched: int
    seconds: float
    alone_seconds: float


async def run(folder: Path, scale: float) -> list[Figure]:
    """Makes the rows and both splits, and asks every query of each."""
    figures: list[Figure] = []
    with (
        truth(folder / "rows", scale) as database,
        postgres_server.postgres_server(folder) as postgres,
        mariadb_server.mariadb_server(folder) as mariadb,
    ):
        counts = {
            entity.name: _rows(database, f"SELECT count(*) FROM {entity.name}")
            for entity in ENTITIES
        }
        for split in SPLITS:
            place = folder / split.name
            place.mkdir()
            connection = await build(place, ENTITIES, split, database, Servers(postgres, mariadb))
            async with connection:
                figures += await measure(split, connection, database, counts)
    return figures


async def measure(
    split: Split,
    connection: AsyncConnection,
    database: duckdb.DuckDBPyConnection,
    counts: Mapping[str, int],
) -> list[Figure]:
    """Returns how many queries of a split are equal, and what each of them fetched."""
    measured = {name: await one(connection, database, text) for name, text in QUERIES.items()}
    equal = sum(not found.wrong for found in measured.values())
    whole = sum(found.seconds for found in measured.values())
    alone = sum(found.alone_seconds for found in measured.values())
    note = f"{whole:.1f} s, one DuckDB with all rows {alone:.1f} s"
    target = f"{len(QUERIES)} of {len(QUERIES)}"
    figures = [
        Figure(f"{split.name}: queries equal", equal, "of 22", note, target, equal == len(QUERIES))
    ]
    for name, found in measured.items():
        have = sum(counts[table] for table in _tables(QUERIES[name]))
        note = f"{found.rows_fetched:,} of {have:,} rows, {found.seconds * 1000:,.0f} ms"
        figures.append(
            Figure(f"{split.name}: {name}", found.rows_fetched, "rows fetched", found.wrong or note)
        )
    return figures


async def one(
    connection: AsyncConnection, database: duckdb.DuckDBPyConnection, text: str
) -> Measured:
    """Asks one query of the split and of the database that has everything."""
    started = time.perf_counter()
    right = answered_by_duckdb(database, text)
    alone = time.perf_counter() - started
    started = time.perf_counter()
    try:
        got = await asked(connection, text)
    except Exception as error:  # noqa: BLE001 - a query that fails is a figure, not the end
        return Measured(f"{type(error).__name__}: {error}"[:100], 0, 0.0, alone)
    seconds = time.perf_counter() - started
    wrong = difference(right, got.answer, ordered=True, typed=False)
    return Measured(wrong[:100], got.rows_fetched, seconds, alone)


def _rows(database: duckdb.DuckDBPyConnection, text: str) -> int:
    return int(answered_by_duckdb(database, text).rows[0][0])


def _tables(text: str) -> set[str]:
    tree = sqlglot.parse_one(text, read="postgres")
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table)} - inner


def main() -> int:
    """Prints all figures; returns 1 if a query is not equal."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=SMALL)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    for server in (postgres_server, mariadb_server):
        if server.binaries() is None:
            print(server.MISSING)
            return 1
    with tempfile.TemporaryDirectory() as folder:
        figures = uvloop.run(run(Path(folder), chosen.scale))
    emit(figures, as_json=chosen.json)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
