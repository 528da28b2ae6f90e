"""Reads MySQL and MariaDB in place: pooled, bounded by the server itself, proven read-only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncmy import errors
from asyncmy.cursors import SSCursor

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_federation.connectors.answers import AnswerSize, TooManyBelow, with_children
from roundview_federation.connectors.login import login_of
from roundview_federation.connectors.mysql import failures, grants
from roundview_federation.connectors.mysql.accesses import read_accesses
from roundview_federation.connectors.mysql.layout import Layout, read_layout
from roundview_federation.connectors.mysql.matching import Mismatch
from roundview_federation.connectors.mysql.schema import read_tables
from roundview_federation.connectors.mysql.sessions import Session, Sessions
from roundview_federation.connectors.mysql.statement import (
    DEADLINE,
    LIMIT,
    Form,
    MysqlCall,
    Statement,
    compile_call,
    finish,
)
from roundview_federation.connectors.mysql.values import json_keys, json_rows, one_key, parameter
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.warming import together
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.connectors.streaming import Relay

T = TypeVar("T")

_INTROSPECTION_SECONDS: Final = 30.0
_PROOF_SECONDS: Final = 5.0
# A column that becomes another type in between is asked with the old one: as long, not longer.
_LAYOUT_SECONDS: Final = 60.0
_FIRST_BATCH: Final = 64
_LARGEST_BATCH: Final = 2_048
# The server gives up a little earlier than we do, so that the connection survives.
_EARLIER_SECONDS: Final = 0.02
# MariaDB shows what one role may do, with all roles in it; MySQL everything at once.
_ROLES: Final = (
    "SELECT role_name FROM information_schema.applicable_roles WHERE grantee = CURRENT_USER()"
)
_TRIES: Final = 2
_SCHEMES: Final = ("mysql", "mariadb")
_PORT: Final = 3306


class MysqlConnector:
    """One MySQL or MariaDB database; statements run on pooled connections."""

    capabilities = Capabilities(
        dialect="mysql",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Is"}),
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
        self._sessions = Sessions(
            source.name,
            login_of(source, env, _SCHEMES, _PORT),
            source.limits.concurrency,
            source.limits.bytes,
        )
        self._starting = asyncio.Lock()
        self._is_proven = False
        self._layout: tuple[Layout, float] | None = None

    def compile(self, fragment: Fragment) -> MysqlCall:
        """Returns the call: key sets as one JSON parameter each, children as JSON columns."""
        return compile_call(fragment, self._tables)

    async def rows(self, call: MysqlCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Runs the call; cancelling the task or passing the deadline ends it in the server.

        The first call proves that the login cannot write; raises SourceError RV407 if it can.
        """

        async def fetched(session: Session, text: str, bound: dict[str, Any]) -> Answer:
            return await self._fetch(session, call, text, bound)

        return await self._asked(call, params, deadline, fetched, lambda: True)

    def batches(
        self, call: MysqlCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as Arrow, received at the reader's pace."""
        from roundview_federation.connectors.columns import outline_of
        from roundview_federation.connectors.mysql.bulk import Stream
        from roundview_federation.connectors.streaming import streamed

        outline = outline_of(self.source, call.fragment, self._tables)

        def produce(relay: Relay[pa.RecordBatch]) -> Coroutine[Any, Any, None]:
            stream = Stream(outline, relay)
            return self._asked(call, params, deadline, stream.send, lambda: not stream.has_sent)

        return streamed(produce)

    async def statement(self, call: MysqlCall) -> Statement:
        """Returns a call's statement as this server takes it, for its own EXPLAIN."""
        async with self._within(Deadline.after(_PROOF_SECONDS)):
            return finish(call, await self._ready())

    async def accesses(
        self, call: MysqlCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns what EXPLAIN says of each table."""
        async with self._within(deadline):
            layout = await self._ready()
            try:
                text, bound = _bound(finish(call, layout), call, params)
            except Mismatch as mismatch:
                raise failures.changed(self.source, str(mismatch)) from None
            async with self._sessions.lend() as session:
                bound[DEADLINE] = _allowed(session, deadline)
                return await read_accesses(session, text, bound)

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns tables, columns, keys, indexes, links and estimates; metadata only."""
        limit = Deadline.after(_INTROSPECTION_SECONDS)
        async with self._within(limit), self._sessions.lend() as session:
            return await read_tables(session, self._prefix)

    async def prove_read_only(self) -> str:
        """Returns what the login may do; raises SourceError RV407 if any of it writes."""
        async with self._within(Deadline.after(_PROOF_SECONDS)):
            await self._prove()
        return f"the login has no privilege but {', '.join(sorted(grants.HARMLESS))}"

    async def warm(self, calls: Sequence[MysqlCall], deadline: Deadline) -> None:
        """Opens some connections, reads what the tables are like, and finishes the statements."""
        async with self._within(deadline):
            layout = await self._ready()
            await together(self._connect, self._limits.concurrency)
            try:
                for call in calls:
                    finish(call, layout)
            except Mismatch as mismatch:
                raise failures.changed(self.source, str(mismatch)) from None

    def explain(self, call: MysqlCall) -> str:
        """Returns the statement, its keys of their declared types."""
        return call.explained

    async def close(self) -> None:
        """Ends what runs and closes the connections."""
        await self._sessions.close()

    @asynccontextmanager
    async def _within(self, deadline: Deadline) -> AsyncIterator[None]:
        """Bounds what is awaited, and words whatever goes wrong in it."""
        try:
            async with asyncio.timeout(deadline.left):
                yield
        except TimeoutError:
            raise failures.late(self.source) from None
        except (errors.Error, OSError, failures.TooLarge, failures.NoTls) as error:
            raise failures.worded(self.source, error) from None
        except failures.GARBAGE as error:
            raise failures.worded(self.source, error) from None

    async def _ready(self) -> Layout:
        """Returns what the tables are like, after the login is proven to be read-only."""
        known = self._layout
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        async with self._starting:
            known = self._layout
            if known is not None and time.monotonic() < known[1]:
                return known[0]
            if not self._is_proven:
                await self._prove()
            async with self._sessions.lend() as session:
                layout = await read_layout(session, (t.physical for t in self._tables.values()))
            if known is not None and known[0] == layout:
                # The same object: finished statements stay finished.
                layout = known[0]
            self._layout = (layout, time.monotonic() + _LAYOUT_SECONDS)
            return layout

    async def _connect(self, ready: asyncio.Barrier) -> None:
        """Takes a connection until all others have theirs, so that each is another one."""
        async with self._sessions.lend():
            await ready.wait()

    async def _prove(self) -> None:
        self._is_proven = False
        # Roles are taken on to see what they may do, so the connection is not used again.
        async with self._sessions.lend(is_new=True) as session:
            lines = [row[0] for row in await session.select("SHOW GRANTS")]
            if session.flavor == "mysql":
                await session.select("SET ROLE ALL")
                lines += [row[0] for row in await session.select("SHOW GRANTS")]
            else:
                for role in await session.select(_ROLES):
                    await session.select("SET ROLE %s", role)
                    lines += [row[0] for row in await session.select("SHOW GRANTS")]
        writing = grants.writing_privileges(lines)
        if writing:
            raise SourceError(
                self.source,
                f"{self.source} is not proven to be read-only: its login has"
                f" {grants.named(writing)}",
                code="RV407",
                hint="give Roundview a login that was granted SELECT only",
                retryable=False,
            )
        self._is_proven = True

    async def _asked(
        self,
        call: MysqlCall,
        params: Mapping[str, Any],
        deadline: Deadline,
        work: Callable[[Session, str, dict[str, Any]], Awaitable[T]],
        may_repeat: Callable[[], bool],
    ) -> T:
        """Returns what `work` makes of a call's statement, bounded by the server too."""
        async with self._within(deadline):
            for tried in range(1, _TRIES + 1):
                known = self._layout
                layout = await self._ready()
                try:
                    statement = finish(call, layout)
                except Mismatch as mismatch:
                    self._layout = None
                    if known is not None and tried < _TRIES:
                        # What was read some time ago may be out of date itself.
                        continue
                    raise failures.changed(self.source, str(mismatch)) from None
                text, bound = _bound(statement, call, params)
                was_used = False
                try:
                    async with self._sessions.lend() as session:
                        was_used = session.is_used
                        bound[DEADLINE] = _allowed(session, deadline)
                        return await work(session, text, bound)
                except errors.MySQLError as error:
                    number = failures.number_of(error)
                    if number in failures.CHANGED:
                        self._layout = None
                    # A connection that the server closed while it was idle loses a call.
                    is_idle_loss = number in failures.GONE and was_used and may_repeat()
                    if is_idle_loss and tried < _TRIES:
                        continue
                    raise
            raise failures.late(self.source)

    async def _fetch(
        self, session: Session, call: MysqlCall, text: str, bound: dict[str, Any]
    ) -> Answer:
        cursor = session.connection.cursor(SSCursor)
        await cursor.execute(text, bound)
        size = AnswerSize(self._limits.bytes)
        rows: list[tuple[Any, ...]] = []
        batch = _FIRST_BATCH
        while fetched := await cursor.fetchmany(batch):
            rows += fetched
            if size.is_over(fetched):
                # The rest is not wanted, and the protocol has no way to say so.
                session.is_spent = True
                break
            batch = min(batch * 4, _LARGEST_BATCH, size.room)
        else:
            await cursor.close()
        cap = call.fragment.row_cap
        is_truncated = len(rows) > cap or size.is_exceeded
        del rows[cap:]
        try:
            rows = with_children(rows, len(call.fragment.children), cap)
        except (TooManyBelow, ValueError):
            # The server cuts a list of children at group_concat_max_len: our limits.bytes.
            raise failures.too_many_below(self.source) from None
        return Answer(rows, is_truncated=is_truncated)


def _allowed(session: Session, deadline: Deadline) -> float:
    """Returns how long the server may take, in the unit that it counts in."""
    left = max(0.001, deadline.left - _EARLIER_SECONDS)
    return round(left, 3) if session.flavor == "mariadb" else int(left * 1000)


def _bound(
    statement: Statement, call: MysqlCall, params: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Returns the statement's text and its values."""
    single = _single_keys(statement.one, params)
    form = statement.many if single is None else statement.one
    bound: dict[str, Any] = dict(form.constants)
    for name, asked in form.names.params.items():
        bound[name] = parameter(params[asked], form.natures[name])
    most = call.fragment.row_cap + 1
    asked_most = params[statement.limit] if statement.limit else None
    bound[LIMIT] = most if asked_most is None else max(0, min(int(asked_most), most))
    if single is not None:
        bound.update(single)
        return form.text, bound
    for name, asked in form.names.keysets.items():
        columns = form.keys[name]
        if len(columns) == 1:
            (one,) = columns
            bound[name] = json_keys(
                params[asked], one.nature, is_unsigned=one.is_unsigned, scale=one.scale
            )
        else:
            natures = [(one.nature, one.is_unsigned, one.scale) for one in columns]
            bound[name] = json_rows(params[asked], natures)
    return form.text, bound


def _single_keys(form: Form, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the only key of every set, None where there are more or they need conversion."""
    single = {}
    for name, asked in form.names.keysets.items():
        (column,), keys = form.keys[name], params[asked]
        if len(keys) != 1:
            return None
        key = one_key(keys[0], column.nature, is_unsigned=column.is_unsigned, scale=column.scale)
        if not column.is_wide and isinstance(key, str) and not key.isascii():
            # The server would convert the column instead, and read all of it.
            return None
        single[name] = key
    return single
