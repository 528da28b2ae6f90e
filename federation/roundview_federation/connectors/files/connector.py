"""Reads files through a small in-process DuckDB: one thread, no way out of the root."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import duckdb

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import Kind
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.answers import AnswerSize
from roundview_federation.connectors.files.layout import (
    MOST_FILES,
    File,
    Layout,
    OutsideError,
    TooManyFilesError,
)
from roundview_federation.connectors.files.schema import read_table
from roundview_federation.connectors.files.statement import FilesCall, compile_call
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.workers import Job, Workers
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.connectors.streaming import Relay

T = TypeVar("T")

_INTROSPECTION_SECONDS: Final = 30.0
_PROOF_SECONDS: Final = 5.0
_FIRST_BATCH: Final = 64
_LARGEST_BATCH: Final = 2_048
_SAFE: Final[Mapping[str, str | int]] = {
    "threads": 1,
    "memory_limit": "512MB",
    "temp_directory": "",
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A statement with its values, and the files that it reads."""

    text: str
    values: Mapping[str, Any]
    files: Sequence[File]

    @property
    def newest(self) -> float:
        """Returns when the last of the files was changed."""
        return max((file.changed_at for file in self.files), default=0.0)

    @property
    def is_open_ended(self) -> bool:
        """Tells whether a file ends within a line."""
        return any(_is_open_ended(file.path) for file in self.files)


class FilesConnector:
    """A folder of files; statements run in a few threads, each with a cursor of its own."""

    capabilities = Capabilities(
        dialect="duckdb",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Like", "Is"}),
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
        self._limits = source.limits
        self._tables = source.tables
        self._root = connections.path(source, "root", env)
        self._layouts = {
            table.name: Layout(self._root, table.access)
            for table in source.tables.values()
            if isinstance(table.access, FileTable)
        }
        self._lock = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._workers: Workers[duckdb.DuckDBPyConnection] = Workers(
            source.name, source.limits.concurrency, self._connect, _interrupt, _disconnect
        )

    def compile(self, fragment: Fragment) -> FilesCall:
        """Returns the statement, with parameters where file names will stand."""
        return compile_call(fragment, self._tables)

    async def rows(self, call: FilesCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Picks the files, runs the statement; cancelling or the deadline interrupts it."""
        keys = _typed(call, params)
        if not all(keys.values()):
            return Answer([], calls=0)
        return await self._workers.run(
            lambda cursor, job: self._guarded(
                job, lambda: self._run(call, keys, params, cursor, job)
            ),
            deadline,
        )

    async def batches(
        self, call: FilesCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as DuckDB's own Arrow; its thread waits while the reader does."""
        from roundview_federation.connectors.columns import outline_of
        from roundview_federation.connectors.files.bulk import send
        from roundview_federation.connectors.streaming import streamed

        outline = outline_of(self.source, call.fragment, self._tables)
        keys = _typed(call, params)
        if not all(keys.values()):
            return

        def work(
            relay: Relay[pa.RecordBatch],
            cursor: duckdb.DuckDBPyConnection,
            job: Job[duckdb.DuckDBPyConnection],
        ) -> None:
            asked = self._asked(call, keys, params)
            # What was sent cannot be taken back: the files are looked at before, not after.
            tolerance = {call.tolerant: asked.is_open_ended} if call.tolerant else {}
            if job.is_over:
                raise self._failed("did not answer in time", "RV401")
            send(cursor, asked.text, {**asked.values, **tolerance}, outline, relay)

        def produce(relay: Relay[pa.RecordBatch]) -> Coroutine[Any, Any, None]:
            return self._workers.run(
                lambda cursor, job: self._guarded(job, lambda: work(relay, cursor, job)), deadline
            )

        async with aclosing(streamed(produce)) as batches:
            async for batch in batches:
                yield batch

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns columns and types as the files say them, claims of the catalog first."""
        return await self._workers.run(
            lambda cursor, job: self._guarded(
                job,
                lambda: {
                    name: read_table(cursor, name, layout, self._tables.get(name))
                    for name, layout in self._layouts.items()
                },
            ),
            Deadline.after(_INTROSPECTION_SECONDS),
        )

    async def prove_read_only(self) -> str:
        """Returns why nothing can be written: only SELECTs are made, and the engine is shut."""

        def prove(cursor: duckdb.DuckDBPyConnection) -> str:
            settings = dict(
                cursor.execute(
                    "SELECT name, value FROM duckdb_settings() WHERE name IN"
                    " ('enable_external_access', 'lock_configuration')"
                ).fetchall()
            )
            if settings != {"enable_external_access": "false", "lock_configuration": "true"}:
                raise self._failed("is not proven to be read-only", "RV407")
            return "only SELECT statements are made, by an engine that is locked to the folder"

        return await self._workers.run(
            lambda cursor, job: self._guarded(job, lambda: prove(cursor)),
            Deadline.after(_PROOF_SECONDS),
        )

    async def warm(self, calls: Sequence[FilesCall], deadline: Deadline) -> None:
        """Opens the engine."""
        await self.prove_read_only()

    def explain(self, call: FilesCall) -> str:
        """Returns the statement."""
        return call.many

    async def accesses(
        self, call: FilesCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns which tables are read from the buckets of keys only."""
        return tuple(
            Access(one.alias, f"bucket of {self._layouts[one.table].bucket_column}")
            if one.keys or one.value
            else Access(one.alias, "", is_scan=True)
            for one in call.inputs
        )

    async def close(self) -> None:
        """Interrupts what runs and closes the engine."""
        await self._workers.close()
        if self._database is not None:
            self._database.close()
            self._database = None

    # -- in a worker's thread ----------------------------------------------------------------

    def _run(
        self,
        call: FilesCall,
        keys: Mapping[str, list[Any]],
        params: Mapping[str, Any],
        cursor: duckdb.DuckDBPyConnection,
        job: Job[duckdb.DuckDBPyConnection],
    ) -> Answer:
        asked = self._asked(call, keys, params)
        if not call.tolerant:
            rows, is_large = self._fetch(cursor, asked.text, asked.values, job)
        else:
            values = {**asked.values, call.tolerant: False}
            try:
                rows, is_large = self._fetch(cursor, asked.text, values, job)
            except duckdb.InvalidInputException:
                # A last line without its end is still being written; any other is a mistake.
                if not asked.is_open_ended:
                    raise
                values[call.tolerant] = True
                rows, is_large = self._fetch(cursor, asked.text, values, job)
        is_truncated = len(rows) > call.row_cap or is_large
        del rows[call.row_cap :]
        return Answer(rows, datetime.fromtimestamp(asked.newest, UTC), is_truncated)

    def _asked(
        self, call: FilesCall, keys: Mapping[str, list[Any]], params: Mapping[str, Any]
    ) -> _Asked:
        """Returns the statement over the files that may hold the keys."""
        lists: dict[str, Any] = {}
        every: list[File] = []
        for one in call.inputs:
            wanted = keys[one.keys] if one.keys else [params[one.value]] if one.value else None
            files = self._files(one.table, wanted)
            lists[one.parameter] = [file.path for file in files]
            every += files
        is_single = all(len(values) == 1 for values in keys.values())
        bound = {name: params[asked] for name, asked in call.names.params.items()}
        sets = {
            name: keys[asked][0] if is_single else keys[asked]
            for name, asked in call.names.keysets.items()
        }
        text = call.one if is_single else call.many
        return _Asked(text, {**bound, **sets, **lists}, every)

    def _fetch(
        self,
        cursor: duckdb.DuckDBPyConnection,
        text: str,
        values: Mapping[str, Any],
        job: Job[duckdb.DuckDBPyConnection],
    ) -> tuple[list[tuple[Any, ...]], bool]:
        if job.is_over:
            raise self._failed("did not answer in time", "RV401")
        size = AnswerSize(self._limits.bytes)
        rows: list[tuple[Any, ...]] = []
        result = cursor.execute(text, dict(values))
        batch = _FIRST_BATCH
        while fetched := result.fetchmany(batch):
            rows += fetched
            if size.is_over(fetched):
                break
            batch = min(batch * 4, _LARGEST_BATCH, size.room)
        return rows, size.is_exceeded

    def _files(self, table: str, keys: list[Any] | None) -> list[File]:
        """Returns the files to read: where no key is in any, one that holds none of them."""
        layout = self._layouts[table]
        files = layout.files(keys)
        if not files and keys is not None:
            files = layout.files(None)[:1]
        if not files:
            raise self._failed(f"has no files for {table}", "RV402", "check path and root")
        return files

    def _guarded(self, job: Job[duckdb.DuckDBPyConnection], work: Callable[[], T]) -> T:
        """Runs work; names what may go wrong, without paths, values or statements."""
        try:
            return work()
        except OutsideError:
            raise self._failed("has a file outside its root", "RV404", "check for links") from None
        except TooManyFilesError:
            raise self._failed(
                f"has more than {MOST_FILES} files in one table", "RV405", "bucket them by key"
            ) from None
        except OSError:
            raise self._failed("cannot be reached", "RV402", "check connection.root") from None
        except duckdb.Error as error:
            if job.is_over or isinstance(error, duckdb.InterruptException):
                raise self._failed("did not answer in time", "RV401") from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise self._failed("needs too much memory for one answer", "RV405") from None
            if isinstance(error, duckdb.IOException):
                raise self._failed("has files that cannot be read", "RV402") from None
            raise self._failed(
                "has files that are not as declared",
                "RV403",
                f"run roundview introspect {self.source}",
            ) from None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._database is None:
                try:
                    self._database = open_locked(self._root)
                except OSError:
                    raise self._failed(
                        "cannot be reached", "RV402", "check connection.root"
                    ) from None
            return self._database.cursor()

    def _failed(self, what: str, code: str, hint: str = "") -> SourceError:
        return SourceError(self.source, f"{self.source} {what}", code=code, hint=hint)


def open_locked(root: Path) -> duckdb.DuckDBPyConnection:
    """Returns an in-memory DuckDB that reads below one folder and can change no setting.

    Raises OSError where the folder is not there.
    """
    folder = os.path.realpath(root, strict=True)
    database = duckdb.connect(":memory:", config=dict(_SAFE))
    database.execute("SET GLOBAL allowed_directories = [$folder]", {"folder": folder})
    for statement in _LOCKED:
        database.execute(statement)
    return database


def typed_keys(keys: list[Any], kind: Kind) -> list[Any]:
    """Returns the keys that a column of this kind can hold; others equal none of its values."""
    if kind in (Kind.INTEGER, Kind.BIGINT):
        return [key for key in keys if type(key) is int and -(2**63) <= key < 2**63]
    return [key for key in keys if not isinstance(key, str) or _is_utf8(key)]


def _typed(call: FilesCall, params: Mapping[str, Any]) -> dict[str, list[Any]]:
    keys = {
        asked: typed_keys(params[asked], call.kinds[asked]) for asked in call.names.keysets.values()
    }
    for keyset, parts in call.composite.items():
        if any(len(keys[part]) != len(params[part]) for part in parts):
            # A part that no column can hold takes its whole key with it.
            held = [frozenset(keys[part]) for part in parts]
            rows = [
                row
                for row in params[keyset]
                if all(part in values for part, values in zip(row, held, strict=True))
            ]
            keys |= {part: [row[at] for row in rows] for at, part in enumerate(parts)}
    return keys


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_open_ended(path: str) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.interrupt()


def _disconnect(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.close()
