"""Decides which sources are under test: the same world in every technology."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server, rest_app, world
from tests.connectors.json_api import Answerer, Api, Apis, Opener, serving_apis
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import TECHNOLOGIES, Places, opened
from tests.connectors.postgres_server import PostgresServer
from tests.faults.proxy import FaultProxy, fault_proxy

from roundview_catalog.model import Source
from roundview_federation.connectors.port import Connector


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """Starts MariaDB with the world in it."""
    with mariadb_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Starts PostgreSQL with the world in it."""
    with postgres_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="session")
def places(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Places]:
    """Writes the world once and serves it over HTTP."""
    folder = tmp_path_factory.mktemp("world")
    rows = world.world()
    world.write_sqlite(folder / "shop.db", rows)
    world.write_files(folder / "mail", rows)
    hits: list[str] = []
    has_mariadb = mariadb_server.binaries() is not None
    has_postgres = postgres_server.binaries() is not None
    server = request.getfixturevalue("mariadb") if has_mariadb else None
    postgres = request.getfixturevalue("postgres") if has_postgres else None
    with rest_app.serving(rest_app.application(rows, hits)) as port:
        yield Places(rows, folder / "shop.db", folder / "mail", port, hits, server, postgres)


@pytest.fixture(params=TECHNOLOGIES)
async def connector(request: pytest.FixtureRequest, places: Places) -> Any:
    """Opens each technology in turn."""
    connector = opened(places.source(request.param))
    yield connector
    await connector.close()


@pytest.fixture(scope="module")
def apis() -> Iterator[Apis]:
    """Serves all APIs of a module's tests at one port."""
    with serving_apis() as running:
        yield running


@pytest.fixture
def api(apis: Apis) -> Callable[[Answerer], tuple[Api, Opener]]:
    """Returns `api(answer)`: a running API and what opens a connector to it."""
    return apis.run


@pytest.fixture
def open_source() -> Iterator[Callable[[Source], Connector]]:
    """Returns the way to open a source of one's own."""
    return opened


@pytest.fixture
def proxy(places: Places) -> Iterator[FaultProxy]:
    """Puts a fault proxy before the REST source."""
    with fault_proxy(("127.0.0.1", places.rest_port)) as running:
        yield running
