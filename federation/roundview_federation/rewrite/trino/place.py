"""Decides where Trino finds the tables of a source: its catalog, its schema, their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.model import Catalog, Source, SourceTable
from roundview_federation.bridged import (
    BRIDGED,
    OWN_SCHEMA,
    XREF_TABLE,
    bridged_schemas,
    trino_names,
)
from roundview_federation.connectors.login import login_of

_SCHEMES = {"mysql": (("mysql", "mariadb"), 3306)}


@dataclass(frozen=True, slots=True)
class Place:
    """Catalog and schema of a source in Trino; `is_bridged` where it is read through our bridge."""

    catalog: str
    schema: str
    is_bridged: bool = False
    own_schema: str = ""
    """what a database itself calls the schema, "" of what is none"""

    def table(self, name: str, tables: Mapping[str, SourceTable]) -> exp.Table:
        """Returns the tree of one of the source's tables."""
        if self.is_bridged:
            return self.named(trino_names(tables)[name])
        # Trino knows names in lower case only; its connectors find others with a setting.
        return self.named(tables[name].physical.lower())

    def column(self, name: str, table: SourceTable) -> str:
        """Returns what a column of a table is called."""
        return trino_names(table.columns)[name] if self.is_bridged else name.lower()

    def named(self, name: str) -> exp.Table:
        """Returns the tree of a table by its name in Trino."""
        return exp.Table(
            this=exp.to_identifier(name, quoted=True),
            db=exp.to_identifier(self.schema, quoted=True),
            catalog=exp.to_identifier(self.catalog, quoted=True),
        )


def places_of(catalog: Catalog, env: Mapping[str, str]) -> dict[str, Place]:
    """Returns where Trino finds each source that it can read.

    Without a schema in `trino_catalog` it is that of a PostgreSQL source, the database of a
    MySQL source, and the source's name for all others.
    """
    schemas = bridged_schemas(catalog)
    told = catalog.engines.trino
    bridge = told.bridge if told is not None else ""
    found = {}
    for name, source in catalog.sources.items():
        if source.connector in BRIDGED:
            if source.trino_catalog or bridge:
                found[name] = Place(source.trino_catalog or bridge, schemas[name], is_bridged=True)
        elif source.trino_catalog:
            found[name] = _of_server(source, env)
    return found


def xref_of(catalog: Catalog) -> exp.Table | None:
    """Returns the table that says whose each record is, None where Trino does not reach it."""
    told = catalog.engines.trino
    if told is None or not told.bridge:
        return None
    return Place(told.bridge, OWN_SCHEMA).named(XREF_TABLE)


def _of_server(source: Source, env: Mapping[str, str]) -> Place:
    catalog, _, schema = source.trino_catalog.partition(".")
    own = ""
    if source.connector == "postgres":
        own = str(source.connection.get("schema") or "public")
    elif source.connector in _SCHEMES:
        own = login_of(source, env, *_SCHEMES[source.connector]).database
    return Place(catalog, (schema or own or source.name).lower(), own_schema=own)
