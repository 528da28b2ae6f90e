"""Decides what is known of a PostgreSQL without tables: its own relations, types and functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

CATALOG: Final = "pg_catalog"
INFORMATION: Final = "information_schema"
_FILE: Final = "postgres15.arrow"
_SYSTEM: Final = 0


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of a relation: its type, and which one it is."""

    name: str
    oid: int
    typmod: int
    number: int
    table: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of the catalog; `kind` is r for one with rows of its own, v for a view."""

    schema: str
    name: str
    oid: int
    kind: str
    columns: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A type: `kind` b base, d domain, c composite, p pseudo; `element` is 0 but for arrays."""

    oid: int
    name: str
    schema: str
    kind: str
    category: str
    is_preferred: bool
    element: int
    array: int
    base: int
    typmod: int


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a name: OIDs of its arguments and its result, names of columns it returns."""

    oid: int
    schema: str
    name: str
    arguments: tuple[int, ...]
    result: int
    is_set: bool
    variadic: int
    defaults: int
    kind: str
    columns: tuple[tuple[str, int], ...]


class Reference:
    """The rows of a PostgreSQL's own catalog, read once per process."""

    def __init__(self) -> None:
        with (files(__package__) / _FILE).open("rb") as file:
            whole = pa.ipc.open_file(file).read_all()
        self.tables: dict[str, pa.Table] = {}
        for name in whole.column_names:
            rows = whole[name].combine_chunks().flatten()
            self.tables[name] = pa.table(rows.flatten(), [one.name for one in rows.type])

    def rows(self, name: str, *columns: str) -> Sequence[tuple[Any, ...]]:
        """Returns some columns of a relation of pg_catalog."""
        table = self.tables[f"{CATALOG}.{name}"]
        return list(zip(*(table[column].to_pylist() for column in columns), strict=True))

    @cached_property
    def schemas(self) -> Mapping[int, str]:
        """Returns the name of each schema."""
        return dict(self.rows("pg_namespace", "oid", "nspname"))

    @cached_property
    def relations(self) -> Mapping[tuple[str, str], Relation]:
        """Returns relations by schema and name."""
        columns: dict[int, dict[str, Attribute]] = {}
        fields = ("attrelid", "attname", "atttypid", "atttypmod", "attnum")
        for table, name, oid, typmod, number in self.rows("pg_attribute", *fields):
            if number > _SYSTEM:
                columns.setdefault(table, {})[name] = Attribute(name, oid, typmod, number, table)
        found = {}
        for oid, name, schema, kind in self.rows(
            "pg_class", "oid", "relname", "relnamespace", "relkind"
        ):
            if kind in "rv" and self.schemas[schema] in (CATALOG, INFORMATION):
                key = self.schemas[schema], name
                found[key] = Relation(*key, oid, kind, columns[oid])
        return found

    @cached_property
    def types(self) -> Mapping[int, TypeRow]:
        """Returns types by OID."""
        return {
            row[0]: TypeRow(row[0], row[1], self.schemas[row[2]], *row[3:])
            for row in self.rows(
                "pg_type", "oid", "typname", "typnamespace", "typtype", "typcategory",
                "typispreferred", "typelem", "typarray", "typbasetype", "typtypmod",
            )
        }  # fmt: skip

    @cached_property
    def type_rows(self) -> Mapping[int, Mapping[str, Any]]:
        """Returns the whole rows of types by OID."""
        return {row["oid"]: row for row in self.tables[f"{CATALOG}.pg_type"].to_pylist()}

    def base(self, oid: int) -> int:
        """Returns the type under a domain, any other type as it is."""
        known = self.types.get(oid)
        return self.base(known.base) if known is not None and known.kind == "d" else oid

    @cached_property
    def type_names(self) -> Mapping[tuple[str, str], int]:
        """Returns the OIDs of types by schema and name."""
        return {(one.schema, one.name): one.oid for one in self.types.values()}

    @cached_property
    def functions(self) -> Mapping[str, Sequence[Function]]:
        """Returns the functions of each name."""
        found: dict[str, list[Function]] = {}
        for row in self.rows(
            "pg_proc", "oid", "pronamespace", "proname", "proargtypes", "prorettype", "proretset",
            "provariadic", "pronargdefaults", "prokind", "proallargtypes", "proargmodes",
            "proargnames",
        ):  # fmt: skip
            all_types, modes, names = row[9:]
            columns: tuple[tuple[str, int], ...] = ()
            if modes is not None and names is not None:
                columns = tuple(
                    (name, oid)
                    for name, oid, mode in zip(names, all_types, modes, strict=True)
                    if mode in ("o", "t", "b")
                )
            oid, schema, name, arguments, result, is_set, variadic, defaults, kind = row[:9]
            one = Function(
                oid, self.schemas[schema], name, tuple(arguments), result, is_set, variadic,
                defaults, kind, columns,
            )  # fmt: skip
            found.setdefault(name, []).append(one)
        return found

    @cached_property
    def definitions(self) -> Mapping[tuple[str, int, int], str]:
        """Returns how views, indexes and constraints of the catalog are written."""
        table = self.tables["definitions"]
        columns = (table[name].to_pylist() for name in ("kind", "oid", "number", "definition"))
        return {(kind, oid, number): text for kind, oid, number, text in zip(*columns, strict=True)}

    @cached_property
    def casts(self) -> frozenset[tuple[int, int]]:
        """Returns the types between which PostgreSQL converts without being asked."""
        rows = self.rows("pg_cast", "castsource", "casttarget", "castcontext")
        return frozenset((source, target) for source, target, context in rows if context == "i")

    @cached_property
    def classes(self) -> Mapping[tuple[str, str], int]:
        """Returns the OIDs of relations, indexes and others by schema and name."""
        rows = self.rows("pg_class", "oid", "relname", "relnamespace")
        return {(self.schemas[schema], name): oid for oid, name, schema in rows}

    @cached_property
    def spelled(self) -> Mapping[str, int]:
        """Returns the OIDs of types by how they are written: `timestamp with time zone`."""
        return {text: oid for (kind, oid, _), text in self.definitions.items() if kind == "type"}

    @cached_property
    def procedures(self) -> Mapping[str, int]:
        """Returns the OIDs of functions by name and types: `mod(integer,integer)`."""
        found = self.definitions.items()
        return {text: oid for (kind, oid, _), text in found if kind == "procedure"}

    @cached_property
    def roles(self) -> Mapping[str, int]:
        """Returns the OIDs of roles."""
        return {name: oid for oid, name in self.rows("pg_authid", "oid", "rolname")}

    @cached_property
    def reserved(self) -> tuple[str, ...]:
        """Returns the words that are quoted as names."""
        table = self.tables["keywords"]
        pairs = zip(table["word"].to_pylist(), table["catcode"].to_pylist(), strict=True)
        return tuple(word for word, code in pairs if code != "U")

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """Returns the settings that PostgreSQL has, as SHOW tells them."""
        return {
            name.lower(): value
            for name, value in self.rows("pg_settings", "name", "setting")
            if value is not None
        }
