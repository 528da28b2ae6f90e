"""Reads Parquet, CSV and JSON lines in place, with an in-process DuckDB that can do nothing else.

connector  calls, threads, what errors mean
layout     which files a table has and which of them hold some keys
buckets    which bucket a key is in
statement  a fragment as DuckDB text
schema     what the files say of themselves
"""

from __future__ import annotations

from roundview_federation.connectors.files.connector import FilesConnector

__all__ = ["FilesConnector"]
