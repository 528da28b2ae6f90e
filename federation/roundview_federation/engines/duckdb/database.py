"""Decides what the DuckDB of a worker may do, how it reads a statement and what its errors mean."""

from __future__ import annotations

import re
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

NUMBER_RANGE: Final = "RV130"
DIVISION: Final = "RV131"
TEXT: Final = "RV132"
CARDINALITY: Final = "RV133"
ARGUMENT: Final = "RV134"
TIME_RANGE: Final = "RV135"
FAILED: Final = "RV500"
INTERRUPTED: Final = "RV502"
MEMORY: Final = "RV503"

UNSUPPORTED: Final = "RV103"

_NAMED: Final = re.compile(r"Invalid Input Error: (RV1\d\d)\b")
# Generated SQL marks its own failures with the SQLSTATE that PostgreSQL has for them.
_MARKED: Final = re.compile(r"\broundview:([0-9A-Z]{5})\b")
_BY_STATE: Final[Mapping[str, str]] = {
    "0A000": UNSUPPORTED,
    "21000": CARDINALITY,
    "22003": NUMBER_RANGE,
    "22008": TIME_RANGE,
    "22012": DIVISION,
    "22P02": TEXT,
    "42803": "RV126",
    "54000": "RV127",
}
# PostgreSQL's numeric has no end where these overflow.
_BEYOND: Final = ("INT128", "HUGEINT", "DECIMAL(")
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
_NUMBER_AS_TEXT: Final = re.compile(r"convert string '\s*[-+]?\d+\s*' to U?INT")
_DATA_ERRORS: Final = re.compile(
    r"(Out of Range|Conversion|Invalid Input|Divide by Zero|Mismatch Type) Error: "
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

    Raises RefusedError for anything but one SELECT, else what `code_of` knows.
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


def code_of(error: BaseException) -> str:
    """Returns the error code of what a statement raised.

    Generated SQL may call `error('RV131')` to fail with a code of its own choice.
    """
    for expected, code in _BY_CLASS:
        if isinstance(error, expected):
            return code
    text = str(error)
    for start, code in _BY_TEXT:
        if start in text[:200]:
            return code
    if (named := _NAMED.match(text)) is not None:
        return named[1]
    if (marked := _MARKED.search(text)) is not None:
        return _BY_STATE.get(marked[1], ARGUMENT)
    if (found := _DATA_ERRORS.match(text)) is not None:
        return _data_code(found[1], text)
    return FAILED


def _data_code(kind: str, text: str) -> str:
    if kind == "Divide by Zero" or "Division by zero" in text:
        return DIVISION
    if kind in ("Out of Range", "Conversion") and any(name in text for name in _BEYOND):
        return UNSUPPORTED
    if "More than one row returned by a subquery" in text:
        return CARDINALITY
    about_time = any(word in text[:160] for word in ("date", "Date", "timestamp", "interval"))
    if kind in ("Out of Range", "Conversion") and about_time and "out of range" in text:
        return TIME_RANGE
    if kind == "Out of Range":
        # Roots and logarithms; PostgreSQL has codes of its own for them.
        return ARGUMENT if "cannot take" in text else NUMBER_RANGE
    if kind == "Conversion":
        is_text = "convert string" in text or "format" in text
        return TEXT if is_text and _NUMBER_AS_TEXT.search(text) is None else NUMBER_RANGE
    return ARGUMENT


_IS_FIRST: Final = duckdb.__version__.startswith("1.")
