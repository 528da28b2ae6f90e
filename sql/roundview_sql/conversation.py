"""Decides the order of a conversation: one answer per message, errors skip to Sync."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from roundview_catalog.errors import RoundviewError
from roundview_sql import messages
from roundview_sql.admission import Turn
from roundview_sql.channel import Channel, GoneError
from roundview_sql.commands import (
    ExecutePrepared,
    Explain,
    Fetch,
    Question,
    Show,
)
from roundview_sql.executing import Executor
from roundview_sql.failures import WireError, told
from roundview_sql.lexer import Text, statements
from roundview_sql.parameters import said
from roundview_sql.preparing import columns_of, describe, portal_columns, prepared
from roundview_sql.reading import read_command
from roundview_sql.session import Portal, Session, Statement
from roundview_sql.variables import milliseconds

_ANSWERS: Final = (Question, Show, Explain, Fetch, ExecutePrepared)


class Conversation:
    """Talks with one client whose user is known, until it leaves."""

    def __init__(
        self, session: Session, channel: Channel, turn: Turn, *, idle_seconds: float
    ) -> None:
        self._session = session
        self._channel = channel
        self._turn = turn
        self._idle_seconds = idle_seconds
        self._executor = Executor(session, channel)
        self._told = session.variables.told()
        self._task: asyncio.Task[None] | None = None
        self._is_busy = False
        self._is_cancelled = False
        self._ending: WireError | None = None
        self._skips = False
        self._way: dict[int, Callable[[bytes], Awaitable[None]]] = {
            ord("Q"): self._query,
            ord("P"): self._parse,
            ord("B"): self._bind,
            ord("D"): self._describe,
            ord("E"): self._execute,
            ord("C"): self._close,
            ord("S"): self._sync,
            ord("H"): self._flush,
        }

    def cancel(self) -> None:
        """Stops the statement that runs, if there is one."""
        if self._is_busy and self._task is not None:
            self._is_cancelled = True
            self._task.cancel()

    def end(self) -> None:
        """Ends the conversation with FATAL 57P01, in the middle of a statement too."""
        self._ending = WireError(
            "57P01", "terminating connection due to administrator command", is_fatal=True
        )
        if self._task is not None:
            self._task.cancel()

    async def hold(self) -> None:
        """Answers messages until the client leaves; raises WireError for what ends it."""
        self._task = asyncio.current_task()
        try:
            while True:
                tag, body = await self._next()
                if tag == ord("X"):
                    return
                if self._skips and tag not in (ord("S"), ord("Q")):
                    continue
                answer = self._way.get(tag)
                if answer is None:
                    if tag in (ord("d"), ord("c"), ord("f")):
                        # What is left of a COPY that was refused.
                        continue
                    raise _fatal(tag)
                await answer(body)
        except asyncio.CancelledError:
            if self._ending is None:
                raise
            if self._task is not None:
                self._task.uncancel()
            raise self._ending from None
        finally:
            await self._session.close()

    async def _next(self) -> tuple[int, bytes]:
        variables, transaction = self._session.variables, self._session.transaction
        name = (
            "idle_in_transaction_session_timeout" if transaction.is_open else "idle_session_timeout"
        )
        limit = milliseconds(variables[name]) / 1000 or self._idle_seconds
        if self._channel.has_message():
            return await self._channel.message()
        await self._channel.flush()
        try:
            async with asyncio.timeout(limit):
                return await self._channel.message()
        except TimeoutError:
            if transaction.is_open:
                raise WireError(
                    "25P03", "terminating connection due to idle-in-transaction timeout",
                    is_fatal=True,
                ) from None  # fmt: skip
            raise WireError(
                "57P05", "terminating connection due to idle-session timeout", is_fatal=True
            ) from None

    # -- simple queries ----------------------------------------------------------------------

    async def _query(self, body: bytes) -> None:
        self._skips = False
        reader = messages.Reader(body)
        text = reader.text()
        reader.end()
        await self._session.close_portal("")
        self._session.statements.pop("", None)
        offset = 0
        try:
            found = statements(text)
            if not found:
                self._channel.put(messages.EMPTY_QUERY)
            self._session.transaction.is_implicit = len(found) > 1
            for one in found:
                offset = one.offset
                await self._guarded(self._simple(one))
        except (WireError, RoundviewError, GoneError) as error:
            await self._failed(error, offset)
        except Exception as error:  # noqa: BLE001  told as an internal error, without its text
            await self._failed(error, offset)
        self._session.transaction.is_implicit = False
        if not self._session.transaction.is_open:
            await self._session.close_portals()
        await self._ready()

    async def _simple(self, text: Text) -> None:
        session = self._session
        command = read_command(text)
        session.transaction.check(command)
        statement = Statement(text.text, command)
        portal = Portal(statement)
        if isinstance(command, Question):
            cursor = await self._executor.open(portal)
            columns = cursor.rows.columns
        else:
            columns = columns_of(session, statement) or ()
        if columns or isinstance(command, _ANSWERS):
            formats = (0,) * len(columns)
            if isinstance(command, Fetch) and command.is_move:
                pass
            else:
                self._channel.put(messages.row_description(columns, formats))
        try:
            await self._executor.run(portal, None, ())
        finally:
            if portal.cursor is not None and not portal.cursor.is_over:
                await portal.cursor.close()

    # -- extended queries --------------------------------------------------------------------

    async def _parse(self, body: bytes) -> None:
        async def parse() -> None:
            asked = messages.read_parse(body)
            if not asked.name:
                self._session.statements.pop("", None)
            statement = await prepared(self._session, asked.text, asked.types)
            self._session.keep_statement(asked.name, statement)
            self._channel.put(messages.PARSE_COMPLETE)

        await self._step(parse())

    async def _bind(self, body: bytes) -> None:
        async def bind() -> None:
            asked = messages.read_bind(body)
            session = self._session
            statement = session.statement(asked.statement)
            if statement.command is not None:
                session.transaction.check(statement.command)
            await describe(session, statement)
            types = statement.types
            if len(asked.values) != len(types):
                raise WireError(
                    "08P01",
                    f"bind message supplies {len(asked.values)} parameters, but prepared "
                    f'statement "{asked.statement}" requires {len(types)}',
                )
            formats = messages.each_format(asked.formats, len(types), "parameters")
            values = tuple(
                said(raw, oid, format_)
                for raw, oid, format_ in zip(asked.values, types, formats, strict=True)
            )
            await session.keep_portal(asked.portal, Portal(statement, values, asked.result_formats))
            self._channel.put(messages.BIND_COMPLETE)

        await self._step(bind())

    async def _describe(self, body: bytes) -> None:
        async def tell() -> None:
            kind, name = _kind(body)
            session = self._session
            if kind == "S":
                statement = session.statement(name)
                await describe(session, statement)
                self._channel.put(messages.parameter_description(statement.types))
                columns = columns_of(session, statement)
                formats: tuple[int, ...] = ()
            else:
                portal = session.portal(name)
                columns, formats = portal_columns(session, portal), portal.formats
            if columns is None:
                self._channel.put(messages.NO_DATA)
                return
            chosen = messages.each_format(formats, len(columns), "columns")
            self._channel.put(messages.row_description(columns, chosen))

        await self._step(tell())

    async def _execute(self, body: bytes) -> None:
        async def run() -> None:
            reader = messages.Reader(body)
            name, most = reader.text(), reader.int32()
            reader.end()
            session = self._session
            portal = session.portal(name)
            if portal.statement.command is not None:
                session.transaction.check(portal.statement.command)
            if not await self._executor.run(portal, most if most > 0 else None):
                self._channel.put(messages.PORTAL_SUSPENDED)

        await self._step(run())

    async def _close(self, body: bytes) -> None:
        async def close() -> None:
            kind, name = _kind(body)
            if kind == "S":
                self._session.statements.pop(name, None)
            else:
                await self._session.close_portal(name)
            self._channel.put(messages.CLOSE_COMPLETE)

        await self._step(close())

    async def _sync(self, body: bytes) -> None:
        self._skips = False
        if not self._session.transaction.is_open:
            await self._session.close_portals()
        await self._ready()

    async def _flush(self, body: bytes) -> None:
        await self._channel.flush()

    # -- one step ----------------------------------------------------------------------------

    async def _step(self, work: Awaitable[None]) -> None:
        """Does what one message asks; a failure skips what follows up to Sync."""
        try:
            await self._guarded(work)
        except Exception as error:  # noqa: BLE001  what nobody expected is told without its text
            self._skips = True
            await self._failed(error, 0)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Waits for the user's turn, then for the work; a cancel stops only that."""
        self._is_busy, self._is_cancelled = True, False
        try:
            async with self._turn.taken():
                await work
        except asyncio.CancelledError:
            if not self._is_cancelled or self._ending is not None:
                raise
            if self._task is not None:
                self._task.uncancel()
            raise WireError("57014", "canceling statement due to user request") from None
        finally:
            if asyncio.iscoroutine(work):
                work.close()
            self._is_busy = False

    async def _failed(self, error: BaseException, offset: int) -> None:
        if isinstance(error, GoneError) or (isinstance(error, WireError) and error.is_fatal):
            raise error
        self._session.transaction.fail()
        if not self._session.transaction.is_open:
            await self._session.close_portals()
        self._channel.put(messages.fields(b"E", told(error, offset=offset)))

    async def _ready(self) -> None:
        now = self._session.variables.told()
        for name, value in now.items():
            if self._told[name] != value:
                self._channel.put(messages.parameter_status(name, value))
        self._told = now
        self._channel.put(messages.ready(self._session.transaction.status))
        await self._channel.flush()


def _kind(body: bytes) -> tuple[str, str]:
    reader = messages.Reader(body)
    kind = reader.raw(1).decode("latin-1")
    name = reader.text()
    reader.end()
    if kind not in ("S", "P"):
        raise messages.broken()
    return kind, name


def _fatal(tag: int) -> WireError:
    return WireError("08P01", f"invalid frontend message type {tag}", is_fatal=True)
