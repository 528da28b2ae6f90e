"""Reads SQLite files in place.

connector  calls, threads, what errors mean
statement  a fragment as SQLite text
schema     what the file says of itself
"""

from __future__ import annotations

from roundview_federation.connectors.sqlite.connector import SqliteConnector

__all__ = ["SqliteConnector"]
