"""Decides how tables of an estate are written in each technology, and how a catalog names it."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.postgres_server import PostgresServer

from roundview_catalog.types import Kind, parse_type

TECHNOLOGIES = ("sqlite", "postgres", "mariadb", "parquet", "jsonl")
FILE_FORMATS = {"parquet": "parquet", "jsonl": "jsonl"}
KNOWS_INSTANTS = ("postgres", "parquet", "jsonl")
"""Technologies whose columns hold instants; the others hold local times."""
_CHUNK = 2_000

_NATIVES: Mapping[str, Mapping[Kind, str]] = {
    "sqlite": {Kind.TIMESTAMPTZ: "TIMESTAMP", Kind.ENUM: "TEXT"},
    "postgres": {Kind.DECIMAL: "numeric({p},{s})", Kind.ENUM: "text"},
    "mariadb": {
        Kind.TEXT: "VARCHAR(400)",
        Kind.ENUM: "VARCHAR(40)",
        Kind.TIMESTAMPTZ: "DATETIME(6)",
        Kind.BOOLEAN: "TINYINT(1)",
    },
    "parquet": {Kind.TEXT: "VARCHAR", Kind.ENUM: "VARCHAR"},
    "jsonl": {Kind.ENUM: "text"},
}
"""Column types that are not called as the canonical type is."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The database servers that hold parts of estates."""

    postgres: PostgresServer
    mariadb: MariadbServer


@dataclass(frozen=True, slots=True)
class Place:
    """Where one source of one estate lies: a database's name, or what is below a folder."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source: its name, its value as DuckDB SQL over the truth, and its type."""

    name: str
    value: str
    native: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A table of a source: `query` is FROM and WHERE over the truth."""

    table: str
    query: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[str, ...]

    def select(self) -> str:
        """Returns the rows as DuckDB SQL, in the order of their key."""
        values = ", ".join(f'{column.value} AS "{column.name}"' for column in self.columns)
        names = ", ".join(f'"{name}"' for name in self.key)
        return f"SELECT {values} {self.query} ORDER BY {names}"

    def create(self, quote: str = '"') -> Iterator[str]:
        """Yields the statements that make the table and its indexes."""

        def q(name: str) -> str:
            return f"{quote}{name}{quote}"

        columns = ", ".join(f"{q(c.name)} {c.native}" for c in self.columns)
        key = ", ".join(map(q, self.key))
        yield f"CREATE TABLE {q(self.table)} ({columns}, PRIMARY KEY ({key}))"
        for name in self.indexes:
            index = q(f"{self.table}_by_{name}")
            yield f"CREATE INDEX {index} ON {q(self.table)} ({q(name)})"


Writer = Callable[[Place, Sequence[Stored], duckdb.DuckDBPyConnection, Servers], Awaitable[None]]


def native(technology: str, type_: str, *, in_key: bool = False) -> str:
    """Returns the column type that a canonical type has by default."""
    parsed = parse_type(type_)
    if technology == "mariadb" and in_key and parsed.is_text:
        return "VARCHAR(120)"
    form = _NATIVES[technology].get(parsed.kind, str(type_))
    return form.format(p=parsed.precision, s=parsed.scale)


def connection(
    place: Place, technology: str, servers: Servers, variable: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns `connector` and `connection` of a source file, and the environment that it needs."""
    reference = f"${{env:{variable}}}"
    if technology in FILE_FORMATS:
        told = {"connector": "files", "connection": {"root": reference}}
        return told, {variable: str(place.folder / place.name)}
    if technology == "sqlite":
        told = {"connector": "sqlite", "connection": {"path": reference}}
        return told, {variable: str(place.folder / f"{place.name}.db")}
    server = servers.postgres if technology == "postgres" else servers.mariadb
    connector = "postgres" if technology == "postgres" else "mysql"
    told = {"connector": connector, "connection": {"url": reference}}
    return told, {variable: server.url(place.name)}


def declared(technology: str, stored: Stored) -> dict[str, Any]:
    """Returns how a source of files declares a table."""
    file: dict[str, Any] = {
        "path": f"{stored.table}.{FILE_FORMATS[technology]}",
        "key": list(stored.key),
    }
    if technology == "jsonl":
        file["columns"] = {column.name: column.native for column in stored.columns}
    return file


async def _write_sqlite(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, _: Servers
) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place.folder / f"{place.name}.db")) as database, database:
        for stored in tables:
            for statement in stored.create():
                database.execute(statement)
            marks = ", ".join("?" * len(stored.columns))
            for rows in _chunks(stored, truth):
                database.executemany(
                    f'INSERT INTO "{stored.table}" VALUES ({marks})',
                    [tuple(map(_in_sqlite, row)) for row in rows],
                )


async def _write_postgres(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, servers: Servers
) -> None:
    script = "CREATE EXTENSION IF NOT EXISTS citext;" + ";".join(
        statement for stored in tables for statement in stored.create()
    )
    await servers.postgres.make(place.name, script)
    owner = await servers.postgres.admin(place.name)
    for stored in tables:
        for rows in _chunks(stored, truth):
            if any(column.native == "citext" for column in stored.columns):
                # The driver has no binary form for it, which is what COPY would need.
                marks = ", ".join(f"${at + 1}" for at in range(len(stored.columns)))
                await owner.executemany(f'INSERT INTO "{stored.table}" VALUES ({marks})', rows)
            else:
                await owner.copy_records_to_table(stored.table, records=rows)
    await owner.execute("ANALYZE")
    await owner.close()


async def _write_mariadb(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, servers: Servers
) -> None:
    def statements() -> Iterator[str]:
        for stored in tables:
            yield from stored.create("`")
            for rows in _chunks(stored, truth):
                values = ", ".join(f"({', '.join(map(_in_mariadb, row))})" for row in rows)
                yield f"INSERT INTO `{stored.table}` VALUES {values}"
            yield f"ANALYZE TABLE `{stored.table}`"

    await servers.mariadb.make(place.name, list(statements()))


async def _write_files(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, ending: str
) -> None:
    folder = place.folder / place.name
    folder.mkdir(parents=True, exist_ok=True)
    for stored in tables:
        options = "FORMAT parquet" if ending == "parquet" else "FORMAT json"
        file = folder / f"{stored.table}.{ending}"
        truth.execute(f"COPY ({stored.select()}) TO '{file}' ({options})")


async def _write_parquet(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, _: Servers
) -> None:
    await _write_files(place, tables, truth, "parquet")


async def _write_jsonl(
    place: Place, tables: Sequence[Stored], truth: duckdb.DuckDBPyConnection, _: Servers
) -> None:
    await _write_files(place, tables, truth, "jsonl")


WRITERS: Mapping[str, Writer] = {
    "sqlite": _write_sqlite,
    "postgres": _write_postgres,
    "mariadb": _write_mariadb,
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
}


def _chunks(stored: Stored, truth: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    cursor = truth.execute(stored.select())
    while rows := cursor.fetchmany(_CHUNK):
        yield rows


def _in_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, date | Decimal) else value


def _in_mariadb(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"_utf8mb4 X'{value.encode().hex()}'" if value else "''"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"'{moment.isoformat(sep=' ')}'"
    return f"'{value}'" if isinstance(value, date) else str(value)
