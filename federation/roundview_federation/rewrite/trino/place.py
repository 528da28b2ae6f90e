"""Decides where Trino finds the tables of a source: its catalog, its schema, their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.model import Source
from roundview_federation.connectors.login import login_of
from roundview_federation.dialect.trino_types import not_on_trino

_SCHEMES = {"mysql": (("mysql", "mariadb"), 3306)}


@dataclass(frozen=True, slots=True)
class Place:
    """Catalog and schema of a source in Trino."""

    catalog: str
    schema: str

    def table(self, name: str) -> exp.Table:
        """Returns the tree of a table by its name in the source."""
        return exp.Table(
            this=exp.to_identifier(name.lower(), quoted=True),
            db=exp.to_identifier(self.schema, quoted=True),
            catalog=exp.to_identifier(self.catalog, quoted=True),
        )


def place_of(source: Source, env: Mapping[str, str]) -> Place:
    """Returns where Trino reads a source; raises RequestError RV103 where it does not.

    Without a schema in `trino_catalog` it is that of a PostgreSQL source, the database of a
    MySQL source, and the source's name for all others.
    """
    catalog, _, schema = source.trino_catalog.partition(".")
    if not catalog:
        raise not_on_trino(f"{source.name} has no trino_catalog")
    if not schema and source.connector == "postgres":
        schema = str(source.connection.get("schema") or "public")
    elif not schema and source.connector in _SCHEMES:
        schema = login_of(source, env, *_SCHEMES[source.connector]).database
    # Trino knows names in lower case only; its connectors find others with a setting.
    return Place(catalog, (schema or source.name).lower())
