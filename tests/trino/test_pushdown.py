"""Proves what sources are asked when Trino answers, by what their own logs say."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from tests.sql.asking import asked
from tests.sql.conftest import Estate
from tests.sql.estate import Entity, Form, Part, Split
from tests.sql.oracles import answered_by_duckdb, difference
from tests.sql.stores import Servers
from tests.trino import statement_logs
from tests.trino.conftest import WORKER
from tests.trino.estates import estate_on_trino
from tests.trino.trino_server import TrinoServer

from roundview_federation.request import Request
from roundview_federation.sql.explained import as_text

LOTS = (1, 256, 257, 10_000)
"""How many buyers have each lot: keys that purchases are then asked by."""
FIELDS = {
    "ident": "bigint",
    "lot": "integer",
    "label": "text",
    "email": "text",
    "price": "decimal(12,2)",
    "day": "date",
}
BUYER = Entity("buyer", FIELDS, ("ident",), ("lot", "label"))
PURCHASE = Entity(
    "purchase", {"ident": "bigint", "buyer": "bigint", "label": "text"}, ("ident",), ("buyer",)
)
SPLIT = Split(
    f"pushed_{WORKER}",
    {"crm": "postgres", "till": "mariadb"},
    (
        Part("buyer", "crm", "pushed_buyers", forms={"email": Form("{c}", "lower({c})")}),
        Part("purchase", "till", "pushed_sales"),
    ),
)
FEW = ", ".join(f"'buyer {at}'" for at in range(5))
MANY = ", ".join(f"'buyer {at}'" for at in range(40))

SHAPES = {
    "number": ("ident = 7", '"ident" = '),
    "numbers": ("ident IN (7, 9)", '"ident" IN ('),
    "range of numbers": ("ident > 10500", '"ident" > '),
    "decimal": ("price <= 0.05", '"price" <= '),
    "day": ("day = DATE '2024-01-09'", '"day" = '),
    "range of days": ("day < DATE '2024-01-03'", '"day" < '),
    "text": ("label = 'buyer 7'", '"label" = '),
    "texts": (f"label IN ({FEW})", '"label" IN ('),
    "many texts": (f"label IN ({MANY})", '"label" = ANY'),
    "computed text": ("email = 'b7@example.org'", "LOWER("),
}


@dataclass(frozen=True)
class Logged:
    """An estate whose servers log what they are asked."""

    estate: Estate
    servers: Servers

    async def ask(self, question: str) -> tuple[list[str], list[str]]:
        """Asks on Trino, compares, and returns what PostgreSQL and MariaDB were asked."""
        await statement_logs.seen_by_mariadb(self.servers, "pushed_sales")
        since = statement_logs.postgres_log(self.servers)
        got = await asked(self.estate.connection, question, "trino")
        right = answered_by_duckdb(self.estate.truth, question)
        assert right.rows
        assert difference(right, got.answer, ordered=False, typed=False) == ""
        return (
            statement_logs.seen_by_postgres(self.servers, "pushed_buyers", since),
            await statement_logs.seen_by_mariadb(self.servers, "pushed_sales"),
        )


@contextmanager
def rows() -> Iterator[tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyConnection]]:
    """Yields what sources hold and what is right: emails differ in case."""
    with duckdb.connect() as held, duckdb.connect() as right:
        for database, email in ((held, "'B' || i || '@Example.org'"), (right, "")):
            email = email or "'b' || i || '@example.org'"
            lots = " UNION ALL ".join(
                f"SELECT {lot} AS lot, n FROM range({lot}) r(n)" for lot in LOTS
            )
            database.execute(
                "CREATE TABLE buyer AS SELECT i AS ident, lot, 'buyer ' || i AS label,"
                f" {email} AS email, (i / 100)::DECIMAL(12,2) AS price,"
                " DATE '2024-01-01' + (i % 2000)::INTEGER AS day"
                f" FROM (SELECT row_number() OVER (ORDER BY lot, n) AS i, lot::INTEGER AS lot"
                f" FROM ({lots}))"
            )
            database.execute(
                "CREATE TABLE purchase AS SELECT ident * 3 AS ident, ident AS buyer,"
                " 'Buyer ' || ident AS label FROM buyer WHERE ident % 2 = 0"
            )
        yield held, right


@pytest.fixture(scope="module")
async def logged(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Logged]:
    folder = tmp_path_factory.mktemp("pushed")
    with rows() as (held, right):
        async with (
            estate_on_trino(folder, (BUYER, PURCHASE), SPLIT, held, servers, server) as estate,
            statement_logs.logging_statements(servers, f"{SPLIT.name}_crm"),
        ):
            yield Logged(Estate(SPLIT, estate.connection, right), servers)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_source_applies_the_condition(shape: str, logged: Logged) -> None:
    condition, sign = SHAPES[shape]
    seen, _ = await logged.ask(
        f"SELECT count(*) AS n, min(ident) AS i FROM buyer WHERE {condition}"
    )
    assert seen
    assert all(sign in one for one in seen), seen


@pytest.mark.parametrize("lot", LOTS)
@pytest.mark.parametrize("way", ["JOIN", "LEFT JOIN"])
async def test_keys_of_one_source_reach_the_other(lot: int, way: str, logged: Logged) -> None:
    _, seen = await logged.ask(
        "SELECT count(*) AS n, count(p.ident) AS found FROM buyer b"
        f" {way} purchase p ON p.buyer = b.ident WHERE b.lot = {lot}"
    )
    assert seen
    for one in seen:
        (keys,) = re.findall(r" IN \(([^)]*)\)", one) or re.findall(r"`buyer` = (\d+)", one)
        assert len(keys.split(",")) == lot


async def test_the_explanation_says_who_is_asked_in_its_own_sql(logged: Logged) -> None:
    federation: Any = logged.estate.connection.federation
    request = Request(federation.principal, allow_scan=True)
    question = "SELECT count(*) AS n FROM buyer WHERE email = 'b7@example.org'"
    told = await federation.explain_sql(question, request, engine="trino")
    assert told.own == (
        "crm.buyer in crm's own SQL: it computes what is compared, by its index where it has one",
    )
    assert f"reads     {told.own[0]}" in as_text(told)
    plain = await federation.explain_sql("SELECT ident FROM buyer", request, engine="trino")
    assert plain.own == ()


async def test_a_text_that_a_server_takes_for_equal_is_told_apart(logged: Logged) -> None:
    _, seen = await logged.ask("SELECT count(*) AS n FROM purchase WHERE label = 'buyer 4'")
    assert all("`label` = " in one for one in seen)
    assert seen


async def test_a_key_that_nobody_has_asks_nobody(logged: Logged) -> None:
    _, seen = await logged.ask(
        "SELECT count(*) AS n FROM buyer b JOIN purchase p ON p.buyer = b.ident WHERE b.lot = 3"
    )
    assert seen == []


async def test_sources_log_the_trace_of_the_question(logged: Logged) -> None:
    federation: Any = logged.estate.connection.federation
    request = Request(federation.principal, trace_id="0af7651916cd43dd", allow_scan=True)
    since = statement_logs.postgres_log(logged.servers)
    result = await federation.sql("SELECT max(price) AS p FROM buyer", request, engine="trino")
    assert (await result.table()).num_rows == 1
    seen = statement_logs.seen_by_postgres(logged.servers, "pushed_buyers", since)
    assert seen
    assert all("trace=0af7651916cd43dd" in one for one in seen)
