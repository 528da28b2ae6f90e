"""Proves that a catalog over PostgreSQL goes from nothing to a customer's view."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.postgres_server import PostgresServer

from roundview import connect_async
from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file

DATABASE = f"shop_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
SCRIPT = """
CREATE EXTENSION citext;
CREATE TYPE state AS ENUM ('new', 'paid', 'sent back');
CREATE TABLE crm_accounts (id uuid PRIMARY KEY, name text NOT NULL, email citext UNIQUE,
  born date, made timestamp NOT NULL DEFAULT '2020-01-01 12:00');
CREATE TABLE crm_orders (id bigint PRIMARY KEY, account uuid REFERENCES crm_accounts (id),
  number varchar(20) UNIQUE, state state NOT NULL, at timestamptz NOT NULL);
CREATE TABLE crm_lines (order_id bigint REFERENCES crm_orders (id), line smallint,
  code character(6) NOT NULL, quantity integer NOT NULL, price numeric(10,2) NOT NULL,
  PRIMARY KEY (order_id, line));
CREATE INDEX ON crm_orders (account);
INSERT INTO crm_accounts (id, name, email, born) VALUES
  ('0188C0DE-0000-7000-8000-000000000001', 'Ada Lovelace', 'ada@example.org', '1815-12-10'),
  ('0188C0DE-0000-7000-8000-000000000002', 'Grace Hopper', 'grace@example.org', 'infinity');
INSERT INTO crm_orders VALUES
  (1, '0188C0DE-0000-7000-8000-000000000001', 'A-1', 'paid', '2024-03-31 01:30+00'),
  (2, '0188C0DE-0000-7000-8000-000000000001', 'A-2', 'sent back', '2024-04-01 10:00+02'),
  (3, '0188C0DE-0000-7000-8000-000000000002', 'A-3', 'new', '2024-04-02 10:00+02'),
  (4, NULL, 'A-4', 'new', '2024-04-03 10:00+02');
INSERT INTO crm_lines VALUES (1, 1, 'tea', 3, 0.10), (1, 2, 'cup', 1, 9.95), (3, 1, 'tea', 1, 0.10);
"""
SOURCE = """
source: crm
connector: postgres
connection: {url: "${env:CRM_URL}", table_prefix: crm_}
defaults: {currency: EUR, time_zone: Europe/Berlin}
facts: {accounts.email: {normal_form: lower}}
"""
MAPPINGS = """
entities:
  individual:
    from: accounts a
    fields: {full_name: a.name, birth_date: a.born, source_created_at: a.made}
    also:
      contact_point_email: {fields: {email_address: a.email}}
  sales_order:
    from: orders o
    person: o.account
    children: {lines: {from: lines l, where: l.order_id = o.id}}
    fields:
      order_number: o.number
      ordered_at: o.at
      status: {value: o.state, map: {new: pending, paid: completed, sent back: returned}}
      grand_total: sum(l.quantity * l.price)
  sales_order_product:
    from: lines l
    parent: {sales_order: l.order_id}
    fields: {line_no: l.line, sku: l.code, quantity: l.quantity, unit_price: l.price}
"""


@pytest.fixture(scope="module")
async def root(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Path, dict[str, str]]]:
    await postgres.make(DATABASE, SCRIPT)
    root = tmp_path_factory.mktemp("shop") / "catalog"
    (root / "sources").mkdir(parents=True)
    (root / "roundview.yaml").write_text("roundview: 1\nname: shop\n", encoding="utf-8")
    (root / "policy.yaml").write_text(
        'roles: {demo: {purposes: [service], sees: {"*": all}, actions: [allow_scan]}}\n',
        encoding="utf-8",
    )
    (root / "sources/crm.yaml").write_text(SOURCE, encoding="utf-8")
    env = {"CRM_URL": postgres.url(DATABASE)}
    schema_file.write(root / "sources/crm.schema.yaml", await introspect_source(root, "crm", env))
    (root / "sources/crm.yaml").write_text(SOURCE + MAPPINGS, encoding="utf-8")
    yield root, env
    await postgres.drop(DATABASE)


@pytest.fixture(scope="module")
async def connection(root: tuple[Path, dict[str, str]]) -> AsyncIterator[Any]:
    assert not loader.check(root[0])
    async with connect_async(root[0], env=root[1]) as connection:
        yield connection


async def test_a_customer_is_found_live_and_seen_whole(connection: Any) -> None:
    (state,) = await connection.sources()
    assert (state.state, "read" in state.detail) == ("ready", True)
    view = await connection.customer(email="ADA@example.ORG")
    assert view is not None
    assert view.complete
    orders = view.to_dict()["entities"]["sales_order"]["rows"]
    found = {
        one["order_number"]: (
            str(one["ordered_at"]), one["status"], one["grand_total"], one["source_key"],
            [(line["sku"], str(line["quantity"])) for line in one["sales_order_product"]],
        )
        for one in orders
    }  # fmt: skip
    assert set(found) == {"A-1", "A-2"}
    at, status, total, key, lines = found["A-1"]
    assert (at[:16], status, str(total), key) == ("2024-03-31T01:30", "completed", "10.2500", "1")
    assert sorted(code for code, _ in lines) == ["cup", "tea"]
    assert found["A-2"][1] == "returned"
    assert (found["A-2"][2], found["A-2"][4]) == (None, [])
    (person,) = view.to_dict()["entities"]["individual"]["rows"]
    assert person["source_key"] == "0188c0de-0000-7000-8000-000000000001"
    assert str(person["source_created_at"])[:16] == "2020-01-01T11:00"


async def test_the_key_scan_links_everyone_and_an_order_leads_to_its_customer(
    connection: Any,
) -> None:
    refreshed = await connection.refresh_identity()
    assert refreshed is not None
    view = await connection.customer(order_number="A-3")
    assert view is not None
    (person,) = view.to_dict()["entities"]["individual"]["rows"]
    assert (person["full_name"], person["birth_date"]) == ("Grace Hopper", None)
    (crm,) = view.sources
    assert crm.status == "ok"
    assert crm.problems >= 1
