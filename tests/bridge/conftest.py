"""Decides which catalogs the bridge serves in tests: the demo's, and one of odd values."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.bridge import odd_shop
from tests.bridge.thrift_client import ThriftClient

from roundview.client import open_federation
from roundview.demo import estate, support
from roundview_federation.bridge.answering import Bridge
from roundview_federation.bridge.server import BridgeServer, ConnectionLimits
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

PEOPLE = 60


@dataclass(frozen=True)
class Served:
    """A federation behind a running bridge."""

    federation: Federation
    server: BridgeServer
    bridge: Bridge
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ThriftClient]:
        """Connects to the bridge."""
        client = await ThriftClient.connect(self.port)
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def serving(
    federation: Federation, limits: ConnectionLimits | None = None, **options: Any
) -> AsyncIterator[Served]:
    """Runs a bridge over a federation, which stays open."""
    bridge = Bridge(federation, **options)
    server = BridgeServer(bridge, limits)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    await server.start(listener)
    try:
        yield Served(federation, server, bridge, listener.getsockname()[1])
    finally:
        await server.close()


@asynccontextmanager
async def serving_demo(folder: Path) -> AsyncIterator[Served]:
    """Makes the demo's estate in a folder and serves it, its identities linked."""
    made = estate.make(folder, PEOPLE)
    process = support.start(made.directory)
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    federation = open_federation(made.catalog, env=env)
    try:
        await refresh_identity(federation)
        async with serving(federation) as served:
            yield served
    finally:
        await federation.close()
        process.stop()


@asynccontextmanager
async def serving_odd(folder: Path) -> AsyncIterator[Served]:
    """Makes the catalog of odd values in a folder and serves it."""
    federation = await odd_shop.opened(folder)
    try:
        async with serving(federation) as served:
            yield served
    finally:
        await federation.close()


@pytest.fixture(scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Serves the demo's sources and links: SQLite, files, REST, xref."""
    async with serving_demo(tmp_path_factory.mktemp("bridge")) as served:
        yield served


@pytest.fixture(scope="session")
async def odd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Serves a catalog whose tables have every type, odd names and sealed keys."""
    async with serving_odd(tmp_path_factory.mktemp("odd")) as served:
        yield served


@pytest.fixture
async def open_odd(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Returns `open_odd(limits, …)`: a bridge of one's own over the odd catalog."""
    async with AsyncExitStack() as stack:

        async def opened(
            limits: ConnectionLimits | None = None,
            source_limits: str = "scan_rows: 1000000",
            heavy_rows: int = 0,
            **options: Any,
        ) -> Served:
            federation = await odd_shop.opened(tmp_path, source_limits, heavy_rows)
            stack.push_async_callback(federation.close)
            return await stack.enter_async_context(serving(federation, limits, **options))

        yield opened
