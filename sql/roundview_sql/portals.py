"""Decides how the rows of one answer are handed out: all at once, or some at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from roundview_sql.type_codes import Column

MOST_ROWS: Final = 8_192
MOST_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Rows:
    """The rows of an answer, as they come; `close` stops what makes them.

    `notices` are known when the rows were asked for.
    """

    columns: tuple[Column, ...]
    batches: AsyncIterator[pa.RecordBatch]
    close: Callable[[], Awaitable[None]]
    notices: Sequence[str] = ()


@dataclass(slots=True)
class Cursor:
    """Reads rows forward; `is_over` once there are none left."""

    rows: Rows
    is_over: bool = False
    position: int = 0
    _left: pa.RecordBatch | None = None

    async def pieces(self, most: int | None) -> AsyncGenerator[pa.RecordBatch, None]:
        """Yields at most so many rows (None: all) in pieces of some megabyte at most."""
        left = most
        while left is None or left > 0:
            batch = await self._next()
            if batch is None:
                self.is_over = True
                return
            count = min(batch.num_rows, _fitting(batch))
            if left is not None:
                count = min(count, left)
                left -= count
            if count < batch.num_rows:
                self._left = batch.slice(count)
                batch = batch.slice(0, count)
            self.position += batch.num_rows
            yield batch

    async def close(self) -> None:
        """Stops what makes the rows."""
        self._left, self.is_over = None, True
        await self.rows.close()

    async def _next(self) -> pa.RecordBatch | None:
        if self._left is not None:
            found, self._left = self._left, None
            return found
        if self.is_over:
            return None
        while (batch := await anext(self.rows.batches, None)) is not None:
            if batch.num_rows:
                return batch
        return None


def of_table(table: pa.Table, columns: Sequence[Column]) -> Rows:
    """Returns the rows of a table."""
    return Rows(tuple(columns), _each(table), _nothing)


def _fitting(batch: pa.RecordBatch) -> int:
    width: int = max(1, batch.nbytes // batch.num_rows)
    return max(1, min(MOST_ROWS, MOST_BYTES // width))


async def _each(table: pa.Table) -> AsyncIterator[pa.RecordBatch]:
    for batch in table.to_batches():
        yield batch


async def _nothing() -> None:
    return None
