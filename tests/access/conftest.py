"""A provider of identities, and a federation that believes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.access.issuing import NOW, Provider, make_catalog

from roundview_federation.federation import Federation


@pytest.fixture(scope="session")
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> list[float]:
    """Returns what time it is, in seconds since 1970: change it to let time pass."""
    return [NOW]


@pytest.fixture
async def federation(
    tmp_path: Path, provider: Provider, clock: list[float]
) -> AsyncIterator[Federation]:
    opened = Federation.open(
        make_catalog(tmp_path, provider),
        data_dir=tmp_path / "data",
        secret=bytes(32),
        env={},
        clock=lambda: datetime.fromtimestamp(clock[0], UTC),
    )
    yield opened
    await opened.close()
