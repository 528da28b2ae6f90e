"""Asks a source for its own metadata and writes it as the schema file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roundview_catalog import schema_file
from roundview_catalog.document import read
from roundview_catalog.errors import CatalogError, Position, Problem
from roundview_catalog.model import Defaults, Limits, Source
from roundview_catalog.report import Report
from roundview_federation.connectors import open_connector


async def write_schema(catalog: Path, name: str, env: Mapping[str, str]) -> Path:
    """Writes `sources/NAME.schema.yaml` and returns its path; metadata only is read."""
    path = catalog / "sources" / f"{name}.yaml"
    file = f"sources/{name}.yaml"
    if not path.is_file():
        problem = Problem(Position(file, 1, 1), "RV220", "the file is missing", "write it first")
        raise CatalogError([problem])
    report = Report()
    document = read(path.read_text(encoding="utf-8"), file, report)
    if document is None or not isinstance(document.data, dict):
        raise CatalogError(report.problems)
    connector = str(document.data.get("connector", ""))
    if connector != "sqlite":
        at = document.position(("connector",))
        raise CatalogError([Problem(at, "RV206", "this connector cannot be introspected")])
    source = Source(
        name=name,
        title=name,
        owner="",
        connector=connector,
        connection=document.data.get("connection") or {},
        limits=Limits(),
        defaults=Defaults(),
        tables={},
        branches=(),
        root=catalog,
        position=document.position(),
    )
    opened = open_connector(source, env=env)
    try:
        tables = await opened.introspect()
    finally:
        await opened.close()
    written = path.with_suffix("").with_suffix(".schema.yaml")
    schema_file.write(written, tables)
    return written
