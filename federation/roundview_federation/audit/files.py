"""Decides how records reach the disk: whole groups, behind each other, from several processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from roundview_catalog.errors import AccessError
from roundview_federation.audit.chain import Chain, Tip, record_of, segment_path, segments

TIP_FILE = "tip"
VERSION = 1
_SEGMENT_BYTES = 64 * 2**20
_MOST_TIP_BYTES = 512
_NOTHING = b"-"


class AuditFiles:
    """Appends records to the segments of a folder, which processes share.

    Methods belong to one thread. A group is on disk, and the tip moved behind it, when `append`
    returns; what a crash left behind the tip is kept as far as its links are ours.
    """

    def __init__(
        self,
        folder: Path,
        chain: Chain,
        *,
        clock: Callable[[], datetime],
        keep_days: int,
        segment_bytes: int = _SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._chain = chain
        self._clock = clock
        self._keep_days = keep_days
        self._segment_bytes = segment_bytes
        self._tip_file = -1
        self._file = -1
        self._segment = 0
        self._moved = (_NOTHING, Tip())

    def append(self, bodies: Callable[[int], Iterable[bytes]]) -> Tip:
        """Writes what `bodies(segment)` returns as one group and returns the new tip.

        Raises OSError where the disk refuses and AccessError where the log is not what the tip
        says; nothing of the group stays then.
        """
        if self._tip_file < 0:
            self._tip_file = self._open_tip()
        fcntl.flock(self._tip_file, fcntl.LOCK_EX)
        try:
            tip = self._write(self._ready(), bodies)
        finally:
            fcntl.flock(self._tip_file, fcntl.LOCK_UN)
        return tip

    def close(self) -> None:
        """Closes the files."""
        for descriptor in (self._tip_file, self._file):
            if descriptor >= 0:
                os.close(descriptor)
        self._tip_file = self._file = -1
        self._segment, self._moved = 0, (_NOTHING, Tip())

    # -- under the lock ------------------------------------------------------------------------

    def _ready(self) -> Tip:
        """Returns the tip of a log to which a group can be appended."""
        read = os.pread(self._tip_file, _MOST_TIP_BYTES, 0)
        written, tip = self._moved
        if read != written:
            # Another process wrote, or this is the first group of this one.
            if not read and not segments(self._folder):
                return self._next_segment(Tip())
            tip = self._opened(read)
        found = os.fstat(self._file)
        if found.st_size < tip.size or not found.st_nlink:
            raise changed()
        if found.st_size > tip.size:
            tip = self._adopt(tip, found.st_size)
        return self._next_segment(tip) if tip.size >= self._segment_bytes else tip

    def _opened(self, read: bytes) -> Tip:
        """Returns the tip that was read, the segment that it names open."""
        tip = self._chain.read_tip(read)
        if tip is None:
            raise changed()
        if tip.segment != self._segment:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            try:
                self._file = os.open(
                    segment_path(self._folder, tip.segment), os.O_RDWR | os.O_CLOEXEC
                )
            except FileNotFoundError:
                raise changed() from None
            self._segment = tip.segment
        return tip

    def _write(self, tip: Tip, bodies: Callable[[int], Iterable[bytes]]) -> Tip:
        number, link, lines = tip.number, tip.link, []
        for body in bodies(tip.segment):
            number += 1
            line, link = self._chain.line(link, number, body)
            lines.append(line)
        group = b"".join(lines)
        try:
            _write_all(self._file, group, tip.size)
            return self._move(Tip(tip.segment, tip.size + len(group), number, link))
        except OSError:
            # Half a group must not stand before the next one.
            os.ftruncate(self._file, tip.size)
            raise

    def _move(self, tip: Tip) -> Tip:
        # Not synced: after a power cut it is at most older than the records, which are adopted.
        written = self._chain.tip(tip)
        os.pwrite(self._tip_file, written, 0)
        self._moved = (written, tip)
        return tip

    def _adopt(self, tip: Tip, size: int) -> Tip:
        """Keeps the records behind the tip that a crash left whole, and cuts off the rest."""
        behind = os.pread(self._file, size - tip.size, tip.size)
        number, link, kept = tip.number, tip.link, 0
        for line in behind.split(b"\n")[:-1]:
            record = record_of(line)
            if record is None or record.number != number + 1:
                break
            if record.link != self._chain.link(link, record.number, record.body):
                break
            number, link, kept = record.number, record.link, kept + len(line) + 1
        os.ftruncate(self._file, tip.size + kept)
        told = {"is": "recovered", "at": self._now(), "cut_bytes": len(behind) - kept}
        found = Tip(tip.segment, tip.size + kept, number, link)
        return self._write(found, lambda _: [orjson.dumps(told)])

    def _next_segment(self, tip: Tip) -> Tip:
        number = tip.segment + 1
        path = segment_path(self._folder, number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_TRUNC, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._segment = descriptor, number
        told = {
            "is": "segment",
            "at": self._now(),
            "segment": number,
            "version": VERSION,
            "after": tip.link.hex(),
        }
        retired = self._retire(number)
        bodies = [orjson.dumps(told), *([orjson.dumps(retired)] if retired else [])]
        try:
            fresh = self._write(Tip(number, 0, tip.number, tip.link), lambda _: bodies)
        except OSError:
            path.unlink()
            os.close(descriptor)
            self._file, self._segment, self._moved = -1, 0, (_NOTHING, Tip())
            raise
        os.fsync(self._tip_file)
        _sync_folder(self._folder)
        return fresh

    def _retire(self, newest: int) -> dict[str, Any] | None:
        """Removes the segments that are older than what is kept; returns what that is called."""
        before = (self._clock() - timedelta(days=self._keep_days)).astimezone(UTC).isoformat()
        there = [one for one in segments(self._folder) if one != newest]
        last = 0
        for segment, following in pairwise(there):
            # Its last record is older than the first of the segment that follows.
            if _began(segment_path(self._folder, following)) >= before:
                break
            last = segment
        for segment in there:
            if segment <= last:
                segment_path(self._folder, segment).unlink()
        return {"is": "retired", "at": self._now(), "through": last} if last else None

    def _open_tip(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._folder / TIP_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat()


def changed() -> AccessError:
    """Returns the failure of a log that somebody changed."""
    return AccessError(
        "the audit log is not as it was written",
        code="RV310",
        hint="roundview audit verify says where; keep the folder as evidence, and move it away",
    )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Writes data and returns when it is on disk."""
    view = memoryview(data)
    while view:
        # Synced by the same call: each call lets go of the interpreter and waits to get it back.
        done = os.pwritev(descriptor, (view,), offset, os.RWF_DSYNC)
        view, offset = view[done:], offset + done


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _began(path: Path) -> str:
    """Returns when a segment was begun; "9" where that cannot be read: it is kept."""
    with path.open("rb") as file:
        record = record_of(file.readline().removesuffix(b"\n"))
    return str(record.content.get("at", "9")) if record is not None else "9"
