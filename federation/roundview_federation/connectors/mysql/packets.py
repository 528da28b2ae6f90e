"""Decides how row packets become columns of bytes: all rows at once, without a value per row.

A packet is its length in 3 bytes, a number, and what its length says; a row's values follow one
another, each after its own length.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from asyncmy import errors
from asyncmy.protocol import parse_rows_from_buffer

from roundview_federation.connectors.mysql.sessions import BoundedConnection

_HEADER: Final = 4
_LENGTH: Final = 3
_IN_PARTS: Final = 2**24 - 1
"""The length of a packet that goes on in the next one."""
_NULL: Final = 251
_WIDTHS: Final = ((252, 2), (253, 3))
"""First bytes of lengths that have so many bytes more."""
_LARGEST_ROW: Final = 2**8
"""Bytes below which the length of a packet is its first byte."""

_INDEX: Final = pa.int32()


@dataclass(frozen=True, slots=True)
class Packets:
    """Row packets as they came, one after the other; each is a whole row."""

    data: bytes
    rows: int

    def columns(self, count: int) -> list[pa.Array]:
        """Returns the bytes of each of `count` columns; raises asyncmy's InternalError."""
        raw = pa.Array.from_buffers(pa.uint8(), len(self.data), [None, pa.py_buffer(self.data)])
        starts = self._starts(raw)
        ends = pa.concat_arrays([starts[1:], pa.array([len(self.data)], _INDEX)])
        at = pc.add(starts, _index(_HEADER))
        found = []
        try:
            for _ in range(count):
                begin, size, is_null = _lengths(raw, at)
                at = pc.add(begin, size)
                found.append((begin, at, is_null))
        except IndexError:
            at = None
        # Also proves that no value reaches into another: none is before the one before it.
        if at is None or not at.equals(ends):
            raise errors.InternalError("a row is not as long as its packet")
        return [_gathered(raw, *column) for column in found]

    def _starts(self, raw: pa.Array) -> pa.Array:
        """Returns where each packet begins."""
        data, at, more = self.data, 0, range(self.rows - 1)
        if len(data) < self.rows * _LARGEST_ROW:
            try:
                starts = pa.array([0, *[at := at + _HEADER + data[at] for _ in more]], _INDEX)
                # If all of these are short, each of them begins where the one before it ends.
                if all(_is_zero(raw.take(pc.add(starts, _index(byte)))) for byte in (1, 2)):
                    return starts
            except IndexError:
                # Behind a long one they lead anywhere.
                pass
        at = 0
        long = [
            at := at + _HEADER + int.from_bytes(data[at : at + _LENGTH], "little") for _ in more
        ]
        return pa.array([0, *long], _INDEX)


async def received(connection: BoundedConnection, rows: int, size: int) -> Packets:
    """Returns the next rows, once there are so many of them or so many bytes.

    Fewer are followed by what only the driver reads: the end, an error, a row in several packets.
    """
    state: Any = connection._proto
    parts: list[bytearray] = []
    counted: list[tuple[()]] = []
    while len(counted) < rows and size > 0:
        before = state.pos
        after, connection._next_seq_id = parse_rows_from_buffer(
            state.buffer, before, state.length, (), connection._next_seq_id, counted,
            connection._deprecate_eof,
        )  # fmt: skip
        if after > before:
            parts.append(state.buffer[before:after])
            state.pos = after
            size -= after - before
        elif not await _has_more(connection, state):
            break
    return Packets(b"".join(parts), len(counted))


async def _has_more(connection: BoundedConnection, state: Any) -> bool:
    """Waits for the rest of a packet; returns whether there was anything to wait for."""
    here = state.length - state.pos
    need = _HEADER
    if here >= need:
        length = int.from_bytes(state.buffer[state.pos : state.pos + _LENGTH], "little")
        need += length
        if here >= need or length == _IN_PARTS:
            return False
    await connection._fill_buffer(need)
    connection.waited = 0
    return True


def _lengths(raw: pa.Array, at: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array | None]:
    """Returns of the values whose lengths are at `at` where they begin, their bytes, which is NULL.

    Raises IndexError for a length that is not there.
    """
    first = raw.take(at)
    size = first.cast(_INDEX)
    begin = pc.add(at, _index(1))
    most = pc.max(first).as_py()
    if most < _NULL:
        return begin, size, None
    for marker, width in _WIDTHS:
        is_long = pc.equal(first, marker)
        if not pc.any(is_long).as_py():
            continue
        places = at.filter(is_long)
        long = pc.subtract(places, places)
        for byte in range(width):
            part = raw.take(pc.add(places, _index(byte + 1))).cast(_INDEX)
            long = pc.add(long, pc.shift_left(part, _index(8 * byte)))
        size = pc.replace_with_mask(size, is_long, long)
        begin = pc.add(begin, pc.multiply(is_long.cast(_INDEX), _index(width)))
    if most > _WIDTHS[-1][0]:
        # Longer ones are never in a packet of one part.
        raise IndexError
    is_null = pc.equal(first, _NULL)
    return begin, pc.if_else(is_null, _index(0), size), is_null


def _gathered(raw: pa.Array, begin: pa.Array, end: pa.Array, is_null: pa.Array | None) -> pa.Array:
    """Returns values that lie apart as one column.

    As Arrow sees it all bytes are values, those of other columns too: every second one is ours.
    """
    count = len(begin)
    pairs = pc.add(begin.cast(pa.int64()), pc.shift_left(end.cast(pa.int64()), 32))
    buffers = [None, pairs.buffers()[1], raw.buffers()[1]]
    apart = pa.Array.from_buffers(pa.binary(), 2 * count - 1, buffers)
    ours = pc.cumulative_sum(pa.repeat(_index(2), count), start=_index(-2))
    if is_null is not None:
        ours = pc.if_else(is_null, pa.scalar(None, _INDEX), ours)
    return apart.take(ours)


def _is_zero(array: pa.Array) -> bool:
    return not pc.max(array).as_py()


def _index(value: int) -> pa.Scalar:
    return pa.scalar(value, _INDEX)
