"""Whatever way a mapping names its person, SQLite finds the person's rows by an index.

Its own EXPLAIN QUERY PLAN says so: no step of a statement for known persons reads a table of the
source from end to end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from roundview_catalog import loader, schema_file
from roundview_catalog.model import Catalog
from roundview_federation.connectors import open_connector
from roundview_federation.plan import Lookup, PlannedFragment, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision

EVERYTHING = Decision("test", "", {}, {}, {}, frozenset(), {})

TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT);
CREATE TABLE partners (client TEXT, number INTEGER, name TEXT, PRIMARY KEY (client, number));
CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INTEGER, code TEXT COLLATE NOCASE, kind TEXT,
    client TEXT, number INTEGER, made TIMESTAMP);
CREATE INDEX orders_buyer ON orders (buyer);
CREATE INDEX orders_code ON orders (code);
CREATE INDEX orders_partner ON orders (client, number);
CREATE TABLE lines (order_id INTEGER, line INTEGER, name TEXT, PRIMARY KEY (order_id, line));
CREATE TABLE old_orders (id INTEGER PRIMARY KEY, buyer INTEGER, made TIMESTAMP);
CREATE INDEX old_orders_buyer ON old_orders (buyer);
CREATE TABLE cases (id INTEGER PRIMARY KEY, opened TIMESTAMP);
CREATE TABLE case_people (id INTEGER PRIMARY KEY, case_id INTEGER, person INTEGER, role TEXT,
    since INTEGER);
CREATE INDEX case_people_person ON case_people (person);
CREATE INDEX case_people_case ON case_people (case_id);
"""

HEAD = """
source: shop
connector: sqlite
connection: {path: shop.db}
views:
  every: SELECT id, buyer, made FROM orders UNION ALL SELECT id, buyer, made FROM old_orders
  sums: SELECT buyer, count(*) AS bought FROM old_orders GROUP BY buyer
facts: {every.id: {unique: true}}
entities:
  individual:
    main: {from: people p, fields: {full_name: p.name}}
    coded: {from: people p, key: p.code, fields: {full_name: p.name}}
    partner: {from: partners p, fields: {full_name: p.name}}
"""

ORDERS = "sales_order: {from: orders o, key: o.id, person: %s, fields: {ordered_at: o.made}}"
LINES = (
    "sales_order_product: "
    "{from: lines l, parent: {sales_order: l.order_id}, fields: {line_no: l.line}}"
)
YEARS = "sales_order: {from: every o, key: o.id, person: o.buyer, fields: {ordered_at: o.made}}"
FIRST = (
    "support_case: {from: cases k, person: p.person, fields: {opened_at: k.opened}, children: "
    "{who: {from: case_people p, where: \"p.case_id = k.id AND p.role = 'caller'\", first: %s}}}"
)
SUMS = (
    "sales_order: {from: orders o, key: o.id, person: o.buyer, fields: {ordered_at: o.made, "
    "tax: sum(l.line), grand_total: sum(l.line)}, "
    "children: {l: {from: lines l, where: l.order_id = o.id}}}"
)
TWO = '{main: "NULLIF(o.buyer, 0)", coded: o.code}'
THREE = '{main: "NULLIF(o.buyer, 0)", coded: o.code, partner: [o.client, o.number]}'
WAYS = {
    "column": ORDERS % "o.buyer",
    "nullif": ORDERS % '"NULLIF(o.buyer, 0)"',
    "case": ORDERS % "CASE WHEN o.kind = 'web' THEN o.buyer END",
    "prefix": ORDERS % "{coded: \"'x-' || o.buyer\"}",
    "cast": ORDERS % "{coded: CAST(o.buyer AS text)}",
    "text without case": ORDERS % "{coded: o.code}",
    "composite": ORDERS % '{partner: [o.client, "NULLIF(o.number, 0)"]}',
    "alternatives": ORDERS % THREE,
    "children": SUMS,
    "parent": ORDERS % '"NULLIF(o.buyer, 0)"' + "\n  " + LINES,
    "parent with alternatives": ORDERS % TWO + "\n  " + LINES,
    "first": FIRST % "p.since DESC",
    "first on arrival": FIRST % "p.since + 1 DESC",
    "view of all years": YEARS,
    "view with parent": YEARS + "\n  " + LINES,
    "grouped view": "note: {from: sums u, key: u.buyer, person: u.buyer, fields: {text: u.bought}}",
}


@pytest.mark.parametrize("way", WAYS)
async def test_rows_of_a_person_are_found_by_index(way: str, tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path, WAYS[way])
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        for planned in await planned_fragments(catalog):
            assert _whole_reads(database, planned) == []


async def test_each_alternative_is_a_statement_without_the_earlier_ones(tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path, WAYS["alternatives"])
    texts = [p.fragment.tree.args["where"].sql() for p in await planned_fragments(catalog)]
    assert texts == [
        "WHERE o.buyer <> 0 AND o.buyer = ANY :who_shop_bigint",
        "WHERE NULLIF(o.buyer, 0) IS NULL AND o.code = ANY :who_shop_coded_text",
        "WHERE NULLIF(o.buyer, 0) IS NULL AND o.code IS NULL"
        " AND (o.client, o.number) = ANY :who_shop_partner_text_bigint",
    ]


async def planned_fragments(
    catalog: Catalog, env: dict[str, str] | None = None
) -> tuple[PlannedFragment, ...]:
    """Returns what is asked about known persons for everything but the persons themselves."""
    connector = open_connector(catalog.sources["shop"], env=env or {})
    sections = []
    for entity in {b.entity for b in catalog.sources["shop"].branches} - {"individual"}:
        fields = tuple(catalog.branches(entity)[0].slots[""])
        sections.append(Section(entity, entity, selecting(entity, fields), "who"))
    try:
        plan = await Planner(catalog, {"shop": connector}).prepare(
            Question("case", (Lookup("who"),), ()), EVERYTHING, hidden=lambda: tuple(sections)
        )
    finally:
        await connector.close()
    assert plan.fragments
    return plan.fragments


async def _catalog(folder: Path, mapping: str) -> Catalog:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.executescript(TABLES)
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n")
    (folder / "sources/shop.yaml").write_text(f"{HEAD}  {mapping}\n", "utf-8")
    connector = open_connector(loader.source_outline(folder, "shop"), env={})
    try:
        tables = await connector.introspect()
    finally:
        await connector.close()
    schema_file.write(folder / "sources/shop.schema.yaml", tables)
    return loader.load(folder)


def _whole_reads(database: sqlite3.Connection, planned: PlannedFragment) -> list[str]:
    call = planned.call
    bound = dict.fromkeys((*call.names.keysets, *call.names.params), "[]")
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {call.text}", bound)]
    return list(_scans(steps))


def _scans(steps: list[str]) -> Iterator[str]:
    # Keys, the first row of a child, and the groups of rows that were found.
    own = ("keys", "first", "u", "(")
    for step in steps:
        if step.startswith("SCAN") and not step.removeprefix("SCAN ").startswith(own):
            yield step
