"""Decides what files say of themselves: columns, types and an estimate of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import duckdb
from sqlglot import exp

from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import Kind, Type, parse_type
from roundview_federation.connectors.files.layout import File, Layout

_SNIFFED_FILES: Final = 16
_SIZES: Final = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_NUMBERED: Final[Mapping[str, Kind]] = {
    "TINYINT": Kind.INTEGER,
    "SMALLINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER,
    "UTINYINT": Kind.INTEGER,
    "USMALLINT": Kind.INTEGER,
    "UINTEGER": Kind.BIGINT,
    "BIGINT": Kind.BIGINT,
    "UBIGINT": Kind.BIGINT,
    "HUGEINT": Kind.BIGINT,
    "UHUGEINT": Kind.BIGINT,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "UUID": Kind.UUID,
    "JSON": Kind.JSON,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
}


def read_table(
    cursor: duckdb.DuckDBPyConnection, name: str, layout: Layout, declared: SourceTable | None
) -> SourceTable:
    """Returns a table of files: what the catalog declares, the rest as the files say it."""
    access = layout.table
    files = layout.files(None)
    columns = {} if not files else _columns(cursor, access, files)
    for column, one in access.columns.items():
        columns[column] = SourceColumn(column, parse_type(one.type), is_nullable=one.nullable)
    return SourceTable(
        name=name,
        physical=name,
        columns=columns,
        primary_key=access.key,
        indexes=((access.bucket_by.column,),) if access.bucket_by else (),
        rows_estimate=_estimate(cursor, access, files),
        access=declared.access if declared else access,
    )


def type_of(text: str) -> Type | None:
    """Returns the canonical type of a DuckDB one, None for BLOBs.

    >>> str(type_of("DECIMAL(18,4)")), str(type_of("INTEGER[]")), str(type_of("TIMESTAMP_NS"))
    ('decimal(18,4)', 'json', 'timestamp')
    """
    if text in _NUMBERED:
        return Type(_NUMBERED[text])
    sizes = _SIZES.fullmatch(text)
    if sizes is not None:
        return Type(Kind.DECIMAL, int(sizes[1]), int(sizes[2]))
    if text.startswith("TIMESTAMP"):
        return Type(Kind.TIMESTAMP)
    if text.endswith("]") or text.startswith(("STRUCT", "MAP", "UNION")):
        return Type(Kind.JSON)
    if text in ("BLOB", "BIT"):
        return None
    return Type(Kind.TEXT)


def _columns(
    cursor: duckdb.DuckDBPyConnection, access: FileTable, files: list[File]
) -> dict[str, SourceColumn]:
    names = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_ndjson"}
    known: dict[str, dict[str, exp.Expr]] = {
        "parquet": {"hive_partitioning": exp.false()},
        "csv": {"header": exp.true(), "delim": exp.Literal.string(access.delimiter)},
        "jsonl": {"ignore_errors": exp.true()},
    }
    options = known[access.kind]
    sample = [file.path for file in files[:_SNIFFED_FILES]]
    arguments = [
        exp.PropertyEQ(this=exp.to_identifier(option), expression=value)
        for option, value in {**options, "union_by_name": exp.true()}.items()
    ]
    read = exp.Anonymous(
        this=names[access.kind], expressions=[exp.Placeholder(this="files"), *arguments]
    )
    select = exp.select("*").from_(exp.Table(this=read)).limit(0)
    result = cursor.execute(select.sql(dialect="duckdb"), {"files": sample})
    described: list[Any] = result.description or []
    result.fetchall()
    found = {}
    for name, type_name, *_ in described:
        type_ = type_of(str(type_name))
        if type_ is not None:
            found[name] = SourceColumn(name, type_)
    return found


def _estimate(
    cursor: duckdb.DuckDBPyConnection, access: FileTable, files: list[File]
) -> int | None:
    if access.kind != "parquet" or not files:
        return None
    sample = [file.path for file in files[:_SNIFFED_FILES]]
    read = exp.Anonymous(this="parquet_file_metadata", expressions=[exp.Placeholder(this="files")])
    select = exp.select(exp.Sum(this=exp.column("num_rows"))).from_(exp.Table(this=read))
    counted = cursor.execute(select.sql(dialect="duckdb"), {"files": sample}).fetchall()
    return int(counted[0][0]) * len(files) // len(sample)
