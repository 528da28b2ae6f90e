"""Proves that a MySQL source can fail in every way and the answer is there at the deadline."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from tests.connectors import mariadb_server, world
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import fragment, opened
from tests.faults.proxy import WIRE_FAULTS, Fault, FaultProxy

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_federation.resilience.deadline import Deadline

DEADLINE_SECONDS = 0.3
# What fails at once needs no short deadline, and this machine may be busy.
ANSWER_SECONDS = 5.0
LOOSE_SECONDS = 1.0
PASSED_BYTES = 40
DRIP_SECONDS = 0.02

CODES = {
    Fault.REFUSE: "RV402",
    Fault.RESET: "RV402",
    Fault.MUTE: "RV401",
    Fault.BLACK_HOLE: "RV401",
    Fault.DRIP: "RV401",
    Fault.CUT: "RV402",
    Fault.GARBAGE: "RV403",
}
BY_PERSON = "SELECT o.id AS c0, o.person_id AS c1 FROM orders AS o WHERE o.person_id = ANY(:keys)"


class ServerFirstProxy(FaultProxy):
    """A proxy for a protocol in which the server speaks first; it fails the server's words."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._upstream is not None
        self.calls += 1
        back, forth = await asyncio.open_connection(*self._upstream)
        up = asyncio.ensure_future(_copied(reader, forth))
        try:
            while data := await back.read(65_536):
                if not await self._told(data, writer):
                    return
        finally:
            up.cancel()
            forth.close()

    async def _told(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        fault = self.fault
        if fault is Fault.RESET:
            writer.transport.abort()
            return False
        if fault is Fault.MUTE:
            return True
        if fault is Fault.DRIP:
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
            return True
        if fault is Fault.GARBAGE:
            data = bytes(range(256)) * 8
        elif fault in (Fault.CUT, Fault.BLACK_HOLE):
            data = data[:PASSED_BYTES]
        writer.write(data)
        await writer.drain()
        if fault is Fault.BLACK_HOLE:
            await asyncio.sleep(3_600)
        return fault not in (Fault.GARBAGE, Fault.CUT)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextmanager
def in_thread(proxy: FaultProxy) -> Iterator[FaultProxy]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(5)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    with mariadb_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture
def proxy(mariadb: MariadbServer) -> Iterator[FaultProxy]:
    with in_thread(ServerFirstProxy(("127.0.0.1", mariadb.port))) as running:
        yield running


def over(mariadb: MariadbServer, port: int, limits: Limits | None = None) -> Any:
    url = mariadb.url(mariadb_server.WORLD, port=port)
    return opened(world.source("pos", "mysql", {"url": url}, world.tables({}, {}), limits))


def test_every_fault_of_the_wire_has_its_code() -> None:
    assert set(CODES) == set(WIRE_FAULTS)


@pytest.mark.row("B4")
@pytest.mark.parametrize("when", ["at login", "in a session"])
@pytest.mark.parametrize("fault", CODES)
async def test_a_fault_is_labelled_within_the_deadline(
    mariadb: MariadbServer, proxy: FaultProxy, fault: Fault, when: str
) -> None:
    port = proxy.port
    connector = over(mariadb, port)
    call = connector.compile(fragment(BY_PERSON))
    if when == "in a session":
        assert (await connector.rows(call, {"keys": [7]}, Deadline.after(5))).rows
    if fault is Fault.REFUSE:
        await connector.close()
        port = proxy.refusing_port
        connector = over(mariadb, port)
    proxy.fault = fault
    seconds = DEADLINE_SECONDS if CODES[fault] == "RV401" else ANSWER_SECONDS
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {"keys": [7, 14]}, Deadline.after(seconds))
    assert time.monotonic() - started < seconds + LOOSE_SECONDS
    assert caught.value.code == CODES[fault]
    assert caught.value.source == "pos"
    shown = f"{caught.value} {caught.value.extensions}"
    for part in ("127.0.0.1", str(port), "orders", mariadb_server.PASSWORD, mariadb_server.READER):
        assert part not in shown
    assert caught.value.__cause__ is None
    proxy.fault = Fault.NONE
    if fault is not Fault.REFUSE:
        answer = await connector.rows(call, {"keys": [7, 14]}, Deadline.after(5))
        assert answer.rows
        assert {row[1] for row in answer.rows} <= {7, 14}
    await connector.close()


async def test_a_deaf_server_takes_no_slot_for_ever(
    mariadb: MariadbServer, proxy: FaultProxy
) -> None:
    connector = over(mariadb, proxy.port, Limits(concurrency=2))
    call = connector.compile(fragment(BY_PERSON))
    assert (await connector.rows(call, {"keys": [7]}, Deadline.after(5))).rows
    proxy.fault = Fault.MUTE
    failed = await asyncio.gather(
        *(connector.rows(call, {"keys": [at]}, Deadline.after(0.1)) for at in range(8)),
        return_exceptions=True,
    )
    assert {getattr(one, "code", "") for one in failed} == {"RV401"}
    proxy.fault = Fault.NONE
    answers = await asyncio.gather(
        *(connector.rows(call, {"keys": [7]}, Deadline.after(5)) for _ in range(8))
    )
    assert all(answer.rows for answer in answers)
    await connector.close()


async def test_a_source_is_closed_though_it_is_deaf(
    mariadb: MariadbServer, proxy: FaultProxy
) -> None:
    connector = over(mariadb, proxy.port)
    call = connector.compile(fragment(BY_PERSON))
    assert (await connector.rows(call, {"keys": [7]}, Deadline.after(5))).rows
    proxy.fault = Fault.MUTE
    started = time.monotonic()
    await connector.close()
    assert time.monotonic() - started < 1.0
