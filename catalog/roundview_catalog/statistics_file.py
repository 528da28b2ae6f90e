"""Decides how `NAME.statistics.yaml` is written and read: how large a source's tables are."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StrictInt
from ruamel.yaml import YAML

from roundview_catalog.document import Document
from roundview_catalog.model import Source
from roundview_catalog.report import Report
from roundview_catalog.shapes import shaped
from roundview_catalog.tables import Shape

SUFFIX: Final = ".statistics.yaml"
HEADER: Final = (
    "# Written by `roundview check --live`; run it again instead of editing this file.\n"
)
_HINT: Final = "remove the file: `roundview check --live` writes it anew"


class StatisticsFile(Shape):
    """How large the tables of a source were when they were last looked at."""

    measured_at: str
    """When that was, as ISO 8601 with an offset."""
    rows: Mapping[str, Annotated[StrictInt, Field(ge=0)]]
    """About how many rows each table has."""
    distinct: Mapping[str, Mapping[str, Annotated[StrictInt, Field(ge=0)]]] = Field(
        default_factory=dict
    )
    """About how many values columns of a table have."""


def write(
    path: Path,
    rows: Mapping[str, int],
    measured_at: datetime,
    distinct: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> None:
    """Writes the statistics of a source; the file is replaced at once.

    `distinct` has table -> column -> about how many values it has. Raises OSError where the folder
    cannot be written.
    """
    moment = measured_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    told: dict[str, object] = {"measured_at": moment, "rows": dict(sorted(rows.items()))}
    if distinct:
        told["distinct"] = {
            table: dict(sorted(columns.items())) for table, columns in sorted(distinct.items())
        }
    yaml.dump(told, out)
    new = path.with_name(f".{path.name}.new")
    new.write_text(HEADER + out.getvalue(), encoding="utf-8")
    os.replace(new, path)


def with_statistics(source: Source, document: Document, report: Report) -> Source:
    """Returns a source with the sizes of its tables; those that it no longer has are left out."""
    file = shaped(StatisticsFile, document.data, document, (), report)
    if file is None:
        return source
    measured_at: datetime | None = None
    with suppress(ValueError):
        measured_at = datetime.fromisoformat(file.measured_at)
    if measured_at is None or measured_at.tzinfo is None:
        at = document.position(("measured_at",))
        report.add(at, "RV206", "a time with an offset is needed here", _HINT)
        return source
    tables = {
        name: replace(
            table,
            rows_estimate=file.rows.get(name, table.rows_estimate),
            distinct=file.distinct.get(name, {}),
        )
        for name, table in source.tables.items()
    }
    return replace(source, tables=tables, measured_at=measured_at)
