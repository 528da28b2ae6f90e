"""Proves where rows wait for the residual: few of them here, many in a worker that is free."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pyarrow as pa
import pytest

from roundview_catalog.errors import EngineError
from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.query.conditions import Plain
from roundview_federation.sql.key_values import KeyValues
from roundview_federation.sql.row_store import FEW_BYTES, RowStore
from roundview_federation.sql.strategy import MOST_KEYS

SECONDS = 30.0
MEMORY = 128 * 2**20
BATCH = pa.record_batch({"n": pa.array(range(2**17), pa.int64())})
MANY = 2 * FEW_BYTES // BATCH.nbytes
COUNTED = 'SELECT count(*) AS n FROM "t"'


@pytest.fixture
async def engine() -> AsyncIterator[DuckDBEngine]:
    """Returns a pool of one worker, which is warm."""
    engine = DuckDBEngine(EngineSettings(workers=1, memory_bytes=MEMORY, threads=1))
    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.run("SELECT 1 AS n")
    async with engine.session(Deadline.after(SECONDS)):
        pass
    yield engine
    await engine.close()


async def sent(count: int, error: Exception | None = None) -> AsyncIterator[pa.RecordBatch]:
    """Yields so many batches, then fails."""
    for _ in range(count):
        yield BATCH
    if error is not None:
        raise error


async def counted(store: RowStore) -> int:
    """Returns how many rows the table has in the engine."""
    session = await store.session()
    await session.load("t", BATCH.schema, [])
    ((count,),) = [tuple(row.values()) for row in (await session.run(COUNTED)).to_pylist()]
    return int(count)


@pytest.mark.parametrize("is_here", [True, False])
async def test_few_rows_stay_here(engine: DuckDBEngine, is_here: bool) -> None:
    async with AsyncExitStack() as stack:
        store = RowStore(engine, Deadline.after(SECONDS), stack, is_here=is_here)
        count = MANY if is_here else 2
        kept, loaded = await store.take("t", BATCH.schema, sent(count))
        assert (len(kept), loaded) == (count, 0)
        assert await counted(store) == 0


async def test_many_rows_go_to_a_worker_that_is_free(engine: DuckDBEngine) -> None:
    async with AsyncExitStack() as stack:
        store = RowStore(engine, Deadline.after(SECONDS), stack, is_here=False)
        async with engine.session(Deadline.after(SECONDS)):
            kept, loaded = await store.take("t", BATCH.schema, sent(MANY))
            assert (len(kept), loaded) == (MANY, 0)
        waiting = await store.session()
        kept, loaded = await store.take("t", BATCH.schema, sent(MANY))
        assert (kept, loaded) == ([], MANY * BATCH.num_rows)
        assert await store.session() is waiting
        assert await counted(store) == MANY * BATCH.num_rows
        await store.drop("t")
        assert await counted(store) == 0


async def test_rows_of_what_breaks_off_are_nowhere(engine: DuckDBEngine) -> None:
    async with AsyncExitStack() as stack:
        store = RowStore(engine, Deadline.after(SECONDS), stack, is_here=False)
        await store.session()
        for count in (1, MANY):
            with pytest.raises(EOFError):
                await store.take("t", BATCH.schema, sent(count, EOFError()))
        assert await counted(store) == 0


async def test_rows_that_no_worker_can_hold_are_refused_before_they_are_all_here(
    engine: DuckDBEngine,
) -> None:
    most = MEMORY // 2 // BATCH.nbytes
    async with AsyncExitStack() as stack, engine.session(Deadline.after(SECONDS)):
        store = RowStore(engine, Deadline.after(SECONDS), stack, is_here=False)
        kept, _ = await store.take("t", BATCH.schema, sent(most))
        assert len(kept) == most
        with pytest.raises(EngineError) as caught:
            await store.take("u", BATCH.schema, sent(MANY))
        assert caught.value.code == "RV503"


def test_values_are_keys_as_long_as_they_are_few() -> None:
    seen = KeyValues(("n", "m"), Plain((), {}))
    few = pa.array([None, 1, 1], pa.int64())
    for start in range(0, 2 * MOST_KEYS, 3):
        seen.see(pa.record_batch({"n": few, "m": pa.array(range(start, start + 3), pa.int64())}))
    assert list(seen.by_column["n"]) == [1]
    assert MOST_KEYS < len(seen.by_column["m"]) <= MOST_KEYS + 3
