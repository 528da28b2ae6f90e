"""Proves what is special about files: buckets, appended lines, roots that hold, live changes."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors import world
from tests.connectors.opening import Places, ask, fragment, opened

from roundview_catalog.errors import SourceError
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.tables import BucketBy, FileTable
from roundview_catalog.types import Kind, Type, parse_type
from roundview_federation.connectors.files.buckets import buckets_of, murmur3_32
from roundview_federation.connectors.files.connector import open_locked
from roundview_federation.connectors.port import Connector
from roundview_federation.resilience.deadline import Deadline


def files(root: Path, declared: dict[str, dict[str, Any]], columns: dict[str, str]) -> Connector:
    """Opens a folder with one set of columns for all its tables."""
    tables = {
        name: SourceTable(
            name=name,
            physical=name,
            columns={c: SourceColumn(c, parse_type(t)) for c, t in columns.items()},
            access=FileTable.model_validate(access),
        )
        for name, access in declared.items()
    }
    return opened(world.source("mail", "files", {"root": str(root)}, tables))


def write_parquet(path: Path, rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        database.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")


# -- buckets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "unsigned"),
    [
        # Apache Iceberg table specification, appendix B: 32-bit hash requirements.
        (b"iceberg", 1210000089),
        ((34).to_bytes(8, "little"), 2017239379),
        (bytes([0, 1, 2, 3]), -188683207 & 0xFFFFFFFF),
        (b"", 0),
    ],
)
def test_murmur3_is_the_published_one(data: bytes, unsigned: int) -> None:
    assert murmur3_32(data) == unsigned


@given(st.lists(st.one_of(st.integers(), st.text()), max_size=20), st.integers(1, 64))
def test_equal_keys_are_in_one_bucket(keys: list[Any], count: int) -> None:
    for rule in ("mod", "crc32", "murmur3_32"):
        by = BucketBy(column="k", buckets=count, hash=rule)
        found = buckets_of(by, keys)
        assert all(0 <= bucket < count for bucket in found)
        assert found == {b for key in keys for b in buckets_of(by, [key])}


def test_crc32_is_that_of_the_text() -> None:
    by = BucketBy(column="k", buckets=16, hash="crc32")
    assert buckets_of(by, ["a@b.c", 7]) == {zlib.crc32(b"a@b.c") % 16, zlib.crc32(b"7") % 16}


async def test_keys_read_only_their_buckets(tmp_path: Path, places: Places) -> None:
    """Files of other buckets are broken: reading one would fail."""
    root = tmp_path / "mail"
    world.write_files(root, places.rows)
    for folder in (root / "orders").iterdir():
        if folder.name not in ("bucket=007", "bucket=006"):
            (folder / "part.parquet").write_bytes(b"broken")
    declared = world.tables(world.FILE_ACCESS, {})
    connector = opened(world.source("mail", "files", {"root": str(root)}, declared))
    by_key = "SELECT o.id AS c0 FROM orders AS o WHERE o.person_id = ANY(:keys)"
    joined = (
        "SELECT p.id AS c0, o.id AS c1 FROM people AS p LEFT JOIN orders AS o"
        " ON o.person_id = p.id WHERE p.id = ANY(:keys)"
    )
    child = {"o": "SELECT o.id FROM orders AS o WHERE o.person_id = p.id"}
    people = "SELECT p.id AS c0 FROM people AS p WHERE p.id = ANY(:keys)"
    wanted = [row[0] for row in places.rows.orders if row[1] in (7, 14)]
    keys = {"keys": [7, 14]}
    assert sorted(r[0] for r in (await ask(connector, by_key, keys)).rows) == wanted
    assert sorted(r[1] for r in (await ask(connector, joined, keys)).rows) == wanted
    under = (await ask(connector, people, keys, children=child)).rows
    assert sorted(r[0] for _, rows in under for r in rows) == wanted
    with pytest.raises(SourceError) as caught:
        await ask(connector, by_key, {"keys": [8]})
    assert caught.value.code in ("RV402", "RV403")
    equal = "SELECT o.id AS c0 FROM orders AS o WHERE o.person_id = :one"
    found = (await ask(connector, equal, {"one": 7})).rows
    assert sorted(r[0] for r in found) == [r[0] for r in places.rows.orders if r[1] == 7]
    await connector.close()


async def test_child_conditions_do_not_hide_rows_above(tmp_path: Path, places: Places) -> None:
    root = tmp_path / "mail"
    world.write_files(root, places.rows)
    declared = world.tables(world.FILE_ACCESS, {})
    connector = opened(world.source("mail", "files", {"root": str(root)}, declared))
    child = "SELECT x.id FROM orders AS x WHERE x.person_id = o.person_id AND x.person_id = 7"
    sql = "SELECT o.id AS c0, o.person_id AS c1 FROM orders AS o"
    answer = await ask(connector, sql, children={"x": child}, is_scan=True)
    assert len(answer.rows) == len(places.rows.orders)
    assert all(bool(row[2]) is (row[1] == 7) for row in answer.rows)
    await connector.close()


async def test_keys_without_a_bucket_have_no_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "e/bucket=01/part.parquet", "SELECT 1 AS id, 1 AS k")
    by = {"column": "k", "buckets": 4, "hash": "mod"}
    connector = files(
        tmp_path,
        {"e": {"path": "e/bucket=*/part.parquet", "bucket_by": by}},
        {"id": "bigint", "k": "bigint"},
    )
    sql = "SELECT e.id AS c0 FROM e WHERE e.k = ANY(:keys)"
    assert (await ask(connector, sql, {"keys": [2]})).rows == []
    assert (await ask(connector, sql, {"keys": [1, 2, 5]})).rows == [(1,)]
    write_parquet(tmp_path / "e/bucket=02/part.parquet", "SELECT 2 AS id, 2 AS k")
    assert (await ask(connector, sql, {"keys": [2]})).rows == [(2,)]
    await connector.close()


# -- text files ------------------------------------------------------------------------------


async def test_csv_columns_have_their_declared_types(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id;name;created;total;ok;more\n"
        '1;"Ann; ""x""";03.02.2024 10:05;1.10;true;a\n'
        "x;;not a date;?;maybe;b\n",
        encoding="utf-8",
    )
    columns = {
        "id": "bigint",
        "name": "text",
        "created": "timestamp",
        "total": "decimal(10,2)",
        "ok": "boolean",
    }
    access = {
        "path": "s.csv",
        "delimiter": ";",
        "columns": {**columns, "created": {"type": "timestamp", "format": "%d.%m.%Y %H:%M"}},
    }
    connector = files(tmp_path, {"s": access}, columns)
    sql = f"SELECT {', '.join(f's.{c} AS c{at}' for at, c in enumerate(columns))} FROM s"
    answer = await ask(connector, sql, is_scan=True)
    first = (1, 'Ann; "x"', datetime.fromisoformat("2024-02-03T10:05"), Decimal("1.10"), True)
    assert answer.rows == [first, (None, None, None, None, None)]
    assert answer.as_of is not None
    assert answer.as_of.timestamp() == pytest.approx((tmp_path / "s.csv").stat().st_mtime)
    await connector.close()


async def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"id": 1, "t": "a"}\n{"id": 2, "t": "b', encoding="utf-8")
    connector = files(tmp_path, {"m": {"path": "m.jsonl"}}, {"id": "bigint", "t": "text"})
    sql = "SELECT m.id AS c0, m.t AS c1 FROM m"
    assert (await ask(connector, sql, is_scan=True)).rows == [(1, "a")]
    with path.open("a", encoding="utf-8") as file:
        file.write('"}\n')
    assert (await ask(connector, sql, is_scan=True)).rows == [(1, "a"), (2, "b")]
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": 3, "t": "no end of line"}')
    assert len((await ask(connector, sql, is_scan=True)).rows) == 3
    await connector.close()


async def test_a_broken_line_in_the_middle_is_an_error_not_a_lost_row(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"id": 1}\n{"id": oops}\n{"id": 3}\n', encoding="utf-8")
    connector = files(tmp_path, {"m": {"path": "m.jsonl"}}, {"id": "bigint"})
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT m.id AS c0 FROM m", is_scan=True)
    assert caught.value.code == "RV403"
    assert "oops" not in str(caught.value)
    await connector.close()


async def test_nested_json_and_missing_keys(tmp_path: Path) -> None:
    rows = [{"id": 1, "tags": ["a"], "who": {"n": 1}}, {"id": 2, "extra": True}, {"id": None}]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    columns = {"id": "bigint", "tags": "json", "who": "json"}
    connector = files(tmp_path, {"m": {"path": "m.jsonl"}}, columns)
    answer = await ask(
        connector, "SELECT m.id AS c0, m.tags AS c1, m.who AS c2 FROM m", is_scan=True
    )
    assert answer.rows == [(1, '["a"]', '{"n":1}'), (2, None, None)]
    await connector.close()


async def test_instants_arrive_in_utc(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "i.parquet", "SELECT 1 AS id, TIMESTAMPTZ '2024-06-01 12:00:00+02' AS moment"
    )
    columns = {"id": "bigint", "moment": "timestamptz"}
    connector = files(tmp_path, {"i": {"path": "i.parquet"}}, columns)
    answer = await ask(
        connector,
        "SELECT i.moment AS c0 FROM i",
        types=(Type(Kind.TIMESTAMPTZ),),
        is_scan=True,
    )
    assert answer.rows == [(datetime.fromisoformat("2024-06-01T10:00"),)]
    await connector.close()


# -- changes and roots -----------------------------------------------------------------------


async def test_new_and_changed_files_are_seen_at_once(tmp_path: Path) -> None:
    write_parquet(tmp_path / "e/a.parquet", "SELECT 1 AS id")
    connector = files(tmp_path, {"e": {"path": "e/*.parquet"}}, {"id": "bigint"})
    call = connector.compile(fragment("SELECT e.id AS c0 FROM e ORDER BY e.id", is_scan=True))
    assert (await connector.rows(call, {}, Deadline.after(5))).rows == [(1,)]
    write_parquet(tmp_path / "e/b.parquet", "SELECT 2 AS id")
    assert (await connector.rows(call, {}, Deadline.after(5))).rows == [(1,), (2,)]
    write_parquet(tmp_path / "e/a.parquet", "SELECT 7 AS id")
    assert (await connector.rows(call, {}, Deadline.after(5))).rows == [(2,), (7,)]
    (tmp_path / "e/b.parquet").unlink()
    assert (await connector.rows(call, {}, Deadline.after(5))).rows == [(7,)]
    await connector.close()


@pytest.mark.parametrize("path", ["../out.csv", "/etc/hosts.csv", "a/../../out.csv", "~/x.csv"])
def test_a_path_out_of_the_root_cannot_be_declared(path: str) -> None:
    with pytest.raises(ValueError, match="below the root"):
        FileTable.model_validate({"path": path})


@pytest.mark.parametrize("is_folder", [False, True])
async def test_a_link_out_of_the_root_is_refused(tmp_path: Path, is_folder: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv").write_text("id\n1\n", encoding="utf-8")
    root = tmp_path / "root"
    root.mkdir()
    if is_folder:
        os.symlink(outside, root / "d")
    else:
        (root / "d").mkdir()
        os.symlink(outside / "x.csv", root / "d/x.csv")
    connector = files(root, {"x": {"path": "d/x.csv"}, "y": {"path": "d/*.csv"}}, {"id": "bigint"})
    for name in ("x", "y"):
        with pytest.raises(SourceError) as caught:
            await ask(connector, f"SELECT {name}.id AS c0 FROM {name}", is_scan=True)
        assert caught.value.code == "RV404"
    await connector.close()


def test_the_engine_reads_below_its_root_and_nothing_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("id\n1\n", encoding="utf-8")
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.csv").write_text("id\n1\n", encoding="utf-8")
    database = open_locked(root)
    found = database.execute("SELECT * FROM read_csv($f)", {"f": [str(root / "in.csv")]})
    assert found.fetchall() == [(1,)]
    hostile = [
        f"SELECT * FROM read_csv('{outside}')",
        f"SELECT * FROM read_text('{root}/../outside.csv')",
        f"ATTACH '{tmp_path}/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 8",
        "SET GLOBAL enable_external_access = true",
        "SET lock_configuration = false",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "SELECT * FROM hostile",
    ]
    for statement in hostile:
        with pytest.raises(duckdb.Error):
            database.execute(statement)
    database.close()


async def test_threads_share_one_engine(places: Places) -> None:
    connector = opened(places.source("files", concurrency=4))
    call = connector.compile(
        fragment("SELECT o.id AS c0 FROM orders AS o WHERE o.person_id = ANY(:keys)")
    )
    answers = await asyncio.gather(
        *(connector.rows(call, {"keys": [key]}, Deadline.after(10)) for key in range(40))
    )
    for key, answer in enumerate(answers):
        assert sorted(r[0] for r in answer.rows) == [
            r[0] for r in places.rows.orders if r[1] == key
        ]
    await connector.close()
