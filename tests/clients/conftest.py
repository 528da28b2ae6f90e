"""Decides what the clients talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.sql.conftest import WORKER
from tests.sql.stores import Servers
from tests.wire.served import Served, odd_served


@pytest.fixture(scope="session")
async def served(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[Served]:
    """Serves the world of odd rows."""
    async with odd_served(f"clients_{WORKER}", tmp_path_factory.mktemp("clients"), servers) as made:
        yield made
