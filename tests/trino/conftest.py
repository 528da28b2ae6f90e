"""Decides which servers the tests of Trino share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.sql.conftest import Estate
from tests.sql.oracles import duckdb_of
from tests.sql.stores import Servers
from tests.trino import obtaining
from tests.trino.estates import ITEM, ITEMS, ROWS, estate_on_trino
from tests.trino.trino_server import TrinoServer, trino_server

_SECONDS = 600
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "master")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the first test of a worker the time that a server takes to start."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS))


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder that is the same for every worker of a run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if WORKER != "master" else base


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrinoServer]:
    """Starts the run's Trino."""
    if "ROUNDVIEW_TRINO_PORT" not in os.environ and (missing := obtaining.missing()):
        pytest.skip(missing)
    with trino_server(shared_folder(tmp_path_factory)) as running:
        yield running


@pytest.fixture(scope="session")
async def estate(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Estate]:
    """Opens items in two servers that Trino reads."""
    folder = tmp_path_factory.mktemp("items")
    with duckdb_of((ITEM,), ROWS) as truth:
        named = ITEMS.named(f"items_{WORKER}")
        async with estate_on_trino(folder, (ITEM,), named, truth, servers, server) as made:
            yield made
