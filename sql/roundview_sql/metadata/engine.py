"""Decides where the rows of the catalog lie: in a DuckDB of their own, in memory, locked."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from roundview_sql.failures import WireError
from roundview_sql.metadata.own import UNQUALIFIED, OwnRows
from roundview_sql.metadata.reference import CATALOG, INFORMATION, Reference, Relation

SCHEMAS: Final[Mapping[str, str]] = {CATALOG: "pg", INFORMATION: "info"}
"""The engine has schemas of PostgreSQL's names itself."""
# Rows in which the session stands are shown through views.
_IN_VIEWS: Final = {
    "pg_authid": "pg_authid_rows", "pg_database": "pg_database_rows",
    "pg_settings": "pg_settings_rows",
}  # fmt: skip
_FUNCTIONS: Final = "functions.sql"
_ARRIVING: Final = "arriving"
_DEFINED: Final = re.compile(r"CREATE MACRO pg\.(\w+)")
# What macros raise: an SQLSTATE and a name.
_RAISED: Final = re.compile(r"Invalid Input Error: ([0-9A-Z]{5}) (.*)")


class CatalogEngine:
    """Holds the catalog as one kind of asker sees it, and runs what was bound for it."""

    def __init__(self, reference: Reference, own: OwnRows) -> None:
        self._reference = reference
        self._lock = threading.Lock()
        self._views: set[tuple[str, str]] = set()
        self.own = own
        self._database = duckdb.connect(
            ":memory:",
            config={
                "threads": 1, "memory_limit": "512MB", "enable_external_access": False,
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
                "default_null_order": "nulls_last_on_asc_first_on_desc",
            },
        )  # fmt: skip
        self._fill()
        self.macros = frozenset(_macros())
        self._database.execute("SET lock_configuration = true")

    def run(
        self,
        tree: exp.Expr,
        values: Mapping[str, Any],
        session: Mapping[str, Any],
        cursors: list[Any],
    ) -> pa.Table:
        """Runs a bound statement; `session` has the variables that views and macros read.

        `cursors` takes what can be interrupted while it runs.
        """
        cursor = self._database.cursor()
        cursors.append(cursor)
        try:
            for name, value in session.items():
                if isinstance(value, Mapping):
                    cursor.execute(_set(name, is_map=True), [list(value), list(value.values())])
                else:
                    cursor.execute(_set(name), [value])
            relation = cursor.sql(tree.sql(dialect="duckdb"), params=dict(values) or None)
            return relation.to_arrow_table()
        finally:
            cursor.close()

    def require(self, relation: Relation, bound: Callable[[str], exp.Expr]) -> None:
        """Makes a view of PostgreSQL's, once it is asked for; `bound` binds its definition."""
        key = relation.schema, relation.name
        if relation.kind != "v" or key in self._views:
            return
        if f"{relation.schema}.{relation.name}" in self._reference.tables:
            return
        tree = bound(self._reference.definitions["view", relation.oid, 0])
        with self._lock:
            if key not in self._views:
                made = exp.Create(
                    this=exp.Schema(
                        this=exp.table_(relation.name, db=SCHEMAS[relation.schema], quoted=True),
                        expressions=[
                            exp.to_identifier(one, quoted=True) for one in relation.columns
                        ],
                    ),
                    kind="VIEW",
                    expression=tree,
                )
                try:
                    self._database.cursor().execute(made.sql(dialect="duckdb"))
                except duckdb.Error as error:
                    raise failure(error) from error
                self._views.add(key)

    def _fill(self) -> None:
        cursor = self._database.cursor()
        for schema in SCHEMAS.values():
            cursor.execute(exp.Create(this=exp.table_(schema), kind="SCHEMA").sql(dialect="duckdb"))
        tables = self.own.tables()
        for key, table in tables.items():
            schema, _, name = key.rpartition(".")
            _create(cursor, SCHEMAS.get(schema, "pg"), _IN_VIEWS.get(name, name), table)
        for (schema, name), relation in self._reference.relations.items():
            # What was not kept has no rows here either.
            if relation.kind == "r" and f"{schema}.{name}" not in tables:
                _create(cursor, SCHEMAS[schema], name, _empty(relation, self._reference))
        _create(cursor, "pg", "rv_types", _spellings(tables, self._reference))
        named = {
            one["oid"]: one["nspname"] for one in tables[f"{CATALOG}.pg_namespace"].to_pylist()
        }
        classes = tables[f"{CATALOG}.pg_class"].select(["oid", "relname", "relnamespace"])
        spaces = [named[one] for one in classes["relnamespace"].to_pylist()]
        _create(cursor, "pg", "rv_relations", classes.append_column("nspname", pa.array(spaces)))
        for name, relation_name, column in (
            ("rv_functions", "pg_proc", "proname"),
            ("rv_operators", "pg_operator", "oprname"),
        ):
            rows = tables[f"{CATALOG}.{relation_name}"]
            count = rows[column].value_counts().to_pylist()
            single = {one["values"] for one in count if one["counts"] == 1}
            is_only = pa.array([one in single for one in rows[column].to_pylist()])
            _create(cursor, "pg", name, rows.append_column("rv_is_only", is_only))
        cursor.execute((files(__package__) / _FUNCTIONS).read_text(encoding="utf-8"))
        cursor.close()


def failure(error: Exception) -> WireError:
    """Returns what an error of the engine is told as: never with the engine's own text."""
    match = _RAISED.search(str(error))
    if match is not None:
        return WireError(match[1], f'"{match[2]}" does not exist')
    if isinstance(error, WireError):
        return error
    if isinstance(error, duckdb.InterruptException):
        return WireError("57014", "canceling statement due to user request")
    if isinstance(error, duckdb.ConversionException):
        return WireError("22P02", "invalid input syntax in a question about the catalog")
    if isinstance(error, duckdb.InvalidInputException):
        return WireError("21000", "more than one row returned by a subquery used as an expression")
    return WireError("0A000", "this question about the catalog is not supported")


def _macros() -> list[str]:
    return _DEFINED.findall((files(__package__) / _FUNCTIONS).read_text(encoding="utf-8"))


def _create(cursor: duckdb.DuckDBPyConnection, schema: str, name: str, table: pa.Table) -> None:
    cursor.register(_ARRIVING, table)
    made = exp.Create(
        this=exp.table_(name, db=schema, quoted=True),
        kind="TABLE",
        expression=exp.select("*").from_(_ARRIVING),
    )
    cursor.execute(made.sql(dialect="duckdb"))
    cursor.unregister(_ARRIVING)


def _set(name: str, *, is_map: bool = False) -> str:
    value: exp.Expr = exp.Placeholder()
    if is_map:
        value = exp.Anonymous(this="map", expressions=[value, value.copy()])
    return exp.Set(
        expressions=[
            exp.SetItem(
                this=exp.EQ(this=exp.to_identifier(name), expression=value),
                kind="VARIABLE",
            )
        ]
    ).sql(dialect="duckdb")


def _empty(relation: Relation, reference: Reference) -> pa.Table:
    fields = [(one.name, _held(one.oid, reference)) for one in relation.columns.values()]
    return pa.schema(fields).empty_table()


def _held(oid: int, reference: Reference) -> pa.DataType:
    oid = reference.base(oid)
    known = reference.types.get(oid)
    if known is not None and known.category == "A" and known.element:
        return pa.list_(_held(known.element, reference))
    return _ARROW.get(oid, pa.string())


def _spellings(tables: Mapping[str, pa.Table], reference: Reference) -> pa.Table:
    """Returns how each type is written: those of the own schema begin with UNQUALIFIED."""
    named = {one["oid"]: one["nspname"] for one in tables[f"{CATALOG}.pg_namespace"].to_pylist()}
    rows = []
    for one in tables[f"{CATALOG}.pg_type"].select(
        ["oid", "typname", "typnamespace", "typelem"]
    ).to_pylist():  # fmt: skip
        known = reference.definitions.get(("type", one["oid"], 0))
        if known is None:
            is_array = bool(one["typelem"])
            known = UNQUALIFIED + one["typname"][is_array:] + "[]" * is_array
        rows.append({**one, "nspname": named[one["typnamespace"]], "spelled": known})
    return pa.Table.from_pylist(rows)


_ARROW: Final = {
    16: pa.bool_(), 21: pa.int16(), 23: pa.int32(), 20: pa.int64(), 26: pa.int64(),
    24: pa.int64(), 28: pa.int64(), 700: pa.float32(), 701: pa.float64(),
    22: pa.list_(pa.int16()), 30: pa.list_(pa.int64()), 1028: pa.list_(pa.int64()),
    1009: pa.list_(pa.string()), 1034: pa.list_(pa.string()), 1003: pa.list_(pa.string()),
    1002: pa.list_(pa.string()), 1005: pa.list_(pa.int16()), 1184: pa.timestamp("us", "UTC"),
    1021: pa.list_(pa.float32()),
}  # fmt: skip
