"""Decides what one question may do with a worker, and how it ends."""

from __future__ import annotations

import pickle
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
import pyarrow as pa

from roundview_catalog.errors import InternalError, RoundviewError
from roundview_federation.engines.duckdb.channel import GoneError
from roundview_federation.engines.duckdb.failures import lost, out_of_memory, reported, too_large
from roundview_federation.engines.duckdb.frames import (
    BatchEncoder,
    Kind,
    View,
    frame,
    read_batch,
    read_schema,
    size_of,
)
from roundview_federation.engines.duckdb.process import WorkerProcess
from roundview_federation.engines.failures import too_late

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any] | None

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds what one session loads, and what `run` returns, in bytes of Arrow."""

    loaded_bytes: int
    result_bytes: int
    total_bytes: int


class Session:
    """One question's use of one worker: its tables are gone when it ends.

    Tables may be loaded at the same time by several tasks; all else is for one task at a time. A
    session holds one open stream: loading or asking for more closes the stream before.
    """

    def __init__(self, worker: WorkerProcess, limits: SessionLimits) -> None:
        self._worker = worker
        self._channel = worker.channel
        self._limits = limits
        self._loaded = 0
        self._tables = 0
        self._open: Stream | None = None
        self._failure: RoundviewError | None = None

    async def load(
        self,
        name: str,
        schema: pa.Schema,
        batches: AsyncIterable[pa.RecordBatch] | Iterable[pa.RecordBatch],
    ) -> int:
        """Adds batches to the table of a name, which is made if it is not there; returns the rows.

        They are in the table when all have come: none of them if `batches` raises.
        Batches that arrive one by one are asked for as fast as the worker takes them; who made the
        iterator closes it. Raises EngineError RV503 where all tables together are more than a
        worker may hold, pyarrow.ArrowInvalid for a batch of another schema.
        """
        if any(pa.types.is_dictionary(column.type) for column in schema):
            raise InternalError("the engine takes no dictionary-encoded columns")
        await self._settle()
        self._tables += 1
        table = self._tables
        encoder = BatchEncoder(schema, table)
        rows = 0
        await self._put(frame(Kind.TABLE, _named(name).encode(), table=table))
        await self._put(encoder.schema_frame)
        if isinstance(batches, AsyncIterable):
            async for batch in batches:
                rows += batch.num_rows
                await self._add(encoder.encode(batch))
        else:
            for batch in batches:
                rows += batch.num_rows
                await self._add(encoder.encode(batch))
        await self._put(frame(Kind.DONE, table=table))
        return rows

    async def drop(self, name: str) -> None:
        """Forgets a table that was loaded."""
        await self._settle()
        await self._put(frame(Kind.DROP, _named(name).encode()))

    async def keep(self, name: str, sql: str, parameters: Parameters = None) -> int:
        """Keeps what one SELECT returns as a table of this session; returns its rows."""
        await self._ask(Kind.KEEP, _named(name), sql, parameters)
        _, body = await self._answer()
        return int(orjson.loads(memoryview(body))["rows"])

    async def run(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Returns everything that one SELECT returns.

        Raises EngineError RV503 where that is more than `run` may return: use `stream`.
        """
        stream = await self.stream(sql, parameters)
        batches = []
        size = 0
        async for batch in stream:
            batches.append(batch)
            size += batch.nbytes
            if size > self._limits.result_bytes:
                await stream.aclose()
                raise too_large(self._limits.result_bytes)
        return pa.Table.from_batches(batches, stream.schema)

    async def stream(self, sql: str, parameters: Parameters = None) -> Stream:
        """Returns the result of one SELECT as a stream, made as fast as it is read."""
        await self._ask(Kind.QUERY, "", sql, parameters)
        kind, body = await self._answer()
        if kind is not Kind.SCHEMA:
            raise self._fail(lost())
        stream = Stream(self, read_schema(body))
        self._open = stream
        return stream

    def expire(self) -> None:
        """Ends the session at its deadline: whatever waits fails, and all that follows."""
        self._fail(too_late())
        self._channel.fail()

    async def _next(self, stream: Stream) -> pa.RecordBatch | None:
        if self._open is not stream:
            self._check()
            return None
        kind, body = await self._answer()
        if kind is Kind.BATCH:
            return read_batch(body, stream.schema)
        return None

    async def _settle(self) -> None:
        """Ends the stream that is still open."""
        self._check()
        if self._open is None:
            return
        self._open = None
        self._worker.interrupt()
        try:
            while (await self._answer())[0] is Kind.BATCH:
                pass
        except RoundviewError:
            # The end of what nobody wants to read may be a failure.
            self._check()

    async def _ask(self, kind: Kind, name: str, sql: str, parameters: Parameters) -> None:
        await self._settle()
        self._worker.number += 1
        self._worker.is_asked = True
        asked = (self._worker.number, name, sql, parameters)
        await self._put(frame(kind, pickle.dumps(asked, pickle.HIGHEST_PROTOCOL)))
        try:
            await self._channel.flush()
        except GoneError:
            raise self._fail(lost()) from None

    async def _add(self, views: list[View]) -> None:
        self._loaded += size_of(views)
        if self._loaded > self._limits.loaded_bytes:
            raise out_of_memory(self._limits.total_bytes)
        await self._put(views)

    async def _put(self, views: list[View]) -> None:
        self._check()
        try:
            await self._channel.put(views)
        except GoneError:
            raise self._fail(lost()) from None

    async def _answer(self) -> tuple[Kind, pa.Buffer]:
        self._check()
        try:
            kind, body = await self._channel.receive()
        except GoneError:
            raise self._fail(lost()) from None
        if kind in (Kind.FAILED, Kind.DONE):
            self._open = None
            self._worker.is_asked = False
        if kind is Kind.FAILED:
            raise reported(orjson.loads(memoryview(body)), self._limits.total_bytes)
        return kind, body

    def _fail(self, error: RoundviewError) -> RoundviewError:
        """Makes this the session's failure unless it has one; returns the one it has."""
        if self._failure is None:
            self._failure = error
        return self._failure

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


class Stream(AsyncIterator[pa.RecordBatch]):
    """Batches of one result; `schema` is known before the first."""

    def __init__(self, session: Session, schema: pa.Schema) -> None:
        self._session = session
        self.schema = schema

    async def __anext__(self) -> pa.RecordBatch:
        batch = await self._session._next(self)
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def aclose(self) -> None:
        """Stops what still makes batches; does nothing to a stream that was read to its end."""
        if self._session._open is self:
            await self._session._settle()


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InternalError("a table of the engine has a name that none may have")
    return name
