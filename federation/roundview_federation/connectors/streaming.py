"""Decides how batches go from a source to their reader: at the reader's pace, a few ahead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa

LARGEST_BATCH: Final = 65_536
"""Rows of a batch, where they are small."""
LARGEST_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a batch, unless one row has more."""
_FIRST_BATCH: Final = 1_024
_AHEAD: Final = 2

T = TypeVar("T")


class Relay(Generic[T]):
    """What a producer puts and one reader takes; a producer that is ahead waits."""

    __slots__ = ("_arrived", "_is_finished", "_is_open", "_loop", "_room", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[T] = deque()
        self._room = asyncio.Event()
        self._arrived = asyncio.Event()
        self._is_open = True
        self._is_finished = False

    async def put(self, one: T) -> bool:
        """Hands over one thing when there is room; returns whether the reader wants more."""
        while self._is_open and len(self._waiting) >= _AHEAD:
            self._room.clear()
            await self._room.wait()
        if self._is_open:
            self._waiting.append(one)
            self._arrived.set()
        return self._is_open

    def put_from_thread(self, one: T) -> bool:
        """Does the same from a thread, which waits meanwhile."""
        putting = self.put(one)
        try:
            return asyncio.run_coroutine_threadsafe(putting, self._loop).result()
        except RuntimeError:
            # The loop is closed: nobody reads.
            putting.close()
            return False

    async def take(self) -> T | None:
        """Returns the next thing, None after the last one."""
        while not self._waiting and not self._is_finished:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._waiting:
            return None
        self._room.set()
        return self._waiting.popleft()

    def finish(self) -> None:
        """Says that nothing more is put; a thread that still tries learns it."""
        self._is_finished = True
        self._arrived.set()
        self.close()

    def close(self) -> None:
        """Says that nothing more is taken; a waiting producer goes on and learns it."""
        self._is_open = False
        self._room.set()


class BatchSize:
    """How many rows the next batch may have, judged by the batches before."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows = _FIRST_BATCH

    def learn(self, batch: pa.RecordBatch) -> None:
        """Takes a batch into account."""
        if batch.num_rows:
            fitting = LARGEST_BYTES * batch.num_rows // max(1, batch.nbytes)
            self.rows = max(1, min(self.rows * 4, LARGEST_BATCH, fitting))


async def streamed(
    produce: Callable[[Relay[T]], Coroutine[Any, Any, None]],
) -> AsyncGenerator[T, None]:
    """Yields what a producer puts; raises what it raises, after what came before.

    The producer is a task of its own, so that its time limits hold while nobody reads. Closing
    the iterator, or cancelling who reads it, cancels the producer and waits until it is gone.
    """
    relay: Relay[T] = Relay()
    task = asyncio.create_task(produce(relay))
    task.add_done_callback(lambda _: relay.finish())
    try:
        while (one := await relay.take()) is not None:
            yield one
        await task
    finally:
        relay.close()
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()
