"""Decides what the types that Trino names are in a catalog of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.types import Kind, Type

_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "boolean": Kind.BOOLEAN,
        "tinyint": Kind.INTEGER,
        "smallint": Kind.INTEGER,
        "integer": Kind.INTEGER,
        "bigint": Kind.BIGINT,
        "real": Kind.FLOAT,
        "double": Kind.FLOAT,
        "date": Kind.DATE,
        "uuid": Kind.UUID,
        "json": Kind.JSON,
        "varchar": Kind.TEXT,
        "char": Kind.TEXT,
    }
)
_DECIMAL: Final = re.compile(r"decimal\((\d+),\s?(\d+)\)")
_CLOCK: Final = re.compile(r"timestamp(?:\(\d+\))?( with time zone)?")
_BASE: Final = re.compile(r"[a-z]+")


def tables_of(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, SourceTable]:
    """Returns tables of rows of table, column, type and whether NULL may be: YES or NO.

    A column of a type that cannot be read is left out.
    """
    columns: dict[str, dict[str, SourceColumn]] = {}
    for table, name, told, nullable in rows:
        known = columns.setdefault(table, {})
        type_ = type_named(told)
        if type_ is not None:
            native = told if type_.is_text and told != "varchar" else ""
            known[name] = SourceColumn(name, type_, nullable != "NO", native=native)
    return {name: SourceTable(name, name, found) for name, found in columns.items() if found}


def type_named(told: str) -> Type | None:
    """Returns the type that Trino calls so, None for one whose values cannot be read.

    >>> str(type_named("decimal(12,2)")), type_named("map(varchar, integer)")
    ('decimal(12,2)', None)
    """
    sized = _DECIMAL.fullmatch(told)
    if sized is not None:
        return Type(Kind.DECIMAL, int(sized[1]), int(sized[2]))
    clock = _CLOCK.fullmatch(told)
    if clock is not None:
        return Type(Kind.TIMESTAMPTZ if clock[1] else Kind.TIMESTAMP)
    base = _BASE.match(told)
    kind = _KINDS.get(base[0]) if base is not None else None
    return Type(kind) if kind is not None else None
