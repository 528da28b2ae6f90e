"""Decides what the answer to a SQL question is while it is read, and what it says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from roundview_federation.audit.questions import Asked as Recorded
from roundview_federation.dialect.translate import OutputColumn
from roundview_federation.result import SourceStatus
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.running import Fetched

if TYPE_CHECKING:
    from roundview_federation.engines.trino.engine import Answer as TrinoAnswer
    from roundview_federation.sql.trino.statement import Statement


@dataclass(slots=True)
class SqlResult:
    """The answer to a SQL question; read it to its end, or close it.

    `columns` have the names and types that PostgreSQL would give. Batches have positional names.
    """

    columns: tuple[OutputColumn, ...]
    planned: PlannedQuery
    fetched: Fetched
    engine: str
    schema: pa.Schema
    _batches: AsyncIterator[pa.RecordBatch]
    _open: AsyncExitStack
    seconds: dict[str, float] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    _recorded: Recorded | None = None
    _on_trino: tuple[Statement, TrinoAnswer] | None = None
    _is_at_once: bool = False
    _whole: pa.Table | None = None
    """all rows, as long as nobody has read any"""

    @property
    def rows_fetched(self) -> int:
        """Counts the rows that sources sent for the answer, so far where Trino reads them."""
        return self.fetched.rows if self._on_trino is None else self._on_trino[1].rows_read

    @property
    def bytes_fetched(self) -> int | None:
        """Counts the bytes that Trino read so far, None where it was not asked or does not say.

        It says so of the bridge, and not of databases.
        """
        return None if self._on_trino is None else self._on_trino[1].bytes_read or None

    @property
    def statement(self) -> Statement | None:
        """Returns the statement that Trino got, None where it was not asked."""
        return None if self._on_trino is None else self._on_trino[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names the sources without which the answer was made; empty unless that was asked for."""
        return self.fetched.missing if self._on_trino is None else self._on_trino[0].missing

    @property
    def notices(self) -> tuple[str, ...]:
        """Names what is withheld, and fields that are NULL because of what their source holds."""
        return (*self.withheld, *self.fetched.notices(self.planned.reads))

    @property
    def statuses(self) -> tuple[SourceStatus, ...]:
        """Returns what each source did for each read."""
        return tuple(status for run in self.fetched.runs.values() for status in run.statuses)

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as they come, then closes the result."""
        self._whole = None
        async with self:
            try:
                async for batch in self._batches:
                    if self._recorded is not None:
                        self._recorded.rows += batch.num_rows
                    yield batch
            except BaseException as error:
                if self._recorded is not None and not isinstance(error, GeneratorExit):
                    self._recorded.error = error
                raise

    async def table(self) -> pa.Table:
        """Returns all rows."""
        whole, self._whole = self._whole, None
        if whole is not None:
            if self._recorded is not None:
                self._recorded.rows += whole.num_rows
            await self.close()
            return whole
        return pa.Table.from_batches([one async for one in self.batches()], schema=self.schema)

    @property
    def is_at_once(self) -> bool:
        """Tells whether one fragment answered it alone, as it answered others before."""
        return self._is_at_once

    def record(self, recorded: Recorded) -> None:
        """Lets the end of the answer be recorded."""
        recorded.statuses, recorded.rows = self.statuses, 0
        self._recorded = recorded
        self._open.callback(recorded.ended)

    async def close(self) -> None:
        """Stops the question and frees the engine."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def at_once(
    planned: PlannedQuery, fetched: Fetched, engine: str, rows: pa.Table, seconds: dict[str, float]
) -> SqlResult:
    """Returns an answer of which nothing is open but the record."""
    columns, schema = planned.columns, rows.schema
    return SqlResult(
        columns, planned, fetched, engine, schema, each(rows), AsyncExitStack(), seconds,
        _whole=rows, _is_at_once=True,
    )  # fmt: skip


async def each(rows: pa.Table) -> AsyncIterator[pa.RecordBatch]:
    """Yields the batches of rows that are here already."""
    for batch in rows.to_batches():
        yield batch


def positional(count: int) -> list[str]:
    """Returns the names of an answer's columns, which may have one name twice."""
    return [f"c{at}" for at in range(count)]
