"""Proves that a stream of batches that breaks in the middle is an error in time, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server, world
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import fragment, opened, postgres_source
from tests.connectors.postgres_server import PostgresServer
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.test_mysql_faults import ServerFirstProxy, in_thread

from roundview_catalog.errors import SourceError
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.resilience.deadline import Deadline

LOOSE_SECONDS = 1.0
DEADLINE_SECONDS = 1.0
GONE_SECONDS = 0.25

CODES = {
    Fault.RESET: {"RV402"},
    Fault.CUT: {"RV402"},
    Fault.MUTE: {"RV401"},
    Fault.BLACK_HOLE: {"RV401"},
    Fault.DRIP: {"RV401"},
}
BIGINT = Type(Kind.BIGINT)
ENDLESS = (
    "SELECT p.id AS c0, o.id AS c1 FROM people AS p CROSS JOIN orders AS o CROSS JOIN orders AS q"
)
RUNNING = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'"
    " AND state <> 'idle' AND query LIKE '%COPY%'",
    "mysql": "SELECT count(*) FROM information_schema.processlist"
    " WHERE user = 'reader' AND info LIKE '%orders%'",
}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    with mariadb_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(params=["postgres", "mysql"])
def technology(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def server(request: pytest.FixtureRequest, technology: str) -> Any:
    return request.getfixturevalue("postgres" if technology == "postgres" else "mariadb")


@pytest.fixture
def proxy(server: Any) -> Iterator[FaultProxy]:
    with in_thread(ServerFirstProxy(("127.0.0.1", server.port))) as running:
        yield running


def over(technology: str, server: Any, port: int) -> Any:
    """Opens the world behind a port of the proxy."""
    if technology == "postgres":
        url = server.url(postgres_server.WORLD, port=port)
        return opened(postgres_source(server, url=url))
    url = server.url(mariadb_server.WORLD, port=port)
    return opened(world.source("pos", "mysql", {"url": url}, world.tables({}, {})))


def endless(connector: Any) -> Any:
    made = fragment(ENDLESS, types=(BIGINT, BIGINT), is_scan=True, row_cap=NO_CAP)
    return connector.compile(made)


@pytest.mark.row("B4")
@pytest.mark.parametrize("fault", CODES)
async def test_a_stream_that_breaks_is_an_error_in_time(
    technology: str, server: Any, proxy: FaultProxy, fault: Fault
) -> None:
    connector = over(technology, server, proxy.port)
    stream = connector.batches(endless(connector), {}, Deadline.after(DEADLINE_SECONDS))
    started = time.monotonic()
    assert (await anext(stream)).num_rows > 0
    proxy.fault = fault
    with pytest.raises(SourceError) as caught:
        await read(stream)
    assert caught.value.code in CODES[fault]
    assert time.monotonic() - started < DEADLINE_SECONDS + LOOSE_SECONDS
    proxy.fault = Fault.NONE
    again = connector.batches(endless(connector), {}, Deadline.after(10))
    assert (await anext(again)).num_rows > 0
    await again.aclose()
    await connector.close()


async def test_garbage_in_a_stream_is_named(
    technology: str, server: Any, proxy: FaultProxy
) -> None:
    connector = over(technology, server, proxy.port)
    stream = connector.batches(endless(connector), {}, Deadline.after(DEADLINE_SECONDS))
    assert (await anext(stream)).num_rows > 0
    proxy.fault = Fault.GARBAGE
    with pytest.raises(SourceError) as caught:
        await read(stream)
    # Some bytes begin a message that never ends.
    assert caught.value.code in {"RV401", "RV402", "RV403"}
    await connector.close()


@pytest.mark.parametrize("how", ["cancelled", "left", "late"])
async def test_no_statement_is_left_in_the_server(technology: str, server: Any, how: str) -> None:
    connector = over(technology, server, server.port)
    seconds = 1.5 if how == "late" else 30.0
    stream = connector.batches(endless(connector), {}, Deadline.after(seconds))
    await anext(stream)
    assert await running(technology, server) == 1
    if how == "left":
        await stream.aclose()
    elif how == "cancelled":
        reading = asyncio.create_task(anext(stream))
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await stream.aclose()
    else:
        with pytest.raises(SourceError):
            await read(stream)
    ended = time.monotonic()
    while await running(technology, server):
        assert time.monotonic() - ended < GONE_SECONDS + LOOSE_SECONDS
    await connector.close()


async def read(stream: Any) -> None:
    async for batch in stream:
        assert batch.num_rows > 0


async def running(technology: str, server: Any) -> int:
    """Returns how many of our statements run in the server."""
    if technology == "mysql":
        return int((await server.ask(RUNNING[technology], None, "mysql"))[0][0])
    admin = await server.admin()
    try:
        return int(await admin.fetchval(RUNNING[technology]))
    finally:
        await admin.close()
