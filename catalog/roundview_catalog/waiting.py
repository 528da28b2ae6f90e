"""Decides which constructs of the language are known by name but not built yet."""

from __future__ import annotations

LATER_CONNECTORS = ("mariadb", "duckdb", "mongodb")
