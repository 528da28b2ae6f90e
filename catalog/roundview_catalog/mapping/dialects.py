"""Decides which sources run SELECTs of a catalog, and in which dialect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PUSHING: Mapping[str, str] = MappingProxyType(
    {"sqlite": "sqlite", "files": "duckdb", "postgres": "postgres", "mysql": "mysql"}
)
"""Connectors that run sub-selects and views, and the dialect they speak."""
