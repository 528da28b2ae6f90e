"""Decides what a PostgreSQL database says of itself: metadata only, in set-based statements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import asyncpg

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.postgres.columns import native_type

_TABLES: Final = """
SELECT c.oid, c.relname, CASE WHEN c.reltuples >= 0 AND c.relkind <> 'v'
  THEN c.reltuples::bigint END AS estimate
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') ORDER BY c.relname
"""
_COLUMNS: Final = """
SELECT a.attrelid, a.attnum, a.attname, a.attnotnull OR t.typnotnull AS is_required,
  b.typname, b.typtype::text AS typtype,
  pg_catalog.format_type(b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END)
    AS shown,
  CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier,
  l.collisdeterministic IS FALSE AS is_loose,
  CASE WHEN l.collprovider = 'd' THEN d.datcollate ELSE l.collcollate END
    IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8') OR l.collname IN ('C', 'POSIX', 'ucs_basic')
    AS is_by_code_point,
  (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e
    WHERE e.enumtypid = b.oid) AS labels
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_type AS b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum
"""
_INDEXES: Final = """
SELECT i.indrelid, i.indisunique, i.indisprimary, i.indnkeyatts, i.indkey::int2[] AS keys
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
WHERE i.indrelid = ANY($1) AND i.indisvalid AND i.indpred IS NULL
  AND m.amname IN ('btree', 'hash') ORDER BY i.indrelid, c.relname
"""
# Of a partitioned table there are statistics of its own rows, none, and of all of them.
_DISTINCT: Final = """
SELECT c.oid, s.attname, max(CASE WHEN s.n_distinct >= 0 THEN s.n_distinct
  ELSE -s.n_distinct * greatest(c.reltuples, 0) END)::bigint AS estimate
FROM pg_catalog.pg_stats AS s
JOIN pg_catalog.pg_class AS c ON c.relname = s.tablename
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
WHERE c.oid = ANY($1) AND s.n_distinct <> 0 GROUP BY c.oid, s.attname
"""
_REFERENCES: Final = """
SELECT k.conrelid, k.conkey[1] AS own, k.confrelid, k.confkey[1] AS other
FROM pg_catalog.pg_constraint AS k
WHERE k.contype = 'f' AND k.convalidated AND cardinality(k.conkey) = 1
  AND k.conrelid = ANY($1) AND k.confrelid = ANY($1)
"""
_KINDS: Final = MappingProxyType(
    {
        "bool": Kind.BOOLEAN,
        "int2": Kind.INTEGER,
        "int4": Kind.INTEGER,
        "int8": Kind.BIGINT,
        "oid": Kind.BIGINT,
        "float4": Kind.FLOAT,
        "float8": Kind.FLOAT,
        "uuid": Kind.UUID,
        "date": Kind.DATE,
        "timestamp": Kind.TIMESTAMP,
        "timestamptz": Kind.TIMESTAMPTZ,
        "json": Kind.JSON,
        "jsonb": Kind.JSON,
    }
)
_LABEL: Final = re.compile(r"[\w.-](?:[\w .-]*[\w.-])?")


async def read_tables(
    connection: asyncpg.Connection[Any], schema: str, prefix: str
) -> Mapping[str, SourceTable]:
    """Returns every readable table and view whose name begins with `prefix`, named without it.

    Partitions are left out: their table stands for them. Partial indexes and those over
    expressions say nothing about columns and are left out too.
    """
    tables = [
        row for row in await connection.fetch(_TABLES, schema) if row["relname"].startswith(prefix)
    ]
    oids = [row["oid"] for row in tables]
    names = {row["oid"]: row["relname"][len(prefix) :] for row in tables}
    columns: dict[int, dict[int, SourceColumn]] = defaultdict(dict)
    for row in await connection.fetch(_COLUMNS, oids):
        columns[row["attrelid"]][row["attnum"]] = _column(row)
    for row in await connection.fetch(_REFERENCES, oids):
        _refer(row, columns, names)
    distinct: dict[int, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_DISTINCT, oids):
        distinct[row["oid"]][row["attname"]] = row["estimate"]
    keys: dict[int, dict[str, list[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(list))
    for row in await connection.fetch(_INDEXES, oids):
        numbers = row["keys"][: row["indnkeyatts"]]
        known = columns[row["indrelid"]]
        if all(number in known for number in numbers):
            kind = "primary" if row["indisprimary"] else "unique" if row["indisunique"] else "plain"
            keys[row["indrelid"]][kind].append(tuple(known[number].name for number in numbers))
    found = {}
    for row in tables:
        own = keys[row["oid"]]
        short = names[row["oid"]]
        found[short] = SourceTable(
            name=short,
            physical=row["relname"],
            columns={column.name: column for column in columns[row["oid"]].values()},
            primary_key=next(iter(own["primary"]), ()),
            unique=tuple(dict.fromkeys(own["unique"])),
            indexes=tuple(dict.fromkeys(own["plain"])),
            rows_estimate=row["estimate"],
            distinct=distinct[row["oid"]],
        )
    return found


def _column(row: Mapping[str, Any]) -> SourceColumn:
    type_ = _type(row)
    shown = row["shown"]
    is_blind = row["typname"] == "citext" or bool(row["is_loose"])
    native = ""
    if type_.is_text and type_.kind is not Kind.UUID:
        # A name of a type may be qualified and quoted; what matters is only that it is its own.
        native = native_type(shown, by_code_point=bool(row["is_by_code_point"]) and not is_blind)
    elif shown != str(type_):
        native = shown
    return SourceColumn(
        row["attname"],
        type_,
        is_nullable=not row["is_required"],
        collation="ci" if is_blind else "exact",
        native="" if native == str(type_) else native,
    )


def _type(row: Mapping[str, Any]) -> Type:
    name, modifier = row["typname"], row["modifier"]
    if name == "numeric":
        # The modifier holds precision and scale (numeric.c): negative scales are no decimals.
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
        is_sized = modifier >= 4 and scale <= min(precision, 1000)
        return Type(Kind.DECIMAL, precision, scale) if is_sized else Type(Kind.DECIMAL)
    labels = row["labels"]
    if labels and all(_LABEL.fullmatch(label) for label in labels):
        return Type(Kind.ENUM, values=tuple(labels))
    return Type(_KINDS.get(name, Kind.TEXT))


def _refer(
    row: Mapping[str, Any],
    columns: dict[int, dict[int, SourceColumn]],
    names: Mapping[int, str],
) -> None:
    own = columns[row["conrelid"]].get(row["own"])
    other = columns[row["confrelid"]].get(row["other"])
    if own is not None and other is not None:
        place = f"{names[row['confrelid']]}.{other.name}"
        changed = SourceColumn(
            own.name, own.type, own.is_nullable, own.collation, references=place, native=own.native
        )
        columns[row["conrelid"]][row["own"]] = changed
