"""Proves that nothing stays behind of a question that ends early, and that a new Trino is found."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.oracles import duckdb_of
from tests.sql.stores import Servers
from tests.trino import obtaining, trino_server
from tests.trino.conftest import WORKER
from tests.trino.estates import ITEM, ITEMS, ROWS, estate_on_trino
from tests.trino.trino_server import TrinoServer

from roundview.demo.servers import free_port
from roundview_catalog.errors import EngineError
from roundview_federation.dialect.types import INTEGER
from roundview_federation.engines.trino.engine import TrinoEngine
from roundview_federation.engines.trino.settings import TrinoSettings
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline

TOTAL = "SELECT count(*) AS n, sum(price) AS total FROM item"
SLOW = ITEMS.named(f"slow_{WORKER}")
DEAF = ITEMS.named(f"deaf_{WORKER}")
# A row every ten seconds, as long as anybody reads.
SLOW_POSTGRES = """
ALTER TABLE items RENAME TO real_items;
CREATE VIEW items AS SELECT * FROM real_items WHERE pg_sleep(10) IS NOT NULL;
GRANT SELECT ON items TO reader
"""
SLOW_MARIADB = (
    "RENAME TABLE items TO real_items",
    "CREATE VIEW items AS SELECT * FROM real_items WHERE SLEEP(10) = 0",
)


@dataclass(frozen=True)
class Slow:
    """Sources that answer slowly."""

    estate: Estate
    servers: Servers

    async def running(self) -> tuple[int, int]:
        """Counts the statements that run in PostgreSQL and in MariaDB."""
        admin = await self.servers.postgres.admin()
        in_postgres = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state = 'active'",
            f"{SLOW.name}_east",
        )
        await admin.close()
        ((in_mariadb,),) = await self.servers.mariadb.ask(
            "SELECT count(*) FROM information_schema.processlist"
            " WHERE command <> 'Sleep' AND info LIKE %s AND info NOT LIKE '%%processlist%%'",
            (f"%{SLOW.name}_north%",),
        )
        return in_postgres, in_mariadb

    async def until(self, is_so: Callable[[tuple[int, int]], bool]) -> float:
        """Waits until as many statements run; returns how many seconds that took."""
        started = time.perf_counter()
        async with asyncio.timeout(120):
            while not is_so(await self.running()):
                pass
        return time.perf_counter() - started

    def request(self, seconds: float) -> Request:
        """Returns who asks, and for how long."""
        federation: Any = self.estate.connection.federation
        return Request(federation.principal, timeout_seconds=seconds, allow_scan=True)


@pytest.fixture(scope="module")
async def slow(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Slow]:
    folder = tmp_path_factory.mktemp("slow")
    with duckdb_of((ITEM,), ROWS) as truth:
        async with estate_on_trino(folder, (ITEM,), SLOW, truth, servers, server) as estate:
            owner = await servers.postgres.admin(f"{SLOW.name}_east")
            await owner.execute(SLOW_POSTGRES)
            await owner.close()
            await servers.mariadb.run(SLOW_MARIADB, f"{SLOW.name}_north")
            yield Slow(estate, servers)


async def test_a_cancelled_question_leaves_no_statement_in_any_source(
    slow: Slow, record_property: Callable[[str, object], None]
) -> None:
    federation = slow.estate.connection.federation
    asking = asyncio.ensure_future(federation.sql(TOTAL, slow.request(100), engine="trino"))
    await slow.until(lambda counts: min(counts) > 0 or asking.done())
    assert not asking.done()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    record_property("seconds until nothing ran", await slow.until(lambda counts: not any(counts)))


async def test_a_question_that_is_late_leaves_no_statement_in_any_source(slow: Slow) -> None:
    federation = slow.estate.connection.federation
    with pytest.raises(EngineError) as raised:
        await federation.sql(TOTAL, slow.request(3), engine="trino")
    assert raised.value.code == "RV502"
    await slow.until(lambda counts: not any(counts))


@pytest.fixture
def deaf() -> Iterator[int]:
    """Returns a port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


async def test_a_source_that_never_answers_costs_its_own_questions_only(
    tmp_path: Path, servers: Servers, server: TrinoServer, deaf: int
) -> None:
    with duckdb_of((ITEM,), ROWS) as truth:
        async with estate_on_trino(tmp_path, (ITEM,), DEAF, truth, servers, server) as estate:
            unheard = {
                "connector.name": "mariadb",
                "connection-url": f"jdbc:mariadb://127.0.0.1:{deaf}/?connectTimeout=30000",
                "connection-user": "nobody",
            }
            await asyncio.to_thread(server.make_catalog, f"{DEAF.name}_north", unheard)
            federation: Any = estate.connection.federation
            request = Request(federation.principal, timeout_seconds=3, allow_scan=True)
            with pytest.raises(EngineError) as raised:
                await federation.sql(TOTAL, request, engine="trino")
            assert raised.value.code == "RV502"
            east = f"{TOTAL} WHERE source = 'east'"
            assert (await answer(estate.connection, east, "trino")).rows == [(10, 110)]
            assert (await answer(estate.connection, TOTAL, "embedded")).rows == [(20, 210)]


@pytest.mark.skipif(bool(obtaining.missing()), reason=obtaining.missing() or "there is a Trino")
async def test_a_trino_that_was_killed_is_asked_again_once_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    engine = TrinoEngine(TrinoSettings("127.0.0.1", port, "http", "tests"))
    process = trino_server.start(tmp_path, port)
    try:
        await asyncio.to_thread(trino_server.await_ready, port, tmp_path, process)
        assert await _one(engine) == 1
        endless = (
            "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x),"
            " UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 1000)) c(z)"
        )
        waiting = asyncio.ensure_future(engine.stream(endless, [INTEGER], Deadline.after(100)))
        asked = TrinoServer(port, tmp_path, process.pid).ask
        running = "SELECT count(*) FROM system.runtime.queries WHERE state = 'RUNNING'"
        while (await asyncio.to_thread(asked, running))[0][0] < 2:
            assert not waiting.done()
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        for lost in (waiting, engine.stream("SELECT 1", [INTEGER], Deadline.after(5))):
            with pytest.raises(EngineError) as raised:
                await lost
            assert raised.value.code == "RV505"
        process = trino_server.start(tmp_path, port)
        await asyncio.to_thread(trino_server.await_ready, port, tmp_path, process)
        assert await _one(engine) == 1
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        await engine.close()


async def _one(engine: TrinoEngine) -> int:
    stream = await engine.stream("SELECT 1", [INTEGER], Deadline.after(60))
    batches = [batch async for batch in stream]
    value: int = batches[0].column(0)[0].as_py()
    return value
