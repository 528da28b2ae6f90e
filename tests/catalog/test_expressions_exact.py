"""A server is given exact numbers to compute only where no digit can be lost on the way."""

from __future__ import annotations

import pytest
from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.types import Kind, Type

TYPES = {
    "a": Type(Kind.INTEGER), "big": Type(Kind.BIGINT), "d": Type(Kind.DECIMAL, 15, 2),
    "q": Type(Kind.DECIMAL, 15, 3), "wide": Type(Kind.DECIMAL, 40, 10), "free": Type(Kind.DECIMAL),
    "f": Type(Kind.FLOAT), "t": Type(Kind.TEXT),
}  # fmt: skip


def column_type(column: exp.Column) -> Type:
    return TYPES[column.name]


def written(text: str, dialect: str, scale: int = 4) -> str | None:
    tree = expressions.parse(text)
    found = expressions.exact_number(tree, dialect, column_type, scale)
    return None if found is None else found.sql(dialect=dialect)


@pytest.mark.parametrize(
    ("text", "mysql", "postgres"),
    [
        ("d", "CAST(d AS DECIMAL(65, 4))", "ROUND(d, 4)"),
        ("q * d", "CAST(q * d AS DECIMAL(65, 4))", "ROUND(q * d, 4)"),
        ("-d + a", "CAST(-d + a AS DECIMAL(65, 4))", "ROUND(-d + a, 4)"),
        ("d * big", "CAST(d * big AS DECIMAL(65, 4))", "ROUND(d * big, 4)"),
        ("d * 1.5", "CAST(d * 1.5 AS DECIMAL(65, 4))", "ROUND(d * 1.5, 4)"),
        # MySQL rounds quotients to four digits more than it was given.
        ("d / 100", "CAST(d * 0.01 AS DECIMAL(65, 4))", "ROUND(d / 100, 4)"),
        ("(d + q) / 2", "CAST((d + q) * 0.5 AS DECIMAL(65, 4))", "ROUND((d + q) / 2, 4)"),
        ("d / 3", None, "ROUND(d / 3, 4)"),
        ("d / q", None, None),
        ("d / 0", None, None),
        # PostgreSQL itself rounds so large a quotient.
        ("(d + q) / 8", None, "ROUND((d + q) / 8, 4)"),
        ("wide / 64", None, "ROUND(wide / 64, 4)"),
        ("wide * wide", None, "ROUND(wide * wide, 4)"),
        ("free + d", None, "ROUND(free + d, 4)"),
        (
            "coalesce(d, 0) - CASE WHEN a = 1 THEN q ELSE 0 END",
            "CAST(COALESCE(d, 0) - CASE WHEN a = 1 THEN q ELSE 0 END AS DECIMAL(65, 4))",
            "ROUND(COALESCE(d, 0) - CASE WHEN a = 1 THEN q ELSE 0 END, 4)",
        ),
        (
            "sum(q * d) FILTER (WHERE a = 1)",
            "CAST(SUM(CASE WHEN a = 1 THEN q * d END) AS DECIMAL(65, 4))",
            "ROUND(SUM(CASE WHEN a = 1 THEN q * d END), 4)",
        ),
        ("CASE a WHEN 1 THEN d END", None, None),
        ("CASE WHEN d > 1 THEN d END", None, None),
        ("avg(d)", None, None),
        ("d::decimal(10, 1)", None, None),
        ("round(d, 1)", None, None),
        # Whole numbers overflow, each system in its own way; doubles round.
        ("d + a * big", None, None),
        ("a + big", None, None),
        ("d + t::decimal", None, None),
        ("f * 2", None, None),
    ],
)
def test_what_servers_are_given(text: str, mysql: str | None, postgres: str | None) -> None:
    assert written(text, "mysql") == mysql
    assert written(text, "postgres") == postgres


def test_trino_has_what_fits_its_digits() -> None:
    assert written("d / 100", "trino") == "CAST(d * 0.01 AS DECIMAL(38, 4))"
    assert written("wide * wide", "trino") is None


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", ""])
def test_others_have_no_exact_numbers(dialect: str) -> None:
    assert written("d * q", dialect) is None


def test_a_result_must_have_room_for_its_scale() -> None:
    assert written("wide * d", "mysql", 4) is not None
    assert written("wide * d", "mysql", 25) is None
