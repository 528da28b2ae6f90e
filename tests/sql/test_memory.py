"""Proves that rows on their way from a source into the engine are never all in this process."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from tests.sql.asking import answer, asked
from tests.sql.estate import Entity, Part, Split, build
from tests.sql.stores import Servers

from roundview.client import AsyncConnection

ROWS = 1_200_000
TEXT_BYTES = 300
TABLE_BYTES = ROWS * TEXT_BYTES

ENTITIES = (
    Entity("event", {"ident": "bigint", "kind": "text", "note": "text"}, ("ident",)),
    Entity("kind", {"code": "text", "rank": "integer"}, ("code",)),
)
SPLIT = Split(
    "memory",
    {"log": "sqlite", "crm": "sqlite"},
    (Part("event", "log", "event"), Part("kind", "crm", "kind")),
)
MADE = (
    "CREATE TABLE event (ident BIGINT, kind VARCHAR, note VARCHAR)",
    "CREATE TABLE kind AS SELECT 'k' || i AS code, i AS rank FROM range(3) r(i)",
)
FILLED = f"""
WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < {ROWS - 1})
INSERT INTO event SELECT i, 'k' || (i % 3), printf('%0{TEXT_BYTES}d', i) FROM r
"""


@pytest.fixture(scope="module")
async def estate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncConnection]:
    """Opens an estate with more rows than may be in memory."""
    folder = tmp_path_factory.mktemp("memory")
    with duckdb.connect() as truth:
        for statement in MADE:
            truth.execute(statement)
        connection = await build(folder, ENTITIES, SPLIT, truth, cast(Servers, None))
    with closing(sqlite3.connect(folder / "data/memory_log.db")) as log, log:
        log.execute(FILLED)
    async with connection:
        yield connection


class Memory:
    """The resident memory of a process, and its peak since this was made."""

    def __init__(self, pid: int | str) -> None:
        self._process = Path("/proc", str(pid))
        (self._process / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def grown(self) -> int:
        """Returns the bytes between the peak and what there was before."""
        return self._read("VmHWM") - self._before

    def _read(self, line: str) -> int:
        status = (self._process / "status").read_text()
        (found,) = (text.split() for text in status.splitlines() if text.startswith(f"{line}:"))
        return int(found[1]) * 1024


async def test_a_scan_is_never_whole_in_this_process(estate: AsyncConnection) -> None:
    federation: Any = estate.federation
    # What is made once is not a question's memory.
    few = "SELECT k.rank, e.ident FROM event AS e JOIN kind AS k ON k.code = e.kind WHERE ident = 5"
    assert (await answer(estate, few)).rows == [(2, 5)]
    (worker,) = federation._engine().pids
    here, there = Memory("self"), Memory(worker)
    found = await asked(
        estate,
        "SELECT k.rank, count(*), count(DISTINCT length(e.note) + k.rank)"
        " FROM event AS e JOIN kind AS k ON k.code = e.kind GROUP BY k.rank ORDER BY k.rank",
    )
    assert found.answer.rows == [(at, (ROWS + 2 - at) // 3, 1) for at in range(3)]
    assert found.rows_fetched == ROWS + 3
    assert here.grown() < 0.75 * TABLE_BYTES
    assert there.grown() < 2 * TABLE_BYTES
