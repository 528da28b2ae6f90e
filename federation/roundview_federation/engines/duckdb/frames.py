"""Decides what the server and a worker say to each other: frames with Arrow inside.

A frame is a header of 16 bytes (kind, number of a table, length of the body) and a body. A table
travels as TABLE (its name), SCHEMA, any number of BATCH, and DONE; tables may travel side by side,
each under its number. What is DONE is added to the table of that name, which DROP forgets. The
worker answers QUERY with SCHEMA, any number of BATCH and DONE, KEEP with DONE, either with FAILED
at any point, and RESET with READY.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Final, TypeAlias

import pyarrow as pa

HEADER: Final = struct.Struct("<IIQ")
NUMBER: Final = struct.Struct("<Q")
"""What travels on the control line: the number of the request to interrupt."""
MOST_VIEWS: Final = 512
"""Buffers per system call; Linux takes 1,024."""

View: TypeAlias = memoryview | bytes


class Kind(IntEnum):
    """What a frame carries."""

    TABLE = 1
    SCHEMA = 2
    BATCH = 3
    DONE = 4
    QUERY = 5
    KEEP = 6
    RESET = 7
    FAILED = 8
    READY = 9
    DROP = 10


def frame(kind: Kind, *body: View, table: int = 0) -> list[View]:
    """Returns the buffers of one frame; the body is not copied."""
    return [HEADER.pack(kind, table, sum(map(_size, body))), *body]


def size_of(views: list[View]) -> int:
    """Returns the bytes of all buffers together."""
    return sum(map(_size, views))


def sent(views: list[View], count: int) -> list[View]:
    """Returns what is left to send after that many bytes."""
    for at, view in enumerate(views):
        size = _size(view)
        if count < size:
            return [memoryview(view)[count:], *views[at + 1 :]]
        count -= size
    return []


class BatchEncoder:
    """Turns batches of one schema into frames that point into the batches' own memory."""

    def __init__(self, schema: pa.Schema, table: int = 0) -> None:
        self._table = table
        self._sink = _Collector()
        self._writer = pa.ipc.new_stream(self._sink, schema)
        # The writer puts the schema before its first batch; here it has a frame of its own.
        self._writer.write_batch(pa.RecordBatch.from_pylist([], schema=schema))
        self._sink.take()
        self.schema_frame = frame(Kind.SCHEMA, memoryview(schema.serialize()), table=table)

    def encode(self, batch: pa.RecordBatch) -> list[View]:
        """Returns the frame of one batch.

        Raises pyarrow.ArrowInvalid where the batch is of another schema.
        """
        self._writer.write_batch(batch)
        return frame(Kind.BATCH, *self._sink.take(), table=self._table)


def read_schema(body: pa.Buffer) -> pa.Schema:
    """Returns the schema of a SCHEMA frame."""
    return pa.ipc.read_schema(body)


def read_batch(body: pa.Buffer, schema: pa.Schema) -> pa.RecordBatch:
    """Returns the batch of a BATCH frame; its columns point into the body."""
    return pa.ipc.read_record_batch(body, schema)


class _Collector:
    """Keeps what an IPC writer writes, buffer by buffer."""

    def __init__(self) -> None:
        self.closed = False
        self._views: list[View] = []

    def write(self, data: Any) -> int:
        view = data if isinstance(data, bytes) else memoryview(data).cast("B")
        self._views.append(view)
        return _size(view)

    def flush(self) -> None:
        return

    def take(self) -> list[View]:
        """Returns what was written since the last call."""
        views, self._views = self._views, []
        return views


def _size(view: View) -> int:
    return len(view) if isinstance(view, bytes) else view.nbytes
