"""Decides what a SQLite file says of itself: metadata only, read in a few set-based queries."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.types import Kind, Type

_TABLES = """
SELECT m.name, m.type, coalesce(m.sql, '') FROM sqlite_schema AS m
WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name
"""
_COLUMNS = """
SELECT m.name, c.name, c.type, c."notnull", c.pk
FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type IN ('table', 'view') AND c.hidden <> 1 ORDER BY m.name, c.cid
"""
_INDEXES = """
SELECT m.name, i.name, i."unique", i.origin, c.name
FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS c
WHERE m.type = 'table' AND i.partial = 0 ORDER BY m.name, i.name, c.seqno
"""
_ESTIMATES = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"
_COLLATE = re.compile(
    r"""(?:^|[(,])\s*(?:"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|(\w+))"""
    r"""[^,]*?\bCOLLATE\s+["'`\[]?(\w+)""",
    re.IGNORECASE,
)
_SIZES = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NAMED: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "uuid": Kind.UUID,
        "json": Kind.JSON,
        "jsonb": Kind.JSON,
        "date": Kind.DATE,
        "timestamptz": Kind.TIMESTAMPTZ,
        "smallint": Kind.INTEGER,
        "tinyint": Kind.INTEGER,
        "mediumint": Kind.INTEGER,
    }
)


def read_tables(connection: sqlite3.Connection, prefix: str) -> Mapping[str, SourceTable]:
    """Returns every table and view whose name begins with `prefix`, named without it.

    Columns of BLOBs are left out: there is no type for them.
    """
    columns: dict[str, list[tuple[str, str, bool, int]]] = defaultdict(list)
    for table, name, declared, required, position in connection.execute(_COLUMNS):
        columns[table].append((name, declared, bool(required), position))
    indexes: dict[str, dict[tuple[str, bool, str], list[str | None]]] = defaultdict(dict)
    for table, index, is_unique, origin, name in connection.execute(_INDEXES):
        indexes[table].setdefault((index, bool(is_unique), origin), []).append(name)
    estimates: dict[str, int] = {}
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone():
        estimates = dict(connection.execute(_ESTIMATES).fetchall())
    found = {}
    for name, kind, text in connection.execute(_TABLES).fetchall():
        if not name.startswith(prefix):
            continue
        estimate = estimates.get(name)
        if estimate is None and kind == "table":
            estimate = _highest_row(connection, name)
        short = name[len(prefix) :]
        found[short] = _table(short, name, text, columns[name], indexes[name], estimate)
    return found


def type_of(declared: str) -> Type | None:
    """Returns the canonical type of a declared one, None for BLOBs.

    >>> str(type_of("DECIMAL(15,2)")), str(type_of("varchar(80)")), str(type_of(""))
    ('decimal(15,2)', 'text', 'text')
    """
    text = declared.strip().lower()
    base = text.partition("(")[0].strip()
    if base in ("boolean", "bool") or text.startswith("tinyint(1)"):
        return Type(Kind.BOOLEAN)
    if base in _NAMED:
        return Type(_NAMED[base])
    if base.startswith(("timestamp", "datetime")):
        return Type(Kind.TIMESTAMPTZ if "with time zone" in text else Kind.TIMESTAMP)
    if base in ("decimal", "numeric", "number", "money"):
        sizes = _SIZES.search(text)
        if sizes is None:
            return Type(Kind.DECIMAL)
        return Type(Kind.DECIMAL, int(sizes[1]), int(sizes[2] or 0))
    # From here on, SQLite's own rules of affinity (sqlite.org/datatype3.html, 3.1).
    if "int" in base:
        return Type(Kind.BIGINT)
    if "blob" in base:
        return None
    if any(part in base for part in ("real", "floa", "doub")):
        return Type(Kind.FLOAT)
    return Type(Kind.TEXT)


def _table(
    name: str,
    physical: str,
    text: str,
    columns: list[tuple[str, str, bool, int]],
    indexes: dict[tuple[str, bool, str], list[str | None]],
    estimate: int | None,
) -> SourceTable:
    case_blind = {
        next(filter(None, match.groups()[:4])).lower()
        for match in _COLLATE.finditer(text)
        if match[5].upper() != "BINARY"
    }
    declared: dict[str, SourceColumn] = {}
    for column, type_text, required, position in columns:
        type_ = type_of(type_text)
        if type_ is not None:
            is_key = position > 0 and type_text.strip().lower() == "integer"
            collation = "ci" if column.lower() in case_blind else "exact"
            declared[column] = SourceColumn(
                column, type_, is_nullable=not (required or is_key), collation=collation
            )
    key = [column for position, column in sorted((p, c) for c, _, _, p in columns if p)]
    unique: list[tuple[str, ...]] = []
    plain: list[tuple[str, ...]] = []
    for (_, is_unique, origin), names in indexes.items():
        known = tuple(name for name in names if name is not None)
        # An index over an expression says nothing about columns.
        if origin != "pk" and known and len(known) == len(names):
            (unique if is_unique else plain).append(known)
    return SourceTable(
        name=name,
        physical=physical,
        columns=declared,
        primary_key=tuple(key),
        unique=tuple(dict.fromkeys(unique)),
        indexes=tuple(dict.fromkeys(plain)),
        rows_estimate=estimate,
    )


def _highest_row(connection: sqlite3.Connection, table: str) -> int | None:
    highest = exp.Max(this=exp.column("rowid"))
    named = exp.Table(this=exp.to_identifier(table, quoted=True))
    try:
        found = connection.execute(exp.select(highest).from_(named).sql("sqlite")).fetchone()
    except sqlite3.Error:
        # WITHOUT ROWID and virtual tables have none.
        return None
    return int(found[0] or 0)
