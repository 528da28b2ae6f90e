"""Proves that a value means the same in a batch as in a row, whatever a source may hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.connectors import mariadb_server, world
from tests.connectors.bulk_values import compare, read
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import fragment, opened
from tests.connectors.postgres_server import PostgresServer
from tests.connectors.test_mysql import TYPES
from tests.connectors.test_postgres import INSERT, SCRIPT

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import parse_type
from roundview_federation.connectors.columns import from_values
from roundview_federation.connectors.port import NO_CAP

DIRTY: dict[str, tuple[str, list[Any]]] = {
    "whole": ("bigint", [1, -(2**63), 2**63 - 1, "7", " 8 ", "0x1F", 1.0, 1.5, "x", b"1", ""]),
    "exact": ("decimal(15,2)", [1, 0.1, "1.005", 1.005, 1e15, 1e12, -0.0, "-0", "1e3", "NaN", "", "1,5"]),
    "loose": ("decimal", [1, 0.1, "1.50", 1e20, "1e-7", "-0.0", "007", "Infinity", "x"]),
    "ratio": ("real", [1, 0.1, "1.5", "1e400", "nan", ".5", "1_0", float("inf")]),
    "flag": ("boolean", [0, 1, "t", "off", "2", 1.0, 2]),
    "born": ("date", ["2024-02-29", "2023-02-29", "0000-00-00", "0001-01-01", "2024-02-29 10:00:00",
                      "20240229", 5, "2024-W01-1", "", "10000-01-01"]),
    "at": ("timestamp", ["2024-02-29 23:59:59.123456", "2024-02-29T10:00", "2024-02-29",
                         "0000-00-00 00:00:00", "2024-02-29 25:00:00", "2024-02-29 10:00:00.1234567",
                         "x", "2024-02-29T10:00:00+02:00", 1709200800]),
    "instant": ("timestamptz", ["2024-02-29 10:00:00", "2024-02-29T10:00:00Z", 1.5, 1709200800,
                                "2024-02-29T10:00:00.5+02:30", "2024-02-29 10:00:00+0230", 1e20]),
    "token": ("uuid", ["0188C0DE-0000-7000-8000-00000000000A", "ÄÖ", 5]),
    "doc": ("json", ['{"a": [1, 1.10]}', "[]", "null", "5", 5, "{", '"x"', "1e400"]),
    "plain": ("text", ["", "a\0b", "ünï \U0001f600", 5, 1.5, b"raw", b"\xff", 1e20]),
    "named": ("varchar(5)", ["much longer than five", None]),
}  # fmt: skip
"""Declared type of a SQLite column -> values of every storage class that may lie in it."""


async def test_sqlite_holds_anything_in_any_column(tmp_path: Path) -> None:
    path = tmp_path / "dirty.db"
    most = max(len(values) for _, values in DIRTY.values())
    with sqlite3.connect(path) as connection:
        columns = ", ".join(f'"{name}" {type_}' for name, (type_, _) in DIRTY.items())
        connection.execute(f"CREATE TABLE t (k INTEGER PRIMARY KEY, {columns})")
        for at in range(most):
            row = [values[at] if at < len(values) else None for _, values in DIRTY.values()]
            marks = ", ".join("?" * (len(row) + 1))
            connection.execute(f"INSERT INTO t VALUES ({marks})", (at, *row))
        connection.execute("INSERT INTO t (k, plain) VALUES (99, CAST(x'61ff62' AS TEXT))")
    connection.close()
    source = world.source("own", "sqlite", {"path": str(path)}, {})
    tables = await introspected(source)
    connector = opened(world.source("own", "sqlite", {"path": str(path)}, tables))
    # Too many digits; no JSON; times with a zone where the column has none.
    narrower = {"exact": {4}, "doc": {7}, "at": {7, 8}}
    refused = await compare(connector, tables["t"], "k", narrower=narrower)
    await connector.close()
    # Affinity has already made numbers of some texts.
    assert {name: len(keys) for name, keys in refused.items()} == {
        "whole": 5, "exact": 4, "loose": 2, "ratio": 2, "flag": 2, "born": 6, "at": 5, "instant": 1,
        "doc": 2, "plain": 1,
    }  # fmt: skip


async def introspected(source: Source) -> dict[str, SourceTable]:
    connector = opened(source)
    try:
        return dict(await connector.introspect())
    finally:
        await connector.close()


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
async def test_files_hold_their_own_types(tmp_path: Path, kind: str) -> None:
    values = {
        "tiny": ("integer", "1::TINYINT"),
        "big": ("bigint", "9223372036854775807"),
        "price": ("decimal(12,3)", "-0.500::DECIMAL(12,3)"),
        "cents": ("decimal(12,3)", "7::INTEGER"),
        "any": ("decimal", "12345678.90125::DOUBLE"),
        "ratio": ("float", "0.1::FLOAT"),
        "odd": ("float", "'NaN'::DOUBLE"),
        "is_on": ("boolean", "true"),
        "born": ("date", "DATE '2024-02-29'"),
        "at": ("timestamp", "TIMESTAMP '2024-02-29 23:59:59.123456'"),
        "at_ns": ("timestamp", "TIMESTAMP_NS '2024-02-29 23:59:59.123456789'"),
        "instant": ("timestamptz", "TIMESTAMPTZ '2024-02-29 23:59:59+02'"),
        "token": ("uuid", "'0188c0de-0000-7000-8000-00000000000a'::UUID"),
        "name": ("text", "'ünï \U0001f600, \"quoted\"'"),
        "empty": ("text", "''"),
        "number": ("text", "5::BIGINT"),
        "doc": ("json", "'{\"a\": [1, 1.10]}'"),
    }
    if kind == "parquet":
        values["huge"] = ("bigint", "170141183460469231731687303715884105::HUGEINT")
        values["list"] = ("json", "[1, 2]")
        values["bag"] = ("json", "{'a': 1, 'b': [DATE '2024-02-29']}::JSON")
    shown = ", ".join(f'{value} AS "{name}"' for name, (_, value) in values.items())
    nothing = ", ".join(f'NULL AS "{name}"' for name in values)
    rows = f"SELECT 1 AS k, {shown} UNION ALL BY NAME SELECT 2 AS k, {nothing}"
    ending = {"parquet": "FORMAT parquet", "csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json"}
    path = tmp_path / f"t.{kind}"
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"COPY ({rows}) TO '{path}' ({ending[kind]})")
    columns = {"k": "integer", **{name: type_ for name, (type_, _) in values.items()}}
    access = FileTable.model_validate({"path": path.name, "key": "k", "columns": columns})
    base = SourceTable(name="t", physical="t", columns={}, access=access)
    tables = await introspected(world.source("own", "files", {"root": str(tmp_path)}, {"t": base}))
    connector = opened(world.source("own", "files", {"root": str(tmp_path)}, tables))
    narrower = {"huge": {1}} if kind == "parquet" else {}
    refused = await compare(connector, tables["t"], "k", narrower=narrower)
    await connector.close()
    assert set(refused) == ({"odd", "huge"} if kind == "parquet" else {"odd"})


async def test_postgres_columns_of_every_type(postgres: PostgresServer) -> None:
    database = "batches_values"
    await postgres.make(database, SCRIPT + INSERT)
    url = {"url": postgres.url(database)}
    tables = await introspected(world.source("crm", "postgres", url, {}))
    connector = opened(world.source("crm", "postgres", url, tables))
    refused = await compare(connector, tables["things"], "id")
    assert refused == {
        "any_number": {2, 3},
        "ratio": {2},
        "born": {2, 3},
        "at_local": {2, 3},
        "at_instant": {2, 3},
    }
    assert (await compare(connector, tables["keys"], "int4")) == {}
    await connector.close()
    await postgres.drop(database)


async def test_mysql_columns_of_every_type(mariadb: MariadbServer) -> None:
    database = f"values_{mariadb_server.WORLD}"
    columns = ", ".join(f"`{name}` {given[0]}" for name, given in TYPES.items())
    values = ", ".join(given[1] for given in TYPES.values())
    await mariadb.make(
        database,
        [
            f"CREATE TABLE v (k INT PRIMARY KEY, {columns})",
            "SET time_zone = '+00:00'",
            f"INSERT INTO v VALUES (1, {values})",
            "INSERT INTO v (k) VALUES (2)",
            "SET sql_mode = ''",
            "INSERT INTO v (k, day, at, stamp) VALUES (3, '0000-00-00', '0000-00-00', 0)",
            "INSERT INTO v (k, day, at, tiny, yes) VALUES (4, '2024-00-01', '2024-01-00', 0, 2)",
            "INSERT INTO v (k, l, f, g, d, c) VALUES (5, '', 0.1, -0.0, 0, 'x')",
        ],
    )
    url = {"url": mariadb.url(database)}
    tables = await introspected(world.source("pos", "mysql", url, {}))
    connector = opened(world.source("pos", "mysql", url, tables))
    refused = await compare(connector, tables["v"], "k", narrower={"b": {1}})
    await connector.close()
    assert refused == {"b": {1}, "day": {3, 4}, "at": {3, 4}, "stamp": {3}, "yes": {4}}


@pytest.mark.parametrize(
    ("type_", "value"),
    [("integer", 2**31), ("bigint", 2**63), ("decimal(5,2)", 1000), ("decimal(5,2)", "999.995")],
)
def test_numbers_that_a_type_cannot_hold_are_refused(type_: str, value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        from_values([value], parse_type(type_))


async def test_a_bad_value_names_source_and_column_and_never_itself(tmp_path: Path) -> None:
    path = tmp_path / "dirty.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, born date)")
        connection.execute("INSERT INTO people VALUES (1, 'Erika Mustermann')")
    connection.close()
    tables = await introspected(world.source("own", "sqlite", {"path": str(path)}, {}))
    connector: Any = opened(world.source("own", "sqlite", {"path": str(path)}, tables))
    sql = "SELECT p.born AS c0 FROM people AS p"
    made = fragment(sql, types=(parse_type("date"),), is_scan=True, row_cap=NO_CAP)
    with pytest.raises(SourceError) as caught:
        await read(connector, connector.compile(made), {})
    await connector.close()
    assert caught.value.message == "own holds a value in people.born that is no date"
    assert (caught.value.code, caught.value.retryable) == ("RV403", False)
    assert "Erika" not in str(caught.value)
