"""Decides what running a command sends: rows, copied rows, or a tag alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import pyarrow as pa

from roundview_sql import messages
from roundview_sql.commands import (
    Begin,
    CloseCursor,
    Copy,
    Deallocate,
    Declare,
    Discard,
    End,
    ExecutePrepared,
    Explain,
    Fetch,
    Nothing,
    Prepare,
    Question,
    Savepoint,
    Set,
    Show,
)
from roundview_sql.copying import copy_head, copy_rows, copy_tail
from roundview_sql.encoding import encode_rows
from roundview_sql.failures import WireError, notice, unsupported
from roundview_sql.parameters import Said
from roundview_sql.portals import Cursor, Rows, of_table
from roundview_sql.preparing import describe, plan_columns, shown_columns, type_oids
from roundview_sql.session import Portal, Session, Statement
from roundview_sql.type_codes import Column
from roundview_sql.variables import KNOWN

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_INLINE: Final = 256
"""Up to so many rows are encoded at once; more are encoded in a thread."""


class Client(Protocol):
    """Takes the messages for one client."""

    async def send(self, data: bytes | memoryview) -> None:
        """Sends messages as fast as the client takes them."""
        ...

    def put(self, data: bytes) -> None:
        """Adds messages to those that are sent next."""
        ...


@dataclass(slots=True)
class Executor:
    """Runs the commands of one session for its client."""

    session: Session
    client: Client

    async def run(
        self, portal: Portal, most: int | None, formats: Sequence[int] | None = None
    ) -> bool:
        """Runs a portal, at most so many rows of it; returns whether it came to its end.

        `formats` are those of the columns (None: those of the portal).
        """
        command = portal.statement.command
        if isinstance(command, Copy):
            await self._copy(portal, command)
            return True
        if isinstance(command, Fetch):
            await self._fetch(command, formats or portal.formats)
            return True
        if isinstance(command, Question | Show | Explain | ExecutePrepared) or portal.is_declared:
            return await self._rows(portal, most, formats)
        if command is None:
            self.client.put(messages.EMPTY_QUERY)
            return True
        self.client.put(messages.complete(await self._done(command, portal)))
        return True

    async def open(self, portal: Portal) -> Cursor:
        """Returns the cursor over the rows of a portal; asks for them the first time."""
        if portal.cursor is None:
            portal.cursor = Cursor(await self._answer(portal.statement, portal.values))
        return portal.cursor

    async def _rows(self, portal: Portal, most: int | None, formats: Sequence[int] | None) -> bool:
        if portal.is_done:
            if portal.is_declared:
                self.client.put(messages.complete("FETCH 0"))
            else:
                self.client.put(messages.complete("SELECT 0"))
            return True
        cursor = await self.open(portal)
        columns = cursor.rows.columns
        chosen = messages.each_format(formats or portal.formats, len(columns), "columns")
        before = cursor.position
        await self._send_rows(cursor, most, columns, chosen)
        if most is not None and not cursor.is_over:
            return False
        portal.is_done = True
        self._tell(cursor.rows)
        await cursor.close()
        count = cursor.position - before
        word = _TAGS.get(type(portal.statement.command), "SELECT")
        self.client.put(
            messages.complete(word if word in ("SHOW", "EXPLAIN") else f"{word} {count}")
        )
        return True

    async def _send_rows(
        self, cursor: Cursor, most: int | None, columns: Sequence[Column], formats: Sequence[int]
    ) -> None:
        async for batch in cursor.pieces(most):
            await self.client.send(
                await encoded(batch, lambda one: encode_rows(one, columns, formats))
            )

    async def _copy(self, portal: Portal, command: Copy) -> None:
        cursor = await self.open(portal)
        columns, options = cursor.rows.columns, command.options
        format_ = 1 if options.format == "binary" else 0
        self.client.put(messages.copy_out(format_, len(columns)) + copy_head(options, columns))
        async for batch in cursor.pieces(None):
            is_first = cursor.position == batch.num_rows
            copy = partial(copy_rows, columns=columns, options=options, is_first=is_first)
            await self.client.send(await encoded(batch, copy))
        self.client.put(copy_tail(options, is_empty=not cursor.position) + messages.COPY_DONE)
        self._tell(cursor.rows)
        await cursor.close()
        self.client.put(messages.complete(f"COPY {cursor.position}"))

    async def _fetch(self, command: Fetch, formats: Sequence[int]) -> None:
        portal = self.session.portal(command.name, "cursor")
        cursor = await self.open(portal)
        columns = cursor.rows.columns
        declared = portal.statement.command
        if isinstance(declared, Declare) and declared.is_binary:
            formats = (1,)
        most = command.count
        before = cursor.position
        if command.is_absolute:
            if most is None or most <= before:
                raise WireError("55000", "cursor can only scan forward")
            async for _ in cursor.pieces(most - 1 - before):
                pass
            before, most = cursor.position, 1
        if command.is_move:
            async for _ in cursor.pieces(most):
                pass
        else:
            chosen = messages.each_format(formats, len(columns), "columns")
            await self._send_rows(cursor, most, columns, chosen)
        if cursor.is_over:
            self._tell(cursor.rows)
            await cursor.close()
        word = "MOVE" if command.is_move else "FETCH"
        self.client.put(messages.complete(f"{word} {cursor.position - before}"))

    async def _answer(self, statement: Statement, values: Sequence[Said]) -> Rows:
        session, command = self.session, statement.command
        if isinstance(command, Question | Declare | Copy):
            question = command if isinstance(command, Question) else command.question
            return await session.asker.ask(
                question.text,
                statement.described,
                tuple(values),
                statement.types,
            )
        if isinstance(command, ExecutePrepared):
            prepared = session.statement(command.name)
            await describe(session, prepared)
            if len(command.values) != len(prepared.types):
                raise WireError(
                    "42601", f'wrong number of parameters for prepared statement "{command.name}"'
                )
            return await self._answer(prepared, command.values)
        if isinstance(command, Show):
            return self._shown(command)
        if isinstance(command, Explain):
            return await self._explained(command, statement)
        raise WireError("0A000", "this statement has no rows")

    async def _done(self, command: object, portal: Portal) -> str:
        session = self.session
        if isinstance(command, Begin):
            return self._noticed(lambda: session.transaction.begin(command))
        if isinstance(command, End):
            await session.close_portals()
            return self._noticed(lambda: session.transaction.end(command))
        if isinstance(command, Savepoint):
            return session.transaction.savepoint(command)
        if isinstance(command, Set):
            return self._set(command)
        if isinstance(command, Declare):
            return await self._declare(command, portal)
        if isinstance(command, CloseCursor):
            return await self._close(command)
        if isinstance(command, Prepare):
            statement = Statement(command.question.text, command.question, type_oids(command))
            await describe(session, statement)
            session.keep_statement(command.name, statement)
            return "PREPARE"
        if isinstance(command, Deallocate):
            if command.name is None:
                session.statements.clear()
                return "DEALLOCATE ALL"
            session.statement(command.name)
            del session.statements[command.name]
            return "DEALLOCATE"
        if isinstance(command, Discard):
            return await self._discard(command)
        if isinstance(command, Nothing):
            return command.tag
        raise unsupported("this statement")

    async def _declare(self, command: Declare, portal: Portal) -> str:
        session = self.session
        if not command.holds and not session.transaction.lasts:
            raise WireError("25P01", "DECLARE CURSOR can only be used in transaction blocks")
        if command.is_scroll:
            self.client.put(messages.fields(b"N", notice("cursors can be read forward only")))
        if command.name in session.portals:
            raise WireError("42P03", f'cursor "{command.name}" already exists')
        opened = Portal(
            portal.statement, portal.values, is_held=command.holds, is_declared=True,
            formats=(1,) if command.is_binary else (),
        )  # fmt: skip
        await self.open(opened)
        await session.keep_portal(command.name, opened)
        return "DECLARE CURSOR"

    async def _close(self, command: CloseCursor) -> str:
        if command.name is None:
            await self.session.close_portals(keep_held=False)
            return "CLOSE CURSOR ALL"
        self.session.portal(command.name, "cursor")
        await self.session.close_portal(command.name)
        return "CLOSE CURSOR"

    async def _discard(self, command: Discard) -> str:
        session = self.session
        if command.what == "all":
            if session.transaction.is_open:
                raise WireError("25001", "DISCARD ALL cannot run inside a transaction block")
            await session.close_portals(keep_held=False)
            session.statements.clear()
            session.variables.reset()
        what = "TEMP" if command.what == "temporary" else command.what.upper()
        return f"DISCARD {what}"

    def _set(self, command: Set) -> str:
        variables = self.session.variables
        if command.name == "all" and command.tag == "RESET":
            variables.reset()
            return command.tag
        value = None if command.values is None else ", ".join(_listed(command))
        if command.is_local and not self.session.transaction.is_open:
            told = "SET LOCAL can only be used in transaction blocks"
            self.client.put(
                messages.fields(
                    b"N", {**notice(told, sqlstate="25P01"), "S": "WARNING", "V": "WARNING"}
                )
            )
        variables.set(command.name, value, is_local=command.is_local)
        return command.tag

    def _shown(self, command: Show) -> Rows:
        variables = self.session.variables
        columns = shown_columns(self.session, command)
        if command.name.lower() == "all":
            rows = [(KNOWN[key].name, variables[key], "") for key in sorted(KNOWN)]
        else:
            rows = [(variables.shown(command.name)[1],)]  # type: ignore[list-item]
        arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        return of_table(pa.table(arrays, [str(at) for at in range(len(arrays))]), columns)

    async def _explained(self, command: Explain, statement: Statement) -> Rows:
        if statement.types:
            raise unsupported("EXPLAIN of a question with parameters")
        lines = await self.session.asker.explain(
            command.question.text, is_analyzed=command.is_analyzed, is_json=command.is_json
        )
        return of_table(pa.table([pa.array(lines, pa.string())], ["0"]), plan_columns(command))

    def _tell(self, rows: Rows) -> None:
        if self.session.variables["client_min_messages"] not in ("warning", "error"):
            for one in rows.notices:
                self.client.put(messages.fields(b"N", notice(one)))

    def _noticed(self, change: Callable[[], str]) -> str:
        tag = change()
        transaction = self.session.transaction
        for one in transaction.notices:
            self.client.put(messages.fields(b"N", one))
        transaction.notices.clear()
        return tag


def _listed(command: Set) -> Sequence[str]:
    """Returns the values of a setting; schemas are kept as they are quoted."""
    values = command.values or ()
    if command.name.lower() != "search_path":
        return values
    return [one if _PLAIN.fullmatch(one) else _quoted(one) for one in values]


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


async def encoded(
    batch: pa.RecordBatch, encode: Callable[[pa.RecordBatch], memoryview]
) -> memoryview:
    """Returns the messages of a batch; large ones are made in a thread."""
    if batch.num_rows <= _INLINE:
        return encode(batch)
    return await asyncio.to_thread(encode, batch)


_TAGS = {Show: "SHOW", Explain: "EXPLAIN", Declare: "FETCH"}
