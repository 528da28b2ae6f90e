"""Decides how the parts of a statement that only MySQL has are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

KEYS: Final = "roundview_keys"

_TYPES: Final[Mapping[str, exp.DataType]] = {
    "binary": exp.DataType(this=exp.DType.BINARY),
    "char": exp.DataType(this=exp.DType.CHAR),
    "double": exp.DataType(this=exp.DType.DOUBLE),
    "uuid": exp.DataType(this=exp.DType.UUID),
    "utf8mb4": exp.DataType(this=exp.DType.CHARACTER_SET, kind=exp.Var(this="utf8mb4")),
}


Definition = tuple[str, str, str]
"""A column of a table of keys: its name, its type, and where in an element its value is."""


def json_table(keys: exp.Expr, columns: Sequence[Definition]) -> exp.Expr:
    """Returns a JSON array as the table KEYS with typed columns."""
    definitions = [
        exp.JSONColumnDef(
            this=exp.to_identifier(name, quoted=True),
            kind=exp.Var(this=kind),
            path=exp.Literal.string(path),
        )
        for name, kind, path in columns
    ]
    table = exp.JSONTable(
        this=keys,
        path=exp.Literal.string("$[*]"),
        schema=exp.JSONSchema(expressions=definitions),
    )
    return exp.alias_(exp.Table(this=table), KEYS, table=True, quoted=True)


def in_utf8(value: exp.Expr) -> exp.Expr:
    """Returns a text in the charset that holds every text."""
    return cast(value, "utf8mb4")


def binary(value: exp.Expr) -> exp.Expr:
    """Returns a value as its bytes."""
    return cast(value, "binary")


def cast(value: exp.Expr, to: str) -> exp.Expr:
    """Returns `CAST(value AS to)`."""
    return exp.Cast(this=value, to=_TYPES[to].copy())


def own(table: str, name: str) -> exp.Column:
    """Returns a column of a table that only the statement has."""
    return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(table))
