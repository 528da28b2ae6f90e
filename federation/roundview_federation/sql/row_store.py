"""Decides where rows wait for the residual: here while they are few, in the engine if many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Final

import pyarrow as pa

from roundview_federation.engines.duckdb.failures import out_of_memory
from roundview_federation.engines.duckdb.pool import DuckDBEngine
from roundview_federation.engines.duckdb.session import Session
from roundview_federation.resilience.deadline import Deadline

FEW_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one stream up to which nothing asks for a worker."""


class RowStore:
    """The rows of one question, on their way into a session of the engine.

    A stream with more than FEW_BYTES goes on into a worker as soon as one is free, batch by batch,
    as fast as the worker takes them. It never waits for one: it holds a connection to its source,
    for which those wait who have a worker. What waits here is bounded by what a worker may hold.
    """

    def __init__(
        self, engine: DuckDBEngine, deadline: Deadline, opened: AsyncExitStack, *, is_here: bool
    ) -> None:
        """With `is_here` no row leaves the process; `opened` closes the session."""
        self._engine = engine
        self._deadline = deadline
        self._opened = opened
        self._is_here = is_here
        self._opening = asyncio.Lock()
        self._session: Session | None = None
        self._bytes = 0

    async def take(
        self, name: str, schema: pa.Schema, batches: AsyncIterator[pa.RecordBatch]
    ) -> tuple[list[pa.RecordBatch], int]:
        """Takes rows of a table; returns those that stay here, and how many are in the engine.

        Raises EngineError RV503 where they are more than a worker may hold, and what `batches`
        raises: nothing of it is in the table then.
        """
        kept: list[pa.RecordBatch] = []
        size = 0
        async for batch in batches:
            kept.append(batch)
            size += batch.nbytes
            self._bytes += batch.nbytes
            if self._is_here or size < FEW_BYTES:
                continue
            session = await self._free()
            if session is not None:
                self._bytes -= size
                async with aclosing(_followed(kept, batches)) as rest:
                    return [], await session.load(name, schema, rest)
            if self._bytes > self._engine.loaded_bytes:
                raise out_of_memory(self._engine.memory_bytes)
        return kept, 0

    async def drop(self, name: str) -> None:
        """Forgets what is in the engine of a table."""
        if self._session is not None:
            await self._session.drop(name)

    async def session(self) -> Session:
        """Returns the session of the question; waits for a worker if there is none yet."""
        async with self._opening:
            return await self._enter()

    async def _free(self) -> Session | None:
        async with self._opening:
            if self._session is None and not self._engine.is_free():
                return None
            return await self._enter()

    async def _enter(self) -> Session:
        if self._session is None:
            lent = self._engine.session(self._deadline)
            self._session = await self._opened.enter_async_context(lent)
        return self._session


async def _followed(
    first: list[pa.RecordBatch], batches: AsyncIterator[pa.RecordBatch]
) -> AsyncGenerator[pa.RecordBatch, None]:
    """Yields batches that are here, each let go of at once, then those that come."""
    first.reverse()
    while first:
        yield first.pop()
    async for batch in batches:
        yield batch
