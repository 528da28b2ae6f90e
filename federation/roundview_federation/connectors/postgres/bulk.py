"""Decides how a fragment streams out of PostgreSQL: COPY as CSV, which Arrow reads.

COPY takes no parameters, so each is bound to a setting of the transaction that the statement
reads: values never stand in its text. https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import asyncpg
import pyarrow as pa
from pyarrow import csv
from sqlglot import exp

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.types import Kind
from roundview_federation.connectors.columns import Outline, arrow_type
from roundview_federation.connectors.postgres import failures, values
from roundview_federation.connectors.postgres.sessions import Session, Sessions, read_only
from roundview_federation.connectors.postgres.statement import PostgresCall
from roundview_federation.connectors.streaming import LARGEST_BATCH, Relay
from roundview_federation.resilience.deadline import Deadline

_FIRST_BYTES: Final = 256 * 1024
_PIECE_BYTES: Final = 4 * 1024 * 1024
_SETTING: Final = "roundview.p"
_WHOLE: Final = (Kind.INTEGER, Kind.BIGINT)
# What Arrow reads from the server's own output of a type, which has one form only.
_EXACT: Final = {
    "int2": _WHOLE,
    "int4": _WHOLE,
    "int8": _WHOLE,
    "numeric": (Kind.DECIMAL,),
    "float8": (Kind.FLOAT,),
    "bool": (Kind.BOOLEAN,),
}
_NUMBERS: Final = {"numeric": Decimal, "float4": float, "float8": float}
_PARSE: Final = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


@dataclass(slots=True)
class Stream:
    """One answer on its way from the server into a relay; `has_sent` once a batch is in it."""

    call: PostgresCall
    outline: Outline
    relay: Relay[pa.RecordBatch]
    most: int
    has_sent: bool = False
    _names: Sequence[str] = ()
    _parts: list[bytes] = field(default_factory=list)
    _waiting: int = 0

    async def send(self, sessions: Sessions, bound: Sequence[Any], deadline: Deadline) -> None:
        """Puts the rows of the call into the relay; `bound` are its parameters.

        A single row may have `most` bytes; the rest waits in the server while the reader does.
        What fails before the first row because only the connection was out of date is repeated.
        """
        session: Session | None = None
        try:
            async with sessions.session() as session:
                return await self._prepared(session, bound, deadline)
        except (SourceError, RequestError):
            raise
        except Exception as error:
            if session is None:
                raise
            if session.wire.is_exceeded:
                raise failures.too_large(sessions.source) from None
            is_stale = isinstance(error, failures.STALE) or session.connection.is_closed()
            if self.has_sent or not (is_stale and session.is_used):
                raise
        self._parts.clear()
        async with sessions.session(is_new=True) as session:
            return await self._prepared(session, bound, deadline)

    async def _prepared(self, session: Session, bound: Sequence[Any], deadline: Deadline) -> None:
        await session.bound(deadline.left)
        statement = await session.connection.prepare(self.call.text)
        try:
            fit = values.fitting(self.outline.source, self.call, bound, statement)
        except values.Unfit:
            return
        await self._copy(session, statement, fit)

    async def _copy(
        self,
        session: Session,
        statement: asyncpg.prepared_stmt.PreparedStatement[Any],
        bound: Sequence[Any],
    ) -> None:
        connection = session.connection
        types = statement.get_parameters()
        self._names = [one.type.name for one in statement.get_attributes()]
        async with read_only(connection):
            if types:
                await connection.fetchrow(_bind_text(types), *bound)
            session.wire.allow(self.most)

            async def take(data: bytes) -> None:
                # One message is one row at least: pieces end where rows do.
                self._parts.append(data)
                self._waiting += len(data)
                if self._waiting >= (_PIECE_BYTES if self.has_sent else _FIRST_BYTES):
                    await self._flush()
                session.wire.allow(self.most)

            text = _copied(self.call.tree, types, bound)
            await connection.copy_from_query(text, output=take, format="csv")
            await self._flush()

    async def _flush(self) -> None:
        parts, self._parts, self._waiting = self._parts, [], 0
        if not parts:
            return
        for batch in await asyncio.to_thread(self._read, b"".join(parts)):
            self.has_sent = True
            await self.relay.put(batch)

    def _read(self, data: bytes) -> list[pa.RecordBatch]:
        try:
            table = self._table(data, is_exact=True)
        except pa.ArrowInvalid:
            # Something that Arrow has no value for, such as NaN: the decoders say what it is.
            table = self._table(data, is_exact=False)
        return [
            self.outline.batch([self._column(at, one) for at, one in enumerate(batch.columns)])
            for batch in table.combine_chunks().to_batches(LARGEST_BATCH)
        ]

    def _table(self, data: bytes, *, is_exact: bool) -> pa.Table:
        columns = {}
        for at, type_ in enumerate(self.outline.types):
            native = _EXACT.get(self._names[at], ())
            columns[f"c{at}"] = pa.string() if is_exact else pa.binary()
            if is_exact and type_.kind in native:
                columns[f"c{at}"] = arrow_type(type_)
        return csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(column_names=list(columns), block_size=len(data) + 1),
            parse_options=_PARSE,
            convert_options=csv.ConvertOptions(
                column_types=columns,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )

    def _column(self, at: int, column: pa.Array) -> Sequence[Any] | pa.Array:
        number = _NUMBERS.get(self._names[at])
        if number is None or self.outline.types[at].kind not in _WHOLE:
            return column
        # A number that is whole may have zeros after its point.
        return [None if value is None else number(value) for value in _texts(column)]


def _texts(column: pa.Array) -> list[str | None]:
    found: list[str | None] = column.cast(pa.string()).to_pylist()
    return found


def _bind_text(types: Sequence[asyncpg.Type]) -> str:
    """Returns the statement that keeps every parameter as text, until the transaction ends."""
    calls = []
    for at, type_ in enumerate(types, start=1):
        value = exp.Cast(this=exp.Parameter(this=exp.Literal.number(at)), to=_type(type_))
        text = exp.Cast(this=value, to=exp.DataType.build("text"))
        name = exp.Literal.string(f"{_SETTING}{at}")
        calls.append(exp.Anonymous(this="set_config", expressions=[name, text, exp.true()]))
    return exp.select(*calls).sql(dialect="postgres")


def _copied(tree: exp.Select, types: Sequence[asyncpg.Type], bound: Sequence[Any]) -> str:
    """Returns the statement with settings in the place of parameters."""
    result = tree.copy()
    for node in list(result.find_all(exp.Parameter)):
        at = int(node.name)
        name = exp.Literal.string(f"{_SETTING}{at}")
        kept: exp.Expr = exp.Anonymous(this="current_setting", expressions=[name])
        # A setting cannot be NULL.
        value = exp.Null() if bound[at - 1] is None else kept
        node.replace(exp.Cast(this=value, to=_type(types[at - 1])))
    return result.sql(dialect="postgres", identify=True)


def _type(type_: asyncpg.Type) -> exp.DataType:
    """Returns a type by the name that the server's catalog has for it."""
    name = type_.name
    if name.endswith("[]"):
        name = "_" + name.removesuffix("[]")
    parts = [exp.to_identifier(part, quoted=True).sql("postgres") for part in (type_.schema, name)]
    return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=".".join(parts))
