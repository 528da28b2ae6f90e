"""Decides how rows become messages: one per row, all of them made at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roundview_sql.encoding.binary import binary_piece
from roundview_sql.encoding.pieces import Fixed, Piece, big_endian, binary_of, varying
from roundview_sql.encoding.text import text_column
from roundview_sql.type_codes import Column

TEXT: Final = 0
BINARY: Final = 1
DATA_ROW: Final = ord("D")
COPY_DATA: Final = ord("d")
_HEAD: Final = 7


def encode_rows(
    batch: pa.RecordBatch,
    columns: Sequence[Column],
    formats: Sequence[int],
    *,
    tag: int = DATA_ROW,
) -> memoryview:
    """Returns the DataRow messages of a batch, or with another `tag` rows of a binary COPY.

    `formats` has 0 for text and 1 for binary, one for each column.
    """
    if not batch.num_rows:
        return memoryview(b"")
    pieces: list[Piece] = [
        binary_piece(array, column.oid, is_exact=column.is_exact)
        if format_ == BINARY
        else varying(text_column(array, column.oid, is_exact=column.is_exact))
        for array, column, format_ in zip(batch.columns, columns, formats, strict=True)
    ]
    return _joined(pieces, batch.num_rows, tag)


def _joined(pieces: Sequence[Piece], count: int, tag: int) -> memoryview:
    total = np.full(count, 6 + 4 * len(pieces), np.int32)
    for piece in pieces:
        if isinstance(piece, Fixed):
            total += np.int32(piece.matrix.shape[1])
        else:
            total += np.maximum(piece.lengths, 0)
    head = np.empty((count, _HEAD), np.uint8)
    head[:, 0] = tag
    head[:, 1:5] = big_endian(total, ">i4")
    head[:, 5] = len(pieces) >> 8
    head[:, 6] = len(pieces) & 255
    run = [head]
    parts: list[pa.Array] = []
    for piece in pieces:
        if isinstance(piece, Fixed):
            width = piece.matrix.shape[1]
            run.append(np.broadcast_to(big_endian(np.array([width]), ">i4"), (count, 4)))
            run.append(piece.matrix)
        else:
            run.append(big_endian(piece.lengths, ">i4"))
            parts += (_run(run, count), piece.values)
            run = []
    if run:
        parts.append(_run(run, count))
    made = pc.binary_join_element_wise(*parts, b"") if len(parts) > 1 else parts[0]
    data = made.buffers()[2]
    offsets = np.frombuffer(made.buffers()[1], np.int32, count + 1 + made.offset)
    return memoryview(data)[int(offsets[made.offset]) : int(offsets[made.offset + count])]


def _run(parts: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], count: int) -> pa.Array:
    matrix = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    return binary_of(matrix, np.full(count, matrix.shape[1], np.int32))
