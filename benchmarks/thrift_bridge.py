"""Measures what the Thrift bridge costs beside the source that it reads.

A million rows of four columns (number, time, amount, text) lie in SQLite and in Parquet. The bridge
runs in a process of its own, its caller speaks the protocol and keeps what comes as bytes.
A lookup of 1 or 100 keys is a split and its rows, beside the connector's own answer to the same
keys in this process; a scan is how many rows come in a second.

python -m benchmarks.thrift_bridge [--json]
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import duckdb
from benchmarks.report import Figure, emit

from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file
from roundview_federation.bridge import messages
from roundview_federation.bridge.domains import Conditions
from roundview_federation.bridge.frames import decode, encode
from roundview_federation.bridge.tables import column_of, selecting
from roundview_federation.connectors import open_connector
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline

ROWS = 1_000_000
LOOKUPS = 200
SCANS = 5
MOST = 16 * 1024 * 1024
LOOKUP_TARGET_MS = 10.0
SCAN_TARGET = 300_000
COLUMNS = ("id", "at", "total", "name")
MADE = (
    "SELECT i AS id, TIMESTAMP '2024-01-01' + i * INTERVAL 37 SECOND AS at,"
    f" (i / 100)::DECIMAL(12,2) AS total, 'Person ' || i AS name FROM range({ROWS}) r(i)"
)
SQLITE = """
source: till
connector: sqlite
connection: {path: till.db}
limits: {scan_rows: 2000000}
entities: {}
"""
FILES = """
source: lake
connector: files
connection: {root: files}
limits: {scan_rows: 2000000}
tables:
  t:
    path: t.parquet
    key: id
    columns: {id: bigint, at: timestamp, total: "decimal(12,2)", name: text}
entities: {}
"""


class Caller:
    """Speaks the protocol over one connection, as fast as plain sockets go."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb", buffering=1 << 20)

    def call(self, arguments: Any) -> bytes:
        """Returns the encoded answer to a call."""
        name = arguments.name.encode()
        head = struct.pack(">Ii", 0x80010001, len(name)) + name + struct.pack(">i", 1)
        body = head + encode(arguments)
        self._socket.sendall(struct.pack(">I", len(body)) + body)
        (length,) = struct.unpack(">I", self._stream.read(4))
        return bytes(self._stream.read(length)[len(head) + 3 :])

    def split(self, schema: str, keys: list[int] | None) -> messages.Id:
        """Returns the split of a scan, or of some keys."""
        table = messages.TableName(schema=schema, table="t")
        constraint = messages.Constraint(domains={})
        more: dict[str, Any] = {"constraint": constraint, "most": 10, "next": messages.Token()}
        asked: Any = messages.GetSplits(table=table, desired=messages.ColumnsOrNull(), **more)
        if keys is not None:
            block = messages.Block(bigint=messages.Bigints(values=keys))
            page = messages.Page(blocks=[block], rows=len(keys))
            asked = messages.GetIndexSplits(
                table=table, key_columns=["id"], columns=list(COLUMNS), keys=page, **more
            )
        (split,) = decode(self.call(asked), messages.Splits).splits or []
        assert split.id is not None
        return split.id

    def rows(self, split: messages.Id) -> int:
        """Reads a split and returns how many rows came."""
        count, token = 0, None
        rows: int
        while True:
            answer = self.call(
                messages.GetRows(
                    split=split,
                    columns=list(COLUMNS),
                    most_bytes=MOST,
                    next=messages.Token(token=token),
                )
            )
            tail = answer[answer.rindex(b"\x08\x00\x02") :]
            (rows,) = struct.unpack_from(">i", tail, 3)
            count += rows
            token = decode(tail, messages.Page).next
            if token is None:
                return count

    def close(self) -> None:
        """Ends the connection."""
        self._stream.close()
        self._socket.close()


async def main(folder: Path) -> list[Figure]:
    """Returns the figures of both sources."""
    await write_catalog(folder)
    figures = []
    with ExitStack() as stack:
        caller = Caller(start(folder, stack))
        stack.callback(caller.close)
        for schema, kind in (("till", "SQLite"), ("lake", "Parquet")):
            figures.append(scanned(caller, schema, kind))
            for keys in (1, 100):
                figures.append(await looked_up(folder, caller, schema, kind, keys))
    return figures


async def write_catalog(folder: Path) -> None:
    """Writes the rows in both technologies and the catalog over them."""
    (folder / "sources").mkdir()
    (folder / "files").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: bridge\n", "utf-8")
    (folder / "sources/till.yaml").write_text(SQLITE, "utf-8")
    (folder / "sources/lake.yaml").write_text(FILES, "utf-8")
    made = duckdb.sql(MADE)
    assert made is not None
    made.write_parquet(str(folder / "files/t.parquet"))
    rows = made.project('id, CAST("at" AS VARCHAR), CAST(total AS DOUBLE), name').fetchall()
    with closing(sqlite3.connect(folder / "till.db")) as connection:
        connection.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP, total DECIMAL(12,2), name TEXT)"
        )
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    tables = await introspect_source(folder, "till", env={})
    schema_file.write(folder / "sources/till.schema.yaml", tables)


def start(folder: Path, stack: ExitStack) -> int:
    """Starts the bridge in a process of its own and returns its port."""
    command = "from roundview.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "thrift-bridge", str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROUNDVIEW_DATA_DIR": str(folder / "data")},
    )
    stack.callback(process.wait)
    stack.callback(process.send_signal, signal.SIGTERM)
    assert process.stdout is not None
    for line in process.stdout:
        if "addresses=" in line:
            return int(line.rpartition(":")[2])
    raise RuntimeError("the bridge did not start")


def scanned(caller: Caller, schema: str, kind: str) -> Figure:
    """Returns how many rows of four columns come in a second, the best of some scans."""
    fastest = 1e9
    for _ in range(SCANS):
        started = time.perf_counter()
        assert caller.rows(caller.split(schema, None)) == ROWS
        fastest = min(fastest, time.perf_counter() - started)
    rate = ROWS / fastest
    return Figure(
        f"{kind}: scan of 1 M rows of 4 columns",
        rate,
        "rows/s",
        target=f">= {SCAN_TARGET:,}",
        holds=rate >= SCAN_TARGET,
    )


async def looked_up(folder: Path, caller: Caller, schema: str, kind: str, keys: int) -> Figure:
    """Returns the median time of a lookup beyond that of the connector alone."""
    ours, own = [], []
    source = loader.load(folder).sources[schema]
    connector: Any = open_connector(source, env={})
    table = source.tables["t"]
    tree = selecting(table, [column_of(name) for name in COLUMNS])
    conditions = Conditions()
    conditions.equal(column_of("id"), list(range(keys)))
    fragment = Fragment(
        "own",
        schema,
        tree.where(*conditions.conjuncts),
        tuple(table.columns[name].type for name in COLUMNS),
        tuple(conditions.keysets),
        tuple(name for name in conditions.values if name not in conditions.keysets),
        is_scan=True,
    )
    call = connector.compile(fragment)
    for at in range(LOOKUPS):
        wanted = [(at * 4_999 + key * 7_919) % ROWS for key in range(keys)]
        started = time.perf_counter()
        values = dict.fromkeys(conditions.values, wanted if keys > 1 else wanted[0])
        batches = connector.batches(call, values, Deadline.after(10))
        found = sum([batch.num_rows async for batch in batches])
        own.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert caller.rows(caller.split(schema, wanted)) == found == keys
        ours.append(time.perf_counter() - started)
    await connector.close()
    median, alone = statistics.median(ours) * 1e3, statistics.median(own) * 1e3
    return Figure(
        f"{kind}: lookup of {keys} keys beyond the source's own time",
        median - alone,
        "ms",
        f"{alone:.2f} ms alone",
        f"<= {LOOKUP_TARGET_MS:g} ms",
        median - alone <= LOOKUP_TARGET_MS,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="roundview-bridge-") as temporary:
        found = asyncio.run(main(Path(temporary)))
    emit(found, as_json="--json" in sys.argv)
