"""Proves that keys of several columns are compared as rows: exactly theirs come, by index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server, world
from tests.connectors.opening import Places, fragment, opened

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import parse_type
from roundview_federation.connectors.files.connector import FilesConnector
from roundview_federation.connectors.port import Connector
from roundview_federation.key_sets import part_of_keyset
from roundview_federation.resilience.deadline import Deadline

TECHNOLOGIES = ("postgres", "mysql", "sqlite", "files")
DATABASE = "rows_" + postgres_server.WORLD
CLIENTS = ("a", "b", "B", "b ", "ü'\\")
NUMBERS = 400
SQL = (
    "SELECT b.id AS c0, b.client AS c1, b.number AS c2 FROM bills AS b"
    " WHERE (b.client, b.number) = ANY(:keys)"
)
TABLE = """
CREATE TABLE bills (id INTEGER PRIMARY KEY, client VARCHAR(10), number INTEGER, code CHAR(4));
CREATE INDEX bills_partner ON bills (client, number);
"""


@pytest.fixture(params=TECHNOLOGIES, scope="module")
async def bills(
    request: pytest.FixtureRequest, places: Places, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Connector]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "files":
        yield (files := _files(folder))
        await files.close()
        return
    connection = await _made(request.param, places, folder)
    first = opened(world.source("shop", request.param, connection, {}))
    tables = await first.introspect()
    await first.close()
    connector = opened(world.source("shop", request.param, connection, tables))
    yield connector
    await connector.close()


async def test_exactly_the_rows_of_the_keys_come(bills: Connector) -> None:
    for keys in (
        [("a", 1)],
        [("a", 1), ("b", 2), ("B", 3), ("ü'\\", 2)],
        [("b ", 5), ("b", 6)],
        [("a", at) for at in range(NUMBERS)],
    ):
        assert sorted(row[1:] for row in await _rows(bills, keys)) == sorted(keys)
    assert await _rows(bills, [("nobody", 1), ("a", 100_000)]) == []


async def test_keys_that_cannot_be_there_cost_no_others(bills: Connector) -> None:
    keys = [("a", 2**70), ("\0", 1), ("b", 2), ("a\ud800", 3), ("a", 3), ("B" * 300, 1)]
    assert sorted(row[1:] for row in await _rows(bills, keys)) == [("a", 3), ("b", 2)]
    assert await _rows(bills, [("a", 2**70)]) == []


async def test_rows_are_found_by_the_index_of_all_columns(bills: Connector) -> None:
    if isinstance(bills, FilesConnector):
        assert bills.explain(bills.compile(fragment(SQL))).count("UNNEST(") == 2
        return
    call = bills.compile(fragment(SQL))
    for keys in ([("a", 1), ("b", 2)], [("a", 1)]):
        (access,) = await bills.accesses(call, _params(keys), Deadline.after(10))
        assert (access.alias, access.index, access.is_scan) == ("b", "bills_partner", False)


async def _rows(connector: Connector, keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    call = connector.compile(fragment(SQL))
    return (await connector.rows(call, _params(keys), Deadline.after(10))).rows


def _params(keys: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    parts = zip(*keys, strict=True)
    named = {part_of_keyset("keys", at): list(part) for at, part in enumerate(parts)}
    return {"keys": list(keys), **named}


def _files(folder: Path) -> Connector:
    rows = [(client, number) for client in CLIENTS for number in range(NUMBERS)]
    lines = (
        json.dumps({"id": at, "client": client, "number": number})
        for at, (client, number) in enumerate(rows)
    )
    (folder / "bills.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    types = {"id": "bigint", "client": "text", "number": "bigint"}
    columns = {name: SourceColumn(name, parse_type(said)) for name, said in types.items()}
    access = FileTable.model_validate({"path": "bills.jsonl"})
    table = SourceTable(name="bills", physical="bills", columns=columns, access=access)
    return opened(world.source("shop", "files", {"root": str(folder)}, {"bills": table}))


async def _made(technology: str, places: Places, folder: Path) -> dict[str, Any]:
    rows = [(client, number) for client in CLIENTS for number in range(NUMBERS)]
    if technology == "sqlite":
        with sqlite3.connect(folder / "shop.db") as database:
            database.executescript(TABLE)
            every = [(at, *row, "code") for at, row in enumerate(rows)]
            database.executemany("INSERT INTO bills VALUES (?, ?, ?, ?)", every)
        return {"path": str(folder / "shop.db")}
    if technology == "postgres":
        if places.postgres is None:
            pytest.skip(postgres_server.MISSING)
        every = [(at, *row, "code") for at, row in enumerate(rows)]
        await places.postgres.make(DATABASE, TABLE, {"bills": every})
        return {"url": places.postgres.url(DATABASE)}
    if places.mariadb is None:
        pytest.skip(mariadb_server.MISSING)
    values = ", ".join(
        f"({at}, X'{client.encode().hex()}', {number}, 'code')"
        for at, (client, number) in enumerate(rows)
    )
    statements = [one for one in TABLE.split(";\n") if one.strip()]
    fill = [f"INSERT INTO bills VALUES {values}", "ANALYZE TABLE bills"]
    await places.mariadb.make(DATABASE, [*statements, *fill])
    return {"url": places.mariadb.url(DATABASE)}
