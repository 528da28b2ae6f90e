"""Decides what questions about the catalog are asked of: our door, and PostgreSQL with the same."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from tests.connectors import postgres_server
from tests.pgcatalog.postgres_catalog import OWNER, catalog_server, dsn

from roundview.demo import estate
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.scopes import SCHEMA
from roundview_federation.dialect.types import of_column
from roundview_federation.federation import Federation
from roundview_federation.sql.relations import visible
from roundview_sql.metadata.catalog import PostgresCatalog
from roundview_sql.metadata.keys import comment, comments, keys, references
from roundview_sql.server import SqlServer

PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Doors:
    """Where our server is, and the PostgreSQL that has the same tables."""

    federation: Federation
    ours: str
    theirs: str


@pytest.fixture(scope="session")
def oracle_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Starts the run's PostgreSQL for catalogs."""
    if postgres_server.binaries() is None:
        pytest.skip(postgres_server.MISSING)
    base = tmp_path_factory.getbasetemp()
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    with catalog_server(base.parent if is_worker else base) as port:
        yield port


@pytest.fixture(scope="session")
async def federation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Federation]:
    """Opens the demo's catalog; its sources are asked nothing."""
    folder = tmp_path_factory.mktemp("pgcatalog")
    made = estate.make(folder / "estate", PEOPLE)
    env = {**made.env, "SUPPORT_URL": "http://127.0.0.1:9", "SUPPORT_TOKEN": "none"}
    opened = Federation.open(made.catalog, data_dir=folder / "data", secret=made.secret, env=env)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def doors(federation: Federation, oracle_port: int) -> AsyncIterator[Doors]:
    """Serves the catalog, and makes the same tables in PostgreSQL."""
    async with serving(federation) as port:
        ours = f"host=127.0.0.1 port={port} user=demo dbname=c360 sslmode=disable"
        await make_tables(federation, oracle_port)
        yield Doors(federation, ours, dsn(oracle_port))


@asynccontextmanager
async def serving(federation: Federation) -> AsyncIterator[int]:
    """Serves a federation with its catalog on a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    metadata = PostgresCatalog(lambda: federation.catalog)
    server = SqlServer(federation, listener, metadata=metadata)
    await server.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        await server.close()


async def make_tables(federation: Federation, port: int) -> None:
    """Makes in PostgreSQL what everybody on this machine sees here."""
    catalog = federation.catalog
    principal = await federation.authenticate(None, is_local=True)
    seen = visible(catalog, federation.decide(principal))
    with psycopg.connect(dsn(port, OWNER, path=SCHEMA), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        if connection.execute("SELECT to_regnamespace(%s)", [SCHEMA]).fetchone() != (None,):
            return
        connection.execute(f"CREATE SCHEMA {SCHEMA}; GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC")
        connection.execute(_comment("SCHEMA", SCHEMA, f"Customers of {catalog.name}."))
        for name, columns in seen.items():
            shown = [f"{column} {_spelled(type_)}" for column, type_ in columns.items()]
            shown += [
                f"CONSTRAINT {name}_{end} {_KINDS[kind]} ({', '.join(key)})"
                for end, kind, key in keys(catalog, name)
            ]
            connection.execute(f"CREATE TABLE {name} ({', '.join(shown)})")
            connection.execute(_comment("TABLE", name, comment(catalog, name)))
            for column, text in comments(catalog, name).items():
                if column in columns and text:
                    connection.execute(_comment("COLUMN", f"{name}.{column}", text))
        for name in seen:
            for columns_, target, target_columns in references(catalog, name):
                connection.execute(
                    f"ALTER TABLE {name} ADD FOREIGN KEY ({', '.join(columns_)})"
                    f" REFERENCES {target} ({', '.join(target_columns)})"
                )
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO PUBLIC")


def _comment(kind: str, name: str, text: str) -> sql.Composed:
    return sql.SQL("COMMENT ON {} {} IS {}").format(
        sql.SQL(kind), sql.SQL(name), sql.Literal(text or None)
    )


def _spelled(type_: Type) -> str:
    if type_.kind is Kind.DECIMAL and type_.precision:
        return f"numeric({type_.precision},{type_.scale or 0})"
    return str(of_column(type_))


_KINDS = {"p": "PRIMARY KEY", "u": "UNIQUE"}
