"""A page of the newest rows costs about what it shows, and is exactly the beginning of the list."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from roundview_catalog import loader, schema_file
from roundview_federation.connectors import open_connector
from roundview_federation.execute.cursors import CursorSeal
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import finish, gather, utc_now
from roundview_federation.plan import Lookup, Page, Question, Section
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Output

VISITS = 1_500
SHOWN = 20
OPEN = Decision(
    "test", "", {"sales_order": frozenset({"ordered_at", "source_key", "status", "order_number"})}, {}, {},
    frozenset(), {},
)  # fmt: skip
SEAL = CursorSeal(bytes(32))
TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INTEGER, state TEXT, made TIMESTAMP);
CREATE INDEX orders_buyer ON orders (buyer, made);
"""
SHOP = """
source: shop
connector: sqlite
connection: {path: shop.db}
defaults: {time_zone: %s}
limits: {timeout: 9s}
entities:
  individual: {from: customers c, fields: {full_name: c.name}}
  sales_order:
    from: orders o
    person: NULLIF(o.buyer, 0)
    fields:
      ordered_at: o.made
      order_number: CAST(o.id AS text)
      status: {value: o.state, map: {paid: completed, open: pending}}
"""
MASK = "date_trunc('year', ordered_at)"
NEWEST = "SELECT ordered_at, source_key, status FROM sales_order%s ORDER BY ordered_at DESC"
PEOPLE = {"shop": [("", "1", 0), ("", "2", 0), ("", "3", 1), ("", "4", 2)]}
"""Mia has two keys and most orders, Ben one and many, Zoe one and few."""


@pytest.fixture(scope="module", params=["UTC", "Europe/Berlin"])
def catalog(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n")
    (folder / "sources/shop.yaml").write_text(SHOP % request.param, "utf-8")
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        database.executescript(TABLES)
        rows = []
        for at in range(VISITS):
            # The newest are around the hour that Berlin skipped, some at the same minute.
            moment = datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=at * 4)
            if at % 5 == 0:
                moment = datetime(2026, 3, 29, tzinfo=UTC) + timedelta(minutes=at % 240)
            made = None if at % 97 == 5 else f"{moment:%Y-%m-%d %H:%M:%S}"
            buyer = 4 if at % 300 == 7 else (1, 2, 3)[at % 3]
            rows.append((at, buyer, ("paid", "open", "odd")[at % 3], made))
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    return folder, request.param


@pytest.fixture
async def ask(catalog: tuple[Path, str]) -> Any:
    """Returns `ask(section, parameters)`: the output, and how many rows came."""
    folder, _ = catalog
    outline = open_connector(loader.source_outline(folder, "shop"), env={})
    schema_file.write(folder / "sources/shop.schema.yaml", await outline.introspect())
    await outline.close()
    loaded = loader.load(folder)
    connector = open_connector(loaded.sources["shop"], env={})
    planner = Planner(loaded, {"shop": connector})
    ids = ["mia", "ben", "zoe"]
    who = {"who": Customers(list(ids), ["linked"] * 3, PEOPLE)}

    async def asked(
        *sections: Section, decision: Decision = OPEN, **params: Any
    ) -> tuple[dict[str, Output], int]:
        shape = "|".join(f"{s.name} {s.tree.sql()} {s.page}" for s in sections)
        plan = await planner.prepare(Question(shape, (Lookup("who"),), sections), decision)
        gathered = await gather(
            plan, who, params, Deadline.after(10),
            catalog=loaded, connectors={"shop": connector}, clock=utc_now,
        )  # fmt: skip
        assert not gathered.truncated
        (status,) = gathered.statuses
        return finish(plan, gathered, who, params, SEAL), status.rows

    yield asked
    await connector.close()


async def test_the_page_is_the_beginning_of_the_list(ask: Callable[..., Any]) -> None:
    for order in ("ordered_at DESC", "ordered_at", "ordered_at DESC, status"):
        sql = NEWEST.replace("ordered_at DESC", order) % ""
        whole, every = await ask(section(sql))
        page, few = await ask(section(sql, "first"), first=SHOWN)
        assert every == VISITS
        assert few < every / 2
        for customer, rows in whole["s"].groups.items():
            assert shown(page, customer) == shown(whole, customer)[:SHOWN]
            assert page["s"].groups[customer].has_next is (len(rows.rows) > SHOWN)


async def test_few_rows_come_for_a_page(ask: Callable[..., Any], catalog: tuple[Path, str]) -> None:
    _, few = await ask(section(NEWEST % "", "first"), first=SHOWN)
    # Four keys, one of which has few rows; a minute has some of them.
    if catalog[1] == "UTC":
        assert SHOWN < few <= 4 * (SHOWN + 3)


async def test_pages_behind_a_cursor_go_on_where_the_first_ended(
    ask: Callable[..., Any],
) -> None:
    whole, _ = await ask(section(NEWEST % ""))
    expected = [row[1] for row in whole["s"].groups[0].rows]
    found: list[str] = []
    cursor = None
    for _ in range(4):
        page, _ = await ask(section(NEWEST % "", "first"), first=SHOWN, after=cursor)
        rows = page["s"].groups[0]
        found += [row[1] for row in rows.rows]
        cursor = rows.end_cursor
    assert found == expected[: 4 * SHOWN]


async def test_what_is_decided_on_arrival_is_not_cut_before(ask: Callable[..., Any]) -> None:
    where = NEWEST % " WHERE status = :status"
    filters = {"sales_order": (sqlglot.parse_one("status = 'pending'", read="postgres"),)}
    masks = {("sales_order", "ordered_at"): sqlglot.parse_one(MASK, read="postgres")}
    for sql, decision in (
        (where, OPEN),
        (NEWEST % "", replace(OPEN, policy_shape="filtered", row_filters=filters)),
        (NEWEST % "", replace(OPEN, policy_shape="masked", masks=masks)),
        (NEWEST.replace("ordered_at DESC", "status") % "", OPEN),
        (NEWEST.replace("ordered_at DESC", "order_number") % "", OPEN),
    ):
        whole, every = await ask(section(sql), decision=decision, status="pending")
        page, few = await ask(
            section(sql, "first"), decision=decision, first=SHOWN, status="pending"
        )
        assert few == every == VISITS
        for customer in whole["s"].groups:
            assert shown(page, customer) == shown(whole, customer)[:SHOWN]


async def test_a_list_beside_it_that_needs_all_rows_gets_them(ask: Callable[..., Any]) -> None:
    page = section(NEWEST % "", "first")
    both, every = await ask(page, section(NEWEST % "", name="all"), first=SHOWN)
    assert every == VISITS
    assert len(both["all"].groups[0].rows) > len(both["s"].groups[0].rows) == SHOWN
    other = section(NEWEST % "", "second", name="other")
    two, few = await ask(page, other, first=SHOWN, second=2 * SHOWN)
    assert [len(two[name].groups[0].rows) for name in ("s", "other")] == [SHOWN, 2 * SHOWN]
    assert few < VISITS / 2


def shown(outputs: dict[str, Output], customer: int) -> list[tuple[Any, ...]]:
    """Returns the rows of one customer, without when and where they were read."""
    return [row[1:] for row in outputs["s"].groups[customer].rows]


def section(sql: str, first: str = "", name: str = "s") -> Section:
    """Returns a list of everyone's orders, or a page of each."""
    tree = sqlglot.parse_one(sql)
    assert isinstance(tree, exp.Select)
    return Section(name, "sales_order", tree, "who", page=Page(first, "after") if first else None)
