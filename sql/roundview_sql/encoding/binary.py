"""Decides the binary form of each type: what PostgreSQL's send functions write."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roundview_sql import type_codes as codes
from roundview_sql.encoding.numeric import numeric_piece
from roundview_sql.encoding.pieces import (
    Fixed,
    Piece,
    big_endian,
    fixed,
    lengths_of,
    numbers_of,
    varying,
)
from roundview_sql.encoding.text import text_column

DAYS = 10_957
"""Days from the epoch of Arrow, 1970, to that of PostgreSQL, 2000."""
MICROSECONDS = DAYS * 86_400_000_000
_NIBBLES = np.zeros(256, np.uint8)
_NIBBLES[48:58] = np.arange(10)
_NIBBLES[97:103] = np.arange(10, 16)
_NIBBLES[65:71] = np.arange(10, 16)
_UUID_DIGITS = np.array([at for at in range(36) if at not in (8, 13, 18, 23)])


def binary_piece(array: pa.Array, oid: int, *, is_exact: bool = True) -> Piece:
    """Returns a column in the binary form of the type with an OID."""
    if oid == codes.NUMERIC:
        return numeric_piece(array, is_exact=is_exact)
    if pa.types.is_struct(array.type):
        return binary_piece(array.flatten()[0], oid)
    element = codes.element_of(oid)
    if element is not None and pa.types.is_list(array.type):
        return varying(_arrays(array, element))
    encode = _ENCODERS.get(oid)
    return encode(array) if encode is not None else varying(text_column(array, oid))


def _whole(arrow: Any, dtype: str) -> Callable[[pa.Array], Piece]:
    def encode(array: pa.Array) -> Piece:
        array = pc.cast(array, arrow)
        numbers = numbers_of(array, np.dtype(dtype).newbyteorder("<"))
        return fixed(big_endian(numbers, dtype), array)

    return encode


def _bool(array: pa.Array) -> Piece:
    bytes_ = pc.cast(pc.fill_null(array, fill_value=False), pa.uint8())
    return fixed(numbers_of(bytes_, np.uint8).reshape(-1, 1), array)


def _date(array: pa.Array) -> Piece:
    days = numbers_of(pc.cast(array, pa.date32()), "<i4")
    far = np.abs(days.astype(np.int64)) == 2**31 - 1
    moved = np.where(far, np.where(days < 0, -(2**31), 2**31 - 1), days.astype(np.int64) - DAYS)
    return fixed(big_endian(moved, ">i4"), array)


def _timestamp(array: pa.Array) -> Piece:
    kind = pa.timestamp("us", array.type.tz)
    micros = numbers_of(pc.cast(array, kind), "<i8")
    far = np.abs(micros) == 2**63 - 1
    # What is beyond PostgreSQL's own range was none of its timestamps before.
    moved = np.where(far, np.where(micros < 0, -(2**63), 2**63 - 1), micros - MICROSECONDS)
    return fixed(big_endian(moved, ">i8"), array)


def _time(array: pa.Array) -> Piece:
    return fixed(big_endian(numbers_of(pc.cast(array, pa.time64("us")), "<i8"), ">i8"), array)


def _interval(array: pa.Array) -> Piece:
    raw = numbers_of(array, np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")]))
    made = np.empty(len(raw), np.dtype([("micros", ">i8"), ("days", ">i4"), ("months", ">i4")]))
    made["micros"] = raw["nanos"] // 1000
    made["days"] = raw["days"]
    made["months"] = raw["months"]
    return fixed(made.view(np.uint8).reshape(len(raw), 16), array)


def _uuid(array: pa.Array) -> Piece:
    if pa.types.is_fixed_size_binary(array.type):
        return varying(array)
    texts = pc.fill_null(pc.cast(array, pa.string()), "0" * 36)
    if not len(texts) or (lengths_of(texts) != 36).any():
        # Not all are canonical texts: written the slow way.
        bytes_ = [
            None if one is None else bytes.fromhex(one.replace("-", ""))
            for one in array.to_pylist()
        ]
        return varying(pa.array(bytes_, pa.binary()))
    start = texts.offset * 36
    data = np.frombuffer(texts.buffers()[2], np.uint8)
    first = int(np.frombuffer(texts.buffers()[1], np.int32)[texts.offset]) if start else 0
    signs = _NIBBLES[data[first : first + 36 * len(texts)].reshape(-1, 36)[:, _UUID_DIGITS]]
    nibbles = signs[:, ::2].astype(np.uint8) << np.uint8(4) | signs[:, 1::2]
    return fixed(nibbles.astype(np.uint8), array)


def _json(array: pa.Array) -> Piece:
    texts = pc.cast(text_column(array, codes.JSONB), pa.binary())
    return varying(pc.binary_join_element_wise(pa.scalar(b"\x01"), texts, b""))


def _vector(oid: int) -> Callable[[pa.Array], Piece]:
    """Returns what writes int2vector and oidvector, which are arrays that begin at 0."""
    way, size = (">h", 2) if oid == codes.INT2 else (">I", 4)

    def encode(array: pa.Array) -> Piece:
        made: list[bytes | None] = []
        for text in text_column(array, codes.TEXT).to_pylist():
            if text is None:
                made.append(None)
                continue
            items = [int(part) for part in text.split()]
            head = struct.pack(">iiIii", 1, 0, oid, len(items), 0)
            body = b"".join(struct.pack(">i", size) + struct.pack(way, one) for one in items)
            made.append(head + body)
        return varying(pa.array(made, pa.binary()))

    return encode


def _arrays(array: pa.Array, element: int) -> pa.Array:
    """Returns arrays of one dimension."""
    inner = binary_items(array.flatten(), element)
    made: list[bytes | None] = []
    at = 0
    for count in pc.list_value_length(array).to_pylist():
        if count is None:
            made.append(None)
            continue
        items = inner[at : at + count]
        at += count
        if not items:
            made.append(struct.pack(">iiI", 0, 0, element))
            continue
        head = struct.pack(">iiIii", 1, int(None in items), element, count, 1)
        parts = [
            b"\xff\xff\xff\xff" if one is None else struct.pack(">i", len(one)) + one
            for one in items
        ]
        made.append(head + b"".join(parts))
    return pa.array(made, pa.binary())


def binary_items(array: pa.Array, oid: int) -> list[bytes | None]:
    """Returns each value of a column in binary, None for NULL."""
    piece = binary_piece(array, oid)
    if isinstance(piece, Fixed):
        return [bytes(row) for row in piece.matrix]
    return [
        None if length < 0 else value
        for value, length in zip(piece.values.to_pylist(), piece.lengths.tolist(), strict=True)
    ]


_ENCODERS: Mapping[int, Callable[[pa.Array], Piece]] = MappingProxyType(
    {
        codes.BOOL: _bool,
        codes.INT2: _whole(pa.int16(), ">i2"),
        codes.INT4: _whole(pa.int32(), ">i4"),
        codes.INT8: _whole(pa.int64(), ">i8"),
        codes.FLOAT4: _whole(pa.float32(), ">f4"),
        codes.FLOAT8: _whole(pa.float64(), ">f8"),
        codes.DATE: _date,
        codes.TIME: _time,
        codes.TIMESTAMP: _timestamp,
        codes.TIMESTAMPTZ: _timestamp,
        codes.INTERVAL: _interval,
        codes.UUID: _uuid,
        codes.JSONB: _json,
        codes.INT2VECTOR: _vector(codes.INT2),
        codes.OIDVECTOR: _vector(codes.OID),
        **{oid: _whole(pa.uint32(), ">u4") for oid in codes.OIDS},
    }
)
