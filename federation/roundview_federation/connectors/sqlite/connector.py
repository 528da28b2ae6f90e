"""Reads SQLite files in place: read-only, in own threads, interruptible."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.answers import (
    TOO_MANY_BELOW,
    AnswerSize,
    TooManyBelow,
    with_children,
)
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.sqlite.accesses import read_accesses
from roundview_federation.connectors.sqlite.schema import read_tables
from roundview_federation.connectors.sqlite.statement import SqliteCall, compile_call
from roundview_federation.connectors.workers import Job, Workers
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.connectors.streaming import Relay

T = TypeVar("T")

_INTROSPECTION_SECONDS: Final = 30.0
_PROOF_SECONDS: Final = 5.0
_INT64: Final = range(-(2**63), 2**63)
_NUL: Final = rb"\u0000"
_FIRST_BATCH: Final = 64
_LARGEST_BATCH: Final = 2_048
# Of the virtual machine: some milliseconds, so that point reads never meet the handler.
_OPERATIONS_BETWEEN_CHECKS: Final = 100_000
_LOCKED_PAUSE_SECONDS: Final = 0.005
_LARGEST_VALUE: Final = 2**31 - 1
_TOO_LARGE: Final = "leave the column out, or raise limits.bytes"


@dataclass(slots=True)
class _Opened:
    """One thread's connection and which file it is; a replaced file is opened anew."""

    connection: sqlite3.Connection | None = None
    file: tuple[int, int] = (0, 0)


class SqliteConnector:
    """One SQLite file; statements run in a few threads with a connection each."""

    capabilities = Capabilities(
        dialect="sqlite",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Is"}),
        joins=True,
        children=True,
        first_rows=True,
        order=True,
        limit=True,
        top_rows=True,
        batches=True,
    )

    def __init__(self, source: Source, *, env: Mapping[str, str]) -> None:
        self.source = source.name
        self._tables = source.tables
        self._limits = source.limits
        self._prefix = str(source.connection.get("table_prefix", ""))
        self._path = connections.path(source, "path", env)
        self._workers: Workers[_Opened] = Workers(
            source.name, source.limits.concurrency, _Opened, _interrupt, _disconnect
        )

    def compile(self, fragment: Fragment) -> SqliteCall:
        """Returns the statement: key sets as JSON arrays, children as JSON columns."""
        return compile_call(fragment, self._tables)

    async def rows(self, call: SqliteCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Runs the statement; cancelling the task or passing the deadline interrupts it."""
        bound = _bound(call, params)
        return await self._workers.run(
            lambda opened, job: self._asked(
                opened, job, lambda connection: self._fetch(call, bound, connection, job)
            ),
            deadline,
        )

    def batches(
        self, call: SqliteCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as Arrow; the thread waits while the reader does."""
        from roundview_federation.connectors.columns import outline_of
        from roundview_federation.connectors.sqlite.bulk import send
        from roundview_federation.connectors.streaming import streamed

        outline = outline_of(self.source, call.fragment, self._tables)
        bound = _bound(call, params)

        def produce(relay: Relay[pa.RecordBatch]) -> Coroutine[Any, Any, None]:
            def work(connection: sqlite3.Connection, job: Job[_Opened]) -> None:
                _watch(connection, job)

                def worded(error: sqlite3.Error) -> SourceError:
                    return self._late() if job.is_over else self._worded(error)

                send(connection, call, bound, outline, relay, worded)

            return self._workers.run(
                lambda opened, job: self._asked(opened, job, lambda c: work(c, job)), deadline
            )

        return streamed(produce)

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns tables, columns, keys, indexes and estimates from SQLite's own catalog."""
        return await self._workers.run(
            lambda opened, job: self._asked(
                opened, job, lambda connection: read_tables(connection, self._prefix)
            ),
            Deadline.after(_INTROSPECTION_SECONDS),
        )

    async def prove_read_only(self) -> str:
        """Returns how the file is open, as the connection itself says."""
        return await self._workers.run(
            lambda opened, job: self._asked(opened, job, self._prove),
            Deadline.after(_PROOF_SECONDS),
        )

    async def warm(self, calls: Sequence[SqliteCall], deadline: Deadline) -> None:
        """Opens the file, as every thread does for itself."""
        await self.prove_read_only()

    def explain(self, call: SqliteCall) -> str:
        """Returns the statement."""
        return call.text

    async def accesses(
        self, call: SqliteCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns what EXPLAIN QUERY PLAN says of each table."""
        bound = _bound(call, params)
        return await self._workers.run(
            lambda opened, job: self._asked(
                opened, job, lambda connection: read_accesses(connection, call.text, bound)
            ),
            deadline,
        )

    async def close(self) -> None:
        """Interrupts what runs and closes the connections."""
        await self._workers.close()

    # -- in a worker's thread ----------------------------------------------------------------

    def _asked(
        self, opened: _Opened, job: Job[_Opened], work: Callable[[sqlite3.Connection], T]
    ) -> T:
        """Returns `work(connection)`; waits for locks, names whatever else goes wrong."""
        while True:
            try:
                return work(self._connection(opened))
            except sqlite3.Error as error:
                if job.is_over:
                    raise self._late() from None
                if _is_undecodable(error) and opened.connection is not None:
                    # From now on this connection reads text with replacement characters.
                    opened.connection.text_factory = _replacing
                elif _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    time.sleep(_LOCKED_PAUSE_SECONDS)
                else:
                    raise self._worded(error) from None

    def _fetch(
        self,
        call: SqliteCall,
        bound: Mapping[str, Any],
        connection: sqlite3.Connection,
        job: Job[_Opened],
    ) -> Answer:
        _watch(connection, job)
        try:
            cursor = connection.execute(call.text, bound)
        except OverflowError:
            # A number that no SQLite column can hold equals none of its values.
            return Answer([])
        size = AnswerSize(self._limits.bytes)
        wanted = call.row_cap + 1
        rows: list[tuple[Any, ...]] = []
        batch = _FIRST_BATCH
        try:
            while fetched := cursor.fetchmany(min(batch, wanted - len(rows))):
                rows += fetched
                if size.is_over(fetched) or len(rows) >= wanted:
                    break
                batch = min(batch * 4, _LARGEST_BATCH, size.room)
        finally:
            cursor.close()
        is_truncated = len(rows) > call.row_cap or size.is_exceeded
        del rows[call.row_cap :]
        try:
            rows = with_children(rows, call.children, call.row_cap)
        except TooManyBelow:
            what, hint = TOO_MANY_BELOW
            raise self._failed(what, "RV405", hint) from None
        return Answer(rows, is_truncated=is_truncated)

    def _connection(self, opened: _Opened) -> sqlite3.Connection:
        try:
            status = os.stat(self._path)
        except OSError:
            raise self._failed(
                "cannot be opened: there is no such file", "RV402", "check connection.path"
            ) from None
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for somebody to write into it.
            raise self._failed("cannot be opened as SQLite", "RV402", "check connection.path")
        file = (status.st_dev, status.st_ino)
        if opened.connection is not None and opened.file == file:
            return opened.connection
        _disconnect(opened)
        opened.connection = connect_read_only(self._path, self._limits.bytes)
        opened.file = file
        return opened.connection

    def _prove(self, connection: sqlite3.Connection) -> str:
        if connection.execute("PRAGMA query_only").fetchone() != (1,):
            raise self._failed("is not proven to be read-only", "RV407")
        return "opened with mode=ro and query_only"

    def _worded(self, error: sqlite3.Error) -> SourceError:
        primary = _primary(error)
        if primary == sqlite3.SQLITE_TOOBIG:
            return self._failed("holds a value above limits.bytes", "RV405", _TOO_LARGE)
        if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOTADB):
            return self._failed("cannot be opened as SQLite", "RV402", "check connection.path")
        if primary == sqlite3.SQLITE_ERROR:
            return self._failed(
                "does not have the tables and columns of its schema file",
                "RV403",
                f"run roundview introspect {self.source}",
            )
        return self._failed("failed while reading", "RV400")

    def _late(self) -> SourceError:
        return self._failed("did not answer in time", "RV401")

    def _failed(self, what: str, code: str, hint: str = "") -> SourceError:
        return SourceError(self.source, f"{self.source} {what}", code=code, hint=hint)


def connect_read_only(path: Path, largest_value: int) -> sqlite3.Connection:
    """Opens a file so that nothing can be written: by the file mode and by the connection.

    Functions and virtual tables that the file's own schema names do not run, and no value
    above `largest_value` bytes is read. A locked file is an error at once, so that waiting for
    it stays interruptible.
    """
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA query_only = on")
    connection.execute("PRAGMA trusted_schema = off")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(largest_value, _LARGEST_VALUE))
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def json_keys(keys: Any) -> str:
    """Returns a key set as one JSON array, without keys that no SQLite column can hold.

    SQLite ends a JSON string at NUL, which would turn one key into another.
    """
    try:
        encoded = orjson.dumps(keys)
    except TypeError:
        encoded = _NUL
    if _NUL in encoded:
        encoded = orjson.dumps([key for key in keys if _is_possible(key)], default=str)
    return encoded.decode()


def _bound(call: SqliteCall, params: Mapping[str, Any]) -> dict[str, Any]:
    bound = {name: params[asked] for name, asked in call.names.params.items()}
    return bound | {name: json_keys(params[asked]) for name, asked in call.names.keysets.items()}


def _is_possible(key: Any) -> bool:
    if isinstance(key, tuple):
        return all(map(_is_possible, key))
    if isinstance(key, int):
        return key in _INT64
    if isinstance(key, str):
        return "\0" not in key and not any("\ud800" <= letter <= "\udfff" for letter in key)
    return True


def _watch(connection: sqlite3.Connection, job: Job[_Opened]) -> None:
    connection.set_progress_handler(lambda: job.is_over, _OPERATIONS_BETWEEN_CHECKS)


def _interrupt(opened: _Opened) -> None:
    connection = opened.connection
    # Its thread may be closing it at this moment, because the file was replaced.
    with suppress(sqlite3.ProgrammingError):
        if connection is not None:
            connection.interrupt()


def _disconnect(opened: _Opened) -> None:
    connection, opened.connection = opened.connection, None
    if connection is not None:
        connection.close()


def _primary(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", -1) & 0xFF


def _is_undecodable(error: sqlite3.Error) -> bool:
    return "decode to UTF-8" in str(error)


def _replacing(value: bytes) -> str:
    return value.decode("utf-8", "replace")
