"""Writes rows into a new SQLite file in batches, keyed by counters per table."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlglot import exp

_BATCH = 20_000


class TableWriter:
    """One new SQLite database; rows are buffered per table and written by `executemany`."""

    def __init__(self, path: Path, ddl: Iterable[str]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("BEGIN")
        for statement in ddl:
            self._connection.execute(statement)
        self._rows: dict[str, list[Sequence[Any]]] = defaultdict(list)
        self._last: Counter[str] = Counter()

    def next_id(self, table: str, first: int = 1) -> int:
        """Returns the next number of a table."""
        self._last[table] += 1
        return first + self._last[table] - 1

    def add(self, table: str, *values: Any) -> None:
        """Adds one row, its values in the order of the table's columns."""
        rows = self._rows[table]
        rows.append([_plain(value) for value in values])
        if len(rows) >= _BATCH:
            self._flush(table)

    def close(self, indexes: Iterable[str] = ()) -> None:
        """Writes what is left, then makes the indexes."""
        for table in self._rows:
            self._flush(table)
        for statement in indexes:
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        self._connection.execute("ANALYZE")
        self._connection.close()

    def _flush(self, table: str) -> None:
        rows = self._rows[table]
        if not rows:
            return
        values = exp.Tuple(expressions=[exp.Placeholder() for _ in rows[0]])
        statement = exp.insert(exp.Values(expressions=[values]), table)
        self._connection.executemany(statement.sql(dialect="sqlite"), rows)
        rows.clear()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        # As a database driver writes a decimal: by its digits, the column's affinity decides.
        return str(value)
    return value
