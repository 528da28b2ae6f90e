"""Reads what only a Trino reaches: a schema of one of its catalogs.

connector  answers, what errors mean
statement  how a fragment reads there, values in it as literals
schema     what Trino says of tables and columns
"""

from __future__ import annotations

from roundview_federation.connectors.trino.connector import TrinoConnector

__all__ = ["TrinoConnector"]
