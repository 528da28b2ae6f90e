"""Decides what the engine survives: endless and hungry questions, stalled readers, dead processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pyarrow as pa
import pytest

from roundview_catalog.errors import EngineError
from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings
from roundview_federation.engines.duckdb.process import start_worker
from roundview_federation.engines.duckdb.session import Session
from roundview_federation.resilience.deadline import Deadline

SECONDS = 30.0
MEMORY = 256 * 2**20
ENDLESS = (
    "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"
)
HUNGRY = (
    "SELECT repeat('a', 2000000000) AS x",
    "SELECT length(repeat('a', 2000000000)) AS x",
    "SELECT range(500000000) AS x",
    "SELECT lpad('a', 2000000000, 'b') AS x",
    "SELECT printf('%2000000000d', 1) AS x",
    "SELECT list(range) AS x FROM range(300000000)",
    "SELECT string_agg(repeat('x', 1000), '') AS x FROM range(10000000)",
    "SELECT range, repeat('x', 1000) || range AS x FROM range(10000000) ORDER BY x",
    "SELECT count(DISTINCT md5(range::VARCHAR)) AS x FROM range(30000000)",
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT list(i) AS x FROM r",
    ENDLESS,
)


@pytest.fixture
def memory() -> Callable[[int, str], int]:
    """Returns `memory(pid, line)`: bytes of one line of a process's status."""

    def bytes_of(pid: int, line: str) -> int:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            (found,) = (text.split() for text in status if text.startswith(f"{line}:"))
        return int(found[1]) * 1024

    return bytes_of


async def answers(engine: DuckDBEngine) -> None:
    """Fails unless the engine answers an ordinary question."""
    async with engine.session(Deadline.after(SECONDS)) as session:
        assert (await session.run("SELECT 1 AS n")).to_pylist() == [{"n": 1}]


async def test_a_cross_join_of_a_trillion_rows_ends_at_its_deadline(
    survivor: DuckDBEngine,
) -> None:
    await answers(survivor)
    began = time.monotonic()
    async with survivor.session(Deadline.after(0.4)) as session:
        with pytest.raises(EngineError) as raised:
            await session.run(ENDLESS)
        assert raised.value.code == "RV502"
        assert time.monotonic() - began < 5
        with pytest.raises(EngineError) as raised:
            await session.run("SELECT 1 AS n")
        assert raised.value.code == "RV502"
    await answers(survivor)


@pytest.mark.parametrize("sql", HUNGRY)
async def test_hungry_questions_stay_within_their_memory(
    survivor: DuckDBEngine, memory: Callable[[int, str], int], sql: str
) -> None:
    await answers(survivor)
    async with survivor.session(Deadline.after(1.0)) as session:
        (pid,) = survivor.pids
        at_rest = memory(pid, "VmRSS")
        with pytest.raises(EngineError) as raised:
            await session.run(sql)
        # At the deadline the process still has some time to stop by itself.
        peak = memory(pid, "VmHWM")
    assert raised.value.code in {"RV502", "RV503"}
    assert peak - at_rest <= MEMORY * 1.1
    await answers(survivor)


@pytest.mark.row("A16")
async def test_work_that_does_not_fit_is_refused_and_never_spills(single: DuckDBEngine) -> None:
    async with single.session(Deadline.after(SECONDS)) as session:
        with pytest.raises(EngineError) as raised:
            await session.run(
                "SELECT range AS n, md5(range::VARCHAR) AS x FROM range(20000000) ORDER BY x"
            )
        (pid,) = single.pids
        opened = [
            os.readlink(f"/proc/{pid}/fd/{name}")
            for name in os.listdir(f"/proc/{pid}/fd")
            if int(name) > 2
        ]
        settings = await session.run(
            "SELECT name, value FROM duckdb_settings() WHERE name LIKE '%temp_directory%' ORDER BY 1"
        )
    assert raised.value.code == "RV503"
    assert not [name for name in opened if name.startswith("/")]
    assert settings.column("value").to_pylist() == ["0 bytes", ""]


async def test_more_tables_than_memory_are_refused(survivor: DuckDBEngine) -> None:
    batch = pa.record_batch({"text": ["x" * 1000] * 10_000})
    async with survivor.session(Deadline.after(SECONDS)) as session:
        with pytest.raises(EngineError) as raised:
            await session.load("r0", batch.schema, (batch for _ in range(1_000)))
        assert raised.value.code == "RV503"
        assert "256 MiB" in raised.value.message
    await answers(survivor)


async def test_a_reader_that_stalls_stops_the_worker(
    survivor: DuckDBEngine, memory: Callable[[int, str], int]
) -> None:
    await answers(survivor)
    sql = "SELECT range AS n, repeat('x', 200) AS text FROM range(100000000)"
    async with survivor.session(Deadline.after(1.5)) as session:
        (pid,) = survivor.pids
        at_rest = memory(pid, "VmRSS")
        stream = await session.stream(sql)
        await anext(stream)
        await until_asleep(pid)
        assert memory(pid, "VmHWM") - at_rest <= MEMORY * 1.1
        with pytest.raises(EngineError) as raised:
            async for _ in stream:
                pass
        assert raised.value.code == "RV502"
    await answers(survivor)


async def until_asleep(pid: int) -> None:
    """Returns when a process has used no CPU time for a while: it waits for us."""
    used = -1
    while True:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        if (now := int(fields[11]) + int(fields[12])) == used:
            return
        used = now
        await asyncio.sleep(0.1)


async def test_the_deadline_frees_a_worker_that_its_holder_forgot(survivor: DuckDBEngine) -> None:
    await answers(survivor)
    async with survivor.session(Deadline.after(0.2)) as forgotten:
        await forgotten.stream(ENDLESS.replace("count(*)", "*"))
        await answers(survivor)
        with pytest.raises(EngineError) as raised:
            await forgotten.run("SELECT 1 AS n")
        assert raised.value.code == "RV502"


async def test_cancelling_the_task_stops_the_question(survivor: DuckDBEngine) -> None:
    asked = asyncio.Event()

    async def ask() -> None:
        async with survivor.session(Deadline.after(SECONDS)) as session:
            asked.set()
            await session.run(ENDLESS)

    task = asyncio.create_task(ask())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await answers(survivor)


async def test_cancelling_in_the_middle_of_a_batch_is_survived(survivor: DuckDBEngine) -> None:
    batch = pa.record_batch({"text": ["x" * 1000] * 40_000})
    for ask in (
        lambda session: session.load("r0", batch.schema, [batch]),
        lambda session: session.run("SELECT repeat('x', 1000) AS x FROM range(40000)"),
    ):
        async with survivor.session(Deadline.after(SECONDS)) as session:
            task = asyncio.ensure_future(ask(session))
            for _ in range(3):
                await asyncio.sleep(0)
            # A fast machine may be done already.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await answers(survivor)


@pytest.mark.parametrize("when", ["asked", "idle", "lent"])
async def test_a_killed_worker_is_an_error_and_the_next_question_works(
    survivor: DuckDBEngine, when: str
) -> None:
    await answers(survivor)
    (pid,) = survivor.pids
    if when == "idle":
        async with survivor.session(Deadline.after(SECONDS)):
            pass
        await settled(survivor)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    else:
        async with survivor.session(Deadline.after(SECONDS)) as session:
            asked = asyncio.create_task(session.run(ENDLESS)) if when == "asked" else None
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(EngineError) as raised:
                await (asked or session.run("SELECT 1 AS n"))
            assert raised.value.code == "RV504"
            assert raised.value.retryable
            with pytest.raises(EngineError):
                await session.run("SELECT 1 AS n")
    await answers(survivor)
    assert pid not in survivor.pids


async def settled(engine: DuckDBEngine) -> None:
    """Returns when every worker waits for a question."""
    async with engine.session(Deadline.after(SECONDS)) as session:
        await session.run("SELECT 1 AS n")
    while not engine._idle:
        await asyncio.sleep(0)


async def test_more_questions_than_workers_wait_or_are_refused() -> None:
    engine = DuckDBEngine(EngineSettings(workers=1, threads=1, waiting=1))
    held = asyncio.Event()
    order: list[str] = []

    async def waits(name: str) -> None:
        async with engine.session(Deadline.after(SECONDS)) as session:
            await session.run("SELECT 1 AS n")
            order.append(name)

    try:
        async with engine.session(Deadline.after(SECONDS)) as session:
            await session.run("SELECT 1 AS n")
            with pytest.raises(EngineError) as late:
                async with engine.session(Deadline.after(0.05)):
                    held.set()
            second = asyncio.create_task(waits("second"))
            await asyncio.sleep(0)
            with pytest.raises(EngineError) as refused:
                async with engine.session(Deadline.after(SECONDS)):
                    held.set()
            order.append("first")
        await second
    finally:
        await engine.close()
    assert order == ["first", "second"]
    assert not held.is_set()
    for raised in (late, refused):
        assert raised.value.code == "RV501"
        assert raised.value.retryable
        assert raised.value.row.http == 503


async def test_many_questions_share_few_workers(engine: DuckDBEngine) -> None:
    async def ask(number: int) -> int:
        async with engine.session(Deadline.after(SECONDS)) as session:
            table = pa.table({"n": range(number)})
            await session.load("r0", table.schema, table.to_batches())
            got = await session.run('SELECT count(*) AS "rows" FROM "r0"')
            return int(got.column("rows")[0].as_py())

    assert await asyncio.gather(*map(ask, range(40))) == list(range(40))
    assert len(engine.pids) <= 2


async def test_closing_ends_every_process_and_every_question() -> None:
    engine = DuckDBEngine(EngineSettings(workers=2, threads=1))
    await answers(engine)
    began = asyncio.Event()

    async def ask(session: Session) -> None:
        began.set()
        await session.run(ENDLESS)

    async with engine.session(Deadline.after(SECONDS)) as session:
        task = asyncio.create_task(ask(session))
        await began.wait()
        pids = engine.pids
        await engine.close()
        with pytest.raises(EngineError):
            await task
    assert pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    with pytest.raises(EngineError):
        async with engine.session(Deadline.after(SECONDS)):
            pass


async def test_a_worker_sees_nothing_of_the_server(
    monkeypatch: pytest.MonkeyPatch, memory: Callable[[int, str], int]
) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "canary")
    with open(os.devnull, "rb") as inheritable:
        os.set_inheritable(inheritable.fileno(), True)
        worker = await start_worker(MEMORY // 2, MEMORY, 1, tells=False)
        try:
            await worker.ready()
            with open(f"/proc/{worker.pid}/environ", "rb") as environment:
                assert b"canary" not in environment.read()
            opened = {
                os.readlink(f"/proc/{worker.pid}/fd/{name}")
                for name in os.listdir(f"/proc/{worker.pid}/fd")
                if int(name) > 2
            }
            with open(f"/proc/{worker.pid}/limits", encoding="ascii") as limits:
                (space,) = (line.split() for line in limits if line.startswith("Max address"))
        finally:
            worker.kill()
            await worker.gone()
    assert len([name for name in opened if name.startswith("socket:")]) == 2
    assert not [name for name in opened if name.startswith("/") and name != "/dev/null"]
    assert int(space[3]) < 2 * 2**30


async def test_workers_end_with_the_server() -> None:
    script = (
        "import asyncio, os\n"
        "from roundview_federation.engines.duckdb.pool import DuckDBEngine, EngineSettings\n"
        "from roundview_federation.resilience.deadline import Deadline\n"
        "async def main():\n"
        "    engine = DuckDBEngine(EngineSettings(workers=1, threads=1))\n"
        "    async with engine.session(Deadline.after(30)) as session:\n"
        "        await session.run('SELECT 1 AS n')\n"
        "        print(*engine.pids, flush=True)\n"
        f"        await session.run({ENDLESS!r})\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    # The descriptor of a process is readable when the process ended, whosever child it is.
    watched = os.pidfd_open(pid)
    ended = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(watched, lambda: ended.done() or ended.set_result(None))
    try:
        server.kill()
        await server.wait()
        async with asyncio.timeout(SECONDS):
            await ended
    finally:
        asyncio.get_running_loop().remove_reader(watched)
        os.close(watched)
