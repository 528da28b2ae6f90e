"""Decides what a worker process does: reads frames, runs what they ask, answers with Arrow.

    python -m roundview_federation.engines.duckdb.worker DATA CONTROL WORK_BYTES TOTAL_BYTES THREADS

DATA and CONTROL are the numbers of inherited sockets. The process ends when either closes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import pickle
import socket
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from roundview_federation.engines.duckdb import database as databases
from roundview_federation.engines.duckdb.database import Limits
from roundview_federation.engines.duckdb.frames import (
    HEADER,
    MOST_VIEWS,
    NUMBER,
    BatchEncoder,
    Kind,
    View,
    frame,
    read_batch,
    read_schema,
    sent,
    size_of,
)
from roundview_federation.engines.duckdb.states import state_of

_NICE: Final = 10
_FLUSH_BYTES: Final = 65_536
_WORTH_TRIMMING: Final = 64 * 2**20
_WORN: Final = 0.5
"""A process that kept this share of its address space after a question is not used again."""


@dataclass(slots=True)
class _Loading:
    """Collects a table while it arrives."""

    name: str
    schema: pa.Schema | None = None
    batches: list[pa.RecordBatch] = field(default_factory=list)


class Worker:
    """Serves one question at a time on a DuckDB that is made once."""

    def __init__(self, data: socket.socket, control: socket.socket, limits: Limits) -> None:
        self._data = data
        self._control = control
        self._limits = limits
        self._database = databases.open_locked(limits)
        self._cursor = self._database.cursor()
        self._outgoing: list[View] = []
        self._loading: dict[int, _Loading] = {}
        self._tables: dict[str, pa.Table] = {}
        self._running = threading.Lock()
        self._number = 0
        self._interrupted = 0
        self._at_rest = 0

    def serve(self) -> None:
        """Answers until the server is gone or this process is worn out."""
        self._warm_up()
        _bound_memory(self._limits.total_bytes)
        self._at_rest = _address_space()
        threading.Thread(target=self._obey, name="control", daemon=True).start()
        self._queue(frame(Kind.READY))
        self._flush()
        while True:
            kind, table, body = self._receive()
            if kind is Kind.RESET:
                if not self._reset():
                    return
                self._queue(frame(Kind.READY))
                self._flush()
            elif kind in (Kind.QUERY, Kind.KEEP):
                self._answer(kind, body)
            elif kind is Kind.DROP:
                self._drop(body.to_pybytes().decode())
            else:
                self._load(kind, table, body)

    def _load(self, kind: Kind, table: int, body: pa.Buffer) -> None:
        if kind is Kind.TABLE:
            self._loading[table] = _Loading(body.to_pybytes().decode())
            return
        loading = self._loading[table]
        if kind is Kind.SCHEMA:
            loading.schema = read_schema(body)
        elif kind is Kind.BATCH:
            loading.batches.append(read_batch(body, loading.schema))
        else:
            self._add(loading.name, pa.Table.from_batches(loading.batches, loading.schema))
            del self._loading[table]

    def _add(self, name: str, arrived: pa.Table) -> None:
        if name in self._tables:
            arrived = pa.concat_tables([self._tables[name], arrived])
            self._drop(name)
        self._tables[name] = arrived
        self._cursor.register(name, arrived)

    def _drop(self, name: str) -> None:
        if self._tables.pop(name, None) is not None:
            self._cursor.unregister(name)

    def _answer(self, kind: Kind, body: pa.Buffer) -> None:
        # The server is the one that started this process: what it pickles is as trusted as code.
        number, name, sql, parameters = pickle.loads(body)  # noqa: S301
        with self._running:
            self._number = number
        try:
            if kind is Kind.KEEP:
                rows = databases.keep(self._cursor, name, sql, parameters)
            else:
                rows = self._stream(sql, parameters)
            done = frame(Kind.DONE, json.dumps({"rows": rows}).encode())
        except Exception as error:  # noqa: BLE001 the server is told, in a code without data
            done = frame(Kind.FAILED, json.dumps(_failure(error)).encode())
        finally:
            with self._running:
                self._number = 0
        self._queue(done)
        self._flush()

    def _stream(self, sql: str, parameters: databases.Parameters) -> int:
        rows = 0
        with databases.read(self._cursor, sql, parameters) as reader:
            encoder = BatchEncoder(reader.schema)
            self._queue(encoder.schema_frame)
            for batch in reader:
                if self._interrupted == self._number:
                    raise duckdb.InterruptException
                rows += batch.num_rows
                self._queue(encoder.encode(batch))
                if size_of(self._outgoing) >= _FLUSH_BYTES:
                    self._flush()
        return rows

    def _obey(self) -> None:
        """Interrupts the request that the server names; ends the process with the server."""
        while len(asked := self._control.recv(NUMBER.size, socket.MSG_WAITALL)) == NUMBER.size:
            (number,) = NUMBER.unpack(asked)
            with self._running:
                self._interrupted = number
                if self._number == number:
                    self._cursor.interrupt()
        os._exit(0)

    def _warm_up(self) -> None:
        """Imports and compiles what the first question would have to wait for."""
        self._cursor.register("warm", pa.table({"a": [1], "b": ["b"]}))
        sql = "SELECT w.b, count(*) FROM warm w JOIN warm x USING (a) WHERE w.a > $1 GROUP BY w.b"
        databases.read(self._cursor, sql, [0]).read_all()
        self._renew()

    def _reset(self) -> bool:
        """Forgets everything of the last question; tells whether another one may come."""
        self._loading.clear()
        self._tables.clear()
        self._renew()
        if self._grown() > _WORTH_TRIMMING:
            _give_back()
        return self._grown() < self._limits.total_bytes * _WORN

    def _grown(self) -> int:
        return _address_space() - self._at_rest

    def _renew(self) -> None:
        with self._running:
            self._cursor.close()
            self._cursor = self._database.cursor()

    def _receive(self) -> tuple[Kind, int, pa.Buffer]:
        head = bytearray(HEADER.size)
        self._fill(memoryview(head))
        kind, table, length = HEADER.unpack(head)
        body = pa.allocate_buffer(length)
        self._fill(memoryview(body))
        return Kind(kind), table, body

    def _fill(self, view: memoryview) -> None:
        while view.nbytes:
            count = self._data.recv_into(view, view.nbytes, socket.MSG_WAITALL)
            if not count:
                raise ConnectionError("the server is gone")
            view = view[count:]

    def _queue(self, views: list[View]) -> None:
        self._outgoing += views

    def _flush(self) -> None:
        views, self._outgoing = self._outgoing, []
        while views:
            views = sent(views, self._data.sendmsg(views[:MOST_VIEWS]))


def _failure(error: Exception) -> dict[str, Any]:
    told: dict[str, Any] = {
        "bound": databases.bound_of(error),
        "state": state_of(error),
        "class": type(error).__name__,
    }
    if os.environ.get("ROUNDVIEW_ENGINE_TELLS"):
        told["text"] = str(error)
    return told


def _bound_memory(total_bytes: int) -> None:
    """Lets this process map that much more than now; the kernel ends it first of all."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if at_rest := _address_space():
        import resource

        limit = at_rest + total_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _give_back() -> None:
    """Returns freed memory to the system, where the C library keeps it and can be asked not to."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _address_space() -> int:
    """Returns the bytes that this process has mapped, 0 where the system does not say it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as pages:
            return int(pages.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def main(arguments: list[str]) -> int:
    """Serves the two sockets of the command line."""
    data, control, work_bytes, total_bytes, threads = map(int, arguments)
    os.nice(_NICE)
    pa.set_cpu_count(threads)
    pa.set_io_thread_count(1)
    limits = Limits(work_bytes, total_bytes, threads)
    with (
        socket.socket(fileno=data) as data_socket,
        socket.socket(fileno=control) as control_socket,
        contextlib.suppress(ConnectionError),
    ):
        Worker(data_socket, control_socket, limits).serve()
    # Threads of DuckDB may still be at work for a question that nobody waits for.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
