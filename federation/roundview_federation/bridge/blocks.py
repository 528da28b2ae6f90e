"""Decides how columns become blocks of the protocol, and how values in blocks are read.

A block is written from the buffers of its Arrow array: no value is touched one by one.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from roundview_federation.bridge.messages import Block

_LIST: Final = struct.Struct(">BHBi")
_BYTES: Final = struct.Struct(">BHi")
_FIELD: Final = struct.Struct(">BH")
_ROWS: Final = struct.Struct(">BHi")
_STOP: Final = b"\x00"
_T_BOOL, _T_DOUBLE, _T_I32, _T_I64, _T_STRING, _T_STRUCT, _T_LIST = 2, 4, 8, 10, 11, 12, 15
_EPOCH: Final = date(1970, 1, 1)

_PLACES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "integer": (1, _T_I32),
        "bigint": (2, _T_I64),
        "double": (3, _T_DOUBLE),
        "varchar": (4, _T_STRING),
        "boolean": (5, _T_BOOL),
        "date": (6, _T_I32),
    }
)
"""Type in Trino -> number of the block's field, and type of its values."""
_WIDTHS: Final = MappingProxyType({_T_BOOL: 1, _T_I32: 4, _T_STRING: 4, _T_I64: 8, _T_DOUBLE: 8})
_CODES: Final = MappingProxyType({_T_I32: "i", _T_I64: "q", _T_DOUBLE: "d"})


def page(columns: Sequence[tuple[str, pa.Array]], rows: int, token: bytes | None) -> bytes:
    """Returns a struct `Page` of columns of equal length, each with its type in Trino.

    With a `token` there is more to come, which is asked for by it.
    """
    parts = [_LIST.pack(_T_LIST, 1, _T_STRUCT, len(columns))]
    for trino, column in columns:
        parts += _block(trino, column)
    parts.append(_ROWS.pack(_T_I32, 2, rows))
    if token is not None:
        parts += [_FIELD.pack(_T_STRUCT, 3), _BYTES.pack(_T_STRING, 1, len(token)), token, _STOP]
    parts.append(_STOP)
    return b"".join(parts)


def page_bytes(columns: Sequence[tuple[str, pa.Array]], rows: int) -> int:
    """Returns at least how many bytes the columns of a page have, all but a few for each."""
    total = 0
    for trino, column in columns:
        kind = _PLACES[trino][1]
        total += _WIDTHS[kind] * rows + (rows if column.null_count else 0)
        if kind == _T_STRING and rows:
            ends = memoryview(column.buffers()[1]).cast("i")
            total += ends[column.offset + rows] - ends[column.offset]
    return total


def wire_column(column: pa.Array) -> pa.Array:
    """Returns a column as it travels: times as microseconds, decimals as whole numbers.

    Both share the buffers of the column.
    """
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64())
    if pa.types.is_decimal128(column.type):
        return _unscaled(column)
    return column


def values(block: Block | None) -> list[Any]:
    """Returns the values of a block, None for a NULL; raises ValueError for an impossible one."""
    if block is None:
        raise ValueError("no block")
    if block.varchar is not None:
        one = block.varchar
        found: list[Any] = _texts(one.sizes or [], one.bytes or b"")
        nulls = one.nulls
    else:
        numbers: Any = block.integer or block.bigint or block.double or block.boolean or block.date
        if numbers is None:
            raise ValueError("a block of another type")
        found, nulls = list(numbers.values or []), numbers.nulls
        if numbers is block.date:
            found = [_EPOCH + timedelta(days=days) for days in found]
    if nulls is None:
        return found
    if not found:
        found = [None] * len(nulls)
    if len(nulls) != len(found):
        raise ValueError("as many values as marks")
    return [None if is_null else one for is_null, one in zip(nulls, found, strict=True)]


def _block(trino: str, column: pa.Array) -> list[bytes]:
    place, kind = _PLACES[trino]
    parts = [_FIELD.pack(_T_STRUCT, place)]
    count = len(column)
    if column.null_count:
        nulls = _bytes_of(pc.is_null(column))
        parts += [_LIST.pack(_T_LIST, 1, _T_BOOL, count), nulls]
    if kind == _T_STRING:
        parts += _text_parts(column, count)
    else:
        parts += [_LIST.pack(_T_LIST, 2, kind, count), _number_bytes(column, kind)]
    parts += [_STOP, _STOP]
    return parts


def _text_parts(column: pa.Array, count: int) -> list[bytes]:
    if column.null_count:
        # Behind a NULL may lie bytes that belong to no value.
        column = column.fill_null("")
    _, offsets, data = column.buffers()
    lengths = pc.binary_length(column)
    sizes = _number_buffer("i", lengths.buffers()[1], lengths.offset, count)
    ends = memoryview(offsets).cast("i") if offsets is not None and count else (0,)
    first, last = ends[column.offset if count else 0], ends[column.offset + count if count else 0]
    text = memoryview(data)[first:last] if data is not None and last > first else b""
    head = _LIST.pack(_T_LIST, 2, _T_I32, count)
    return [head, sizes, _BYTES.pack(_T_STRING, 3, len(text)), bytes(text)]


def _number_bytes(column: pa.Array, kind: int) -> bytes:
    if kind == _T_BOOL:
        return _bytes_of(column)
    if pa.types.is_decimal128(column.type):
        # The lower half of each number, which has all of it where 18 digits do.
        return _as_sent(array("q", _buffer(column, 16))[::2])
    return _number_buffer(_CODES[kind], column.buffers()[1], column.offset, len(column))


def _bytes_of(column: pa.Array) -> bytes:
    """Returns a byte for each truth value; that of a NULL means nothing."""
    spread = column.cast(pa.uint8())
    return bytes(_buffer(spread, 1))


def _number_buffer(code: str, buffer: pa.Buffer | None, offset: int, count: int) -> bytes:
    if buffer is None or not count:
        return b""
    numbers = array(code)
    width = numbers.itemsize
    numbers.frombytes(memoryview(buffer)[offset * width : (offset + count) * width])
    return _as_sent(numbers)


def _as_sent(numbers: array[Any]) -> bytes:
    """Returns numbers in the byte order of the wire."""
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _buffer(column: pa.Array, width: int) -> bytes:
    buffer = column.buffers()[1]
    if buffer is None or not len(column):
        return b""
    return bytes(memoryview(buffer)[column.offset * width : (column.offset + len(column)) * width])


def _unscaled(column: pa.Array) -> pa.Array:
    whole = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(column), column.buffers(), offset=column.offset
    )
    return whole if column.type.precision <= 18 else whole.cast(pa.string())


def _texts(sizes: Sequence[int], data: bytes) -> list[Any]:
    found = []
    at = 0
    for size in sizes:
        if size < 0:
            raise ValueError("a text of negative length")
        found.append(data[at : at + size].decode("utf-8"))
        at += size
    if at != len(data):
        raise ValueError("texts and their lengths differ")
    return found
