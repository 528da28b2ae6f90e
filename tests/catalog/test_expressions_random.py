"""Random expressions over odd rows: a source computes them as arrival does, or is not asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.types import Kind, Type

TYPES = {
    "a": Type(Kind.INTEGER), "b": Type(Kind.BIGINT), "t": Type(Kind.TEXT), "u": Type(Kind.TEXT),
}  # fmt: skip
NAMES = {"integer": ("a", "b"), "text": ("t", "u")}
WORDS = (
    "",
    "a",
    "A",
    "ab",
    "aB",
    " ",
    "%",
    "_",
    "ä",
    "Ä",
    "ß",
    "12",
    "1",
    "é",
    "it's",
    "\U0001f44d",
)
SMALL = (-7, -1, 0, 1, 2, 12)
ROW = st.fixed_dictionaries(
    {
        "a": st.sampled_from((None, *SMALL, 2**31 - 1)),
        "b": st.sampled_from((None, *SMALL, 2**63 - 1)),
        "t": st.sampled_from((None, *WORDS)),
        "u": st.sampled_from((None, *WORDS)),
    }
)
COMPARED = st.sampled_from(("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM",
                            "IS NOT DISTINCT FROM"))  # fmt: skip


def constant(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def leaf(kind: str) -> st.SearchStrategy[str]:
    values = map(str, SMALL) if kind == "integer" else map(constant, WORDS)
    return st.sampled_from((*NAMES[kind], *NAMES[kind], *values, "NULL"))


def values(kind: str, depth: int) -> st.SearchStrategy[str]:
    """Draws the SQL of a value."""
    if not depth:
        return leaf(kind)
    one, test = values(kind, depth - 1), conditions(depth - 1)
    forms = [
        leaf(kind),
        st.builds("coalesce({}, {})".format, one, one),
        st.builds("nullif({}, {})".format, one, one),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, test, one, one),
        st.builds("CASE {} WHEN {} THEN {} END".format, one, one, one),
    ]
    if kind == "integer":
        text = values("text", depth - 1)
        forms += [st.builds("length({})".format, text), st.builds("({} + {})".format, one, one)]
    else:
        number = values("integer", depth - 1)
        forms += [
            st.builds("({} || {})".format, one, one),
            st.builds("(({} || '') || {})".format, one, number),
            st.builds("concat({}, {})".format, one, number),
            st.builds("replace({}, {}, {})".format, one, one, one),
            st.builds("lower({})".format, one),
        ]
    return st.one_of(forms)


def conditions(depth: int) -> st.SearchStrategy[str]:
    """Draws the SQL of a condition."""
    kinds = [values(kind, max(0, depth - 1)) for kind in NAMES]
    forms = []
    for one in kinds:
        listed = st.lists(one, min_size=1, max_size=3).map(", ".join)
        forms += [
            st.builds("({} {} {})".format, one, COMPARED, one),
            st.builds("({} IN ({}))".format, one, listed),
            st.builds("({} NOT IN ({}))".format, one, listed),
            st.builds("({} BETWEEN {} AND {})".format, one, one, one),
            st.builds("({} IS NULL)".format, one),
        ]
    if depth:
        inner = conditions(depth - 1)
        word = st.sampled_from(("AND", "OR"))
        forms += [st.builds("({} {} {})".format, inner, word, inner),
                  st.builds("(NOT {})".format, inner)]  # fmt: skip
    return st.one_of(forms)


EXPRESSIONS = st.one_of(values("integer", 2), values("text", 2), conditions(2))
TRIES = settings(
    max_examples=400, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)


def column_type(column: exp.Column) -> Type:
    return TYPES[column.name]


def on_arrival(tree: exp.Expr, row: dict[str, Any]) -> Any:
    code = expressions.python(tree, lambda column: f"row[{column.name!r}]", column_type)
    return eval(code, {**expressions.RUNTIME, "row": row})


def pushable(text: str, dialect: str) -> tuple[exp.Expr, Type] | None:
    """Returns the tree and type of what the source computes, None if it is not asked."""
    try:
        tree = expressions.parse(text)
        type_ = expressions.infer(tree, column_type)
    except expressions.ExpressionError:
        return None
    return (tree, type_) if expressions.pushable(tree, dialect, column_type) else None


@given(EXPRESSIONS, ROW)
@TRIES
def test_sqlite_and_arrival_agree(text: str, row: dict[str, Any]) -> None:
    found = pushable(text, "sqlite")
    if found is None:
        return
    tree, type_ = found
    select = exp.select(expressions.render(tree, "sqlite", column_type)).from_("v").sql("sqlite")
    note(select)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE TABLE v (a INT, b BIGINT, t TEXT COLLATE NOCASE, u TEXT COLLATE RTRIM)"
        )
        database.execute("INSERT INTO v VALUES (:a, :b, :t, :u)", row)
        (value,) = database.execute(select).fetchone()
    decode = coerce.decoder(type_) or (lambda value: value)
    assert decode(value) == on_arrival(tree, row)


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    """Returns a database in which one row after the other is made."""
    return duckdb.connect()


@given(EXPRESSIONS, ROW)
@TRIES
def test_duckdb_and_arrival_agree(
    duck: duckdb.DuckDBPyConnection, text: str, row: dict[str, Any]
) -> None:
    found = pushable(text, "duckdb")
    if found is None:
        return
    tree, _ = found
    select = exp.select(expressions.render(tree, "duckdb", column_type)).from_("v").sql("duckdb")
    note(select)
    made = "WITH v AS (SELECT $a::int AS a, $b::bigint AS b, $t::text AS t, $u::text AS u) "
    (value,) = duck.execute(made + select, row).fetchall()[0]
    assert value == on_arrival(tree, row)


@given(conditions(2), ROW)
@TRIES
def test_a_condition_and_its_value_agree(text: str, row: dict[str, Any]) -> None:
    try:
        tree = expressions.parse(text)
        expressions.infer(tree, column_type)
    except expressions.ExpressionError:
        return
    code = expressions.condition(tree, lambda column: f"row[{column.name!r}]", column_type)
    try:
        value = on_arrival(tree, row)
    except ValueError:
        # Which operand of AND and OR is computed first is nobody's promise.
        return
    assert bool(eval(code, {**expressions.RUNTIME, "row": row})) is (value is True)
