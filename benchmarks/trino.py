"""Measures questions on Trino beside the same written by hand for the same server.

TPC-H lies in PostgreSQL and MariaDB, in both splits of the tests; by hand each relation is a SELECT
over the source tables. Keys and text decide the second group: 200,000 buyers in PostgreSQL, as many
purchases in MariaDB. What our layer costs is a point question beside its bare statement. Rows are
compared before anything is timed, and beside each figure stand the rows that Trino read. Each
figure is told on the error channel once it is known.

python -m benchmarks.trino [--scale 0.02] [--only tpch|keys|point] [--queries q01,q18] [--runs 3]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import trino
import uvloop
from benchmarks.report import Figure, emit
from benchmarks.trino_estates import (
    BUYER,
    KEYED,
    PURCHASE,
    TPCH,
    by_hand,
    keyed_questions,
    keyed_rows,
)
from tests.connectors import mariadb_server, postgres_server
from tests.sql.conftest import Estate
from tests.sql.estate import Entity, Split
from tests.sql.oracles import Answer, difference, rows_of
from tests.sql.stores import Servers
from tests.sql.tpch_estate import ENTITIES, QUERIES, truth
from tests.trino import obtaining
from tests.trino.estates import estate_on_trino
from tests.trino.trino_server import TrinoServer, trino_server

from roundview_federation.request import Request

SECONDS = 120.0
RUNS = 3
POINTS = 100
WARM = 100
SCALE = 0.02
PARTS = ("point", "keys", "tpch")
MOST_ON_AVERAGE, MOST_OF_ANY = 1.1, 1.5
KEYS_FASTER = 5.0
OVERHEAD_MS = 3.0


@dataclass(frozen=True, slots=True)
class Took:
    """An answer, how many seconds it took, and how many rows were read for it."""

    seconds: float
    rows: int
    answer: Answer
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where estates are made."""

    folder: Path
    servers: Servers
    trino: TrinoServer
    runs: int = RUNS


async def tpch(places: Places, scale: float, names: Sequence[str]) -> list[Figure]:
    """Returns the ratio of each query of TPC-H to the one by hand, per split."""
    figures: list[Figure] = []
    with truth(places.folder / "rows", scale) as database:
        for split in TPCH:
            async with opened(places, ENTITIES, split, database) as estate:
                ratios = [
                    told(await ratio(f"{split.name}: {name}", QUERIES[name], estate, places))
                    for name in names
                ]
            known = [figure.value for figure in ratios if figure.value > 0]
            mean = math.exp(statistics.fmean(map(math.log, known or [math.inf])))
            summary = Figure(
                f"{split.name}: geometric mean",
                mean,
                "of by hand",
                f"{len(known)} queries equal",
                f"≤ {MOST_ON_AVERAGE}",
                mean <= MOST_ON_AVERAGE and len(known) == len(names),
            )
            figures += [*ratios, told(summary)]
    return figures


async def ratio(name: str, text: str, estate: Estate, places: Places) -> Figure:
    """Returns how a question compares with the one by hand."""
    manual = by_hand(text, ENTITIES, estate.split)
    try:
        wrong, ours, theirs = await compared(text, manual, estate, places)
    except Exception as error:  # noqa: BLE001 - a query that fails is a figure, not the end
        return Figure(name, 0, "of by hand", f"{type(error).__name__}: {error}"[:120], holds=False)
    if wrong:
        return Figure(name, 0, "of by hand", wrong[:120], holds=False)
    value = ours.seconds / theirs.seconds
    is_small = value <= MOST_OF_ANY and ours.rows <= theirs.rows
    return Figure(name, value, "of by hand", note(ours, theirs), f"≤ {MOST_OF_ANY}", is_small)


async def keyed(places: Places, only: Sequence[str]) -> list[Figure]:
    """Returns how much faster questions are that keys or texts decide, and a point question."""
    figures = []
    entities = (BUYER, PURCHASE)
    with keyed_rows() as database:
        async with opened(places, entities, KEYED, database) as estate:
            if "point" in only:
                figures.append(told(await point(estate, places.trino)))
            questions = keyed_questions() if "keys" in only else {}
            for name, text in questions.items():
                manual = by_hand(text, entities, estate.split)
                wrong, ours, theirs = await compared(text, manual, estate, places)
                value = theirs.seconds / ours.seconds
                holds = not wrong and value >= KEYS_FASTER
                beside = wrong[:120] or note(ours, theirs)
                target = f"≥ {KEYS_FASTER:.0f}"
                figure = Figure(name, value, "times faster", beside, target, holds)
                figures.append(told(figure))
    return figures


async def point(estate: Estate, server: TrinoServer) -> Figure:
    """Returns what a point question costs above its bare statement."""
    text = "SELECT email FROM buyer WHERE ident = {}"
    layered: list[float] = []
    alone: list[float] = []
    for at in range(WARM + POINTS):
        asked = await ours(estate, text.format(at))
        told_alone = await bare(server, asked.statement)
        if at >= WARM:
            layered.append(asked.seconds)
            alone.append(told_alone.seconds)
    value = (statistics.median(layered) - statistics.median(alone)) * 1000
    beside = (
        f"{statistics.median(layered) * 1000:.1f} ms, bare {statistics.median(alone) * 1000:.1f};"
        f" fastest {min(layered) * 1000:.1f}, bare {min(alone) * 1000:.1f}"
    )
    return Figure(
        "point question above its bare statement",
        value,
        "ms",
        beside,
        f"≤ {OVERHEAD_MS:.0f}",
        value <= OVERHEAD_MS,
    )


async def compared(
    text: str, manual: str, estate: Estate, places: Places
) -> tuple[str, Took, Took]:
    """Returns in what answers differ ("" for nothing), and the faster runs of ours and by hand."""
    server = places.trino
    first, second = await ours(estate, text), await bare(server, manual)
    rounded = as_rounded(first.answer, second.answer)
    wrong = difference(second.answer, rounded, ordered=True, typed=False)
    runs, others = [], []
    for _ in range(places.runs):
        runs.append(await ours(estate, text))
        others.append(await bare(server, manual))
    best, other = (min(some, key=lambda one: one.seconds) for some in (runs, others))
    return wrong, best, other


def as_rounded(answer: Answer, by_hand: Answer) -> Answer:
    """Returns an answer with the digits that Trino's own quotients and means have."""

    def value(own: Any, other: Any) -> Any:
        if not isinstance(own, Decimal) or not isinstance(other, Decimal):
            return own
        step = Decimal(1).scaleb(int(other.as_tuple().exponent))
        made = own.quantize(step)
        # It rounds on the way, too.
        return other if abs(made - other) <= step else made

    rows = [
        tuple(map(value, row, other)) for row, other in zip(answer.rows, by_hand.rows, strict=False)
    ]
    return replace(answer, rows=[*rows, *answer.rows[len(rows) :]])


async def ours(estate: Estate, text: str) -> Took:
    """Asks through our layer."""
    federation: Any = estate.connection.federation
    started = time.perf_counter()
    result = await federation.sql(text, request(estate), engine="trino")
    table = await result.table()
    seconds = time.perf_counter() - started
    names = tuple(column.name for column in result.columns)
    return Took(
        seconds, result.rows_fetched, Answer(names, rows_of(table)), result.statement.text()
    )


async def bare(server: TrinoServer, statement: str) -> Took:
    """Asks Trino itself, with its own client."""
    return await asyncio.to_thread(_bare, server, statement)


def _bare(server: TrinoServer, statement: str) -> Took:
    started = time.perf_counter()
    with trino.dbapi.connect(
        host="127.0.0.1", port=server.port, user="tests", legacy_primitive_types=False
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows = [tuple(row) for row in cursor.fetchall()]
        seconds = time.perf_counter() - started
        names = tuple(column.name for column in cursor.description or ())
        return Took(seconds, int(cursor.stats["processedRows"]), Answer(names, rows))


def request(estate: Estate) -> Request:
    """Returns who asks, and for how long."""
    federation: Any = estate.connection.federation
    return Request(federation.principal, timeout_seconds=SECONDS, allow_scan=True)


def opened(
    places: Places,
    entities: tuple[Entity, ...],
    split: Split,
    database: duckdb.DuckDBPyConnection,
) -> Any:
    """Opens an estate that Trino reads."""
    return estate_on_trino(places.folder, entities, split, database, places.servers, places.trino)


def note(ours: Took, theirs: Took) -> str:
    """Returns milliseconds of both, and the rows that were read."""
    return (
        f"{ours.seconds * 1000:,.0f} ms {ours.rows:,} rows,"
        f" by hand {theirs.seconds * 1000:,.0f} ms {theirs.rows:,}"
    )


def told(figure: Figure) -> Figure:
    """Tells a figure while others are still measured."""
    verdict = {True: "holds", False: "MISSED", None: ""}[figure.holds]
    print(
        f"{figure.name}: {figure.value:,.4g} {figure.unit}, {figure.baseline} {verdict}",
        file=sys.stderr,
        flush=True,
    )
    return figure


@contextmanager
def everything(folder: Path, runs: int) -> Iterator[Places]:
    """Starts the servers."""
    with (
        postgres_server.postgres_server(folder) as postgres,
        mariadb_server.mariadb_server(folder) as mariadb,
        trino_server(folder) as server,
    ):
        yield Places(folder, Servers(postgres, mariadb), server, runs)


async def run(
    places: Places, scale: float, only: Sequence[str], names: Sequence[str]
) -> list[Figure]:
    """Returns the figures of some parts."""
    figures = await keyed(places, only) if {"keys", "point"} & set(only) else []
    return figures + (await tpch(places, scale, names) if "tpch" in only else [])


def main() -> int:
    """Prints all figures; returns 1 if a target is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=SCALE)
    options.add_argument("--only", choices=PARTS)
    options.add_argument("--queries", default=",".join(QUERIES))
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if missing := obtaining.missing():
        print(missing)
        return 1
    only = (chosen.only,) if chosen.only else PARTS
    names = chosen.queries.split(",")
    with tempfile.TemporaryDirectory() as folder, everything(Path(folder), chosen.runs) as places:
        figures = uvloop.run(run(places, chosen.scale, only, names))
    emit(figures, as_json=chosen.json)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
