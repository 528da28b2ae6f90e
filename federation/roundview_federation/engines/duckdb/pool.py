"""Decides which worker answers a question, who waits, and what becomes of a worker afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from roundview_catalog.errors import EngineError
from roundview_federation.engines.duckdb.channel import GoneError
from roundview_federation.engines.duckdb.failures import busy, cannot_start
from roundview_federation.engines.duckdb.process import WorkerProcess, start_worker
from roundview_federation.engines.duckdb.session import Session, SessionLimits
from roundview_federation.resilience.deadline import Deadline

_GRACE_SECONDS: Final = 0.2
_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Bounds the engine.

    One question uses one worker. Of a worker's `memory_bytes` one half holds the tables that are
    loaded, the other is for DuckDB's work on them. `waiting` questions at most wait for a worker.
    `tells` adds DuckDB's own text, which holds data, to errors as a note: for tests only.
    """

    workers: int = 2
    memory_bytes: int = 2**30
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    result_bytes: int = 64 * 2**20
    waiting: int = 64
    tells: bool = False


class DuckDBEngine:
    """A small pool of worker processes, one of them warm where the pool allows it.

    Example:
        engine = DuckDBEngine(EngineSettings(workers=2))
        await engine.start()
        async with engine.session(Deadline.after(5)) as session:
            await session.load("r0", schema, batches)
            table = await session.run('SELECT count(*) AS "rows" FROM "r0"')
        await engine.close()
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self._settings = settings or EngineSettings()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._alive = 0
        self._starting = 0
        self._waiters: deque[asyncio.Future[WorkerProcess]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        half = self._settings.memory_bytes // 2
        self._limits = SessionLimits(half, self._settings.result_bytes, 2 * half)

    @property
    def pids(self) -> frozenset[int]:
        """Returns the process ids of all workers."""
        return frozenset(worker.pid for worker in self._all)

    @property
    def memory_bytes(self) -> int:
        """Returns the bytes that a worker has for everything."""
        return self._limits.total_bytes

    @property
    def loaded_bytes(self) -> int:
        """Returns the bytes of tables that a worker may hold."""
        return self._limits.loaded_bytes

    def is_free(self) -> bool:
        """Tells whether a session would begin at once; starts a worker where there is room."""
        self._grow()
        return bool(self._idle)

    async def start(self) -> None:
        """Begins to start the first worker; nothing waits for it."""
        self._grow()

    async def close(self) -> None:
        """Kills all workers and waits for their end; sessions that are open fail."""
        self._closed = True
        self._refuse(busy())
        for worker in tuple(self._all):
            self._end(worker)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._idle.clear()

    @asynccontextmanager
    async def session(self, deadline: Deadline) -> AsyncIterator[Session]:
        """Lends a worker to one question until the block ends or the deadline is there.

        Raises EngineError RV501 where no worker is free in time. At the deadline everything in
        the block that needs the worker fails with EngineError RV502; the worker stops or is killed.
        """
        worker = await self._acquire(deadline)
        session = Session(worker, self._limits)
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._run(self._recycle(worker))

        def expire() -> None:
            session.expire()
            release()

        timer = asyncio.get_running_loop().call_later(deadline.left, expire)
        try:
            yield session
        finally:
            timer.cancel()
            release()

    async def _acquire(self, deadline: Deadline) -> WorkerProcess:
        if self._closed:
            raise busy()
        while self._idle:
            worker = self._idle.pop()
            if worker.is_running():
                self._grow()
                return worker
            self._end(worker)
        if len(self._waiters) >= self._settings.waiting:
            raise busy()
        waiter: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._grow()
        try:
            async with asyncio.timeout(deadline.left):
                await waiter
        except BaseException as error:
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # It came in the moment in which nobody waited any more.
                self._offer(waiter.result())
            if isinstance(error, TimeoutError):
                raise busy() from None
            raise
        return waiter.result()

    def _grow(self) -> None:
        """Starts a worker if none is idle or about to be, and there is room for one."""
        wanted = max(1, len(self._waiters))
        while (
            not self._closed
            and len(self._idle) + self._starting < wanted
            and self._alive < self._settings.workers
        ):
            self._alive += 1
            self._starting += 1
            self._run(self._start_one())

    async def _start_one(self) -> None:
        half = self._settings.memory_bytes // 2
        worker: WorkerProcess | None = None
        try:
            worker = await start_worker(
                half, 2 * half, self._settings.threads, tells=self._settings.tells
            )
            self._all.add(worker)
            if self._closed:
                raise GoneError
            async with asyncio.timeout(_START_SECONDS):
                await worker.ready()
        except (OSError, GoneError, TimeoutError):
            if worker is None:
                self._alive -= 1
            else:
                self._end(worker)
            if not self._alive:
                self._refuse(cannot_start())
        else:
            self._offer(worker)
        finally:
            self._starting -= 1

    def _refuse(self, error: EngineError) -> None:
        """Tells everyone who waits for a worker that none will come."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    def _offer(self, worker: WorkerProcess) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(worker)
                return
        self._idle.append(worker)

    async def _recycle(self, worker: WorkerProcess) -> None:
        """Makes a used worker ready for the next question, or ends it and starts another."""
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await worker.reset()
        except (GoneError, TimeoutError):
            self._end(worker)
            self._grow()
        else:
            self._offer(worker)

    def _end(self, worker: WorkerProcess) -> None:
        """Kills a worker; the system's answer to that is waited for in the background."""
        if worker in self._all:
            self._all.discard(worker)
            self._alive -= 1
            worker.kill()
            self._run(worker.gone())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
