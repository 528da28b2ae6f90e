"""A source computes what it would compute as PostgreSQL does, and nothing else."""

from __future__ import annotations

import pytest
from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.types import Kind, Type

TYPES = {
    "a": Type(Kind.INTEGER), "d": Type(Kind.DECIMAL, 15, 2), "t": Type(Kind.TEXT),
    "u": Type(Kind.TEXT), "p": Type(Kind.BOOLEAN), "day": Type(Kind.DATE),
}  # fmt: skip
ALL = {"sqlite", "duckdb", "postgres", "mysql"}


def column_type(column: exp.Column) -> Type:
    return TYPES[column.name]


@pytest.mark.parametrize(
    ("text", "dialects"),
    [
        ("a = 1 AND NOT a IN (2, 3)", ALL),
        ("a = '1'", ALL),
        ("t IS NULL OR p IS NOT NULL OR day IS NULL", ALL),
        ("t = 'x'", ALL),
        ("'x' = t", ALL),
        ("t IN ('x', 'y') AND NOT t <> 'z'", ALL),
        ("t BETWEEN 'a' AND 'b'", ALL),
        ("CASE WHEN t = 'x' THEN a END", ALL),
        # MySQL compares texts by collation; only columns beside constants are compared by bytes.
        ("t = u", ALL - {"mysql"}),
        ("'x' < t", ALL - {"mysql"}),
        ("t IN ('x', NULL)", ALL - {"mysql"}),
        ("t IS DISTINCT FROM 'x'", ALL - {"mysql"}),
        ("CASE t WHEN 'x' THEN 1 END", ALL - {"mysql"}),
        ("nullif('A', 'a') IS NULL", ALL - {"mysql"}),
        ("CASE WHEN a > 1 THEN 'Big' END = 'big'", ALL - {"mysql"}),
        ("t = 'a\\b'", ALL - {"mysql"}),
        ("t || u", ALL - {"mysql"}),
        ("length(t)", ALL - {"mysql"}),
        ("t LIKE 'x%'", {"duckdb", "postgres"}),
        ("t LIKE '50\\%'", set()),
        ("lower(t)", {"postgres"}),
        ("d = 1", set()),
        ("a / 2", set()),
        ("a::text", set()),
        ("day > '2024-01-01'", set()),
        ("a = 9223372036854775808", set()),
        ("normalize_email(t)", set()),
    ],
)
def test_who_is_asked(text: str, dialects: set[str]) -> None:
    tree = expressions.parse(text)
    expressions.infer(tree, column_type)
    assert {d for d in ALL if expressions.pushable(tree, d, column_type)} == dialects
    assert not expressions.pushable(tree, "oracle", column_type)


@pytest.mark.parametrize(
    ("text", "is_safe"),
    [
        ("a = 1 OR t LIKE 'x%'", True),
        ("a / 2 = 1", False),
        ("t::integer = 1", False),
        ("try_cast(t AS integer) = 1", True),
        ("t LIKE u", False),
        ("t LIKE 'x\\'", False),
        ("split_part(t, '-', a) = 'x'", False),
        ("coalesce(t, u) = upper(t)", True),
        ("day + 1 > day", False),
    ],
)
def test_what_may_run_before_a_row_filter(text: str, is_safe: bool) -> None:
    tree = expressions.parse(text)
    expressions.infer(tree, column_type)
    assert expressions.cannot_fail(tree, column_type) is is_safe
