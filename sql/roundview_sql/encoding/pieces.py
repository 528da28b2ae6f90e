"""Decides what one column of encoded values is: equally wide bytes, or bytes with lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.int32]
NULL_LENGTH = -1


@dataclass(frozen=True, slots=True)
class Fixed:
    """Values of one width, none of them NULL: a matrix of bytes, one row per value."""

    matrix: Bytes


@dataclass(frozen=True, slots=True)
class Varying:
    """Values of any width: their lengths, -1 for NULL, and their bytes, none for NULL."""

    lengths: Lengths
    values: pa.Array


Piece = Fixed | Varying


def fixed(matrix: Bytes, array: pa.Array) -> Piece:
    """Returns equally wide values; those of the array that are NULL have no bytes."""
    if array.null_count == 0:
        return Fixed(matrix)
    valid = valid_of(array)
    width = matrix.shape[1]
    sizes = np.where(valid, np.int32(width), np.int32(0))
    return Varying(
        np.where(valid, np.int32(width), np.int32(NULL_LENGTH)), binary_of(matrix[valid], sizes)
    )


def varying(values: pa.Array) -> Varying:
    """Returns texts or bytes as values."""
    values = pc.cast(values, pa.binary())
    if values.null_count == 0:
        return Varying(lengths_of(values), values)
    valid = valid_of(values)
    filled = pc.fill_null(values, b"")
    lengths = lengths_of(filled)
    return Varying(np.where(valid, lengths, np.int32(NULL_LENGTH)), filled)


def masked(matrix: Bytes, kept: npt.NDArray[np.bool_], array: pa.Array) -> Varying:
    """Returns the bytes of each row that are kept; rows that are NULL in the array have none."""
    sizes = kept.sum(axis=1, dtype=np.int32)
    if array.null_count:
        valid = valid_of(array)
        kept = kept & valid[:, None]
        lengths = np.where(valid, sizes, np.int32(NULL_LENGTH))
        sizes = np.where(valid, sizes, np.int32(0))
    else:
        lengths = sizes
    return Varying(lengths, binary_of(matrix[kept], sizes))


def valid_of(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns which values are not NULL."""
    found: npt.NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return found


def numbers_of(array: pa.Array, dtype: Any) -> npt.NDArray[Any]:
    """Returns the numbers of a fixed-width array as they lie in memory, anything for NULL."""
    buffer = array.buffers()[1]
    return np.frombuffer(buffer, dtype, len(array) + array.offset)[array.offset :]


def lengths_of(values: pa.Array) -> Lengths:
    """Returns the lengths of an array of bytes."""
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + values.offset + 1)
    return np.diff(offsets[values.offset :])


def binary_of(data: Bytes, sizes: Lengths) -> pa.Array:
    """Returns an array of bytes that lie one behind another, cut by sizes."""
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.Array.from_buffers(
        pa.binary(),
        len(sizes),
        [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))],
    )


def big_endian(numbers: npt.NDArray[Any], dtype: str) -> Bytes:
    """Returns numbers as a matrix of their bytes: `big_endian(lengths, ">i4")`."""
    made = np.ascontiguousarray(numbers.astype(dtype, copy=False))
    return made.view(np.uint8).reshape(len(made), made.dtype.itemsize)
