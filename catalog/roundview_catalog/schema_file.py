"""Decides how `NAME.schema.yaml` is written and read: what a source says of itself."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt
from ruamel.yaml import YAML

from roundview_catalog.document import Document
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import shaped
from roundview_catalog.tables import Shape, TypeName
from roundview_catalog.types import parse_type

HEADER = "# Written by `roundview introspect`; run it again instead of editing this file.\n"


class SchemaColumn(Shape):
    """One column as the source has it."""

    type: TypeName
    """Its type."""
    nullable: StrictBool = True
    """Whether it may be NULL."""
    collation: Literal["exact", "ci"] = "exact"
    """ci: the source compares it without regard to case."""
    native: str = ""
    """The source's own type, where it says more than `type`."""
    references: str = ""
    """table.column in which every value exists, as a foreign key says."""


class SchemaTable(Shape):
    """One table as the source has it."""

    physical: str = ""
    """The source's own name for it, where it differs."""
    columns: Mapping[str, SchemaColumn]
    """Its columns."""
    primary_key: tuple[str, ...] = ()
    """Columns of the primary key."""
    unique: tuple[tuple[str, ...], ...] = ()
    """Columns of each unique index."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """Columns of each other index."""
    rows_estimate: Annotated[StrictInt, Field(ge=0)] | None = None
    """About how many rows it has."""


class SchemaFile(Shape):
    """What a source says of itself."""

    tables: Mapping[str, SchemaTable]
    """Its tables."""


def write(path: Path, tables: Mapping[str, SourceTable]) -> None:
    """Writes the schema file of a source, the same bytes for the same tables.

    The file is replaced at once, so that nobody reads half of it.
    """
    new = path.with_name(f".{path.name}.new")
    new.write_text(text(tables), encoding="utf-8")
    os.replace(new, path)


def text(tables: Mapping[str, SourceTable]) -> str:
    """Returns the schema file's text."""
    data = {"tables": {name: _table(table) for name, table in sorted(tables.items())}}
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 1000
    yaml.dump(data, out)
    return HEADER + out.getvalue()


def read(document: Document, report: Report) -> dict[str, SourceTable]:
    """Returns the tables of a schema file; empty if it is wrong (see the report)."""
    file = shaped(SchemaFile, document.data, document, (), report)
    if file is None:
        return {}
    tables: dict[str, SourceTable] = {}
    for name, given in file.tables.items():
        columns = {
            column: SourceColumn(
                column,
                parse_type(row.type),
                is_nullable=row.nullable,
                collation=row.collation,
                references=row.references,
                native=row.native,
            )
            for column, row in given.columns.items()
        }
        for key in (given.primary_key, *given.unique, *given.indexes):
            for column in key:
                if column not in columns:
                    at = document.key_position(("tables", name))
                    hint = did_you_mean(column, columns)
                    report.add(at, "RV214", f"unknown column {column} in {name}", hint)
        tables[name] = SourceTable(
            name=name,
            physical=given.physical or name,
            columns=columns,
            primary_key=next(_known([given.primary_key], columns), ()),
            unique=tuple(_known(given.unique, columns)),
            indexes=tuple(_known(given.indexes, columns)),
            rows_estimate=given.rows_estimate,
        )
    return tables


def _known(
    keys: Iterable[tuple[str, ...]], columns: Mapping[str, SourceColumn]
) -> Iterator[tuple[str, ...]]:
    return (key for key in keys if key and all(column in columns for column in key))


def _table(table: SourceTable) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if table.physical != table.name:
        result["physical"] = table.physical
    result["columns"] = {
        name: {
            "type": str(column.type),
            **({} if column.is_nullable else {"nullable": False}),
            **({} if column.collation == "exact" else {"collation": column.collation}),
            **({"native": column.native} if column.native else {}),
            **({"references": column.references} if column.references else {}),
        }
        for name, column in table.columns.items()
    }
    if table.primary_key:
        result["primary_key"] = list(table.primary_key)
    if table.unique:
        result["unique"] = [list(key) for key in table.unique]
    if table.indexes:
        result["indexes"] = [list(key) for key in table.indexes]
    if table.rows_estimate is not None:
        result["rows_estimate"] = table.rows_estimate
    return result
