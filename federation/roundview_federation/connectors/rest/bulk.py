"""Decides how the rows of an API become batches: gathered from pages, never cut in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa

from roundview_federation.connectors.columns import Outline
from roundview_federation.connectors.streaming import BatchSize, Relay


async def send(
    brought: AsyncIterator[list[tuple[Any, ...]]],
    outline: Outline,
    relay: Relay[pa.RecordBatch],
    most: int,
) -> None:
    """Puts rows into a relay as they come, in batches, at most so many."""
    size = BatchSize()
    waiting: list[tuple[Any, ...]] = []
    left = most
    async for rows in brought:
        waiting += rows[:left]
        left -= len(rows)
        while len(waiting) >= size.rows:
            ready, waiting = waiting[: size.rows], waiting[size.rows :]
            batch = await asyncio.to_thread(outline.rows, ready)
            size.learn(batch)
            await relay.put(batch)
        if left <= 0:
            break
    if waiting:
        await relay.put(await asyncio.to_thread(outline.rows, waiting))
