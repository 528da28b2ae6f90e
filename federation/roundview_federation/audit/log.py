"""Decides when a record is kept: what an answer waits for at once, the rest with the next group."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

import orjson

from roundview_catalog.errors import AccessError
from roundview_federation.audit.chain import Chain, Tip
from roundview_federation.audit.files import AuditFiles, Group
from roundview_federation.audit.pseudonyms import Pseudonyms
from roundview_identity.keys import Keys

KEEP_DAYS = 400
PSEUDONYMS_FILE = "pseudonyms.db"
_LINGER_SECONDS = 0.05
_HEAD_SECONDS = 60.0
_MOST_TOGETHER = 1_000
_CLOSE_SECONDS = 10.0
_LOG = logging.getLogger("roundview.audit")


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Says where the audit log lies, where its heads are written to, and how long it is kept."""

    folder: Path
    heads: Path
    keep_days: int = KEEP_DAYS

    @classmethod
    def beside(cls, data_dir: Path) -> AuditPlace:
        """Returns the place in a data folder."""
        return cls(data_dir / "audit", data_dir / "audit-heads")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one plan asks for, said once per segment; records name it by `reference`."""

    reference: str
    body: bytes


@dataclass(slots=True)
class Entry:
    """One record to be written; `who` are customers, written as their pseudonyms.

    With `kept` somebody waits until it is on disk.
    """

    told: dict[str, Any]
    who: Sequence[str] = ()
    shape: Shape | None = None
    kept: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Entries to be written together; `group` is None where that takes more than memory."""

    entries: Sequence[Entry]
    group: Group | None = None


class AuditLog:
    """Writes records in groups, from one thread that starts with the first record.

    Records are linked by whoever brings them, as far as that takes no file: a thread that does more
    than write fights with the event loop for the interpreter. While a group is written, others
    gather for the next one. The signed head of the log is written elsewhere every minute, when the
    log is begun and at the end, and logged.
    """

    def __init__(
        self,
        place: AuditPlace,
        keys: Keys,
        *,
        clock: Callable[[], datetime],
        segment_bytes: int | None = None,
    ) -> None:
        self.place = place
        self._clock = clock
        self._chain = Chain(keys)
        sizes = {} if segment_bytes is None else {"segment_bytes": segment_bytes}
        self._files = AuditFiles(
            place.folder, self._chain, clock=clock, keep_days=place.keep_days, **sizes
        )
        self._pseudonyms = Pseudonyms(place.folder / PSEUDONYMS_FILE, keys)
        self._pending: deque[Entry] = deque()
        self._calls: SimpleQueue[Work | None] = SimpleQueue()
        self._is_writing = False
        self._is_due = False
        self._lock = Lock()
        self._thread: Thread | None = None
        self._said: tuple[tuple[int, int], set[str]] = ((0, 0), set())
        self._tip = Tip()
        self._head = (self._tip, time.monotonic())
        self._is_failing = False

    def keep(
        self, told: dict[str, Any], who: Sequence[str] = (), shape: Shape | None = None
    ) -> asyncio.Future[None]:
        """Writes a record; what it returns is done when the record is on disk.

        It fails with AccessError RV310 where the record cannot be written.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(Entry(told, who, shape, kept))
        self._call()
        return kept

    def note(self, told: dict[str, Any]) -> None:
        """Writes a record with the next group, without anybody waiting for it."""
        self._pending.append(Entry(told))
        if self._is_due:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._call()
            return
        # Waking the thread is most of what a record costs: what nobody waits for comes with the
        # record of the next question, if there is one soon.
        self._is_due = True
        loop.call_later(_LINGER_SECONDS, self._call_for_notes)

    def close(self) -> None:
        """Writes what is left and the head, and ends the thread."""
        self._call()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._calls.put(None)
            thread.join(_CLOSE_SECONDS)

    def _call_for_notes(self) -> None:
        self._is_due = False
        self._call()

    def _call(self) -> None:
        """Has the thread write what is pending, if it does not write already."""
        with self._lock:
            if self._is_writing or not self._pending:
                return
            self._is_writing = True
            if self._thread is None:
                self._thread = Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
            entries = self._taken()
            self._calls.put(Work(entries, self._joined_at_once(entries)))

    def _taken(self) -> list[Entry]:
        """Takes what is to be written now, the oldest first."""
        count = min(len(self._pending), _MOST_TOGETHER)
        return [self._pending.popleft() for _ in range(count)]

    def _joined_at_once(self, entries: Sequence[Entry]) -> Group | None:
        """Returns entries as they are written, None where that takes a file."""
        tip, names = self._files.tip, self._pseudonyms.remembered(_people(entries))
        if tip is None or names is None:
            return None
        try:
            return self._joined(entries, names, tip)
        except (TypeError, ValueError):
            # The thread fails on it too, and tells whoever waits.
            self._said = ((0, 0), set())
            return None

    def _joined(self, entries: Iterable[Entry], names: Mapping[str, str], tip: Tip) -> Group:
        return self._files.joined(self._bodies(entries, names, (tip.chain, tip.segment)), tip)

    def _bodies(
        self, entries: Iterable[Entry], names: Mapping[str, str], segment: tuple[int, int]
    ) -> Iterator[bytes]:
        if self._said[0] != segment:
            self._said = (segment, set())
        said = self._said[1]
        for entry in entries:
            shape = entry.shape
            if shape is not None and shape.reference not in said:
                said.add(shape.reference)
                yield shape.body
            if entry.who:
                entry.told["who"] = [names[one] for one in entry.who]
            yield orjson.dumps(entry.told)

    # -- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        work: Work | None = Work(())
        while work is not None:
            is_due = self._tip != self._head[0]
            patience = self._head[1] + _HEAD_SECONDS - time.monotonic() if is_due else None
            try:
                work = self._calls.get(timeout=patience and max(0.0, patience))
            except Empty:
                work = Work(())
            done = work
            while done is not None and done.entries:
                self._commit(done)
                done = self._next()
            known, written = self._head
            is_late = time.monotonic() - written >= _HEAD_SECONDS
            if self._tip != known and (work is None or is_late):
                self._write_head()
        self._files.close()
        self._pseudonyms.close()

    def _next(self) -> Work | None:
        """Takes what came meanwhile; None where nothing did, and whoever brings more must call."""
        with self._lock:
            entries = self._taken()
            self._is_writing = bool(entries)
        return Work(entries) if entries else None

    def _commit(self, work: Work) -> None:
        error: AccessError | None = None
        try:
            group = work.group
            if group is None:
                names = self._pseudonyms.of(_people(work.entries))
                group = self._joined(work.entries, names, self._files.ready())
            self._files.write(group)
            self._tip = group.tip
            if self._files.is_new:
                # Before anybody is served: without a head, nothing would tell that it was there.
                self._write_head()
        except AccessError as refused:
            error = refused
        except Exception as failed:  # noqa: BLE001 - whatever it was, nobody may be served
            error = _unwritable()
            error.__cause__ = failed
        if error is not None:
            # Shapes that were said in this group were not.
            self._said = ((0, 0), set())
        if (error is not None) != self._is_failing:
            self._is_failing = error is not None
            said = "cannot be written: nobody is served" if error else "is written again"
            _LOG.log(logging.ERROR if error else logging.INFO, "the audit log %s", said)
        waiting: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]]
        waiting = defaultdict(list)
        for entry in work.entries:
            if entry.kept is not None:
                waiting[entry.kept.get_loop()].append(entry.kept)
        for loop, futures in waiting.items():
            # A loop that is closed has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, futures, error)

    def _write_head(self) -> None:
        line = self._chain.tip(self._tip)
        self._head = (self._tip, time.monotonic())
        self._files.is_new = False
        # A copy of the log of this program is one more place that tells of a truncation.
        _LOG.info("head %s", line.decode().strip())
        try:
            self.place.heads.parent.mkdir(parents=True, exist_ok=True)
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.place.heads, mode, 0o600)
            try:
                os.write(descriptor, line)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            _LOG.error("a head of the audit log cannot be written: %s", type(error).__name__)


def _people(entries: Iterable[Entry]) -> set[str]:
    return {one for entry in entries for one in entry.who}


def _tell(futures: Iterable[asyncio.Future[None]], error: AccessError | None) -> None:
    for kept in futures:
        if kept.done():
            continue
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)
            # Nobody may be left who looks: a question that failed for another reason.
            kept.exception()


def _unwritable() -> AccessError:
    return AccessError(
        "the audit log cannot be written, so nobody is shown anything",
        code="RV310",
        hint="make room on its disk and see that its folder can be written: roundview doctor",
        retryable=True,
    )
