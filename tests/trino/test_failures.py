"""Proves what a question gets when Trino, or a source below it, does not answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sql.asking import answer, asked
from tests.sql.conftest import Estate
from tests.sql.oracles import duckdb_of
from tests.sql.stores import Servers
from tests.trino.conftest import WORKER
from tests.trino.estates import ITEM, ITEMS, ROWS, estate_on_trino
from tests.trino.trino_server import TrinoServer

from roundview.demo.servers import free_port
from roundview_catalog.errors import EngineError, RequestError
from roundview_federation.dialect.types import INTEGER
from roundview_federation.engines.trino.engine import TrinoEngine
from roundview_federation.engines.trino.settings import TrinoSettings
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline

TOTAL = "SELECT count(*) AS n, sum(price) AS total FROM item"


def engine_at(port: int) -> TrinoEngine:
    return TrinoEngine(TrinoSettings("127.0.0.1", port, "http", "tests"))


async def test_a_trino_that_is_not_there_is_said_to_be() -> None:
    engine = engine_at(free_port())
    with pytest.raises(EngineError) as raised:
        await engine.stream("SELECT 1", [INTEGER], Deadline.after(5))
    assert raised.value.code == "RV505"
    await engine.close()


async def test_a_full_queue_is_said_to_be(server: TrinoServer) -> None:
    engine = engine_at(server.port)
    slow = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 1000)) c(z)"
    waiting = [
        asyncio.ensure_future(engine.stream(slow, [INTEGER], Deadline.after(60), tags=["narrow"]))
        for _ in range(2)
    ]
    while len(await asyncio.to_thread(_running, server, "1000)) c(z)")) < 2:
        assert not any(one.done() for one in waiting)
    with pytest.raises(EngineError) as raised:
        await engine.stream("SELECT 1", [INTEGER], Deadline.after(20), tags=["narrow"])
    assert raised.value.code == "RV501"
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await engine.close()


async def test_a_question_ends_at_its_deadline_and_leaves_nothing(server: TrinoServer) -> None:
    engine = engine_at(server.port)
    slow = "SELECT sum(x * y + z) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 1000)) c(z)"
    with pytest.raises(EngineError) as raised:
        await engine.stream(slow, [INTEGER], Deadline.after(1.5))
    assert raised.value.code == "RV502"
    await _nothing_runs(server, "sum(x * y + z)")
    await engine.close()


async def test_a_cancelled_question_leaves_no_statement(server: TrinoServer) -> None:
    engine = engine_at(server.port)
    slow = "SELECT sum(x * z + y) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 1000)) c(z)"
    task = asyncio.ensure_future(engine.stream(slow, [INTEGER], Deadline.after(60)))
    while not await asyncio.to_thread(_running, server, "sum(x * z + y)"):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _nothing_runs(server, "sum(x * z + y)")
    await engine.close()


async def test_a_source_that_trino_cannot_read_is_said_to_be(
    tmp_path: Path, servers: Servers, server: TrinoServer
) -> None:
    named = ITEMS.named(f"broken_{WORKER}")
    with duckdb_of((ITEM,), ROWS) as truth:
        async with estate_on_trino(tmp_path, (ITEM,), named, truth, servers, server) as estate:
            whole = await asked(estate.connection, TOTAL, "trino")
            assert whole.answer.rows == [(20, 210)]
            broken = {
                "connector.name": "mariadb",
                "connection-url": f"jdbc:mariadb://127.0.0.1:{free_port()}/?connectTimeout=500",
                "connection-user": "nobody",
            }
            await asyncio.to_thread(server.make_catalog, f"{named.name}_north", broken)
            with pytest.raises(EngineError) as raised:
                await answer(estate.connection, TOTAL, "trino")
            assert raised.value.code == "RV506"
            # Questions that do not need Trino are answered.
            assert (await answer(estate.connection, TOTAL, "embedded")).rows == [(20, 210)]


async def test_trino_is_taken_above_the_stated_size(estate: Estate) -> None:
    federation: Any = estate.connection.federation
    request = Request(federation.principal, timeout_seconds=60, allow_scan=True)
    catalog = federation.current.catalog
    small = await federation.sql(TOTAL, request)
    await small.table()
    assert small.engine == "embedded"
    told = await federation.explain_sql(TOTAL, request)
    assert told.engine == "embedded"
    assert "MiB" in told.reason
    federation.current.catalog = replace(
        catalog, engines=replace(catalog.engines, embedded_up_to=100)
    )
    try:
        large = await federation.sql(TOTAL, request)
        assert large.engine == "trino"
        assert (await large.table()).num_rows == 1
        assert (await federation.explain_sql(TOTAL, request)).engine == "trino"
        # What Trino is not asked is finished here, whatever its size.
        other = await federation.sql("SELECT DISTINCT ON (name) name FROM item", request)
        assert other.engine == "embedded"
        await other.table()
    finally:
        federation.current.catalog = catalog


async def test_what_trino_is_not_asked_is_refused(estate: Estate) -> None:
    federation: Any = estate.connection.federation
    request = Request(federation.principal, timeout_seconds=60, allow_scan=True)
    with pytest.raises(RequestError) as raised:
        await federation.sql("SELECT DISTINCT ON (name) name FROM item", request, engine="trino")
    assert raised.value.code == "RV103"
    assert "DISTINCT ON" in raised.value.message


def _running(server: TrinoServer, text: str) -> list[list[Any]]:
    return server.ask(
        "SELECT query_id FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED') "
        f"AND strpos(query, '{text}') > 0 AND strpos(query, 'runtime') = 0"
    )


async def _nothing_runs(server: TrinoServer, text: str) -> None:
    async with asyncio.timeout(20):
        while await asyncio.to_thread(_running, server, text):
            pass
