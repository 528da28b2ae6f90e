"""Decides what is kept of a real PostgreSQL's own catalog: `python -m tests.pgcatalog.gather`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg import sql
from tests.pgcatalog.postgres_catalog import OWNER, catalog_server, dsn

import roundview_sql.metadata

TARGET: Final = Path(roundview_sql.metadata.__file__).with_name("postgres15.arrow")
# Rows that are this machine's, that nobody asks for, or that are larger than all others together.
_SKIPPED: Final = frozenset(
    ["pg_statistic", "pg_rewrite", "pg_depend", "pg_shdepend", "pg_init_privs", "pg_statistic_ext",
     "pg_shseclabel", "pg_seclabel", "pg_largeobject", "pg_statistic_ext_data"]
)  # fmt: skip
_ONLY: Final[Mapping[str, str]] = {
    "pg_collation": "oid < 10000",
    "pg_description": "objoid < 16384",
}
_HIDDEN: Final = {"rolpassword", "datfrozenxid", "datminmxid"}
_VIEWS_AS_TABLES: Final = ("pg_settings", "pg_timezone_names", "pg_timezone_abbrevs")
_PATH: Final = ("data_directory", "config_file", "hba_file", "ident_file", "external_pid_file")


def main() -> None:
    """Writes the file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        catalog_server(Path(folder)) as port,
        psycopg.connect(dsn(port, OWNER)) as connection,
    ):
        kept = {name: rows(connection, *name) for name in relations(connection)}
        kept["", "definitions"] = definitions(connection)
        kept["", "keywords"] = table(
            connection,
            "SELECT word, catcode::text, barelabel, catdesc, baredesc FROM pg_get_keywords()",
            [pa.string(), pa.string(), pa.bool_(), pa.string(), pa.string()],
        )
    names = [f"{schema}.{name}" if schema else name for schema, name in kept]
    arrays = [
        pa.array([one.to_pylist()], pa.list_(pa.struct(list(one.schema)))) for one in kept.values()
    ]
    whole = pa.table(arrays, names)
    with pa.OSFile(str(TARGET), "wb") as sink:
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 19))
        with pa.ipc.new_file(sink, whole.schema, options=options) as writer:
            writer.write_table(whole)


def relations(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Returns schema and name of the tables that have rows, and of views that are kept as such."""
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('pg_catalog', 'information_schema')"
        " AND (c.relkind = 'r' OR c.relname = ANY(%s)) ORDER BY 1, 2",
        [list(_VIEWS_AS_TABLES)],
    ).fetchall()
    return [(schema, name) for schema, name in found if name not in _SKIPPED]


def rows(connection: psycopg.Connection[Any], schema: str, name: str) -> pa.Table:
    """Returns a relation's rows, each column as the type that holds it."""
    columns = connection.execute(
        "SELECT a.attname, t.typname, COALESCE(b.typname, '') FROM pg_attribute a"
        " JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype"
        " WHERE a.attrelid = (%s)::regclass AND a.attnum > 0 ORDER BY a.attnum",
        [f"{schema}.{name}"],
    ).fetchall()
    shown = []
    types = []
    for column, type_, base in columns:
        as_, arrow = _FORMS.get(base or type_, ("text", pa.string()))
        value = sql.SQL("{}::{}").format(sql.Identifier(column), sql.SQL(as_))
        if column in _HIDDEN:
            value = sql.SQL("NULL::{}").format(sql.SQL(as_.split("::")[-1]))
        shown.append(sql.SQL("{} AS {}").format(value, sql.Identifier(column)))
        types.append(arrow)
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(shown), sql.Identifier(schema, name)
    )
    if name in _ONLY:
        query += sql.SQL(" WHERE ") + sql.SQL(_ONLY[name])
    if name == "pg_settings":
        query += sql.SQL(" WHERE name <> ALL({})").format(sql.Literal(list(_PATH)))
    if name == "pg_db_role_setting":
        query += sql.SQL(" WHERE false")
    return table(connection, query, types)


def definitions(connection: psycopg.Connection[Any]) -> pa.Table:
    """Returns how the catalog's own views, indexes and constraints are written."""
    return table(
        connection,
        "SELECT 'view', oid::int8, 0, pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v'"
        " UNION ALL SELECT 'index', i.indexrelid::int8, k,"
        " pg_get_indexdef(i.indexrelid, k, false) FROM pg_index i,"
        " generate_series(0, i.indnatts) AS k UNION ALL"
        " SELECT 'constraint', oid::int8, 0, pg_get_constraintdef(oid) FROM pg_constraint"
        " UNION ALL SELECT 'constraint', oid::int8, 1, pg_get_constraintdef(oid, true)"
        " FROM pg_constraint UNION ALL SELECT 'type', oid::int8, 0, format_type(oid, NULL) FROM pg_type"
        " UNION ALL SELECT 'procedure', oid::int8, 0, oid::regprocedure::text FROM pg_proc"
        " UNION ALL SELECT 'result', oid::int8, 0, pg_get_function_result(oid) FROM pg_proc"
        " UNION ALL SELECT 'arguments', oid::int8, 0, pg_get_function_arguments(oid) FROM pg_proc"
        " UNION ALL SELECT 'identity', oid::int8, 0, pg_get_function_identity_arguments(oid)"
        " FROM pg_proc",
        [pa.string(), pa.int64(), pa.int32(), pa.string()],
        ["kind", "oid", "number", "definition"],
    )


def table(
    connection: psycopg.Connection[Any],
    query: Any,
    types: list[pa.DataType],
    names: list[str] | None = None,
) -> pa.Table:
    """Returns the rows of a query."""
    cursor = connection.execute(query)
    names = names or [column.name for column in cursor.description or ()]
    found = cursor.fetchall()
    values = list(zip(*found, strict=True)) if found else [()] * len(names)
    arrays = [pa.array(list(some), type_) for some, type_ in zip(values, types, strict=True)]
    return pa.table(arrays, names)


_NUMBER = ("text::int8", pa.int64())
_FORMS: Final[Mapping[str, tuple[str, pa.DataType]]] = {
    "oid": ("oid::int8", pa.int64()),
    "regproc": ("oid::int8", pa.int64()),
    "xid": _NUMBER,
    "bool": ("bool", pa.bool_()),
    "int2": ("int2", pa.int16()),
    "int4": ("int4", pa.int32()),
    "int8": ("int8", pa.int64()),
    "float4": ("float4", pa.float32()),
    "float8": ("float8", pa.float64()),
    "int2vector": ("int2[]", pa.list_(pa.int16())),
    "oidvector": ("oid[]::int8[]", pa.list_(pa.int64())),
    "_oid": ("oid[]::int8[]", pa.list_(pa.int64())),
    "_int2": ("int2[]", pa.list_(pa.int16())),
    "_text": ("text[]", pa.list_(pa.string())),
    "_name": ("text[]", pa.list_(pa.string())),
    "_char": ("text[]", pa.list_(pa.string())),
    "_aclitem": ("text[]", pa.list_(pa.string())),
    "_float4": ("float4[]", pa.list_(pa.float32())),
    "timestamptz": ("timestamptz", pa.timestamp("us", "UTC")),
    "interval": ("text", pa.string()),
}


if __name__ == "__main__":
    main()
