"""Decides which systems lie on database servers under test: three that hold the same people."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.postgres_server import READER, PostgresServer

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview.view import CustomerView
from roundview_catalog import schema_file
from roundview_graphql.http import graphql_app

DATABASE: Final = f"whole_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
EMAIL: Final = "erika@mail.example"
CONNECTORS: Final = {"club": "sqlite", "crm": "postgres", "pos": "mysql"}
MOMENTS: Final = {"club": "TIMESTAMP", "crm": "timestamp", "pos": "DATETIME"}
TEXTS: Final = {"club": "TEXT", "crm": "text COMPRESSION lz4", "pos": "LONGTEXT"}
TABLES: Final = ("notes", "items", "orders", "people")
SCRIPT: Final = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL,"
    " email VARCHAR(80) NOT NULL UNIQUE, born DATE, seen {moment})",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER NOT NULL,"
    " number VARCHAR(20) NOT NULL UNIQUE, at {moment}, status VARCHAR(10) NOT NULL)",
    "CREATE INDEX orders_person ON orders (person)",
    "CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL,"
    " sku VARCHAR(20) NOT NULL, quantity INTEGER NOT NULL, price DECIMAL(10,2) NOT NULL)",
    "CREATE INDEX items_order ON items (order_id)",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL, words {text})",
    "CREATE INDEX notes_person ON notes (person)",
    "INSERT INTO people VALUES (1, 'Erika Vogt', 'erika@mail.example', '1980-02-29',"
    " '2024-01-01 10:00:00'), (2, 'Otto Kern', 'otto@mail.example', '1970-01-01', NULL)",
    "INSERT INTO orders VALUES (1, 1, '{source}-1', '2024-01-01 10:00:00', 'paid'),"
    " (2, 1, '{source}-2', '2024-02-01 10:00:00', 'sent back'),"
    " (3, 2, '{source}-3', '2024-03-01 10:00:00', 'paid')",
    "INSERT INTO items VALUES (1, 1, 'tea', 2, 1.50), (2, 1, 'cup', 1, 9.95),"
    " (3, 2, 'tea', 1, 1.50), (4, 3, 'pot', 1, 30)",
    "INSERT INTO notes VALUES (1, 1, 'calls in the morning'), (2, 2, 'none')",
)
MAPPING: Final = """
defaults: {currency: EUR, time_zone: UTC}
facts: {people.email: {normal_form: lower}}
entities:
  individual:
    from: people p
    fields: {full_name: p.name, birth_date: p.born, source_updated_at: p.seen}
    also:
      contact_point_email: {fields: {email_address: p.email}}
  sales_order:
    from: orders o
    person: o.person
    children: {items: {from: items i, where: i.order_id = o.id}}
    fields:
      order_number: o.number
      ordered_at: o.at
      status: {value: o.status, map: {paid: completed, sent back: returned}}
      grand_total: sum(i.quantity * i.price)
  sales_order_product:
    from: items i
    parent: {sales_order: i.order_id}
    fields: {line_no: i.id, sku: i.sku, quantity: i.quantity, unit_price: i.price}
  note:
    from: notes n
    person: n.person
    fields: {text: n.words}
"""
DOCUMENT: Final = """query($by: CustomerBy!) {customer(by: $by) {
    fullName
    individual {complete missingSources nodes {fullName source}}
    salesOrder {complete missingSources nodes {orderNumber grandTotal source}}
    note {complete missingSources nodes {text source}}
}}"""

FILTERED: Final = """query($by: CustomerBy!) {customer(by: $by) {
    salesOrder(where: {orderNumber: {ge: "X-"}}) {
        complete missingSources nodes {orderNumber source}
    }
}}"""


@dataclass(frozen=True, slots=True)
class Watched:
    """The open catalog of the three systems; `base` is the view of a good day."""

    connection: AsyncConnection
    graphql: httpx.AsyncClient
    base: CustomerView

    async def view(self) -> CustomerView:
        """Returns the view at the catalog's own deadline."""
        found = await self.connection.customer(email=EMAIL)
        assert found is not None
        return found

    async def answer(self, document: str = DOCUMENT) -> dict[str, Any]:
        """Returns the answer of the GraphQL door."""
        body = {"query": document, "variables": {"by": {"email": EMAIL}}}
        response = await self.graphql.post("/graphql", json=body)
        assert response.status_code == 200
        told: dict[str, Any] = response.json()
        return told


@dataclass(frozen=True, slots=True)
class World:
    """The systems: `crm` on PostgreSQL, `pos` on MariaDB, `club` in a file; and their catalog."""

    postgres: PostgresServer
    mariadb: MariadbServer
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """Returns the variables of the catalog."""
        return {
            "CLUB_FILE": str(self.folder / "club.db"),
            "CRM_URL": self.postgres.url(DATABASE),
            "POS_URL": self.mariadb.url(DATABASE),
        }

    async def running(self, source: str) -> int:
        """Returns how many of our statements a server works at; one that waits for us is at rest."""
        if source == "pos":
            rows = await self.mariadb.ask("SHOW FULL PROCESSLIST")
            return sum(row[1] == READER and row[3] == DATABASE and bool(row[7]) for row in rows)
        owner = await self.postgres.admin(DATABASE)
        count = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = $1"
            " AND datname = $2 AND wait_event_type IS DISTINCT FROM 'Client'",
            READER,
            DATABASE,
        )
        await owner.close()
        return int(count)

    async def run(self, source: str, statements: Sequence[str]) -> None:
        """Changes a source as its own system would."""
        if source == "pos":
            await self.mariadb.run(statements, DATABASE)
            return
        if source == "club":
            with closing(sqlite3.connect(self.folder / "club.db")) as file:
                file.executescript(";".join(statements))
            return
        owner = await self.postgres.admin(DATABASE)
        try:
            for statement in statements:
                await owner.execute(statement)
            await owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
        finally:
            await owner.close()

    async def make(self) -> None:
        """Makes the three systems and writes their catalog."""
        await self.postgres.make(DATABASE, ";".join(script("crm")))
        await self.mariadb.make(DATABASE, script("pos"))
        with closing(sqlite3.connect(self.folder / "club.db")) as file:
            file.executescript(";".join(script("club")))
        root = self.folder / "catalog"
        (root / "sources").mkdir(parents=True)
        env = "".join(f"{name}={value}\n" for name, value in self.env.items())
        (self.folder / "env").write_text(env, "utf-8")
        self.write_deadline("2s")
        (root / "policy.yaml").write_text(
            'roles: {demo: {purposes: [service], sees: {"*": all}}}\n', "utf-8"
        )
        for source in CONNECTORS:
            self.write(source, "")
            tables = await introspect_source(root, source, self.env)
            schema_file.write(root / f"sources/{source}.schema.yaml", tables)
            self.write(source, MAPPING)

    def write_deadline(self, view: str) -> None:
        """Writes the catalog's own file: how long a view may take."""
        text = f"roundview: 1\nname: whole\ndeadlines: {{view: {view}}}\n"
        (self.folder / "catalog/roundview.yaml").write_text(text, "utf-8")

    def write(self, source: str, mapping: str, **further: str) -> None:
        """Writes the file of one source; `further` is more of its connection."""
        place = {"club": "path: ${env:CLUB_FILE}"}.get(
            source, f"url: ${{env:{source.upper()}_URL}}"
        )
        name, _, value = place.partition(": ")
        connection = "".join(f", {key}: {told}" for key, told in further.items())
        text = (
            f"source: {source}\nconnector: {CONNECTORS[source]}\n"
            f'connection: {{{name}: "{value}"{connection}}}\n'
            f"limits: {{timeout: 20s}}\n{mapping}"
        )
        (self.folder / f"catalog/sources/{source}.yaml").write_text(text, "utf-8")

    async def restore(self, source: str) -> None:
        """Puts a source back as it was."""
        gone = [f"DROP TABLE IF EXISTS {table}" for table in TABLES]
        await self.run(source, [*gone, *script(source)])

    @asynccontextmanager
    async def watched(
        self, base: CustomerView | None = None, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[Watched]:
        """Opens the catalog with both doors; the first time its people are linked."""
        async with AsyncExitStack() as stack:
            opened = connect_async(self.folder / "catalog", env={**self.env, **(env or {})})
            connection = await stack.enter_async_context(opened)
            if base is None:
                await connection.refresh_identity()
                base = await connection.customer(email=EMAIL, timeout_seconds=20)
                assert base is not None
            app = FastAPI()
            app.include_router(graphql_app(connection.federation))
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
            yield Watched(connection, await stack.enter_async_context(client), base)


def script(source: str) -> list[str]:
    """Returns the statements that make one system."""
    names = {"moment": MOMENTS[source], "text": TEXTS[source], "source": source}
    return [statement.format(**names) for statement in SCRIPT]


def records(view: CustomerView, but: str) -> Counter[tuple[str, str, str, str]]:
    """Returns entity, source, key and slot of all records but those of one source."""
    return Counter(
        (name, row["source"], row["source_key"], row["slot"])
        for name, found in view.entities.items()
        for row in found.rows
        if row["source"] != but
    )
