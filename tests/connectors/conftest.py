"""Decides which sources are under test: the same world in every technology."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.connectors import rest_app, world
from tests.connectors.opening import TECHNOLOGIES, Places, opened
from tests.faults.proxy import FaultProxy, fault_proxy

from roundview_catalog.model import Source
from roundview_federation.connectors.port import Connector


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Writes the world once and serves it over HTTP."""
    folder = tmp_path_factory.mktemp("world")
    rows = world.world()
    world.write_sqlite(folder / "shop.db", rows)
    world.write_files(folder / "mail", rows)
    hits: list[str] = []
    with rest_app.serving(rest_app.application(rows, hits)) as port:
        yield Places(rows, folder / "shop.db", folder / "mail", port, hits)


@pytest.fixture(params=TECHNOLOGIES)
async def connector(request: pytest.FixtureRequest, places: Places) -> Any:
    """Opens each technology in turn."""
    connector = opened(places.source(request.param))
    yield connector
    await connector.close()


@pytest.fixture
def open_source() -> Iterator[Callable[[Source], Connector]]:
    """Returns the way to open a source of one's own."""
    return opened


@pytest.fixture
def proxy(places: Places) -> Iterator[FaultProxy]:
    """Puts a fault proxy before the REST source."""
    with fault_proxy(("127.0.0.1", places.rest_port)) as running:
        yield running
