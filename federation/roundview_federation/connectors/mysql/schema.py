"""Decides what a MySQL database says of itself: metadata only, a few set-based statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.mysql.layout import COLUMNS, NativeColumn
from roundview_federation.connectors.mysql.sessions import Session
from roundview_federation.connectors.mysql.values import Nature

_TABLES: Final = """
SELECT table_name, table_type, table_rows FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type IN ('BASE TABLE', 'VIEW') ORDER BY table_name
"""
_NULLABLE: Final = """
SELECT table_name, column_name, is_nullable FROM information_schema.columns
WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
# A prefix of a column, or an expression, says nothing about whole values.
_INDEXES: Final = """
SELECT table_name, index_name, non_unique, column_name, sub_part
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND index_type IN ('BTREE', 'HASH')
ORDER BY table_name, index_name, seq_in_index
"""
# An index of several columns counts its first ones together; the server estimates all of them.
_DISTINCT: Final = """
SELECT table_name, column_name, MAX(cardinality) FROM information_schema.statistics
WHERE table_schema = DATABASE() AND seq_in_index = 1 AND sub_part IS NULL
  AND cardinality IS NOT NULL
GROUP BY table_name, column_name
"""
_LINKS: Final = """
SELECT table_name, column_name, referenced_table_name, referenced_column_name, constraint_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE()
"""
_CHECKS: Final = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
"""


async def read_tables(session: Session, prefix: str) -> Mapping[str, SourceTable]:
    """Returns every table and view whose name begins with `prefix`, named without it.

    Columns of BLOBs and shapes are left out: there is no type for them.
    """
    native = {(row[0], row[1]): NativeColumn.of(row[2:]) for row in await session.select(COLUMNS)}
    nullable = await session.select(_NULLABLE)
    indexes = await session.select(_INDEXES)
    distinct: dict[str, dict[str, int]] = defaultdict(dict)
    for table, name, estimate in await session.select(_DISTINCT):
        distinct[table][name] = int(estimate)
    links = _single(await session.select(_LINKS))
    # MariaDB's JSON is a text with a check.
    is_checked = session.flavor == "mariadb"
    checks = set(await session.select(_CHECKS)) if is_checked else set()
    columns: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for table, name, is_nullable in nullable:
        columns[table].append((name, is_nullable == "YES"))
    found = {}
    for table, kind, rows in await session.select(_TABLES):
        if not table.startswith(prefix):
            continue
        declared: dict[str, SourceColumn] = {}
        for name, is_nullable in columns[table]:
            column = native.get((table, name))
            type_ = column.type if column else None
            if column is None or type_ is None:
                continue
            if (table, f"json_valid(`{name}`)") in checks:
                type_ = Type(Kind.JSON)
            is_blind = column.nature is Nature.TEXT and not column.collation.endswith("_bin")
            target = links.get((table, name), ("", ""))
            declared[name] = SourceColumn(
                name,
                type_,
                is_nullable=is_nullable,
                collation="ci" if is_blind and type_.kind is not Kind.JSON else "exact",
                references=_reference(target, prefix),
                native=column.said,
            )
        short = table[len(prefix) :]
        found[short] = _table(
            short, table, declared, [row[1:] for row in indexes if row[0] == table],
            int(rows) if rows is not None and kind == "BASE TABLE" else None, distinct[table],
        )  # fmt: skip
    return found


def _table(
    name: str,
    physical: str,
    columns: Mapping[str, SourceColumn],
    indexes: Iterable[tuple[Any, ...]],
    estimate: int | None,
    distinct: Mapping[str, int],
) -> SourceTable:
    parts: dict[str, tuple[bool, list[str | None]]] = {}
    for index, non_unique, column, prefix_length in indexes:
        _, names = parts.setdefault(index, (not non_unique, []))
        names.append(column if prefix_length is None else None)
    unique: list[tuple[str, ...]] = []
    plain: list[tuple[str, ...]] = []
    primary: tuple[str, ...] = ()
    for index, (is_unique, names) in parts.items():
        known = tuple(name for name in names if name is not None and name in columns)
        if len(known) != len(names):
            continue
        if index == "PRIMARY":
            primary = known
        else:
            (unique if is_unique else plain).append(known)
    return SourceTable(
        name=name,
        physical=physical,
        columns=columns,
        primary_key=primary,
        unique=tuple(dict.fromkeys(unique)),
        indexes=tuple(dict.fromkeys(plain)),
        rows_estimate=estimate,
        distinct={name: count for name, count in distinct.items() if name in columns},
    )


def _single(links: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Returns (table, column) -> (table, column) of the foreign keys with one column."""
    grouped: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for table, column, other, target, constraint in links:
        grouped[table, constraint].append((column, other, target))
    return {
        (table, parts[0][0]): parts[0][1:]
        for (table, _), parts in grouped.items()
        if len(parts) == 1
    }


def _reference(target: tuple[str, str], prefix: str) -> str:
    table, column = target
    return f"{table[len(prefix) :]}.{column}" if column and table.startswith(prefix) else ""
