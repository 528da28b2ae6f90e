"""Decides how DuckDB's own Arrow becomes the batches of a fragment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import duckdb
import pyarrow as pa

from roundview_federation.connectors.columns import Outline
from roundview_federation.connectors.streaming import LARGEST_BATCH, LARGEST_BYTES, Relay

_BY_FIRST_WORD: Final = MappingProxyType(
    {
        "INTERRUPT": duckdb.InterruptException,
        "Out": duckdb.OutOfMemoryException,
        "IO": duckdb.IOException,
    }
)


def send(
    cursor: duckdb.DuckDBPyConnection,
    text: str,
    values: Mapping[str, Any],
    outline: Outline,
    relay: Relay[pa.RecordBatch],
) -> None:
    """Puts the rows of a statement into a relay until its reader has enough."""
    for read in _read(cursor, text, dict(values)):
        batch = outline.batch(read.columns)
        pieces = max(1, -(-batch.nbytes // LARGEST_BYTES))
        rows = max(1, -(-batch.num_rows // pieces))
        for at in range(0, batch.num_rows, rows):
            if not relay.put_from_thread(batch.slice(at, rows)):
                return


def _read(
    cursor: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    reader: Any
    # Up to 1.5 a relation with parameters is read whole first, since 2.0 a statement's result.
    if duckdb.__version__.startswith("1."):
        reader = cursor.execute(text, values).to_arrow_reader(LARGEST_BATCH)
    else:
        reader = cursor.sql(text, params=values).to_arrow_reader(LARGEST_BATCH)
    try:
        yield from reader
    except OSError as error:
        # What goes wrong after the first rows comes through Arrow, which keeps the text only.
        kind = _BY_FIRST_WORD.get(str(error).partition(" ")[0], duckdb.InvalidInputException)
        raise kind(str(error)) from None
