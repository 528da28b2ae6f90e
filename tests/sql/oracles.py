"""Decides what is right: plain tables with all rows, in a real PostgreSQL or in DuckDB."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import duckdb
import pyarrow as pa
from tests.connectors.postgres_server import PostgresServer
from tests.sql import stores
from tests.sql.estate import Entity

from roundview_catalog.types import Kind, Type, parse_type

Rows = Sequence[tuple[Any, ...]]

_ARROW: Mapping[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query with the names of its columns."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class PostgresOracle:
    """A PostgreSQL database that holds every entity as a plain table.

    Text compares by code point and case follows Unicode; the session's zone is UTC.
    """

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def of(
        cls,
        server: PostgresServer,
        database: str,
        entities: Sequence[Entity],
        rows: Mapping[str, Rows],
    ) -> PostgresOracle:
        """Makes the database anew and connects to it."""
        script = ";".join(_create(entity) for entity in entities)
        exact = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        await server.make(database, script, rows, exact)
        connection = await server.admin(database)
        await connection.execute("SET TIME ZONE 'UTC'; SET statement_timeout = '20s'")
        return cls(connection)

    async def answer(self, text: str) -> Answer:
        """Returns the rows of a query; raises asyncpg.PostgresError where there are none."""
        async with self._connection.transaction(readonly=True):
            statement = await self._connection.prepare(text)
            names = tuple(column.name for column in statement.get_attributes())
            return Answer(names, [tuple(row) for row in await statement.fetch()])

    async def can_answer(self, text: str) -> bool:
        """Tells whether a text is a query that runs."""
        try:
            await self.answer(text)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def run(self, script: str) -> None:
        """Changes how the session plans."""
        await self._connection.execute(script)

    async def close(self) -> None:
        """Leaves the server."""
        await self._connection.close()


def duckdb_of(entities: Sequence[Entity], rows: Mapping[str, Rows]) -> duckdb.DuckDBPyConnection:
    """Returns a DuckDB that holds every entity as a plain table."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
    for entity in entities:
        database.execute(_create(entity))
        types = [parse_type(text) for text in entity.fields.values()]
        values = list(zip(*rows[entity.name], strict=True))
        table = pa.table(
            {
                name: pa.array(some, type=_arrow(type_))
                for name, type_, some in zip(entity.fields, types, values, strict=True)
            }
        )
        database.register("arriving", table)
        database.execute(f"INSERT INTO {entity.name} SELECT * FROM arriving")
        database.unregister("arriving")
    return database


def answered_by_duckdb(database: duckdb.DuckDBPyConnection, text: str) -> Answer:
    """Returns the rows of a query as DuckDB has them."""
    table = database.sql(text).to_arrow_table()
    return Answer(tuple(table.column_names), rows_of(table))


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Returns the rows of a table as tuples of Python values."""
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * table.num_rows


def difference(expected: Answer, got: Answer, *, ordered: bool, typed: bool = True) -> str:
    """Says how two answers differ, "" where they do not.

    With `typed` a number is of one kind only: an integer is no decimal, and names count. Without
    it exact numbers are equal whatever their kind, and a binary quotient, which is what DuckDB
    makes of decimals, equals the exact one to twelve digits.
    """
    if typed and expected.names != got.names:
        return f"columns {list(expected.names)} expected, not {list(got.names)}"
    if not typed:
        return _loose_difference(expected.rows, got.rows, ordered=ordered)
    wanted, present = ([tuple(map(_typed, row)) for row in a.rows] for a in (expected, got))
    if ordered:
        for at, (one, other) in enumerate(zip(wanted, present, strict=False)):
            if one != other:
                return f"row {at + 1}: expected {expected.rows[at]}, got {got.rows[at]}"
        if len(wanted) != len(present):
            return f"{len(wanted)} rows expected, got {len(present)}"
        return ""
    missing, extra = Counter(wanted) - Counter(present), Counter(present) - Counter(wanted)
    if not missing and not extra:
        return ""
    return (
        f"{len(wanted)} rows expected, got {len(present)}; "
        f"missing {_shown(missing)}, too much {_shown(extra)}"
    )


def _shown(rows: Counter[tuple[Any, ...]]) -> str:
    few = [tuple(value for _, value in row) for row in list(rows)[:3]]
    return f"{sum(rows.values())} such as {few}" if few else "none"


def _typed(value: Any) -> tuple[str, Any]:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return "timestamp", value
        return "timestamptz", value.astimezone(UTC)
    return type(value).__name__, value


def _loose_difference(expected: Rows, got: Rows, *, ordered: bool) -> str:
    if len(expected) != len(got):
        return f"{len(expected)} rows expected, got {len(got)}"
    wanted, present = (
        (expected, got) if ordered else (sorted(expected, key=_loose), sorted(got, key=_loose))
    )
    for at, (one, other) in enumerate(zip(wanted, present, strict=True)):
        if len(one) != len(other) or not all(map(_is_near, one, other)):
            return f"row {at + 1}: expected {one}, got {other}"
    return ""


def _loose(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{v:.6g}" if isinstance(v, int | float | Decimal) else repr(v) for v in row)


def _is_near(one: Any, other: Any) -> bool:
    numbers = (int, float, Decimal)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        if isinstance(one, float) or isinstance(other, float):
            return math.isclose(one, other, rel_tol=1e-12)
        return one == other
    return type(one) is type(other) and bool(one == other)


def _create(entity: Entity) -> str:
    columns = (
        f"{name} {stores.native('postgres', type_)}" for name, type_ in entity.fields.items()
    )
    return f"CREATE TABLE {entity.name} ({', '.join(columns)})"


def _arrow(type_: Type) -> pa.DataType:
    if type_.kind is Kind.DECIMAL:
        return pa.decimal128(type_.precision or 18, type_.scale or 0)
    return _ARROW.get(type_.kind, pa.string())
