"""Reads PostgreSQL in place.

connector  calls, what an answer may cost
sessions   connections: opened when needed, ended after a fault, counted in bytes
grants     whether a login can write
statement  a fragment as PostgreSQL text
columns    how a column is compared and shown, by its own type
values     keys that the columns of the server cannot hold
schema     what the database says of itself
failures   what errors mean
"""

from __future__ import annotations

from roundview_federation.connectors.postgres.connector import PostgresConnector

__all__ = ["PostgresConnector"]
