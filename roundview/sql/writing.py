"""Decides how an answer is written for other programs: JSON, CSV, Parquet or Arrow, as it comes."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roundview.sql.answers import SqlAnswer
from roundview.sql.naming import unique
from roundview.sql.texts import json_columns, text_column, text_columns
from roundview_catalog.errors import RequestError

Out = IO[bytes]

BINARY = frozenset({"parquet", "arrow"})
"""Formats that are no text: never written to a terminal."""

_PRIVATE = 0o600
_ROW_GROUP = 122_880


def write(answer: SqlAnswer, form: str, out: Out) -> int:
    """Writes an answer's rows as json, csv, parquet or arrow; returns how many there were."""
    return _WRITERS[form](answer, out)


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[Out]:
    """Yields where an answer goes: standard output, or a file that is there once it is whole.

    The file can be read by its owner only. Raises RequestError where it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    is_special = path.exists() and not stat.S_ISREG(path.stat().st_mode)
    part = path if is_special else path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    except OSError as error:
        raise RequestError(
            "the output file cannot be written", hint=error.strerror or "check its path"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        if not is_special:
            part.replace(path)
    except BaseException:
        if not is_special:
            part.unlink(missing_ok=True)
        raise


def _json(answer: SqlAnswer, out: Out) -> int:
    """Writes one array, an object per line; a column name that is there twice gets `_2`."""
    names = unique(answer.columns)
    count = 0
    out.write(b"[")
    for batch in answer.batches():
        columns = json_columns(batch, answer.result.columns)
        lines = [
            orjson.dumps(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)
        ]
        if lines:
            out.write(b",\n" if count else b"\n")
            out.write(b",\n".join(lines))
        count += len(lines)
    out.write(b"\n]\n" if count else b"]\n")
    return count


def _csv(answer: SqlAnswer, out: Out) -> int:
    """Writes RFC 4180: names as they are, NULL as nothing, empty text as `""`."""
    out.write(_csv_lines([pa.array([name]) for name in answer.columns]))
    count = 0
    for batch in answer.batches():
        if batch.num_rows:
            out.write(_csv_lines(text_columns(batch, answer.result.columns)))
        count += batch.num_rows
    return count


def _csv_lines(columns: Sequence[pa.Array]) -> bytes:
    fields = [_quoted(column) for column in columns]
    lines = pc.binary_join_element_wise(
        *fields, ",", null_handling="replace", null_replacement=""
    ).to_pylist()
    return "".join(f"{line}\r\n" for line in lines).encode()


def _quoted(column: pa.Array) -> pa.Array:
    inner = pc.replace_substring(column, '"', '""')
    quoted = pc.binary_join_element_wise('"', inner, '"', "")
    is_odd = pc.match_substring_regex(column, '[",\\r\\n]|^$')
    return pc.if_else(is_odd, quoted, column)


def _parquet(answer: SqlAnswer, out: Out) -> int:
    """Writes Parquet; intervals, which it has no type for, are text."""
    batches = _without_intervals(answer)
    first = next(batches, None)
    schema = first.schema if first is not None else _parquet_schema(answer)
    count = 0
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(_Sink(out), schema) as writer:
        while first is not None:
            waiting.append(first)
            count += first.num_rows
            first = next(batches, None)
            rows = sum(batch.num_rows for batch in waiting)
            if rows >= _ROW_GROUP or first is None:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
    return count


def _arrow(answer: SqlAnswer, out: Out) -> int:
    """Writes the Arrow IPC stream format."""
    count = 0
    with pa.ipc.new_stream(_Sink(out), answer.schema) as writer:
        for batch in answer.batches():
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _without_intervals(answer: SqlAnswer) -> Iterator[pa.RecordBatch]:
    for batch in answer.batches():
        for at, column in enumerate(answer.result.columns):
            if pa.types.is_interval(batch.column(at).type):
                text = text_column(batch.column(at), column.type)
                batch = batch.set_column(at, batch.schema.names[at], text)
        yield batch


def _parquet_schema(answer: SqlAnswer) -> pa.Schema:
    return pa.schema(
        [
            field.with_type(pa.string()) if pa.types.is_interval(field.type) else field
            for field in answer.schema
        ]
    )


class _Sink(io.RawIOBase):
    """Counts what was written, because a pipe cannot tell where it is."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._at += len(memoryview(data).cast("B"))
        self._out.write(data)
        return len(data)

    def tell(self) -> int:
        return self._at


_WRITERS: Mapping[str, Callable[[SqlAnswer, Out], int]] = MappingProxyType(
    {"json": _json, "csv": _csv, "parquet": _parquet, "arrow": _arrow}
)
