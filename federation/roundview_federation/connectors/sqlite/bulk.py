"""Decides how rows of SQLite become Arrow: by what each value is, not by what was declared."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from types import NoneType
from typing import Any, Final

import pyarrow as pa

from roundview_catalog.errors import SourceError
from roundview_federation.connectors.columns import Outline
from roundview_federation.connectors.sqlite.statement import SqliteCall
from roundview_federation.connectors.streaming import BatchSize, Relay

_TEXTS_ONLY: Final = frozenset({bytearray, NoneType})


def send(
    connection: sqlite3.Connection,
    call: SqliteCall,
    bound: Mapping[str, Any],
    outline: Outline,
    relay: Relay[pa.RecordBatch],
    worded: Callable[[sqlite3.Error], SourceError],
) -> None:
    """Puts the rows of a statement into a relay until its reader has enough.

    Errors before the first batch are those of SQLite, so that a locked file is asked again;
    afterwards they are `worded`.
    """
    before = connection.text_factory
    # Texts arrive as bytes that are no BLOB: Arrow reads many of them at once.
    connection.text_factory = bytearray
    has_sent = False
    left = call.row_cap + 1
    size = BatchSize()
    try:
        with closing(connection.execute(call.text, bound)) as cursor:
            while left > 0 and (rows := cursor.fetchmany(min(size.rows, left))):
                batch = outline.batch([_readable(column) for column in zip(*rows, strict=True)])
                left -= len(rows)
                size.learn(batch)
                has_sent = True
                if not relay.put_from_thread(batch):
                    return
    except OverflowError:
        # A number that no SQLite column can hold equals none of its values.
        return
    except sqlite3.Error as error:
        if has_sent:
            raise worded(error) from None
        raise
    finally:
        connection.text_factory = before


def _readable(column: Sequence[Any]) -> Sequence[Any] | pa.Array:
    """Returns a column with its texts as texts, those that are no UTF-8 with replacements."""
    classes = set(map(type, column))
    if bytearray not in classes:
        return column
    if classes <= _TEXTS_ONLY:
        try:
            return pa.array(column, pa.string())
        except pa.ArrowInvalid:
            pass
    return [
        value.decode("utf-8", "replace") if value.__class__ is bytearray else value
        for value in column
    ]
