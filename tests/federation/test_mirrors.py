"""The same fact in two systems is one row: the owner's, with what only the mirror says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from roundview_catalog import loader, schema_file
from roundview_catalog.errors import CatalogError
from roundview_catalog.model import Catalog
from roundview_federation.connectors import open_connector
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather, utc_now
from roundview_federation.plan import ROW_HEAD, Lookup, Plan, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline

FIELDS = ("order_number", "status", "store_id", "tax", "payment_status")

SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, number TEXT, buyer INTEGER, state TEXT, made TIMESTAMP, tax INTEGER);
INSERT INTO customers VALUES (1, 'Mia'), (2, 'Ben');
INSERT INTO orders VALUES
  (1, 'A-1', 1, 'paid', '2026-01-01 10:00:00', 3), (2, 'A-2', 1, 'open', '2026-01-02 10:00:00', NULL),
  (3, 'A-3', 2, 'open', '2026-01-03 10:00:00', NULL), (4, NULL, 1, 'open', '2026-01-04 10:00:00', NULL);
"""
BOOKS = """
CREATE TABLE partners (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE bills (id INTEGER PRIMARY KEY, ref TEXT, partner INTEGER, done TEXT, shop TEXT, made TIMESTAMP, tax INTEGER);
INSERT INTO partners VALUES (71, 'Mia'), (72, 'Ben');
INSERT INTO bills VALUES
  (1, 'A-1', 71, 'settled', 'north', '2026-02-01 10:00:00', 9), (2, 'A-3', 72, 'late', 'south', '2026-02-02 10:00:00', 7),
  (3, 'B-9', 71, 'late', 'west', '2026-02-03 10:00:00', 5), (4, NULL, 71, 'none', 'east', '2026-02-04 10:00:00', 5);
"""
SHOP_FILE = """
source: shop
connector: sqlite
connection: {path: shop.db}
entities:
  individual: {from: customers c, fields: {full_name: c.name}}
  sales_order:
    from: orders o
    person: o.buyer
    fields:
      order_number: o.number
      ordered_at: o.made
      tax: o.tax
      status: {value: o.state, map: {paid: completed, open: pending}}
"""
BOOKS_FILE = """
source: books
connector: sqlite
connection: {path: books.db}
entities:
  individual: {from: partners p, fields: {full_name: p.name}}
  sales_order:
    from: bills b
    person: b.partner
    mirrors: {of: shop.sales_order, by: order_number}
    fields: {order_number: b.ref, ordered_at: b.made, payment_status: b.done, store_id: b.shop, tax: b.tax}
"""

OPEN = Decision(
    "test", "", {"sales_order": frozenset((*FIELDS, "ordered_at"))}, {}, {}, frozenset(), {}
)


async def test_a_mirror_says_what_its_owner_cannot(tmp_path: Path) -> None:
    _, gathered = await _asked(await _catalog(tmp_path), FIELDS)
    assert _rows(gathered) == {
        0: [
            ("shop", "1", "A-1", "completed", "north", "3.0000", "settled"),
            ("shop", "2", "A-2", "pending", None, None, None),
            ("shop", "4", None, "pending", None, None, None),
        ],
        1: [("shop", "3", "A-3", "pending", "south", None, "late")],
    }


async def test_a_mirror_is_read_only_for_what_it_adds(tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path)
    plan, _ = await _asked(catalog, ("order_number", "status", "tax"))
    assert {planned.fragment.source for planned in plan.fragments} == {"shop"}
    plan, gathered = await _asked(catalog, ("status", "store_id"))
    assert {planned.fragment.source for planned in plan.fragments} == {"shop", "books"}
    assert ("shop", "1", "completed", "north") in {row[:4] for row in _rows(gathered)[0]}


async def test_a_mirror_obeys_the_policy(tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path)
    masked = replace(OPEN, masks={("sales_order", "store_id"): exp.Literal.string("hidden")})
    _, gathered = await _asked(catalog, FIELDS, masked)
    assert {row[4] for row in _rows(gathered)[1]} == {"hidden"}
    without = replace(OPEN, masks={("sales_order", "order_number"): exp.Literal.string("x")})
    plan, _ = await _asked(catalog, FIELDS, without)
    assert {planned.fragment.source for planned in plan.fragments} == {"shop"}


async def test_a_mirror_that_fails_costs_what_it_adds(tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path)
    (tmp_path / "books.db").unlink()
    _, gathered = await _asked(catalog, FIELDS)
    assert [row[1] for row in _rows(gathered)[0]] == ["1", "2", "4"]
    assert {source for failed in gathered.failures.values() for source in failed} == {"books"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{of: stop.sales_order, by: order_number}", "RV227 mirrors of unknown source stop"),
        (
            "{of: shop.payment, by: order_number}",
            "RV206 shop.payment is no sales_order of a source",
        ),
        ("{of: books.sales_order, by: order_number}", "RV206 a source does not mirror itself"),
        ("{of: shop.sales_order, by: status}", "RV220 status is not mapped here"),
        ("{of: shop.sales_order, by: state}", "RV218 unknown field state of sales_order"),
        ("{of: shop.sales_order}", "RV220 mirrors needs `of` and `by`"),
    ],
)
async def test_a_wrong_mirror_is_told(tmp_path: Path, written: str, told: str) -> None:
    await _catalog(tmp_path)
    file = tmp_path / "sources/books.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("{of: shop.sales_order, by: order_number}", written), "utf-8")
    with pytest.raises(CatalogError) as error:
        loader.load(tmp_path)
    assert [told in str(problem) for problem in error.value.problems] == [True]


async def _catalog(folder: Path) -> Catalog:
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n")
    for name, tables, file in (("shop", SHOP, SHOP_FILE), ("books", BOOKS, BOOKS_FILE)):
        with closing(sqlite3.connect(folder / f"{name}.db")) as database:
            database.executescript(tables)
        (folder / f"sources/{name}.yaml").write_text(file, "utf-8")
        connector = open_connector(loader.source_outline(folder, name), env={})
        try:
            found = await connector.introspect()
        finally:
            await connector.close()
        schema_file.write(folder / f"sources/{name}.schema.yaml", found)
    return loader.load(folder)


async def _asked(
    catalog: Catalog, fields: tuple[str, ...], decision: Decision = OPEN
) -> tuple[Plan, Gathered]:
    """Returns the orders of Mia and Ben, whom both systems know."""
    connectors = {name: open_connector(s, env={}) for name, s in catalog.sources.items()}
    section = Section("orders", "sales_order", selecting("sales_order", fields), "who")
    shape = f"case {fields}"
    people = {"shop": [("", "1", 0), ("", "2", 1)], "books": [("", "71", 0), ("", "72", 1)]}
    customers = {"who": Customers(["mia", "ben"], ["linked", "linked"], people)}
    try:
        plan = await Planner(catalog, connectors).prepare(
            Question(shape, (Lookup("who"),), (section,)), decision
        )
        gathered = await gather(
            plan, customers, {}, Deadline.after(10),
            catalog=catalog, connectors=connectors, clock=utc_now,
        )  # fmt: skip
    finally:
        for connector in connectors.values():
            await connector.close()
    return plan, gathered


def _rows(gathered: Gathered) -> dict[Any, list[tuple[Any, ...]]]:
    """Returns customer -> (source, key, values …), values as text."""
    return {
        owner: sorted(
            (row[0].source, row[1], *(None if v is None else str(v) for v in row[len(ROW_HEAD) :]))
            for row in rows
        )
        for owner, rows in gathered.rows["orders"].items()
    }
