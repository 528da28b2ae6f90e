"""Proves that Trino is not asked for sources that are known not to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.faults.proxy import Fault, FaultProxy, fault_proxy
from tests.sql.conftest import Estate
from tests.sql.oracles import duckdb_of, rows_of
from tests.sql.stores import Servers
from tests.trino.conftest import WORKER
from tests.trino.estates import ITEM, ITEMS, ROWS, estate_on_trino
from tests.trino.trino_server import TrinoServer

from roundview_catalog.errors import EngineError, SourceError
from roundview_federation.request import Request
from roundview_federation.sql.answered import SqlResult

TOTAL = "SELECT count(*) AS n, sum(price) AS total FROM item"
SPLIT = ITEMS.named(f"absent_{WORKER}")


@dataclass(frozen=True)
class Frail:
    """An estate of which `east` fails as the proxy is told."""

    estate: Estate
    proxy: FaultProxy
    server: TrinoServer

    def fail(self, fault: Fault) -> None:
        """Has east fail from now on."""
        self.proxy.fault = fault
        self.proxy.drop()

    async def ask(
        self, *, seconds: float = 60, is_partial: bool = False, engine: str = "trino"
    ) -> tuple[SqlResult, list[tuple[Any, ...]]]:
        """Returns the answer and its rows."""
        federation: Any = self.estate.connection.federation
        request = Request(
            federation.principal, timeout_seconds=seconds, allow_scan=True, is_partial=is_partial
        )
        result = await federation.sql(TOTAL, request, engine=engine)
        return result, rows_of(await result.table())

    async def statements(self) -> int:
        """Counts what Trino was asked of the estate so far."""
        found = await asyncio.to_thread(
            self.server.ask,
            "SELECT count(*) FROM system.runtime.queries"
            f" WHERE source = 'roundview' AND strpos(query, '{SPLIT.name}') > 0",
        )
        count: int = found[0][0]
        return count


@pytest.fixture(scope="module")
async def opened(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Frail]:
    folder = tmp_path_factory.mktemp("absent")
    with duckdb_of((ITEM,), ROWS) as truth, fault_proxy(("127.0.0.1", servers.postgres.port)) as p:
        east = {"east": p.port}
        async with estate_on_trino(folder, (ITEM,), SPLIT, truth, servers, server, east) as estate:
            yield Frail(estate, p, server)


@pytest.fixture
async def frail(opened: Frail) -> AsyncIterator[Frail]:
    opened.proxy.fault = Fault.NONE
    yield opened
    opened.proxy.fault = Fault.NONE


async def test_a_dead_source_is_named_before_trino_is_asked_again(frail: Frail) -> None:
    assert (await frail.ask())[1] == [(20, 210)]
    frail.fail(Fault.RESET)
    with pytest.raises(SourceError) as first:
        await frail.ask()
    assert (first.value.code, first.value.source) == ("RV402", "east")
    before = await frail.statements()
    with pytest.raises(SourceError) as second:
        await frail.ask()
    assert (second.value.code, second.value.source) == ("RV402", "east")
    assert await frail.statements() == before
    frail.fail(Fault.NONE)
    assert (await frail.ask())[1] == [(20, 210)]
    assert await frail.statements() == before + 1


async def test_a_source_that_failed_another_engine_is_known(frail: Frail) -> None:
    frail.fail(Fault.RESET)
    with pytest.raises(SourceError):
        await frail.ask(engine="embedded")
    before = await frail.statements()
    with pytest.raises(SourceError):
        await frail.ask()
    assert await frail.statements() == before


async def test_a_deaf_source_costs_its_time_once(frail: Frail) -> None:
    frail.fail(Fault.MUTE)
    with pytest.raises((EngineError, SourceError)):
        await frail.ask(seconds=3)
    with pytest.raises(SourceError) as raised:
        await frail.ask()
    assert (raised.value.code, raised.value.source) == ("RV402", "east")


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.MUTE])
@pytest.mark.parametrize("engine", ["trino", "auto"])
async def test_a_partial_answer_does_without_the_source(
    frail: Frail, fault: Fault, engine: str
) -> None:
    federation: Any = frail.estate.connection.federation
    catalog = federation.current.catalog
    federation.current.catalog = replace(
        catalog, engines=replace(catalog.engines, embedded_up_to=100)
    )
    try:
        whole, rows = await frail.ask(is_partial=True, engine=engine)
        assert (whole.engine, whole.missing, rows) == ("trino", (), [(20, 210)])
        frail.fail(fault)
        partial, rows = await frail.ask(is_partial=True, engine=engine)
        assert (partial.engine, partial.missing, rows) == ("trino", ("east",), [(10, 100)])
    finally:
        federation.current.catalog = catalog
