"""Decides how a fragment streams out of MySQL: values as the server writes them, for Arrow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
from asyncmy.constants import FIELD_TYPE
from asyncmy.cursors import SSCursor

from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.columns import Outline, arrow_type
from roundview_federation.connectors.mysql.packets import received
from roundview_federation.connectors.mysql.sessions import BoundedConnection, Session
from roundview_federation.connectors.mysql.values import DECODERS
from roundview_federation.connectors.streaming import (
    LARGEST_BATCH,
    LARGEST_BYTES,
    BatchSize,
    Relay,
)

_BINARY: Final = 63
"""The number of the charset of what is no text."""

_WHOLE: Final = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.BOOLEAN, Kind.DECIMAL})
_TIMES: Final = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
# Kinds for which the text of a value means what the driver's value does.
_BY_TEXT: Final = MappingProxyType(
    {
        FIELD_TYPE.TINY: _WHOLE,
        FIELD_TYPE.SHORT: _WHOLE,
        FIELD_TYPE.LONG: _WHOLE,
        FIELD_TYPE.INT24: _WHOLE,
        FIELD_TYPE.LONGLONG: _WHOLE,
        FIELD_TYPE.NEWDECIMAL: frozenset({Kind.DECIMAL}),
        FIELD_TYPE.FLOAT: frozenset({Kind.FLOAT}),
        FIELD_TYPE.DOUBLE: frozenset({Kind.FLOAT}),
        FIELD_TYPE.DATE: frozenset({Kind.DATE}),
        FIELD_TYPE.DATETIME: _TIMES,
        FIELD_TYPE.TIMESTAMP: _TIMES,
    }
)
_STRINGS: Final = frozenset(
    {
        FIELD_TYPE.VARCHAR,
        FIELD_TYPE.BIT,
        FIELD_TYPE.ENUM,
        FIELD_TYPE.SET,
        FIELD_TYPE.TINY_BLOB,
        FIELD_TYPE.MEDIUM_BLOB,
        FIELD_TYPE.LONG_BLOB,
        FIELD_TYPE.BLOB,
        FIELD_TYPE.VAR_STRING,
        FIELD_TYPE.STRING,
    }
)

# What Arrow reads from the server's own output of a type, which has one form only.
_NATIVE: Final = MappingProxyType(
    {
        **dict.fromkeys(
            (
                FIELD_TYPE.TINY,
                FIELD_TYPE.SHORT,
                FIELD_TYPE.LONG,
                FIELD_TYPE.INT24,
                FIELD_TYPE.LONGLONG,
            ),
            pa.int64(),
        ),
        FIELD_TYPE.DATE: pa.date32(),
        FIELD_TYPE.DATETIME: pa.timestamp("us"),
        FIELD_TYPE.TIMESTAMP: pa.timestamp("us"),
    }
)

Read = Callable[[pa.Array], "Sequence[Any] | pa.Array"]


@dataclass(slots=True)
class Stream:
    """One answer on its way from the server into a relay; `has_sent` once a batch is in it."""

    outline: Outline
    relay: Relay[pa.RecordBatch]
    has_sent: bool = False

    async def send(self, session: Session, text: str, bound: dict[str, Any]) -> None:
        """Puts the rows of a statement into the relay; while it waits, nothing is received."""
        connection = session.connection
        cursor = connection.cursor(SSCursor)
        with _undecoded(connection):
            await cursor.execute(text, bound)
        fields = zip(cursor._result.fields, self.outline.types, strict=True)
        reads = [_reader(field.type_code, field.charsetnr, type_) for field, type_ in fields]
        size = BatchSize()
        while True:
            packets = await received(connection, size.rows, LARGEST_BYTES)
            if packets.rows:
                work = partial(packets.columns, len(reads))
            elif (row := await cursor.fetchone()) is not None:
                work = partial(_alone, row)
            else:
                break
            with _paused(connection):
                for batch in await asyncio.to_thread(self._batches, work, reads):
                    size.learn(batch)
                    self.has_sent = True
                    await self.relay.put(batch)
        await cursor.close()

    def _batches(
        self, columns: Callable[[], Sequence[pa.Array]], reads: Sequence[Read]
    ) -> list[pa.RecordBatch]:
        read = [read(column) for read, column in zip(reads, columns(), strict=True)]
        batch = self.outline.batch(read)
        starts = range(0, batch.num_rows, LARGEST_BATCH)
        return [batch.slice(start, LARGEST_BATCH) for start in starts]


def _alone(row: Sequence[bytes | None]) -> list[pa.Array]:
    """Returns the columns of one row."""
    return [pa.array([value], pa.binary()) for value in row]


@contextmanager
def _undecoded(connection: BoundedConnection) -> Iterator[None]:
    """Makes the driver leave the values of a statement as they came."""
    before = connection._use_unicode, connection._decoders
    connection._use_unicode, connection._decoders = False, {}
    try:
        yield
    finally:
        connection._use_unicode, connection._decoders = before


@contextmanager
def _paused(connection: BoundedConnection) -> Iterator[None]:
    """Stops receiving: the driver itself would keep all that comes."""
    transport = connection._transport
    if transport.is_closing():
        yield
        return
    transport.pause_reading()
    try:
        yield
    finally:
        if not transport.is_closing():
            transport.resume_reading()


def _reader(code: int, charset: int, type_: Type) -> Read:
    """Returns what reads a column's bytes as the driver would, or as texts that mean the same."""
    if type_.kind in _BY_TEXT.get(code, ()):
        native = _NATIVE.get(code)
        if code == FIELD_TYPE.NEWDECIMAL and pa.types.is_decimal128(arrow_type(type_)):
            native = arrow_type(type_)
        return partial(_as_native, native) if native is not None else _as_array
    if code == FIELD_TYPE.JSON or (code in _STRINGS and charset != _BINARY):
        return _as_array
    decode = DECODERS.get(code)
    if code in _STRINGS or decode is None:
        return _as_bytes
    return lambda array: [
        None if one is None else decode(one.decode()) for one in array.to_pylist()
    ]


def _as_native(native: pa.DataType, array: pa.Array) -> pa.Array:
    texts = array.cast(pa.string())
    try:
        return texts.cast(native)
    except pa.ArrowInvalid:
        # A zero date, or more digits than declared: the decoders say what it is.
        return texts


def _as_array(array: pa.Array) -> pa.Array:
    return array


def _as_bytes(array: pa.Array) -> list[bytes | None]:
    found: list[bytes | None] = array.to_pylist()
    return found
