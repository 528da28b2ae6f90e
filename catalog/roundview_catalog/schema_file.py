"""Writes and reads `NAME.schema.yaml`: what a source says of itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from roundview_catalog.document import Document
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.report import Report
from roundview_catalog.types import parse_type

HEADER = "# Written by `roundview introspect`; run it again instead of editing this file.\n"


def write(path: Path, tables: Mapping[str, SourceTable]) -> None:
    """Writes the schema file of a source, the same bytes for the same tables."""
    path.write_text(text(tables), encoding="utf-8")


def text(tables: Mapping[str, SourceTable]) -> str:
    """Returns the schema file's text."""
    data = {"tables": {name: _table(table) for name, table in sorted(tables.items())}}
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 200
    yaml.dump(data, out)
    return HEADER + out.getvalue()


def read(document: Document, report: Report) -> dict[str, SourceTable]:
    """Returns the tables of a schema file."""
    tables: dict[str, SourceTable] = {}
    for name, given in (document.data.get("tables") or {}).items():
        columns = {}
        for column, row in given["columns"].items():
            try:
                type_ = parse_type(row["type"])
            except ValueError as error:
                at = document.position(("tables", name, "columns", column, "type"))
                report.add(at, "RV206", str(error))
                continue
            columns[column] = SourceColumn(
                column,
                type_,
                is_nullable=row.get("nullable", True),
                collation=row.get("collation", "exact"),
            )
        tables[name] = SourceTable(
            name=name,
            physical=given.get("physical", name),
            columns=columns,
            primary_key=tuple(given.get("primary_key", ())),
            unique=tuple(tuple(key) for key in given.get("unique", ())),
            indexes=tuple(tuple(key) for key in given.get("indexes", ())),
            rows_estimate=given.get("rows_estimate"),
        )
    return tables


def _table(table: SourceTable) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if table.physical != table.name:
        result["physical"] = table.physical
    result["columns"] = {
        name: {
            "type": str(column.type),
            **({} if column.is_nullable else {"nullable": False}),
            **({} if column.collation == "exact" else {"collation": column.collation}),
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
