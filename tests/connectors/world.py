"""Decides what every conforming source holds: the same tables in each technology."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from roundview_catalog.errors import Position
from roundview_catalog.model import Defaults, Limits, Source, SourceColumn, SourceTable
from roundview_catalog.tables import FileTable, RestTable
from roundview_catalog.types import Kind, Type

BUCKETS = 8

PEOPLE = ("id", "name", "email", "height", "note")
ORDERS = ("id", "person_id", "total", "status")

ODD_TEXTS: tuple[str, ...] = tuple(
    json.loads(Path(__file__).with_name("odd_texts.json").read_text(encoding="ascii"))
)
"""Texts that mean something to some language on the way; all are values, never more."""


@dataclass(frozen=True, slots=True)
class World:
    """Rows that every technology holds; names are the odd texts, orders belong to people."""

    people: tuple[tuple[Any, ...], ...]
    orders: tuple[tuple[Any, ...], ...]


def world() -> World:
    """Returns the same rows every time: 1,200 people, about two orders each."""
    people = []
    for at in range(1_200):
        name = ODD_TEXTS[at] if at < len(ODD_TEXTS) else f"Person {at}"
        email = None if at % 7 == 3 else f"U{at}@Example.org"
        height = None if at % 5 == 4 else at / 10 + 0.1
        people.append((at, name, email, height, None if at % 3 else f"note {at % 10}"))
    orders = []
    for at in range(2_400):
        person = None if at % 11 == 0 else (at * 7) % 1_100
        status = ("open", "closed", "returned", None)[at % 4]
        orders.append((at, person, at / 100, status))
    return World(tuple(people), tuple(orders))


COLUMNS: Mapping[str, Mapping[str, Type]] = {
    "people": {
        "id": Type(Kind.BIGINT),
        "name": Type(Kind.TEXT),
        "email": Type(Kind.TEXT),
        "height": Type(Kind.FLOAT),
        "note": Type(Kind.TEXT),
    },
    "orders": {
        "id": Type(Kind.BIGINT),
        "person_id": Type(Kind.BIGINT),
        "total": Type(Kind.DECIMAL, 12, 2),
        "status": Type(Kind.TEXT),
    },
}


def tables(access: Mapping[str, Any], collations: Mapping[str, str]) -> dict[str, SourceTable]:
    """Returns the tables as a catalog has them."""
    return {
        name: SourceTable(
            name=name,
            physical=name,
            columns={
                column: SourceColumn(
                    column, type_, collation=collations.get(f"{name}.{column}", "exact")
                )
                for column, type_ in columns.items()
            },
            primary_key=("id",),
            access=access.get(name),
        )
        for name, columns in COLUMNS.items()
    }


def source(
    name: str,
    connector: str,
    connection: Mapping[str, Any],
    declared: Mapping[str, SourceTable],
    limits: Limits | None = None,
) -> Source:
    """Returns a source of the catalog around a connection."""
    return Source(
        name=name,
        title=name,
        owner="",
        connector=connector,
        connection=connection,
        limits=limits or Limits(timeout=10.0, calls=2_000),
        defaults=Defaults(),
        tables=declared,
        branches=(),
        root=Path("/nowhere"),
        position=Position(f"sources/{name}.yaml", 1, 1),
    )


def write_sqlite(path: Path, rows: World) -> None:
    """Writes the world as a database whose text columns ignore case where they may."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(80),
              email VARCHAR(120) COLLATE NOCASE, height REAL, note TEXT);
            CREATE TABLE orders (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people (id),
              total DECIMAL(12,2), status TEXT);
            CREATE INDEX people_name ON people (name);
            CREATE UNIQUE INDEX people_email ON people (email);
            CREATE INDEX orders_person ON orders (person_id);
            """
        )
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", rows.people)
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows.orders)
    connection.close()


def write_files(root: Path, rows: World) -> None:
    """Writes people as one file of JSON lines, orders as Parquet bucketed by person."""
    root.mkdir()
    lines = [json.dumps(dict(zip(PEOPLE, row, strict=True))) for row in rows.people]
    (root / "people.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = root / "orders.tmp"
    text.write_text(
        "\n".join(json.dumps(dict(zip(ORDERS, row, strict=True))) for row in rows.orders),
        encoding="utf-8",
    )
    buckets = {None if row[1] is None else row[1] % BUCKETS for row in rows.orders}
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE t AS SELECT * FROM read_json($file, format = 'newline_delimited',"
            " columns = {id: 'BIGINT', person_id: 'BIGINT', total: 'DECIMAL(12,2)',"
            " status: 'VARCHAR'})",
            {"file": str(text)},
        )
        for bucket in buckets:
            folder = root / "orders" / f"bucket={'none' if bucket is None else f'{bucket:03d}'}"
            folder.mkdir(parents=True)
            is_in = "person_id IS NULL" if bucket is None else f"person_id % {BUCKETS} = {bucket}"
            database.execute(
                f"COPY (FROM t WHERE {is_in}) TO '{folder / 'part.parquet'}' (FORMAT parquet)"
            )
    text.unlink()


POSTGRES_SCRIPT = """
CREATE EXTENSION citext;
CREATE TABLE people (id bigint PRIMARY KEY, name text, email citext, height float8, note text);
CREATE TABLE orders (id bigint PRIMARY KEY, person_id bigint REFERENCES people (id),
  total numeric(12,2), status varchar(20));
CREATE INDEX ON people (name);
CREATE UNIQUE INDEX ON people (email);
CREATE INDEX ON orders (person_id);
"""


def postgres_rows(rows: World) -> dict[str, list[tuple[Any, ...]]]:
    """Returns the rows as PostgreSQL takes them."""
    orders = [(key, who, Decimal(str(total)), status) for key, who, total, status in rows.orders]
    return {"people": list(rows.people), "orders": orders}


def mariadb_statements(rows: World) -> list[str]:
    """Returns the statements that write the world, text columns without regard to case."""
    people = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows.people)
    orders = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows.orders)
    return [
        "CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT, email VARCHAR(120),"
        " height DOUBLE, note TEXT, KEY people_name (name(100)), UNIQUE KEY people_email (email))",
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, person_id BIGINT REFERENCES people (id),"
        " total DECIMAL(12,2), status VARCHAR(20), KEY orders_person (person_id))",
        f"INSERT INTO people VALUES {people}",
        f"INSERT INTO orders VALUES {orders}",
        "ANALYZE TABLE people, orders",
    ]


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"X'{value.encode().hex()}'" if isinstance(value, str) else repr(value)


FILE_ACCESS: Mapping[str, FileTable] = {
    "people": FileTable.model_validate(
        {
            "path": "people.jsonl",
            "key": "id",
            "columns": {c: str(t) for c, t in COLUMNS["people"].items()},
        }
    ),
    "orders": FileTable.model_validate(
        {
            "path": "orders/bucket=*/part.parquet",
            "key": "id",
            "bucket_by": {"column": "person_id", "buckets": BUCKETS, "hash": "mod"},
        }
    ),
}

REST_ACCESS: Mapping[str, RestTable] = {
    "people": RestTable.model_validate(
        {
            "get": ["/people", {"path": "/people/{id}", "rows": "."}, "/named/{name}"],
            "key": "id",
            "rows": "items",
            "page": {
                "by": "page",
                "send": "page",
                "last": "meta.pages",
                "size": {"send": "size", "max": 500},
            },
            "filters": {"id": {"in": {"send": "ids", "max": 100}}, "email": {"eq": "email"}},
            "fields": {"send": "fields"},
            "columns": {
                **{c: str(t) for c, t in COLUMNS["people"].items()},
                "note": {"type": "text", "path": "custom_fields[name=note].value"},
            },
        }
    ),
    "orders": RestTable.model_validate(
        {
            "get": ["/orders", "/people/{person_id}/orders"],
            "key": "id",
            "rows": "data",
            "page": {"by": "cursor", "send": "after", "next": "next"},
            "filters": {
                "person_id": {"in": {"send": "person_ids", "max": 50}},
                "status": {"eq": "status"},
            },
            "columns": {c: str(t) for c, t in COLUMNS["orders"].items()},
        }
    ),
}
