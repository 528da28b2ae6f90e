"""Decides how a source under test is opened and asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from tests.connectors import mariadb_server, postgres_server, rest_app, world

from roundview_catalog.model import Limits, Source
from roundview_federation.connectors import open_connector
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import Answer, ChildRows, Fragment
from roundview_federation.resilience.deadline import Deadline

TECHNOLOGIES = ("sqlite", "files", "rest", "postgres", "mysql")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the world lies in each technology."""

    rows: world.World
    sqlite: Path
    files: Path
    rest_port: int
    rest_hits: list[str]
    mariadb: mariadb_server.MariadbServer | None
    postgres: postgres_server.PostgresServer | None

    def source(self, technology: str, **limits: Any) -> Source:
        """Returns the source of a technology, with some limits of its own."""
        chosen = Limits(**{"timeout": 10.0, "calls": 2_000, **limits})
        if technology == "sqlite":
            declared = world.tables({}, {"people.email": "ci"})
            return world.source("shop", "sqlite", {"path": str(self.sqlite)}, declared, chosen)
        if technology == "files":
            declared = world.tables(world.FILE_ACCESS, {})
            return world.source("mail", "files", {"root": str(self.files)}, declared, chosen)
        if technology == "postgres":
            return postgres_source(self.postgres, chosen)
        if technology == "mysql":
            return mysql_source(self.mariadb, chosen)
        return rest_source(self.rest_port, chosen)


def postgres_source(
    server: postgres_server.PostgresServer | None, limits: Limits | None = None, **connection: Any
) -> Source:
    """Returns the world's source on PostgreSQL; without a server the test is not run."""
    if server is None:
        pytest.skip(postgres_server.MISSING)
    declared = world.tables({}, {"people.email": "ci"})
    people = declared["people"]
    email = replace(people.columns["email"], native="citext")
    declared["people"] = replace(people, columns={**people.columns, "email": email})
    base = {"url": server.url(postgres_server.WORLD), **connection}
    return world.source("crm", "postgres", base, declared, limits)


def mysql_source(
    server: mariadb_server.MariadbServer | None, limits: Limits | None = None, **connection: Any
) -> Source:
    """Returns the world's source on MariaDB; without a server the test is not run."""
    if server is None:
        pytest.skip(mariadb_server.MISSING)
    blind = dict.fromkeys(("people.name", "people.email", "people.note", "orders.status"), "ci")
    base = {"url": server.url(mariadb_server.WORLD), **connection}
    return world.source("pos", "mysql", base, world.tables({}, blind), limits)


def rest_source(port: int, limits: Limits | None = None, **connection: Any) -> Source:
    """Returns the REST source at a port."""
    declared = world.tables(world.REST_ACCESS, {})
    base = {
        "base_url": f"http://127.0.0.1:{port}/api",
        "private": True,
        "auth": {"bearer": "${env:TOKEN}"},
        **connection,
    }
    return world.source("support", "rest", base, declared, limits)


def opened(source: Source) -> Connector:
    """Opens the connector of a source with the test's environment."""
    return open_connector(source, env={"TOKEN": rest_app.TOKEN})


def tree(sql: str) -> exp.Select:
    """Parses a statement of the canonical dialect as planners build it."""
    parsed = sqlglot.parse_one(sql, read="postgres")
    for node in list(parsed.find_all(exp.Any)):
        if isinstance(node.this, exp.Paren):
            node.set("this", node.this.this)
    assert isinstance(parsed, exp.Select)
    return parsed


def fragment(sql: str, *, children: dict[str, str] | None = None, **options: Any) -> Fragment:
    """Returns a fragment; placeholders named `keys…` are key sets."""
    parsed = tree(sql)
    rows = tuple(ChildRows(alias, tree(text)) for alias, text in (children or {}).items())
    names = {
        p.name for one in (parsed, *(r.tree for r in rows)) for p in one.find_all(exp.Placeholder)
    }
    return Fragment(
        id="f",
        source="any",
        tree=parsed,
        types=options.pop("types", ()),
        keysets=tuple(sorted(name for name in names if name.startswith("keys"))),
        params=tuple(sorted(name for name in names if not name.startswith("keys"))),
        children=rows,
        **options,
    )


async def ask(
    connector: Connector, sql: str, params: dict[str, Any] | None = None, **options: Any
) -> Answer:
    """Compiles and runs a statement with ten seconds of time."""
    call = connector.compile(fragment(sql, **options))
    return await connector.rows(call, params or {}, Deadline.after(10.0))
