"""Reads PostgreSQL in place: proven read-only, bound parameters, cancelled in the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_federation.connectors.answers import AnswerSize, TooManyBelow, with_children
from roundview_federation.connectors.login import login_of
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.postgres import failures, grants, values
from roundview_federation.connectors.postgres.accesses import read_accesses
from roundview_federation.connectors.postgres.schema import read_tables
from roundview_federation.connectors.postgres.sessions import Session, Sessions, read_only
from roundview_federation.connectors.postgres.statement import PostgresCall, compile_call
from roundview_federation.connectors.warming import together
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.connectors.streaming import Relay

T = TypeVar("T")

_PORT: Final = 5432
_INTROSPECTION_SECONDS: Final = 30.0
_PROOF_SECONDS: Final = 5.0
_DOUBT_SECONDS: Final = 5.0
_LARGEST_BATCH: Final = 2_048
_GUARDED_SECONDS: Final = 60.0
_SUSPICIOUS: Final = ("RV401", "RV405")
# Of a message around the values of a row; rows of small values must not look like large ones.
_WIRE_SLACK: Final = 64 * 1024
_EXPLAIN: Final = "EXPLAIN (FORMAT TEXT) "


class PostgresConnector:
    """One database; as many connections as the source's limits allow, opened when needed."""

    capabilities = Capabilities(
        dialect="postgres",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Is", "Like"}),
        joins=True,
        children=True,
        first_rows=True,
        order=True,
        limit=True,
        top_rows=True,
        batches=True,
    )

    def __init__(self, source: Source, *, env: Mapping[str, str]) -> None:
        self.source = source.name
        self._tables = source.tables
        self._limits = source.limits
        self._prefix = str(source.connection.get("table_prefix", ""))
        self._schema = str(source.connection.get("schema", "public"))
        login = login_of(source, env, ("postgresql", "postgres"), _PORT)
        self._sessions = Sessions(
            source.name, login, source.limits.concurrency, source.limits.timeout
        )
        self._guarded_until: dict[str, float] = {}
        self._proof = ""
        self._doubt: tuple[float, SourceError] | None = None
        self._proving = asyncio.Lock()

    def compile(self, fragment: Fragment) -> PostgresCall:
        """Returns the statement: key sets as arrays, children as JSON columns."""
        return compile_call(fragment, self._tables, self._schema, self._limits.bytes)

    async def rows(
        self, call: PostgresCall, params: Mapping[str, Any], deadline: Deadline
    ) -> Answer:
        """Runs the statement; cancelling the task or passing the deadline ends it there too."""
        bound = [params[name] for name in call.parameters]
        if not all(params[name] for name in call.keysets):
            return Answer([])
        try:
            return await self._in_time(self._asked(call, bound, deadline), deadline)
        except SourceError as error:
            if error.code in _SUSPICIOUS:
                self._guarded_until[call.text] = time.monotonic() + _GUARDED_SECONDS
            raise

    async def batches(
        self, call: PostgresCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as Arrow, copied out of the server at the reader's pace."""
        from roundview_federation.connectors.columns import outline_of
        from roundview_federation.connectors.postgres.bulk import Stream
        from roundview_federation.connectors.streaming import streamed

        outline = outline_of(self.source, call.fragment, self._tables)
        bound = [params[name] for name in call.parameters]
        if any(not params[name] for name in call.keysets):
            return
        most = 2 * self._limits.bytes + _WIRE_SLACK

        async def sent(relay: Relay[pa.RecordBatch]) -> None:
            if not self._proof:
                await self._proven()
            await Stream(call, outline, relay, most).send(self._sessions, bound, deadline)

        def produce(relay: Relay[pa.RecordBatch]) -> Coroutine[Any, Any, None]:
            return self._in_time(sent(relay), deadline)

        async with aclosing(streamed(produce)) as batches:
            async for batch in batches:
                yield batch

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns tables, columns, keys, indexes and estimates from PostgreSQL's own catalog."""
        return await self._described(
            lambda session: read_tables(session.connection, self._schema, self._prefix),
            Deadline.after(_INTROSPECTION_SECONDS),
        )

    async def prove_read_only(self) -> str:
        """Returns what the login's grants say, asked anew."""
        self._doubt = None
        deadline = Deadline.after(_PROOF_SECONDS)

        async def proven() -> str:
            async with self._proving:
                return await self._prove()

        return await self._in_time(proven(), deadline)

    async def warm(self, calls: Sequence[PostgresCall], deadline: Deadline) -> None:
        """Opens some connections and has each of them prepare the statements."""

        async def prepared() -> None:
            if not self._proof:
                await self._proven()
            await together(
                lambda ready: self._prepare(calls, ready, deadline), self._limits.concurrency
            )

        await self._in_time(prepared(), deadline)

    def explain(self, call: PostgresCall) -> str:
        """Returns the statement."""
        return call.text

    async def explain_plan(
        self, call: PostgresCall, params: Mapping[str, Any], deadline: Deadline
    ) -> str:
        """Returns how the server would run the call; its text holds the parameters' values."""
        bound = [params[name] for name in call.parameters]

        async def planned(session: Session) -> str:
            lines = await session.connection.fetch(_EXPLAIN + call.text, *bound)
            return "\n".join(line[0] for line in lines)

        return await self._described(planned, deadline)

    async def accesses(
        self, call: PostgresCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns what EXPLAIN says of each table, and which index could serve a scanned one."""
        bound = [params[name] for name in call.parameters]
        return await self._described(
            lambda session: read_accesses(session.connection, call.text, bound), deadline
        )

    async def close(self) -> None:
        """Ends what runs and closes the connections."""
        await self._sessions.close()

    # -- time, proof, repetition -------------------------------------------------------------

    async def _in_time(self, work: Coroutine[Any, Any, T], deadline: Deadline) -> T:
        left = deadline.left
        if left <= 0:
            work.close()
            raise failures.late(self.source)
        try:
            async with asyncio.timeout(left):
                return await work
        except (SourceError, RequestError):
            raise
        except TimeoutError:
            raise failures.late(self.source) from None
        except Exception as error:  # noqa: BLE001 - drivers raise anything over odd bytes
            raise failures.worded(self.source, error) from None

    async def _described(
        self, work: Callable[[Session], Coroutine[Any, Any, T]], deadline: Deadline
    ) -> T:
        async def described() -> T:
            async with self._sessions.session() as session:
                await session.bound(deadline.left)
                return await work(session)

        return await self._in_time(described(), deadline)

    async def _proven(self) -> None:
        async with self._proving:
            if self._proof:
                return
            if self._doubt is not None and time.monotonic() < self._doubt[0]:
                raise self._doubt[1]
            await self._prove()

    async def _prove(self) -> str:
        self._proof = ""
        async with self._sessions.session() as session:
            try:
                self._proof = await grants.prove(self.source, session.connection)
            except SourceError as error:
                self._doubt = (time.monotonic() + _DOUBT_SECONDS, error)
                raise
        return self._proof

    async def _prepare(
        self, calls: Sequence[PostgresCall], ready: asyncio.Barrier, deadline: Deadline
    ) -> None:
        async with self._sessions.session() as session:
            await ready.wait()
            await session.bound(deadline.left)
            for call in calls:
                # The driver keeps what it has asked once; no keys find no rows.
                nothing: list[Any] = [
                    [] if name in call.keysets else None for name in call.parameters
                ]
                await session.connection.fetch(call.text, *nothing)

    async def _asked(self, call: PostgresCall, bound: Sequence[Any], deadline: Deadline) -> Answer:
        if not self._proof:
            await self._proven()
        try:
            return await self._asked_anew(call, bound, deadline)
        except failures.GUARDED:
            raise
        except failures.UNFIT:
            return await self._asked_fitting(call, bound, deadline)

    async def _asked_anew(
        self, call: PostgresCall, bound: Sequence[Any], deadline: Deadline
    ) -> Answer:
        """Returns the answer; asks once more where only the connection was out of date."""
        session: Session | None = None
        try:
            async with self._sessions.session() as session:
                return await self._fetched(session, call, bound, deadline)
        except (SourceError, *failures.UNFIT):
            raise
        except Exception as error:
            if session is None:
                raise
            if session.wire.is_exceeded:
                self._guarded_until[call.text] = time.monotonic() + _GUARDED_SECONDS
                return await self._asked_in_pieces(call, bound, deadline)
            # A connection that was ended while idle shows it in many ways.
            is_stale = isinstance(error, failures.STALE) or session.connection.is_closed()
            if not (is_stale and session.is_used):
                raise
        async with self._sessions.session(is_new=True) as session:
            return await self._fetched(session, call, bound, deadline)

    async def _asked_fitting(
        self, call: PostgresCall, bound: Sequence[Any], deadline: Deadline
    ) -> Answer:
        """Asks again without values that no column can hold."""
        async with self._sessions.session() as session:
            await session.bound(deadline.left)
            statement = await session.connection.prepare(call.text)
            try:
                fit = values.fitting(self.source, call, bound, statement)
            except values.Unfit:
                return Answer([])
            return await self._fetched(session, call, fit, deadline)

    # -- rows --------------------------------------------------------------------------------

    async def _fetched(
        self, session: Session, call: PostgresCall, bound: Sequence[Any], deadline: Deadline
    ) -> Answer:
        await session.bound(deadline.left)
        most = self._limits.bytes
        session.wire.allow(2 * most + _WIRE_SLACK)
        rows = list(map(tuple, await session.connection.fetch(self._text(call), *bound)))
        is_truncated = len(rows) > call.row_cap
        del rows[call.row_cap :]
        is_large = session.wire.received > most
        if is_large:
            kept = _within(rows, most)
            is_truncated = is_truncated or kept < len(rows)
            del rows[kept:]
        rows = self._with_children(rows, call, is_large=is_large)
        return Answer(rows, is_truncated=is_truncated)

    async def _asked_in_pieces(
        self, call: PostgresCall, bound: Sequence[Any], deadline: Deadline
    ) -> Answer:
        """Reads a huge answer batch by batch, up to limits.bytes."""
        most = self._limits.bytes
        size = AnswerSize(most)
        rows: list[tuple[Any, ...]] = []
        batch = 1
        session: Session | None = None
        try:
            async with self._sessions.session() as session:
                await session.bound(deadline.left)
                async with read_only(session.connection):
                    session.wire.allow(2 * most + _WIRE_SLACK)
                    cursor = await session.connection.cursor(call.guarded, *bound)
                    while fetched := await cursor.fetch(batch):
                        rows += map(tuple, fetched)
                        if size.is_over(fetched) or len(rows) > call.row_cap:
                            break
                        batch = min(batch * 4, _LARGEST_BATCH, size.room)
                        session.wire.allow(2 * most + _WIRE_SLACK)
        except failures.LOST:
            if session is None or not session.wire.is_exceeded:
                raise
            if not rows:
                raise failures.too_large(self.source) from None
        is_truncated = len(rows) > call.row_cap or size.is_exceeded or session.wire.is_exceeded
        del rows[call.row_cap :]
        rows = self._with_children(rows, call, is_large=True)
        return Answer(rows, is_truncated=is_truncated)

    def _text(self, call: PostgresCall) -> str:
        """Returns the guarded statement for a while after it was late or too large.

        A value of 1 GB costs the server seconds and gigabytes before a byte of it is sent; a
        guard on every statement would cost each more than a row does.
        """
        if not self._guarded_until:
            return call.text
        until = self._guarded_until.get(call.text)
        if until is None:
            return call.text
        if time.monotonic() < until:
            return call.guarded
        del self._guarded_until[call.text]
        return call.text

    def _with_children(
        self, rows: list[tuple[Any, ...]], call: PostgresCall, *, is_large: bool
    ) -> list[tuple[Any, ...]]:
        if is_large and call.children:
            below = (text for row in rows for text in row[-call.children :])
            if any(len(text) > self._limits.bytes for text in below):
                raise failures.too_many_below(self.source)
        try:
            return with_children(rows, call.children, call.row_cap)
        except TooManyBelow:
            raise failures.too_many_below(self.source) from None


def _within(rows: Sequence[Sequence[Any]], most: int) -> int:
    """Returns how many of the rows fit, the one that passes the limit included."""
    size = AnswerSize(most)
    for at, row in enumerate(rows):
        if size.is_over((row,)):
            return at + 1
    return len(rows)
