"""Decides when an answer is PostgreSQL's: equal rows, types and names, or the same refusal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import duckdb

from roundview_catalog.errors import RoundviewError
from roundview_catalog.types import Type, parse_type
from roundview_federation.dialect import gate, resolve, translate
from roundview_federation.engines.duckdb.states import state_of
from roundview_federation.engines.failures import meant

HERE = Path(__file__).parent
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
NOT_SUPPORTED = "0A000"
# Ours: what is refused because nobody can say how large it gets.
TOO_LARGE = "54000"

_COLUMNS = {
    "odd": "id integer, i integer, j integer, big bigint, n decimal(12:3), m decimal(18:4), f float,"
    " ok boolean, s text, u text, d date, e date, ts timestamp, tz timestamptz, k uuid",
    "item": "id integer, odd_id integer, kind text, amount decimal(10:2), qty integer, at date",
    "tag": "odd_id integer, kind text, note text",
}
_TYPES = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "bool": "boolean", "varchar": "character varying",
    "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}  # fmt: skip


def schema() -> dict[str, dict[str, Type]]:
    """Returns the relations of world.sql as canonical types."""
    return {
        name: {
            column: parse_type(type_.replace(":", ","))
            for column, type_ in (part.split() for part in columns.split(","))
        }
        for name, columns in _COLUMNS.items()
    }


SCHEMA = schema()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database says: names, types and rows, or the SQLSTATE of its error."""

    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    sqlstate: str | None = None
    said: str = ""


_NEWER = "DuckDB 2: "


def statements() -> list[tuple[str, bool]]:
    """Returns every statement of the corpus, and whether Roundview refuses it."""
    found: list[tuple[str, bool]] = []
    for line in (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        is_new = line.startswith(_NEWER)
        refused = line.startswith(f"? {NOT_SUPPORTED} ") or (is_new and duckdb.__version__ < "2")
        text = line.removeprefix(f"? {NOT_SUPPORTED} ").removeprefix(_NEWER)
        if text.split()[0].strip("(").upper() not in ("SELECT", "WITH", "VALUES"):
            text = f"SELECT id, {text} FROM odd ORDER BY id"
        found.append((text, refused))
    return found


def open_duckdb() -> duckdb.DuckDBPyConnection:
    """Returns an engine with the world in it."""
    engine = duckdb.connect()
    engine.execute("SET timezone = 'UTC'")
    engine.execute(world())
    return engine


def ask_roundview(engine: duckdb.DuckDBPyConnection, text: str) -> Answer:
    """Answers a question through gate, resolve, translate and DuckDB."""
    try:
        tree = resolve(gate(text), SCHEMA)
        made = translate(tree, SCHEMA)
        sql = made.tree.sql("duckdb")
    except RoundviewError as error:
        return Answer(sqlstate=_sqlstate(error), said=str(error))
    try:
        engine.execute(sql, {"now": NOW} if made.uses_clock else {})
        rows = engine.fetchall()
    except duckdb.Error as error:
        found = meant(state_of(error))
        return Answer(sqlstate=_sqlstate(found), said=f"{error} <- {sql}")
    return Answer(
        tuple(column.name for column in made.columns),
        tuple(str(column.type) for column in made.columns),
        tuple(rows),
        said=sql,
    )


def world() -> str:
    """Returns the script that makes the world, for both databases."""
    return (HERE / "world.sql").read_text(encoding="utf-8")


async def prepare(connection: asyncpg.Connection[Any]) -> None:
    """Makes a connection read months as the engine's driver does: 30 days each."""
    await connection.set_type_codec(
        "interval", schema="pg_catalog", format="tuple", encoder=tuple, decoder=_interval
    )


async def ask_postgres(connection: asyncpg.Connection[Any], text: str) -> Answer:
    """Asks PostgreSQL itself; `c360` is its search path's schema."""
    try:
        statement = await connection.prepare(text)
        rows = await statement.fetch()
    except asyncpg.PostgresError as error:
        return Answer(sqlstate=error.sqlstate, said=str(error))
    attributes = statement.get_attributes()
    return Answer(
        tuple(attribute.name for attribute in attributes),
        tuple(_type(attribute.type.name) for attribute in attributes),
        tuple(tuple(row.values()) for row in rows),
    )


def difference(theirs: Answer, ours: Answer, text: str) -> str:
    """Returns how two answers differ, an empty text where they do not.

    A refusal is never a difference; an answer where PostgreSQL has an error is one.
    """
    if ours.sqlstate is not None:
        is_same = theirs.sqlstate == ours.sqlstate or ours.sqlstate in (NOT_SUPPORTED, TOO_LARGE)
        return "" if is_same else f"error {ours.sqlstate} instead of {theirs.sqlstate or 'rows'}"
    if theirs.sqlstate is not None:
        return f"rows instead of error {theirs.sqlstate}"
    if ours.names != theirs.names:
        return f"names {ours.names} instead of {theirs.names}"
    if ours.types != theirs.types:
        return f"types {ours.types} instead of {theirs.types}"
    first, second = list(theirs.rows), list(ours.rows)
    if "ORDER BY" not in _outermost(text):
        first, second = sorted(first, key=repr_of), sorted(second, key=repr_of)
    if len(first) != len(second):
        return f"{len(second)} rows instead of {len(first)}"
    for one, two in zip(first, second, strict=True):
        if not all(equal(a, b) for a, b in zip(one, two, strict=True)):
            return f"{two} instead of {one}"
    return ""


def repr_of(row: Sequence[Any]) -> str:
    """Returns what rows without an order are sorted by."""
    return repr([_plain(value) for value in row])


def equal(theirs: Any, ours: Any) -> bool:
    """Tells whether two values are one: 2.50 is 2.5, NaN is NaN."""
    theirs, ours = _plain(theirs), _plain(ours)
    if isinstance(theirs, float) and isinstance(ours, float):
        if math.isnan(theirs) or math.isnan(ours):
            return math.isnan(theirs) and math.isnan(ours)
        return theirs == ours
    return type(theirs) is type(ours) and bool(theirs == ours)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _interval(parts: tuple[int, int, int]) -> timedelta:
    months, days, micros = parts
    return timedelta(days=30 * months + days, microseconds=micros)


def _outermost(text: str) -> str:
    """Returns a statement without what is in parentheses."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def _sqlstate(error: RoundviewError) -> str:
    return str(error.extensions.get("sqlstate") or error.row.sqlstate)


def _type(name: str) -> str:
    base = name.removesuffix("[]")
    return _TYPES.get(base, base) + name[len(base) :]
