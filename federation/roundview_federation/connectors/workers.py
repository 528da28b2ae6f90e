"""Decides how blocking drivers run: a few threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from roundview_catalog.errors import SourceError
from roundview_federation.resilience.deadline import Deadline

_INSIST_SECONDS: Final = 0.02

R = TypeVar("R")
T = TypeVar("T")


class Job(Generic[R]):
    """One call on its way through a thread; drivers ask `is_over` between steps.

    `interrupt` stops what the thread is doing for this job, and nothing else.
    """

    __slots__ = ("_interrupt", "_lock", "_resource", "deadline", "is_cancelled")

    def __init__(self, deadline: Deadline, interrupt: Callable[[R], None]) -> None:
        self.deadline = deadline
        self.is_cancelled = False
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._resource: R | None = None

    @property
    def is_running(self) -> bool:
        """Tells whether a connection still works for it."""
        return self._resource is not None

    @property
    def is_over(self) -> bool:
        """Tells whether nobody waits for the result any more."""
        return self.is_cancelled or time.monotonic() >= self.deadline.at

    def interrupt(self) -> None:
        """Cancels the job, before it starts or in the source."""
        with self._lock:
            self.is_cancelled = True
            if self._resource is not None:
                self._interrupt(self._resource)

    def begin(self, resource: R) -> bool:
        """Ties the job to a connection; False if it is over before it began."""
        with self._lock:
            if self.is_over:
                return False
            self._resource = resource
            return True

    def end(self) -> None:
        """Unties the job, so that a late interrupt cannot hit the next one."""
        with self._lock:
            self._resource = None


class Workers(Generic[R]):
    """At most `size` threads, started when needed, each with the connection it opened.

    `connect` runs in the thread and may raise SourceError; `interrupt` is called from the
    event loop's thread while the connection is busy. One call is one hop.
    """

    def __init__(
        self,
        source: str,
        size: int,
        connect: Callable[[], R],
        interrupt: Callable[[R], None],
        disconnect: Callable[[R], None],
    ) -> None:
        self._source = source
        self._size = size
        self._connect = connect
        self._interrupt = interrupt
        self._disconnect = disconnect
        self._queue: SimpleQueue[Callable[[R | None], R | None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._jobs: set[Job[R]] = set()
        self._is_closed = False

    async def run(self, work: Callable[[R, Job[R]], T], deadline: Deadline) -> T:
        """Returns `work(connection, job)`; raises SourceError RV401 at the deadline.

        Cancelling the awaiting task, or the deadline, interrupts the connection at once.
        """
        if self._is_closed:
            raise SourceError(self._source, f"{self._source} is closed", code="RV402")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job: Job[R] = Job(deadline, self._interrupt)

        def resolve(value: Any, error: BaseException | None) -> None:
            self._busy -= 1
            self._jobs.discard(job)
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

        def perform(resource: R | None) -> R | None:
            value, error = None, None
            try:
                resource = self._connect() if resource is None else resource
                if not job.begin(resource):
                    raise self._late()
                value = work(resource, job)
            except BaseException as raised:  # noqa: BLE001 - handed to the awaiting task
                error = raised
            finally:
                job.end()
            _tell(loop, resolve, value, error)
            return resource

        def expire() -> None:
            if not future.done():
                future.set_exception(self._late())
                stop()

        def stop() -> None:
            # Drivers forget an interrupt that comes just before their statement begins.
            job.interrupt()
            if job.is_running:
                loop.call_later(_INSIST_SECONDS, stop)

        self._jobs.add(job)
        self._busy += 1
        if self._busy > len(self._threads) and len(self._threads) < self._size:
            self._start()
        self._queue.put(perform)
        timer = loop.call_later(deadline.left, expire)
        try:
            return await future
        finally:
            timer.cancel()
            if not future.done() or future.cancelled():
                stop()

    async def close(self) -> None:
        """Interrupts what runs and waits a moment for the threads to end."""
        self._is_closed = True
        for job in tuple(self._jobs):
            job.interrupt()
        for _ in self._threads:
            self._queue.put(None)
        threads, self._threads = self._threads, []
        if threads:
            await asyncio.to_thread(_join, threads)

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"roundview-{self._source}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        resource: R | None = None
        while (perform := self._queue.get()) is not None:
            resource = perform(resource)
        if resource is not None:
            self._disconnect(resource)

    def _late(self) -> SourceError:
        return SourceError(self._source, f"{self._source} did not answer in time", code="RV401")


def _tell(
    loop: asyncio.AbstractEventLoop,
    resolve: Callable[[Any, BaseException | None], None],
    value: Any,
    error: BaseException | None,
) -> None:
    try:
        loop.call_soon_threadsafe(resolve, value, error)
    except RuntimeError:
        # The loop is closed: nobody waits.
        return


def _join(threads: list[threading.Thread]) -> None:
    until = time.monotonic() + 1.0
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
