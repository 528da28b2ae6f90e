"""Decides what the tests of the engine share: pools with little memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings

MEMORY = 256 * 2**20


@pytest.fixture(scope="session")
async def engine() -> AsyncIterator[DuckDBEngine]:
    """Returns a pool of two workers with little memory."""
    engine = DuckDBEngine(EngineSettings(workers=2, memory_bytes=MEMORY, threads=2))
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
async def survivor() -> AsyncIterator[DuckDBEngine]:
    """Returns a pool of one worker for a whole file: what one test does must not harm the next."""
    engine = DuckDBEngine(EngineSettings(workers=1, memory_bytes=MEMORY, threads=2))
    yield engine
    await engine.close()


@pytest.fixture
async def single() -> AsyncIterator[DuckDBEngine]:
    """Returns a pool of one worker, for this test alone."""
    engine = DuckDBEngine(EngineSettings(workers=1, memory_bytes=MEMORY, threads=2))
    yield engine
    await engine.close()
