"""Expressions mean what a real PostgreSQL answered, on arrival and in each source that is asked.

`tests/golden/expressions/postgres.json` holds the answers of a server, one per row of odd
values; `ask.py` beside it asks again.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ruamel.yaml import YAML
from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.expressions import casts, functions
from roundview_catalog.types import Kind, Type, parse_type

HERE = Path(__file__).parents[1] / "golden" / "expressions"
CORPUS = YAML(typ="safe", pure=True).load((HERE / "corpus.yaml").read_text(encoding="utf-8"))
POSTGRES: dict[str, list[str | None]] = json.loads((HERE / "postgres.json").read_text("utf-8"))
TEXTS = tuple(CORPUS["expressions"].splitlines())
AGGREGATES = tuple(CORPUS["aggregates"].splitlines())
TYPES = {name: parse_type(kind) for name, kind in CORPUS["columns"].items()}
# Refused when a catalog is loaded: what PostgreSQL answers here is not offered.
REFUSED = frozenset({"j ->> -1", "ts BETWEEN day AND tz"})
# Python's calendar ends with the year 9999 and begins with 1: an error, never another time.
_LATER = re.compile(r"[0-9]{5}-|.* BC$")


def column_type(column: exp.Column) -> Type:
    return TYPES[column.name]


def typed(value: str | int | None, type_: Type) -> Any:
    """Returns a value of the corpus as arrival code meets it."""
    if value is None or type_.kind is Kind.TEXT:
        return value
    if type_.kind is Kind.DECIMAL:
        return casts.to_decimal(str(value), type_.precision, type_.scale)
    return getattr(casts, f"to_{type_.kind.value}")(str(value))


def stored(value: str | int | None, type_: Type) -> Any:
    """Returns a value of the corpus as SQLite would hold it."""
    return int(value == "true") if value and type_.kind is Kind.BOOLEAN else value


def pushed(dialect: str) -> tuple[str, ...]:
    """Returns the expressions that a source of the dialect is given to compute."""
    return tuple(
        text
        for text in TEXTS
        if text not in REFUSED
        and expressions.pushable(expressions.parse(text), dialect, column_type)
    )


ROWS = [{name: typed(row.get(name), TYPES[name]) for name in TYPES} for row in CORPUS["rows"]]
PUSHED = {dialect: pushed(dialect) for dialect in ("sqlite", "duckdb")}


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    """Returns the rows in a table whose texts ignore case and whose types are SQLite's."""
    names = ", ".join(
        f"{name} TEXT COLLATE NOCASE" if t.kind is Kind.TEXT else f"{name} {t.kind}"
        for name, t in TYPES.items()
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE v (n INTEGER PRIMARY KEY, {names})")
        for at, row in enumerate(CORPUS["rows"]):
            values = [stored(row.get(name), TYPES[name]) for name in TYPES]
            connection.execute(f"INSERT INTO v VALUES (?{', ?' * len(TYPES)})", (at, *values))
        yield connection


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """Returns the rows in a table of DuckDB's types."""
    names = ", ".join(
        f"{name} {'double' if t.kind is Kind.FLOAT else t}" for name, t in TYPES.items()
    )
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE v (n integer, {names})")
        for at, row in enumerate(CORPUS["rows"]):
            values = [row.get(name) for name in TYPES]
            connection.execute(f"INSERT INTO v VALUES (?{', ?' * len(TYPES)})", [at, *values])
        yield connection


def shown(compute: Callable[[], Any], type_: Type) -> str | None:
    """Returns what an expression gives as PostgreSQL prints it."""
    try:
        value = compute()
    except ValueError:
        return "ERROR"
    if type_.kind is Kind.JSON:
        return None if value is None else json.dumps(value, default=float)
    return None if value is None else casts.to_text(value)


def is_same(got: str | None, answered: str | None, type_: Type) -> bool:
    if got == answered or (got == "ERROR" and _LATER.match(answered or "")):
        return True
    if type_.kind is Kind.JSON:
        # JSON's null is NULL here: nothing that an expression may do tells them apart.
        return bool(json.loads(got or "null") == json.loads(answered or "null"))
    return False


def test_every_expression_was_asked() -> None:
    assert set(TEXTS) | set(AGGREGATES) == set(POSTGRES)
    assert {len(POSTGRES[text]) for text in TEXTS} == {len(ROWS)}
    assert {len(POSTGRES[text]) for text in AGGREGATES} == {1}


def test_every_function_of_the_language_is_in_the_corpus() -> None:
    own = {*functions.OWN, "try_cast"}
    asked = " ".join((*TEXTS, *AGGREGATES)).lower().replace("::", "cast(")
    assert [name for name in functions.NAMES if name not in own and f"{name}(" not in asked] == []


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_computed_on_arrival_is_what_postgresql_answers(text: str) -> None:
    if text in REFUSED:
        with pytest.raises(expressions.ExpressionError):
            expressions.infer(expressions.parse(text), column_type)
        return
    tree = expressions.parse(text)
    type_ = expressions.infer(tree, column_type)
    code = expressions.python(tree, lambda column: f"row[{column.name!r}]", column_type)
    compute = eval(f"lambda row: {code}", dict(expressions.RUNTIME))
    got = [shown(partial(compute, row), type_) for row in ROWS]
    assert [
        (at, mine, answered)
        for at, (mine, answered) in enumerate(zip(got, POSTGRES[text], strict=True))
        if not is_same(mine, answered, type_)
    ] == []


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in REFUSED])
def test_a_condition_is_true_exactly_where_postgresql_says_so(text: str) -> None:
    tree = expressions.parse(text)
    if expressions.infer(tree, column_type).kind is not Kind.BOOLEAN:
        return
    code = expressions.condition(tree, lambda column: f"row[{column.name!r}]", column_type)
    compute = eval(f"lambda row: {code}", dict(expressions.RUNTIME))
    for row, answered in zip(ROWS, POSTGRES[text], strict=True):
        if answered == "ERROR":
            with pytest.raises(ValueError, match="not"):
                compute(row)
        else:
            assert bool(compute(row)) is (answered == "true")


@pytest.mark.parametrize("text", AGGREGATES)
def test_aggregates_over_children_are_what_postgresql_answers(text: str) -> None:
    tree = expressions.parse(text)
    type_ = expressions.check(tree, column_type, aggregates=True)

    def child(alias: str) -> tuple[str, Callable[[exp.Column], str]]:
        return "rows", lambda column: f"row[{column.name!r}]"

    for column in tree.find_all(exp.Column):
        column.set("table", exp.to_identifier("v"))
    code = expressions.python(tree, lambda column: "row", column_type, child)
    compute = eval(f"lambda rows: {code}", dict(expressions.RUNTIME))
    assert is_same(shown(lambda: compute(ROWS), type_), POSTGRES[text][0], type_)


@pytest.mark.parametrize("text", PUSHED["sqlite"])
def test_sqlite_computes_what_it_is_given_as_postgresql_does(
    text: str, sqlite: sqlite3.Connection
) -> None:
    tree = expressions.parse(text)
    select = exp.select(expressions.render(tree, "sqlite", column_type)).from_("v").order_by("n")
    decode = coerce.decoder(expressions.infer(tree, column_type)) or (lambda value: value)
    rows = sqlite.execute(select.sql("sqlite")).fetchall()
    got = [None if value is None else casts.to_text(decode(value)) for (value,) in rows]
    assert got == POSTGRES[text]


@pytest.mark.parametrize("text", PUSHED["duckdb"])
def test_duckdb_computes_what_it_is_given_as_postgresql_does(
    text: str, duck: duckdb.DuckDBPyConnection
) -> None:
    tree = expressions.parse(text)
    select = exp.select(expressions.render(tree, "duckdb", column_type)).from_("v").order_by("n")
    rows = duck.execute(select.sql("duckdb")).fetchall()
    assert [None if v is None else casts.to_text(v) for (v,) in rows] == POSTGRES[text]


def test_enough_is_pushed_to_prove_something() -> None:
    assert {dialect: len(texts) >= 40 for dialect, texts in PUSHED.items()} == {
        "sqlite": True, "duckdb": True,
    }  # fmt: skip
