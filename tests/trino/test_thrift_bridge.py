"""A real Trino reads through the bridge what the sources hold, asks by key, and leaves nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import trino
from sqlglot import exp
from tests.bridge import odd_shop
from tests.bridge.conftest import Served, serving, serving_demo, serving_odd
from tests.bridge.odd_shop import SCANNED, SCHEMA
from tests.trino.conftest import WORKER
from tests.trino.trino_server import TrinoServer

from roundview_federation.bridge.tables import BridgedTable, bridged_tables


@dataclass(frozen=True)
class Behind:
    """A bridge and the catalog of Trino that reads through it."""

    served: Served
    trino: TrinoServer
    catalog: str

    async def ask(
        self, statement: str, session: Mapping[str, str] | None = None
    ) -> list[tuple[Any, ...]]:
        """Returns the rows of a statement."""
        rows, _ = await told(self, statement, session)
        return [tuple(row) for row in rows]

    def table(self, schema: str, name: str) -> str:
        """Returns how a table is called in Trino."""
        return f'"{self.catalog}"."{schema}"."{name}"'


@pytest.fixture(scope="module")
async def odd(
    server: TrinoServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Behind]:
    async with serving_odd(tmp_path_factory.mktemp("odd")) as served:
        yield await behind(server, served, "bridged_odd")


@pytest.fixture(scope="module")
async def demo(
    server: TrinoServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Behind]:
    async with serving_demo(tmp_path_factory.mktemp("demo")) as served:
        yield await behind(server, served, "bridged_demo")


async def behind(server: TrinoServer, served: Served, name: str) -> Behind:
    catalog = f"{name}_{WORKER}"
    address = f"127.0.0.1:{served.port}"
    properties = {
        "connector.name": "trino_thrift",
        "trino.thrift.client.addresses": address,
        "trino.thrift.client.connect-timeout": "1s",
        "trino.thrift.client.request-timeout": "30s",
        "trino.thrift.client.max-retry-time": "1s",
    }
    await asyncio.to_thread(server.make_catalog, catalog, properties)
    return Behind(served, server, catalog)


def restored(table: BridgedTable) -> str:
    """Returns a SELECT list that gives every column its own type again."""
    return ", ".join(
        type_.restored(exp.column(exp.to_identifier(name, quoted=True))).sql("trino")
        for name, type_ in table.types.items()
    )


async def test_values_of_every_type_are_restored(odd: Behind) -> None:
    table = bridged_tables(odd.served.federation.catalog)[SCHEMA, "odd"]
    rows = await odd.ask(f"SELECT {restored(table)} FROM {odd.table(SCHEMA, 'odd')} ORDER BY 1")
    assert rows == [
        (1, Decimal("12.50"), Decimal("12345678.5678"), "1.5",
         datetime(2026, 1, 1, 10, 0, 0, 1), date(2026, 1, 1), True, 1.5, "Zoë", "Aa"),  # noqa: DTZ001
        (2, Decimal("-0.01"), Decimal("-0.0001"), "2.25",
         datetime(1, 1, 1), date(1, 1, 1), False, -1e300, "", "aa"),  # noqa: DTZ001
        (3, *[None] * 9),
        (9007199254740993, Decimal("9999999999.99"), Decimal(0), "0",
         datetime(9999, 12, 31, 23, 59, 59, 999999), date(9999, 12, 31), True, 0.1, "𝄞 clef",  # noqa: DTZ001
         "AA"),
    ]  # fmt: skip


async def test_every_table_has_the_rows_of_its_source(demo: Behind) -> None:
    async with demo.served.client() as client:
        for (schema, name), table in bridged_tables(demo.served.federation.catalog).items():
            columns = list(table.columns)
            expected = await client.scan(schema, name, columns)
            quoted = ", ".join(f'"{column}"' for column in columns)
            rows = await demo.ask(f"SELECT {quoted} FROM {demo.table(schema, name)}")
            assert Counter(rows) == Counter(expected), (schema, name)


@pytest.mark.parametrize("count", [1, 256, 257, 10_000])
async def test_any_number_of_keys_is_asked_for(odd: Behind, count: int) -> None:
    keys = ", ".join(str(at * 4) for at in range(count))
    table = odd.table(SCHEMA, "scanned")
    rows, read = await told(odd, f"SELECT count(*) FROM {table} WHERE id IN ({keys})")
    assert rows == [[count]]
    assert read == count
    names = ", ".join(f"'Person {at * 4}'" for at in range(min(count, 1_000)))
    rows, read = await told(odd, f"SELECT count(*) FROM {table} WHERE name IN ({names})")
    assert rows == [[min(count, 1_000)]]
    assert read == min(count, 1_000)


@pytest.mark.parametrize(
    ("condition", "count", "most"),
    [
        ("id BETWEEN 10 AND 19", 10, 10),
        ("id > 10 AND id <= 19 AND person <> 12", 8, 9),
        ("person = 5 OR person = 7", 800, 800),
        ("person IS NULL", 0, 0),
        ("name LIKE 'Person 777%'", 11, SCANNED),
        ("lower(name) = 'person 777'", 1, SCANNED),
        ("total BETWEEN 100 AND 199", 100, SCANNED),
        ("false", 0, 0),
    ],
)
async def test_conditions_are_pushed_or_judged_by_trino(
    odd: Behind, condition: str, count: int, most: int
) -> None:
    statement = f"SELECT count(*) FROM {odd.table(SCHEMA, 'scanned')} WHERE {condition}"
    rows, read = await told(odd, statement)
    assert rows == [[count]]
    assert read <= most


async def test_files_are_asked_for_a_span_of_dates(odd: Behind) -> None:
    between = "day BETWEEN DATE '2024-01-11' AND DATE '2024-01-20'"
    rows, read = await told(
        odd, f"SELECT count(*) FROM {odd.table('lake', 'days')} WHERE {between}"
    )
    assert rows == [[10]]
    assert read <= 12


@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN"])
async def test_joins_send_batches_of_keys(odd: Behind, join: str) -> None:
    table = odd.table(SCHEMA, "scanned")
    driver = f"SELECT id * 3 AS wanted FROM {table} WHERE person = 5"
    statement = (
        f"SELECT count(*), count(s.id) FROM ({driver}) d {join} {table} s ON s.id = d.wanted"
    )
    rows, read = await told(odd, statement)
    there = sum(at * 3 < SCANNED for at in range(5, SCANNED, 100))
    assert rows == [[there if join == "JOIN" else 400, there]]
    assert read < 2_000


async def test_people_are_joined_through_the_links(demo: Behind) -> None:
    xref, users = demo.table("roundview", "xref"), demo.table("support", "users")
    contacts = demo.table("crm", "contacts")
    rows = await demo.ask(
        f"SELECT u.id, c.id FROM {users} u"
        f" JOIN {xref} ux ON ux.source = 'support' AND ux.source_key = CAST(u.id AS varchar)"
        f" JOIN {xref} cx ON cx.source = 'crm' AND cx.customer_id = ux.customer_id"
        f" JOIN {contacts} c ON CAST(c.id AS varchar) = cx.source_key"
    )
    links = demo.served.federation.xref
    async with demo.served.client() as client:
        people = await client.scan("support", "users", ["id"])
        known = {str(one) for (one,) in await client.scan("crm", "contacts", ["id"])}
    expected = set()
    for (person,) in people:
        owner = links.owner("support", str(person))
        assert owner is not None
        expected |= {
            (person, int(key))
            for source, key in links.members(owner)
            if source == "crm" and key in known
        }
    assert set(rows) == expected
    assert expected


async def test_what_a_source_refuses_is_said(
    server: TrinoServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    federation = await odd_shop.opened(tmp_path_factory.mktemp("capped"), "scan_rows: 1000")
    async with serving(federation) as served:
        capped = await behind(server, served, "bridged_capped")
        with pytest.raises(trino.exceptions.Error, match=r"RV117 more rows of news\.north"):
            await capped.ask(f"SELECT id FROM {capped.table(SCHEMA, 'scanned')}")
    with pytest.raises(trino.exceptions.Error):
        await capped.ask(f"SELECT id FROM {capped.table(SCHEMA, 'parts')}")
    await federation.close()


async def test_nothing_is_left_of_a_question_that_was_given_up(odd: Behind) -> None:
    table = odd.table(SCHEMA, "scanned")
    assert len(await odd.ask(f"SELECT id FROM {table} LIMIT 5")) == 5
    rival = f"{table} a JOIN {table} b ON a.name < b.name"
    with pytest.raises(trino.exceptions.Error, match="maximum time limit"):
        await odd.ask(f"SELECT count(*) FROM {rival}", {"query_max_run_time": "1s"})
    # Trino says nothing of it to the bridge: the next ones find room all the same.
    for _ in range(10):
        assert await odd.ask(f"SELECT count(*) FROM {table}") == [(SCANNED,)]


async def told(
    behind: Behind, statement: str, session: Mapping[str, str] | None = None
) -> tuple[list[list[Any]], int]:
    """Returns the rows of a statement, and how many rows came from the sources."""

    def ask() -> tuple[list[list[Any]], int]:
        where = {"host": "127.0.0.1", "port": behind.trino.port, "user": "tests"}
        with trino.dbapi.connect(**where, session_properties=session) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows = cursor.fetchall()
            return rows, int(cursor.stats["processedRows"])

    return await asyncio.to_thread(ask)
