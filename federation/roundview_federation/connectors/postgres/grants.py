"""Decides whether a PostgreSQL login can write: by its grants, never by a setting it can undo."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from roundview_catalog.errors import SourceError

# Everything that the login is, or can become by SET ROLE. System schemas are left out: they
# grant PUBLIC what changes nothing, such as UPDATE on pg_settings.
_POWERS: Final = """
WITH reach AS MATERIALIZED (
  SELECT r.oid, r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication
  FROM pg_catalog.pg_roles AS r WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
), own_schemas AS MATERIALIZED (
  SELECT n.oid, n.nspowner FROM pg_catalog.pg_namespace AS n
  WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
), own_relations AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.relowner FROM pg_catalog.pg_class AS c
  JOIN own_schemas AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','f','S')
)
SELECT
  (SELECT bool_or(rolsuper) FROM reach) AS "is superuser",
  (SELECT bool_or(rolcreaterole) FROM reach) AS "may create roles",
  (SELECT bool_or(rolcreatedb) FROM reach) AS "may create databases",
  (SELECT bool_or(rolreplication) FROM reach) AS "may replicate",
  EXISTS (SELECT 1 FROM reach WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files',
    'pg_execute_server_program', 'pg_maintain', 'pg_create_subscription'))
    AS "is member of a role that writes",
  EXISTS (SELECT 1 FROM reach AS r JOIN own_relations AS c ON c.relowner = r.oid)
    OR EXISTS (SELECT 1 FROM reach AS r JOIN own_schemas AS n ON n.nspowner = r.oid)
    OR EXISTS (SELECT 1 FROM reach AS r JOIN pg_catalog.pg_proc AS p ON p.proowner = r.oid)
    OR EXISTS (SELECT 1 FROM reach AS r JOIN pg_catalog.pg_database AS d ON d.datdba = r.oid
      WHERE d.datname = current_database()) AS "owns objects",
  EXISTS (SELECT 1 FROM reach AS r JOIN own_relations AS c ON c.relkind <> 'S'
    AND (pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER')
      OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT,UPDATE')))
    AS "may change tables",
  EXISTS (SELECT 1 FROM reach AS r JOIN own_relations AS c ON c.relkind = 'S'
    AND pg_catalog.has_sequence_privilege(r.oid, c.oid, 'USAGE,UPDATE')) AS "may move sequences",
  EXISTS (SELECT 1 FROM reach AS r CROSS JOIN own_schemas AS n
    WHERE pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE'))
    OR EXISTS (SELECT 1 FROM reach AS r
      WHERE pg_catalog.has_database_privilege(r.oid, current_database(), 'CREATE'))
    AS "may create tables or schemas"
"""
_HINT: Final = (
    "use a login that owns nothing and has only CONNECT, USAGE and SELECT; before PostgreSQL 15 "
    "also REVOKE CREATE ON SCHEMA public FROM PUBLIC"
)
PROVEN: Final = "the login can read, and change nothing"


async def prove(source: str, connection: asyncpg.Connection[Any]) -> str:
    """Returns how it is known that the login cannot write, or raises SourceError RV407."""
    row = await connection.fetchrow(_POWERS)
    found = [name for name, is_true in row.items() if is_true] if row is not None else ["is odd"]
    if found:
        text = f"{source} is not proven to be read-only: its login {' and '.join(found)}"
        raise SourceError(source, text, code="RV407", hint=_HINT)
    return PROVEN
