"""Decides what the DuckDB of a worker may do, how it reads a statement and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import duckdb
import pyarrow as pa

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any] | None

ROWS_PER_BATCH: Final = 65_536

_SAFE: Final[Mapping[str, str]] = {
    "temp_directory": "",
    "max_temp_directory_size": "0B",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_LOCKED: Final = (
    # Late materialisation reads twice what a TopN over few rows needs once.
    "SET GLOBAL late_materialization_max_rows = 0",
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)

INTERRUPTED: Final = "RV502"
MEMORY: Final = "RV503"

_BY_CLASS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (duckdb.InterruptException, INTERRUPTED),
    (duckdb.OutOfMemoryException, MEMORY),
    (MemoryError, MEMORY),
)
# What fails while batches are read arrives as an OSError of pyarrow, with DuckDB's text.
_BY_TEXT: Final = (
    ("INTERRUPT Error", INTERRUPTED),
    ("Out of Memory Error", MEMORY),
    ("std::bad_alloc", MEMORY),
    ("malloc of size", MEMORY),
    ("realloc of size", MEMORY),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds one worker: bytes for DuckDB's work, bytes for all of it, and DuckDB's threads."""

    work_bytes: int
    total_bytes: int
    threads: int


class RefusedError(Exception):
    """The text is not one SELECT: what makes the SQL is wrong."""


def open_locked(limits: Limits) -> duckdb.DuckDBPyConnection:
    """Returns an in-memory DuckDB that reaches no file and no network and can change no setting."""
    config: dict[str, Any] = {
        **_SAFE,
        "memory_limit": f"{limits.work_bytes}B",
        "threads": limits.threads,
    }
    database = duckdb.connect(":memory:", config=config)
    for statement in _LOCKED:
        database.execute(statement)
    return database


def read(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters
) -> pa.RecordBatchReader:
    """Runs one SELECT; its batches are made while they are read.

    Raises RefusedError for anything but one SELECT, else what `bound_of` and `state_of` know.
    """
    statements = cursor.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RefusedError
    if _IS_FIRST:
        return cursor.execute(statements[0], parameters).to_arrow_reader(ROWS_PER_BATCH)
    # From DuckDB 2 on, Arrow of an executed statement is a copy; that of a relation is not.
    relation = cursor.sql(statements[0], params=parameters)
    return relation.to_arrow_reader(ROWS_PER_BATCH)


def keep(cursor: duckdb.DuckDBPyConnection, name: str, sql: str, parameters: Parameters) -> int:
    """Stores what one SELECT returns as a table of this cursor alone; returns its rows."""
    statements = cursor.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RefusedError
    quoted = name.replace('"', '""')
    done = cursor.execute(f'CREATE TEMP TABLE "{quoted}" AS {sql}', parameters).fetchone()
    return int(done[0]) if done else 0


def bound_of(error: BaseException) -> str:
    """Returns the error code of the bound that a statement met, empty for any other error."""
    for expected, code in _BY_CLASS:
        if isinstance(error, expected):
            return code
    text = str(error)
    for start, code in _BY_TEXT:
        if start in text[:200]:
            return code
    return ""


_IS_FIRST: Final = duckdb.__version__.startswith("1.")
