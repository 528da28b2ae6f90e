"""Proves that a PostgreSQL source can fail in every way and the answer is there at the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from tests.connectors import postgres_server
from tests.connectors.opening import ask, fragment, opened, postgres_source
from tests.connectors.postgres_server import PASSWORD, WORLD, PostgresServer
from tests.faults.proxy import WIRE_FAULTS, Fault, FaultProxy, fault_proxy

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits, Source
from roundview_federation.resilience.deadline import Deadline

DEADLINE_SECONDS = 0.3
# What fails at once needs no short deadline, and this machine may be busy.
ANSWER_SECONDS = 5.0
LOOSE_SECONDS = 1.0

CODES = {
    Fault.REFUSE: {"RV402"},
    Fault.RESET: {"RV402"},
    Fault.MUTE: {"RV401"},
    Fault.BLACK_HOLE: {"RV401"},
    Fault.DRIP: {"RV401"},
    Fault.CUT: {"RV402"},
    # Some bytes begin a message that never ends.
    Fault.GARBAGE: {"RV401", "RV402", "RV403"},
}

BY_PERSON = "SELECT o.id AS c0, o.person_id AS c1 FROM orders AS o WHERE o.person_id = ANY(:keys)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server.serving(tmp_path_factory.getbasetemp()) as running:
        yield running


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[FaultProxy]:
    with fault_proxy(("127.0.0.1", server.port)) as running:
        yield running


def source(server: PostgresServer, port: int, limits: Limits | None = None) -> Source:
    """Returns the world's source behind the proxy."""
    return postgres_source(server, limits, url=server.url(WORLD, port=port))


def test_every_fault_of_the_wire_has_its_code() -> None:
    assert set(CODES) == set(WIRE_FAULTS)


@pytest.mark.row("B4")
@pytest.mark.parametrize("fault", CODES)
async def test_a_fault_is_labelled_within_the_deadline(
    server: PostgresServer, proxy: FaultProxy, fault: Fault
) -> None:
    port = proxy.refusing_port if fault is Fault.REFUSE else proxy.port
    proxy.fault = fault
    connector = opened(source(server, port))
    call = connector.compile(fragment(BY_PERSON))
    seconds = DEADLINE_SECONDS if CODES[fault] != {"RV402"} else ANSWER_SECONDS
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {"keys": [7, 14]}, Deadline.after(seconds))
    assert time.monotonic() - started < seconds + LOOSE_SECONDS
    assert caught.value.code in CODES[fault]
    assert caught.value.source == "crm"
    shown = f"{caught.value} {caught.value.extensions}"
    for part in ("127.0.0.1", str(port), "orders", PASSWORD, postgres_server.READER, WORLD):
        assert part not in shown
    assert caught.value.__cause__ is None
    await connector.close()


@pytest.mark.parametrize("fault", [fault for fault in CODES if fault is not Fault.REFUSE])
async def test_the_source_serves_again_when_the_fault_is_over(
    server: PostgresServer, proxy: FaultProxy, fault: Fault
) -> None:
    connector = opened(source(server, proxy.port, Limits(concurrency=1)))
    call = connector.compile(fragment(BY_PERSON))
    proxy.fault = fault
    with pytest.raises(SourceError):
        await connector.rows(call, {"keys": [7]}, Deadline.after(0.2))
    proxy.fault = Fault.NONE
    answer = await connector.rows(call, {"keys": [7]}, Deadline.after(5))
    assert [row[1] for row in answer.rows] == [7] * len(answer.rows)
    assert answer.rows
    await connector.close()


async def test_cancelling_a_login_that_hangs_frees_its_place(
    server: PostgresServer, proxy: FaultProxy
) -> None:
    proxy.fault = Fault.MUTE
    connector = opened(source(server, proxy.port, Limits(concurrency=1)))
    call = connector.compile(fragment(BY_PERSON))
    task = asyncio.create_task(connector.rows(call, {"keys": [7]}, Deadline.after(30)))
    while not proxy.calls:
        await asyncio.wait([task], timeout=0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.fault = Fault.NONE
    assert (await ask(connector, BY_PERSON, {"keys": [7]})).rows
    await connector.close()


async def test_a_deaf_server_does_not_hold_up_the_end(
    server: PostgresServer, proxy: FaultProxy
) -> None:
    proxy.fault = Fault.DRIP
    connector = opened(source(server, proxy.port))
    call = connector.compile(fragment(BY_PERSON))
    tasks = [
        asyncio.create_task(connector.rows(call, {"keys": [7]}, Deadline.after(30)))
        for _ in range(4)
    ]
    while not proxy.calls:
        await asyncio.wait(tasks, timeout=0.005)
    async with asyncio.timeout(5):
        await connector.close()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(r, asyncio.CancelledError | SourceError) for r in results)
