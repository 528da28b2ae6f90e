"""Proves that what only a Trino reaches is a source like any other: catalogs of its memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp
from tests.sql.oracles import rows_of
from tests.trino.conftest import WORKER
from tests.trino.trino_server import TrinoServer

from roundview.client import AsyncConnection, connect_async
from roundview.demo.servers import free_port
from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file
from roundview_catalog.errors import CatalogError, SourceError
from roundview_federation.connectors import open_connector
from roundview_federation.key_sets import in_keys
from roundview_federation.live import Verdict, prove_source
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline

NAME = f"kept_{WORKER}"
TABLES = (
    "DROP TABLE IF EXISTS {t}.customers",
    "DROP TABLE IF EXISTS {t}.orders",
    "CREATE TABLE {t}.customers (id bigint, email varchar, name varchar(60), born date,"
    " vip boolean, joined timestamp(6), seen timestamp(6) with time zone, code char(4),"
    " deleted boolean, tags array(varchar))",
    "INSERT INTO {t}.customers VALUES"
    " (1, 'Mia@shop.example', 'Mia Vogt', DATE '1990-02-28', true,"
    " TIMESTAMP '2026-01-01 10:00:00.000001', TIMESTAMP '2026-01-01 10:00:00.5 +02:00', 'ab',"
    " false, ARRAY['x']),"
    " (2, 'ben''s@shop.example', 'Ben 𝄞', NULL, NULL, NULL, NULL, NULL, false, NULL),"
    " (3, 'gone@shop.example', 'Gone', NULL, false, NULL, NULL, '', true, NULL)",
    "CREATE TABLE {t}.orders (id bigint, customer_id bigint, number varchar,"
    " amount decimal(12,2), at timestamp(3) with time zone, state varchar)",
    "INSERT INTO {t}.orders VALUES"
    " (10, 1, 'N-10', 12.50, TIMESTAMP '2026-02-01 00:00:00 UTC', 'P'),"
    " (11, 1, 'N-11', 0.01, TIMESTAMP '2026-03-01 00:00:00 UTC', 'P'),"
    " (12, 2, 'N-12', 9999999999.99, TIMESTAMP '2026-04-01 00:00:00 UTC', 'X'),"
    " (13, 3, 'N-13', 1, TIMESTAMP '2026-04-01 00:00:00 UTC', 'P')",
)
SOURCE = """
source: kept
connector: trino
trino_catalog: {name}.shop
connection: {{url: "${{env:TRINO_URL}}", user: tests}}
limits: {{timeout: 60s}}
facts:
  customers.id: {{unique: true, index: true}}
  customers.email: {{index: true}}
  orders.id: {{unique: true, index: true}}
  orders.customer_id: {{index: true}}
entities:
  individual:
    from: customers c
    where: NOT c.deleted
    key: c.id
    fields: {{full_name: c.name, birth_date: c.born}}
    also:
      contact_point_email: {{fields: {{email_address: c.email}}}}
  sales_order:
    from: orders o JOIN customers c ON c.id = o.customer_id
    where: c.deleted = false AND o.amount > 0
    key: o.id
    person: o.customer_id
    fields:
      order_number: o.number
      ordered_at: o.at
      grand_total: o.amount
      status: {{value: o.state, map: {{P: completed, X: cancelled}}}}
"""


@pytest.fixture(scope="module")
async def catalog(server: TrinoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a catalog over tables that lie in Trino's own memory."""
    await asyncio.to_thread(server.make_catalog, NAME, {"connector.name": "memory"})
    await asyncio.to_thread(server.ask, f"CREATE SCHEMA IF NOT EXISTS {NAME}.shop")
    for statement in TABLES:
        await asyncio.to_thread(server.ask, statement.format(t=f"{NAME}.shop"))
    folder = tmp_path_factory.mktemp("kept")
    (folder / "sources").mkdir()
    engines = {"trino": {"url": "${env:TRINO_URL}", "user": "tests"}}
    told = f"roundview: 1\nname: kept\ndeadlines: {{view: 60s}}\nengines: {json.dumps(engines)}\n"
    (folder / "roundview.yaml").write_text(told)
    role = {"purposes": ["service"], "sees": {"*": "all"}, "actions": ["allow_scan"]}
    (folder / "policy.yaml").write_text(json.dumps({"roles": {"demo": role}}))
    (folder / "sources/kept.yaml").write_text(SOURCE.format(name=NAME))
    tables = await introspect_source(folder, "kept", {"TRINO_URL": server.url})
    schema_file.write(folder / "sources/kept.schema.yaml", tables)
    return folder


@pytest.fixture(scope="module")
async def connection(catalog: Path, server: TrinoServer) -> AsyncIterator[AsyncConnection]:
    async with connect_async(catalog, env={"TRINO_URL": server.url}) as opened:
        await opened.refresh_identity()
        yield opened


async def answered(connection: AsyncConnection, question: str, engine: str) -> list[Any]:
    """Returns the rows of a question finished by an engine."""
    answer = await connection.sql(question, engine=engine, allow_scan=True, timeout_seconds=100)
    return sorted(rows_of(await answer.arrow()))


def test_types_are_those_that_trino_names(catalog: Path, server: TrinoServer) -> None:
    (source,) = loader.load(catalog, env={"TRINO_URL": server.url}).sources.values()
    assert {name: str(one.type) for name, one in source.tables["customers"].columns.items()} == {
        "id": "bigint", "email": "text", "name": "text", "born": "date", "vip": "boolean",
        "joined": "timestamp", "seen": "timestamptz", "code": "text", "deleted": "boolean",
    }  # fmt: skip
    assert str(source.tables["orders"].columns["amount"].type) == "decimal(12,2)"


async def test_values_of_every_type_arrive(catalog: Path, server: TrinoServer) -> None:
    (source,) = loader.load(catalog, env={"TRINO_URL": server.url}).sources.values()
    connector: Any = open_connector(source, env={"TRINO_URL": server.url})
    table = source.tables["customers"]
    named = exp.Table(
        this=exp.to_identifier("customers"), alias=exp.TableAlias(this=exp.to_identifier("c"))
    )
    tree = exp.select(*(exp.column(name, table="c") for name in table.columns)).from_(named)
    types = tuple(column.type for column in table.columns.values())

    async def rows(where: exp.Expr, keysets: tuple[str, ...], **params: Any) -> list[Any]:
        given = tuple(name for name in params if name not in keysets)
        fragment = Fragment("f", "kept", tree.where(where), types, keysets, given)
        answer = await connector.rows(connector.compile(fragment), params, Deadline.after(60))
        return list(answer.rows)

    mia = (
        1, "Mia@shop.example", "Mia Vogt", date(1990, 2, 28), True,
        datetime(2026, 1, 1, 10, 0, 0, 1), datetime(2026, 1, 1, 8, 0, 0, 500_000, tzinfo=UTC),  # noqa: DTZ001
        "ab", False,
    )  # fmt: skip
    by_id = exp.column("id", table="c")
    email = exp.column("email", table="c")
    assert await rows(in_keys(by_id, "k"), ("k",), k=[1, 99, None]) == [mia]
    assert await rows(in_keys(by_id, "k"), ("k",), k=[]) == []
    told = exp.EQ(this=email, expression=exp.Placeholder(this="e"))
    ((_, found, *_),) = await rows(told, (), e="ben's@shop.example")
    assert found == "ben's@shop.example"
    assert await rows(told, (), e="' OR 1=1 --") == []
    for name, value in (("born", mia[3]), ("joined", mia[5]), ("seen", mia[6]), ("code", "ab")):
        column = exp.column(name, table="c")
        assert await rows(exp.EQ(this=column, expression=exp.Placeholder(this="v")), (), v=value) == [mia]  # fmt: skip
    await connector.close()


async def test_a_customer_is_found_and_shown(connection: AsyncConnection) -> None:
    view = await connection.customer(email="MIA@shop.example")
    assert view is not None
    assert view.complete
    assert view.fields["full_name"] == "Mia Vogt"
    assert {one["order_number"] for one in view["sales_order"].rows} == {"N-10", "N-11"}


@pytest.mark.parametrize("engine", ["embedded", "trino"])
async def test_sql_reads_it_on_every_engine(connection: AsyncConnection, engine: str) -> None:
    question = "SELECT order_number, grand_total, status FROM sales_order WHERE grand_total >= 0.01"
    assert await answered(connection, question, engine) == [
        ("N-10", Decimal("12.50"), "completed"),
        ("N-11", Decimal("0.01"), "completed"),
        ("N-12", Decimal("9999999999.99"), "cancelled"),
    ]


async def test_its_claims_are_proved(catalog: Path, server: TrinoServer) -> None:
    env = {"TRINO_URL": server.url}
    proven = await prove_source(loader.load(catalog, env=env), "kept", env=env, seconds=100)
    assert proven.failure is None
    wrong = [one for one in proven.findings if one.verdict is Verdict.REFUTED]
    assert [one.claim for one in wrong if "email" not in one.claim] == []
    there = [one.verdict for one in proven.findings if one.claim.startswith("Trino reads")]
    assert there == [Verdict.PROVED, Verdict.PROVED]


async def test_a_trino_that_is_gone_is_a_source_that_is_gone(
    catalog: Path, server: TrinoServer
) -> None:
    env = {"TRINO_URL": f"http://127.0.0.1:{free_port()}"}
    (source,) = loader.load(catalog, env=env).sources.values()
    connector = open_connector(replace(source), env=env)
    with pytest.raises(SourceError) as raised:
        await connector.introspect()
    assert raised.value.code == "RV402"
    await connector.close()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("trino_catalog: {name}.shop\n", "", "RV220"),
        ("where: NOT c.deleted", "where: lower(c.email) = 'x'", "RV209"),
    ],
)
def test_what_it_cannot_do_is_refused_early(
    catalog: Path, tmp_path: Path, before: str, after: str, code: str
) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "roundview.yaml").write_text("roundview: 1\nname: wrong\n")
    schema = (catalog / "sources/kept.schema.yaml").read_text()
    (tmp_path / "sources/kept.schema.yaml").write_text(schema)
    text = SOURCE.replace(before, after).format(name=NAME)
    (tmp_path / "sources/kept.yaml").write_text(text)
    with pytest.raises(CatalogError) as raised:
        loader.load(tmp_path, env={"TRINO_URL": "http://127.0.0.1:1"})
    assert [problem.code for problem in raised.value.problems] == [code]
