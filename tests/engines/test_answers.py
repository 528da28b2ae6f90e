"""Decides that what goes into the engine comes out of it: types, rows, parameters, tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from roundview_catalog.errors import EngineError, InternalError, RequestError
from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings
from roundview_federation.resilience.deadline import Deadline

SECONDS = 30.0
INSTANT = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
MOMENT = INSTANT.replace(tzinfo=None)
TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int32": (pa.int32(), [-(2**31), None, 2**31 - 1]),
    "int64": (pa.int64(), [-(2**63), None, 2**63 - 1]),
    "decimal_2": (pa.decimal128(38, 2), [Decimal("-0.01"), None, Decimal(f"{'9' * 36}.99")]),
    "decimal_0": (pa.decimal128(18, 0), [Decimal(-7), None, Decimal(10**17)]),
    "string": (pa.string(), ["", None, "Łódź 'quoted' \"twice\""]),
    "large_string": (pa.large_string(), ["a", None, "\U0001f600"]),
    "bool": (pa.bool_(), [True, None, False]),
    "date": (pa.date32(), [date(1, 1, 1), None, date(9999, 12, 31)]),
    "timestamp": (pa.timestamp("us"), [MOMENT, None, MOMENT.replace(year=1)]),
    "instant": (pa.timestamp("us", tz="UTC"), [INSTANT, None, INSTANT.replace(year=9999)]),
    "double": (pa.float64(), [0.1, None, float("inf")]),
    "strings": (pa.list_(pa.string()), [["a", None], None, []]),
    "binary": (pa.binary(), [b"\x00\xff", None, b""]),
}


def table_of(kinds: dict[str, tuple[pa.DataType, list[Any]]]) -> pa.Table:
    """Returns one column per kind."""
    arrays = [pa.array(values, kind) for kind, values in kinds.values()]
    return pa.Table.from_arrays(arrays, names=list(kinds))


@pytest.mark.parametrize("kept", [False, True], ids=["streamed", "kept"])
async def test_values_of_every_type_come_back(engine: DuckDBEngine, kept: bool) -> None:
    table = table_of(TYPES)
    async with engine.session(Deadline.after(SECONDS)) as session:
        assert await session.load("r0", table.schema, table.to_batches()) == 3
        if kept:
            assert await session.keep("k0", 'SELECT * FROM "r0"') == 3
        got = await session.run(f'SELECT * FROM "{"k0" if kept else "r0"}"')
    assert got.to_pydict() == table.to_pydict()
    assert [column.type for column in got.schema if column.name == "decimal_2"] == [
        pa.decimal128(38, 2)
    ]


async def test_zones_are_utc_whatever_the_machine_says(engine: DuckDBEngine) -> None:
    table = table_of({"at": TYPES["instant"]})
    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.load("r0", table.schema, table.to_batches())
        got = await session.run(
            'SELECT CAST("at" AS TEXT) AS "shown" FROM "r0" WHERE "at" IS NOT NULL'
        )
    shown = ["2026-03-01 12:30:15.123456+00", "9999-03-01 12:30:15.123456+00"]
    assert got.column("shown").to_pylist() == shown


async def test_tables_without_rows_have_columns(engine: DuckDBEngine) -> None:
    empty = table_of(TYPES).schema.empty_table()
    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.load("r0", empty.schema, [])
        await session.load(
            "r1", empty.schema, [pa.RecordBatch.from_pylist([], schema=empty.schema)]
        )
        got = await session.run('SELECT * FROM "r0" UNION ALL SELECT * FROM "r1"')
        count = await session.run('SELECT count(*) AS "rows" FROM "r0" JOIN "r1" USING ("int64")')
    assert got.num_rows == 0
    assert got.schema.names == empty.schema.names
    assert count.to_pylist() == [{"rows": 0}]


async def test_parameters_are_values(engine: DuckDBEngine) -> None:
    nasty = "'; DROP TABLE r0; --"
    given = [nasty, Decimal("1.10"), date(2026, 3, 1), MOMENT, None, b"\x00", 2**62]
    sql = "SELECT " + ", ".join(f'${at} AS "c{at}"' for at in range(1, 8))
    async with engine.session(Deadline.after(SECONDS)) as session:
        by_place = await session.run(sql, given)
        by_name = await session.run('SELECT $name AS "name"', {"name": nasty})
        await session.keep("k0", 'SELECT $1 AS "name"', [nasty])
        kept = await session.run('SELECT "name" FROM "k0"')
    assert list(by_place.to_pylist()[0].values()) == given
    assert by_name.to_pylist() == kept.to_pylist() == [{"name": nasty}]


async def test_batches_may_arrive_one_by_one(engine: DuckDBEngine) -> None:
    table = pa.table({"number": range(10)})

    async def arriving() -> AsyncIterator[pa.RecordBatch]:
        for batch in table.to_batches(max_chunksize=3):
            yield batch

    async with engine.session(Deadline.after(SECONDS)) as session:
        assert await session.load("r0", table.schema, arriving()) == 10
        distinct = await session.run('SELECT DISTINCT "number" % 3 AS "key" FROM "r0" ORDER BY 1')
        got = await session.run('SELECT sum("number")::BIGINT AS "sum" FROM "r0"')
    assert distinct.column("key").to_pylist() == [0, 1, 2]
    assert got.to_pylist() == [{"sum": 45}]


async def test_tables_may_be_loaded_side_by_side(engine: DuckDBEngine) -> None:
    tables = [
        pa.table({"number": range(at * 1_000), "text": [f"{at} {'x' * 500}"] * (at * 1_000)})
        for at in range(1, 6)
    ]

    async def arriving(table: pa.Table) -> AsyncIterator[pa.RecordBatch]:
        for batch in table.to_batches(max_chunksize=100):
            yield batch
            await asyncio.sleep(0)

    async with engine.session(Deadline.after(SECONDS)) as session:
        loaded = await asyncio.gather(
            *(
                session.load(f"r{at}", table.schema, arriving(table))
                for at, table in enumerate(tables)
            )
        )
        got = [await session.run(f'SELECT * FROM "r{at}"') for at in range(len(tables))]
    assert loaded == [table.num_rows for table in tables]
    assert all(one.equals(table) for one, table in zip(got, tables, strict=True))


async def test_a_million_rows_go_in_and_out(engine: DuckDBEngine) -> None:
    rows = 1_000_000
    table = pa.table(
        {
            "number": pa.array(range(rows), pa.int64()),
            "name": pa.array([f"name {at % 999}" for at in range(rows)]),
        }
    )
    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.load("r0", table.schema, table.to_batches(max_chunksize=50_000))
        stream = await session.stream('SELECT * FROM "r0" ORDER BY "number"')
        got = pa.Table.from_batches([batch async for batch in stream], stream.schema)
    assert got.equals(table)


async def test_a_stream_that_is_left_does_not_disturb_the_next(engine: DuckDBEngine) -> None:
    async with engine.session(Deadline.after(SECONDS)) as session:
        stream = await session.stream("SELECT range AS n FROM range(100000000)")
        first = await anext(stream)
        assert first.column("n")[0].as_py() == 0
        assert (await session.run("SELECT 7 AS n")).to_pylist() == [{"n": 7}]
        assert [batch async for batch in stream] == []
        closed = await session.stream("SELECT range AS n FROM range(100000000)")
        await closed.aclose()
        assert (await session.run("SELECT 8 AS n")).to_pylist() == [{"n": 8}]


async def test_nothing_of_one_question_is_seen_by_the_next(single: DuckDBEngine) -> None:
    table = pa.table({"number": [1, 2]})
    async with single.session(Deadline.after(SECONDS)) as session:
        await session.load("r0", table.schema, table.to_batches())
        await session.keep("k0", 'SELECT * FROM "r0"')
        await session.stream('SELECT * FROM "k0"')
        (pid,) = single.pids
    async with single.session(Deadline.after(SECONDS)) as session:
        for name in ("r0", "k0"):
            with pytest.raises(EngineError):
                await session.run(f'SELECT * FROM "{name}"')
        seen = await session.run(
            "SELECT table_name AS name FROM duckdb_tables() UNION ALL"
            " SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        assert single.pids == {pid}
    assert seen.num_rows == 0


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT CAST('secret' AS INTEGER)", "RV132"),
        ("SELECT CAST('99999999999' AS INTEGER)", "RV130"),
        ("SELECT CAST('2026-02-30' AS DATE)", "RV135"),
        ("SELECT 9223372036854775807 + range FROM range(3)", "RV130"),
        ("SELECT CAST(range AS TINYINT) FROM range(1000)", "RV130"),
        ("SELECT (SELECT range FROM range(3))", "RV133"),
        ("SELECT error('roundview:22012')", "RV131"),
        (
            "SELECT CASE WHEN range > 900000 THEN error('roundview:22012') END FROM range(1000000)",
            "RV131",
        ),
        ("SELECT error('secret')", "RV134"),
        ("SELECT error('secret roundview:2201E')", "RV134"),
        ("SELECT DATE '2024-01-01' + 'secret' || range FROM range(2)", "RV103"),
        ("SELECT CAST('1e300' AS DECIMAL(38,4))", "RV103"),
        ("SELECT sum(9e37::DECIMAL(38,0)) FROM range(3)", "RV103"),
        ("SELECT (range + 12345)::DECIMAL(5,2) FROM range(2)", "RV130"),
        ("SELECT CAST('secret' || range AS DATE) FROM range(2)", "RV132"),
        (
            "SELECT TIMESTAMP '2024-01-01' + to_years(range::INTEGER + 300000) FROM range(2)",
            "RV135",
        ),
        ("SELECT CAST('interval out of range' AS INTEGER)", "RV132"),
    ],
)
async def test_what_values_do_is_told_without_them(
    engine: DuckDBEngine, sql: str, code: str
) -> None:
    async with engine.session(Deadline.after(SECONDS)) as session:
        with pytest.raises(RequestError) as raised:
            await session.run(sql)
        assert raised.value.code == code
        assert "sqlstate" in raised.value.extensions
        assert "secret" not in str(raised.value)
        assert not getattr(raised.value, "__notes__", [])
        assert (await session.run("SELECT 1 AS n")).num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT missing FROM nowhere",
        "SELECT 1; SELECT 2",
        "SELEC",
        "",
        "ATTACH ':memory:' AS other",
        "COPY (SELECT 1) TO '/tmp/roundview-engine-copy.csv'",
        "SET threads = 1",
        "INSTALL httpfs",
        "CREATE TABLE t (n INTEGER)",
        "PRAGMA enable_profiling",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('/proc/self/environ')",
    ],
)
async def test_statements_that_nobody_generates_are_refused(engine: DuckDBEngine, sql: str) -> None:
    async with engine.session(Deadline.after(SECONDS)) as session:
        for ask in (session.run, lambda sql: session.keep("k0", sql)):
            with pytest.raises(EngineError) as raised:
                await ask(sql)
            assert raised.value.code == "RV500"
        assert (await session.run("SELECT 1 AS n")).num_rows == 1


async def test_names_and_columns_that_cannot_be_loaded_are_refused(engine: DuckDBEngine) -> None:
    encoded = pa.table({"name": pa.array(["a"]).dictionary_encode()})
    plain = pa.table({"name": ["a"]})
    async with engine.session(Deadline.after(SECONDS)) as session:
        with pytest.raises(InternalError):
            await session.load("r0", encoded.schema, encoded.to_batches())
        with pytest.raises(InternalError):
            await session.load('r0" AS', plain.schema, plain.to_batches())
        with pytest.raises(pa.ArrowInvalid):
            await session.load("r0", pa.schema([("n", pa.int64())]), plain.to_batches())
        await session.load("r0", plain.schema, plain.to_batches())
        assert (await session.run('SELECT * FROM "r0"')).equals(plain)


async def test_results_of_run_are_bounded() -> None:
    engine = DuckDBEngine(EngineSettings(workers=1, threads=1, result_bytes=1_000_000))
    try:
        async with engine.session(Deadline.after(SECONDS)) as session:
            with pytest.raises(EngineError) as raised:
                await session.run("SELECT range AS n FROM range(10000000)")
            assert raised.value.code == "RV503"
            assert (await session.run("SELECT 1 AS n")).num_rows == 1
    finally:
        await engine.close()


async def test_the_lock_holds_below_the_statement_check() -> None:
    import duckdb

    from roundview_federation.engines.duckdb.database import Limits, open_locked

    with open_locked(Limits(2**28, 2**29, 1)) as database:
        for sql in (
            "SET threads = 4",
            "SET GLOBAL enable_external_access = true",
            "SET temp_directory = '/tmp'",
            "ATTACH '/tmp/roundview-engine.db' AS other",
            "COPY (SELECT 1) TO '/tmp/roundview-engine-copy.csv'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "EXPORT DATABASE '/tmp/roundview-engine-export'",
        ):
            with pytest.raises(duckdb.Error):
                database.execute(sql)
        hidden = pa.table({"n": [1]})
        with pytest.raises(duckdb.Error):
            database.execute("SELECT * FROM hidden")
        assert hidden.num_rows == 1


async def test_a_table_grows_with_what_is_loaded_and_can_be_dropped(engine: DuckDBEngine) -> None:
    async with engine.session(Deadline.after(SECONDS)) as session:
        for numbers in ([1, 2], [], [3]):
            batches = [pa.record_batch({"n": pa.array(numbers, pa.int64())})]
            assert await session.load("t", batches[0].schema, batches) == len(numbers)
        counted = 'SELECT sum("n") AS n FROM "t"'
        assert (await session.run(counted)).to_pylist() == [{"n": 6}]
        await session.drop("t")
        await session.drop("never_there")
        with pytest.raises(EngineError):
            await session.run(counted)
        await session.load("t", batches[0].schema, batches)
        assert (await session.run(counted)).to_pylist() == [{"n": 3}]


async def test_a_load_that_breaks_off_adds_nothing(engine: DuckDBEngine) -> None:
    batch = pa.record_batch({"n": pa.array([1], pa.int64())})

    def broken() -> Iterator[pa.RecordBatch]:
        yield batch
        raise EOFError

    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.load("t", batch.schema, [batch])
        with pytest.raises(EOFError):
            await session.load("t", batch.schema, broken())
        assert (await session.run('SELECT count(*) AS n FROM "t"')).to_pylist() == [{"n": 1}]
