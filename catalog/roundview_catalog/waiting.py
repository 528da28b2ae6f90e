"""Decides which constructs of the language are known by name but not built yet."""

from __future__ import annotations

from typing import Any

from roundview_catalog.document import Document
from roundview_catalog.report import Report

LATER_CONNECTORS = ("mariadb", "trino", "duckdb", "mongodb")
_LATER_CATALOG_KEYS = ("engines",)


def without_engines(document: Document, report: Report) -> dict[str, Any]:
    """Returns the data of roundview.yaml without what has to wait."""
    for key in _LATER_CATALOG_KEYS:
        if key in document.data:
            report.add(document.key_position((key,)), "RV209", f"{key} is not supported yet")
    return {key: value for key, value in document.data.items() if key not in _LATER_CATALOG_KEYS}
