"""Decides how a program reads the answer to a SQL question: rows, batches or a table, once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from roundview.sql.naming import unique

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.result import SourceStatus
    from roundview_federation.sql.answered import SqlResult

T = TypeVar("T")
Row = tuple[Any, ...]
Wait = Callable[[Coroutine[Any, Any, T]], T]


class _Told:
    """What is known of an answer before its rows are read."""

    def __init__(self, result: SqlResult) -> None:
        self.result = result

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the names that PostgreSQL would give; two columns may have one name."""
        return tuple(column.name for column in self.result.columns)

    @property
    def types(self) -> tuple[str, ...]:
        """Returns PostgreSQL's names of the columns' types."""
        return tuple(str(column.type) for column in self.result.columns)

    @property
    def schema(self) -> pa.Schema:
        """Returns names and types of the batches; a name that is there twice gets `_2`."""
        return _schema(self.result)

    @property
    def engine(self) -> str:
        """Returns what finished the question: direct or embedded."""
        return self.result.engine

    @property
    def rows_fetched(self) -> int:
        """Counts the rows that sources sent for the answer."""
        return self.result.rows_fetched

    @property
    def missing(self) -> tuple[str, ...]:
        """Names the sources without which the answer was made; only where that was allowed."""
        return self.result.missing

    @property
    def notices(self) -> tuple[str, ...]:
        """Names fields that are NULL in some rows because of what their source holds."""
        return self.result.notices

    @property
    def sources(self) -> tuple[SourceStatus, ...]:
        """Returns what each source did."""
        return self.result.statuses

    @property
    def seconds(self) -> Mapping[str, float]:
        """Returns how long planning and reading took."""
        return self.result.seconds

    @property
    def complete(self) -> bool:
        """Tells whether no source is missing."""
        return not self.result.missing


class AsyncSqlAnswer(_Told):
    """The answer to one SQL question; its rows are read once, as they come.

    Read it to its end, or close it, or use `async with`: until then it holds an engine.

    >>> answer = await rv.sql("SELECT source_key FROM individual")  # doctest: +SKIP
    >>> [row async for row in answer]  # doctest: +SKIP
    """

    def __init__(self, result: SqlResult) -> None:
        super().__init__(result)
        self._batches: AsyncGenerator[pa.RecordBatch, None] = self._renamed()

    def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """Returns the rows that are left as Arrow batches; a name that is there twice gets `_2`."""
        return self._batches

    async def arrow(self) -> pa.Table:
        """Returns the rows that are left as a pyarrow.Table."""
        import pyarrow as pa

        batches = [batch async for batch in self._batches]
        return pa.Table.from_batches(batches, _schema(self.result))

    async def rows(self) -> list[Row]:
        """Returns the rows that are left as tuples."""
        return [row async for row in self]

    async def close(self) -> None:
        """Stops the question; does nothing to an answer that was read to its end."""
        await self._batches.aclose()
        await self.result.close()

    def __aiter__(self) -> AsyncIterator[Row]:
        return self._rows()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _rows(self) -> AsyncIterator[Row]:
        async for batch in self._batches:
            for row in _tuples(batch):
                yield row

    async def _renamed(self) -> AsyncGenerator[pa.RecordBatch, None]:
        schema = _schema(self.result)
        async for batch in self.result.batches():
            yield batch.rename_columns(schema.names)


class SqlAnswer(_Told):
    """The answer to one SQL question for plain programs; see `AsyncSqlAnswer`.

    >>> for full_name, city in rv.sql("SELECT full_name, language FROM individual"):
    ...     print(full_name, city)  # doctest: +SKIP
    """

    def __init__(self, inner: AsyncSqlAnswer, wait: Wait[Any]) -> None:
        super().__init__(inner.result)
        self._inner = inner
        self._wait = wait
        self._rows = self._tuples()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows that are left as Arrow batches; a name that is there twice gets `_2`."""
        while (batch := self._wait(_next(self._inner))) is not None:
            yield batch

    def arrow(self) -> pa.Table:
        """Returns the rows that are left as a pyarrow.Table."""
        table: pa.Table = self._wait(self._inner.arrow())
        return table

    def rows(self) -> list[Row]:
        """Returns the rows that are left as tuples."""
        return list(self)

    def to_pandas(self) -> Any:
        """Returns the rows that are left as a pandas.DataFrame; pandas must be installed."""
        return self.arrow().to_pandas()

    def close(self) -> None:
        """Stops the question; does nothing to an answer that was read to its end."""
        self._wait(self._inner.close())

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tuples(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from _tuples(batch)


def _schema(result: SqlResult) -> pa.Schema:
    import pyarrow as pa

    names = unique([column.name for column in result.columns])
    return pa.schema(
        [field.with_name(name) for field, name in zip(result.schema, names, strict=True)]
    )


def _tuples(batch: pa.RecordBatch) -> Iterator[Row]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


async def _next(answer: AsyncSqlAnswer) -> pa.RecordBatch | None:
    return await anext(answer.batches(), None)
