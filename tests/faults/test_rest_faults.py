"""Proves that a REST source can fail in every way and the answer is there at the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors import rest_app, world
from tests.connectors.http_clients import CLIENTS, Client, rest_with
from tests.connectors.opening import ask, fragment, opened
from tests.faults.proxy import SECRET, Fault, FaultProxy, fault_proxy

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_federation.resilience.deadline import Deadline

DEADLINE_SECONDS = 0.3
SILENT = (Fault.MUTE, Fault.BLACK_HOLE, Fault.DRIP, Fault.STORM)
# What answers, answers at once; but this machine may be busy.
ANSWER_SECONDS = 5.0
LOOSE_SECONDS = 1.0

CODES = {
    Fault.REFUSE: "RV402",
    Fault.RESET: "RV402",
    Fault.MUTE: "RV401",
    Fault.BLACK_HOLE: "RV401",
    Fault.DRIP: "RV401",
    Fault.CUT: "RV402",
    Fault.GARBAGE: "RV403",
    Fault.HTML: "RV403",
    Fault.NOT_JSON: "RV403",
    Fault.WRONG_TYPE: "RV403",
    Fault.OTHER_RECORD: "RV403",
    Fault.ENDLESS_PAGES: "RV405",
    Fault.SAME_PAGE: "RV403",
    Fault.STORM: "RV406",
    Fault.ERROR: "RV400",
    Fault.REDIRECT: "RV403",
    Fault.UNAUTHORIZED: "RV404",
    Fault.HUGE: "RV405",
    Fault.BOMB: "RV405",
}

BY_PERSON = "SELECT o.id AS c0, o.person_id AS c1 FROM orders AS o WHERE o.person_id = ANY(:keys)"


@pytest.fixture(scope="module")
def rest_port() -> Iterator[int]:
    with rest_app.serving(rest_app.application(world.world(), [])) as port:
        yield port


@pytest.fixture
def proxy(rest_port: int) -> Iterator[FaultProxy]:
    with fault_proxy(("127.0.0.1", rest_port)) as running:
        yield running


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


def test_every_fault_has_its_code() -> None:
    assert set(CODES) == set(Fault) - {Fault.NONE}


@pytest.mark.row("B4")
@pytest.mark.parametrize("fault", CODES)
async def test_a_fault_is_labelled_within_the_deadline(
    client: Client, proxy: FaultProxy, fault: Fault
) -> None:
    port = proxy.refusing_port if fault is Fault.REFUSE else proxy.port
    proxy.fault = fault
    connector = rest_with(client, port, Limits(pages=20))
    call = connector.compile(fragment(BY_PERSON))
    seconds = DEADLINE_SECONDS if fault in SILENT else ANSWER_SECONDS
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {"keys": [7, 14]}, Deadline.after(seconds))
    assert time.monotonic() - started < seconds + LOOSE_SECONDS
    assert caught.value.code == CODES[fault]
    assert caught.value.source == "support"
    shown = f"{caught.value} {caught.value.extensions}"
    for part in (*SECRET.split(), "127.0.0.1", str(port), "/api", "orders", rest_app.TOKEN):
        assert part not in shown
    assert caught.value.__cause__ is None
    await connector.close()


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.DRIP, Fault.STORM, Fault.RESET, Fault.HTML])
async def test_the_source_serves_again_when_the_fault_is_over(
    client: Client, proxy: FaultProxy, fault: Fault
) -> None:
    connector = rest_with(client, proxy.port)
    call = connector.compile(fragment(BY_PERSON))
    proxy.fault = fault
    with pytest.raises(SourceError):
        await connector.rows(call, {"keys": [7]}, Deadline.after(0.2))
    proxy.fault = Fault.NONE
    if fault is Fault.STORM:
        # It asked us to wait for an hour, and we do.
        with pytest.raises(SourceError) as caught:
            await connector.rows(call, {"keys": [7]}, Deadline.after(0.2))
        assert caught.value.code == "RV406"
        assert proxy.calls == 1
    else:
        answer = await connector.rows(call, {"keys": [7]}, Deadline.after(5))
        assert [row[1] for row in answer.rows] == [7] * len(answer.rows)
        assert answer.rows
    await connector.close()


async def test_cancelling_closes_the_connection(client: Client, proxy: FaultProxy) -> None:
    proxy.fault = Fault.MUTE
    connector = rest_with(client, proxy.port, Limits(concurrency=1))
    call = connector.compile(fragment(BY_PERSON))
    task = asyncio.create_task(connector.rows(call, {"keys": [7]}, Deadline.after(30)))
    while not proxy.calls:
        await asyncio.wait([task], timeout=0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.fault = Fault.NONE
    answer = await connector.rows(call, {"keys": [7]}, Deadline.after(5))
    assert answer.rows
    await connector.close()


async def test_a_slow_source_does_not_block_the_event_loop(
    client: Client, proxy: FaultProxy
) -> None:
    proxy.fault = Fault.HUGE
    connector = rest_with(client, proxy.port, Limits(bytes=64 * 1024 * 1024))
    call = connector.compile(fragment(BY_PERSON))
    task = asyncio.create_task(connector.rows(call, {"keys": [7]}, Deadline.after(0.5)))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert isinstance(task.exception(), SourceError)
    assert turns > 20
    await connector.close()


async def test_a_missing_file_is_a_source_that_cannot_be_reached(tmp_path: Path) -> None:
    for technology, connection in (("sqlite", {"path": "gone.db"}), ("files", {"root": "gone"})):
        access = world.FILE_ACCESS if technology == "files" else {}
        source = world.source(technology, technology, connection, world.tables(access, {}))
        connector = opened(source)
        with pytest.raises(SourceError) as caught:
            await ask(connector, BY_PERSON, {"keys": [7]})
        assert caught.value.code == "RV402"
        assert "gone" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        await connector.close()


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all" * 100, b"SQLite format 3\0" * 99]
)
async def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(content)
    source = world.source("shop", "sqlite", {"path": str(path)}, world.tables({}, {}))
    connector = opened(source)
    with pytest.raises(SourceError) as caught:
        await ask(connector, BY_PERSON, {"keys": [7]})
    assert caught.value.code in ("RV400", "RV402", "RV403")
    await connector.close()
