"""Decides which rows the schema that an asker may see adds to the catalog of PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from roundview_catalog.model import Catalog
from roundview_catalog.types import Type
from roundview_federation.dialect.scopes import SCHEMA
from roundview_federation.request import Decision
from roundview_federation.sql.relations import visible
from roundview_sql.metadata.keys import comment, comments, keys, oids, pg_type, references
from roundview_sql.metadata.reference import CATALOG, Reference

OWNER: Final = 10
"""The OID of the role that everything belongs to."""
UNQUALIFIED: Final = "\x01"
"""Stands in a definition where the schema is said unless it is in the search path."""
_RELATIONS, _NAMESPACES = 1259, 2615
_TEXT_OPERATORS, _TEXT_EQUAL = 3126, 98
_TABLE_RIGHTS = ["roundview=arwdDxt/roundview", "=r/roundview"]
_TEMPLATES: Mapping[str, tuple[str, str]] = {
    "table": ("pg_class", "sql_parts"),
    "index": ("pg_class", "pg_am_oid_index"),
}

Row = dict[str, Any]


class OwnRows:
    """Collects the rows of one kind of asker, by relation.

    `oids` has the OID of every object, seen or not, so that they are those of all askers.
    """

    def __init__(self, reference: Reference, catalog: Catalog, decision: Decision) -> None:
        self._reference = reference
        self._catalog = catalog
        self._seen: Mapping[str, Mapping[str, Type]] = visible(catalog, decision)
        self._oids = oids(catalog)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._composite = self._template("pg_type", "typname", "sql_parts")
        self._composites = self._template("pg_type", "typname", "_sql_parts")
        self._add_schema()
        for name in self._seen:
            self._add_relation(name)
        for name in self._seen:
            self._add_references(name)

    @property
    def relations(self) -> Mapping[str, int]:
        """Returns the OIDs of the relations that are seen."""
        return {name: self._oids[f"relation {name}"] for name in self._seen}

    @cached_property
    def classes(self) -> Mapping[str, int]:
        """Returns the OIDs of relations and indexes that are seen."""
        return {row["relname"]: row["oid"] for row in self._rows["pg_class"]}

    @cached_property
    def types(self) -> Mapping[str, int]:
        """Returns the OIDs of the types of rows, and of their arrays."""
        return {row["typname"]: row["oid"] for row in self._rows["pg_type"]}

    @property
    def schema(self) -> int:
        """Returns the OID of the schema."""
        return self._oids["schema"]

    def tables(self) -> Mapping[str, pa.Table]:
        """Returns every relation that has rows of its own: PostgreSQL's and these."""
        found = dict(self._reference.tables)
        for name, rows in self._rows.items():
            key = name if name in found else f"{CATALOG}.{name}"
            base = found[key]
            arrays = [
                pa.array([row.get(field.name) for row in rows], field.type) for field in base.schema
            ]
            found[key] = pa.concat_tables([base, pa.table(arrays, base.schema)])
        return found

    def _template(self, relation: str, column: str, value: str | int) -> Row:
        table = self._reference.tables[f"{CATALOG}.{relation}"]
        at = table[column].to_pylist().index(value)
        row: Row = table.slice(at, 1).to_pylist()[0]
        return row

    def _add(self, relation: str, *rows: Row) -> None:
        self._rows[relation].extend(rows)

    def _add_schema(self) -> None:
        row = {
            "oid": self.schema, "nspname": SCHEMA, "nspowner": OWNER,
            "nspacl": ["roundview=UC/roundview", "=U/roundview"],
        }  # fmt: skip
        self._add("pg_namespace", row)
        self._describe(self.schema, _NAMESPACES, 0, f"Customers of {self._catalog.name}.")

    def _add_relation(self, name: str) -> None:
        oid = self._oids[f"relation {name}"]
        columns = self._seen[name]
        type_, array = self._oids[f"type {name}"], self._oids[f"array {name}"]
        keys = tuple(self._keys(name))
        targets = self._targets()
        row = self._template(*_TEMPLATES["table"][:1], "relname", _TEMPLATES["table"][1])
        row |= {
            "oid": oid, "relname": name, "relnamespace": self.schema, "reltype": type_,
            "relowner": OWNER, "relfilenode": oid, "reltoastrelid": 0, "relpages": 0,
            "reltuples": -1.0, "relnatts": len(columns), "relhasindex": bool(keys),
            "relhastriggers": name in targets or any(True for _ in self._references(name)),
            "relacl": _TABLE_RIGHTS, "relallvisible": 0,
        }  # fmt: skip
        self._add("pg_class", row)
        owned = {"typnamespace": self.schema, "typowner": OWNER, "typacl": None}
        self._add(
            "pg_type",
            self._composite
            | owned
            | {"oid": type_, "typname": name, "typrelid": oid, "typarray": array},
            self._composites | owned | {"oid": array, "typname": f"_{name}", "typelem": type_},
        )
        self._add_columns(name, oid, columns)
        for suffix, kind, names in keys:
            self._add_key(name, f"{name}_{suffix}", kind, names)

    def _add_columns(self, name: str, oid: int, columns: Mapping[str, Type]) -> None:
        required = {
            column for _, kind, names in self._keys(name) for column in names if kind == "p"
        }
        said = comments(self._catalog, name)
        self._describe(oid, _RELATIONS, 0, comment(self._catalog, name))
        for number, (column, type_) in enumerate(columns.items(), 1):
            self._add_column(oid, column, number, pg_type(type_), is_required=column in required)
            self._describe(oid, _RELATIONS, number, said.get(column, ""))

    def _add_column(
        self, table: int, name: str, number: int, type_: tuple[int, int], *, is_required: bool
    ) -> None:
        row = self._types[type_[0]]
        self._add("pg_attribute", {
            "attrelid": table, "attname": name, "atttypid": type_[0], "attstattarget": -1,
            "attlen": row["typlen"], "attnum": number, "attndims": 0, "attcacheoff": -1,
            "atttypmod": type_[1], "attbyval": row["typbyval"], "attalign": row["typalign"],
            "attstorage": row["typstorage"], "attcompression": "", "attnotnull": is_required,
            "atthasdef": False, "atthasmissing": False, "attidentity": "", "attgenerated": "",
            "attisdropped": False, "attislocal": True, "attinhcount": 0,
            "attcollation": row["typcollation"],
        })  # fmt: skip

    @property
    def _types(self) -> Mapping[int, Mapping[str, Any]]:
        return self._reference.type_rows

    def _add_key(self, table: str, name: str, kind: str, columns: Sequence[str]) -> None:
        oid, index = self._oids[f"constraint {name}"], self._oids[f"index {name}"]
        owner = self._oids[f"relation {table}"]
        numbers = [list(self._seen[table]).index(column) + 1 for column in columns]
        row = self._template(*_TEMPLATES["index"][:1], "relname", _TEMPLATES["index"][1])
        row |= {
            "oid": index, "relname": name, "relnamespace": self.schema, "relowner": OWNER,
            "relfilenode": index, "relnatts": len(columns), "relpages": 1, "reltuples": 0.0,
            "relallvisible": 0,
        }  # fmt: skip
        self._add("pg_class", row)
        types = [pg_type(self._seen[table][column]) for column in columns]
        for number, (column, type_) in enumerate(zip(columns, types, strict=True), 1):
            self._add_column(index, column, number, type_, is_required=False)
        text = 25
        self._add("pg_index", self._template("pg_index", "indexrelid", 2652) | {
            "indexrelid": index, "indrelid": owner, "indnatts": len(columns),
            "indnkeyatts": len(columns), "indisprimary": kind == "p", "indkey": numbers,
            "indcollation": [100 if oid == text else 0 for oid, _ in types],
            "indclass": [_TEXT_OPERATORS] * len(columns), "indoption": [0] * len(columns),
        })  # fmt: skip
        self._add("pg_constraint", _constraint(oid, name, self.schema, kind) | {
            "conrelid": owner, "conindid": index, "conkey": numbers, "connoinherit": True,
        })  # fmt: skip
        shown = ", ".join(columns)
        what = "PRIMARY KEY" if kind == "p" else "UNIQUE"
        made = f"CREATE UNIQUE INDEX {name} ON {UNQUALIFIED}{table} USING btree ({shown})"
        self._define("constraint", oid, 0, f"{what} ({shown})")
        self._define("index", index, 0, made)
        for number, column in enumerate(columns, 1):
            self._define("index", index, number, column)

    def _add_references(self, table: str) -> None:
        for column_names, target, target_names in self._references(table):
            name = f"{table}_{'_'.join(column_names)}_fkey"
            oid = self._oids[f"constraint {name}"]
            unique = next(
                suffix for suffix, _, names in self._keys(target) if names == target_names
            )
            count = len(column_names)
            self._add("pg_constraint", _constraint(oid, name, self.schema, "f") | {
                "conrelid": self._oids[f"relation {table}"],
                "conindid": self._oids[f"index {target}_{unique}"],
                "confrelid": self._oids[f"relation {target}"],
                "conkey": [list(self._seen[table]).index(one) + 1 for one in column_names],
                "confkey": [list(self._seen[target]).index(one) + 1 for one in target_names],
                "confupdtype": "a", "confdeltype": "a", "confmatchtype": "s",
                "connoinherit": True,
                "conpfeqop": [_TEXT_EQUAL] * count, "conppeqop": [_TEXT_EQUAL] * count,
                "conffeqop": [_TEXT_EQUAL] * count,
            })  # fmt: skip
            self._define(
                "constraint",
                oid,
                0,
                f"FOREIGN KEY ({', '.join(column_names)}) REFERENCES"
                f" {UNQUALIFIED}{target}({', '.join(target_names)})",
            )

    def _keys(self, name: str) -> Iterable[tuple[str, str, tuple[str, ...]]]:
        columns = self._seen[name]
        yield from (key for key in keys(self._catalog, name) if set(key[2]) <= set(columns))

    def _references(self, name: str) -> Iterable[tuple[tuple[str, ...], str, tuple[str, ...]]]:
        for columns, target, target_columns in references(self._catalog, name):
            if (
                set(columns) <= set(self._seen[name])
                and target in self._seen
                and any(names == target_columns for _, _, names in self._keys(target))
            ):
                yield columns, target, target_columns

    def _targets(self) -> frozenset[str]:
        return frozenset(target for name in self._seen for _, target, _ in self._references(name))

    def _describe(self, oid: int, class_: int, number: int, text: str) -> None:
        if text:
            self._add(
                "pg_description",
                {"objoid": oid, "classoid": class_, "objsubid": number, "description": text},
            )

    def _define(self, kind: str, oid: int, number: int, text: str) -> None:
        self._add("definitions", {"kind": kind, "oid": oid, "number": number, "definition": text})


def _constraint(oid: int, name: str, schema: int, kind: str) -> Row:
    return {
        "oid": oid, "conname": name, "connamespace": schema, "contype": kind,
        "condeferrable": False, "condeferred": False, "convalidated": True, "contypid": 0,
        "conparentid": 0, "confrelid": 0, "confupdtype": " ", "confdeltype": " ",
        "confmatchtype": " ", "conislocal": True, "coninhcount": 0,
    }  # fmt: skip
