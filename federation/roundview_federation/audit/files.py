"""Decides how records reach the disk: whole groups behind each other, in a chain per process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from roundview_catalog.errors import AccessError
from roundview_federation.audit.chain import (
    TIP_FILE,
    Chain,
    Tip,
    chain_folder,
    record_of,
    segment_path,
    segments,
)

VERSION = 2
_SEGMENT_BYTES = 64 * 2**20
_AHEAD_BYTES = 2**20
_MOST_TIP_BYTES = 512
_MOST_CHAINS = 9_999


@dataclass(frozen=True, slots=True)
class Group:
    """Records as they will stand behind a tip, and the tip behind them."""

    data: bytes
    before: Tip
    tip: Tip


class AuditFiles:
    """Appends records to the segments of a chain that belongs to this process alone.

    It is the first chain of the folder that no living process has; what a crash left behind its
    tip is kept as far as its links are ours. Methods belong to one thread, but for `tip` and
    `joined`, which touch no file.
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
        self.is_new = False
        """whether the chain was begun here, so that nobody else knows of it yet"""
        self._log_folder = folder
        self._chain = chain
        self._clock = clock
        self._keep_days = keep_days
        self._segment_bytes = segment_bytes
        self._folder = folder
        self._tip_file = -1
        self._file = -1
        self._path = folder
        self._inode = 0
        self._allocated = 0
        self._tip: Tip | None = None

    @property
    def tip(self) -> Tip | None:
        """Returns behind what a group can be joined at once; None where `ready` has work to do."""
        tip = self._tip
        return tip if tip is not None and tip.size < self._segment_bytes else None

    def ready(self) -> Tip:
        """Returns behind what a group can be joined: the chain is claimed, opened and recovered.

        Raises OSError where the disk refuses and AccessError where the log is not what its tip
        says.
        """
        try:
            if self._tip is None:
                self._tip = self._opened(self._claimed())
            if self._tip.size >= self._segment_bytes:
                self._tip = self._next_segment(self._tip)
        except BaseException:
            self._release()
            raise
        return self._tip

    def joined(self, bodies: Iterable[bytes], tip: Tip) -> Group:
        """Returns records linked behind a tip."""
        number, link, lines = tip.number, tip.link, []
        for body in bodies:
            number += 1
            line, link = self._chain.line(link, number, body)
            lines.append(line)
        data = b"".join(lines)
        return Group(data, tip, Tip(tip.segment, tip.size + len(data), number, link, tip.chain))

    def write(self, group: Group) -> None:
        """Writes a group and moves the tip behind it: it is on disk when this returns.

        Raises what `ready` does; nothing of the group stays then.
        """
        try:
            self._be_there(group.before)
            self._write(group)
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Closes the files; the chain is free for another process."""
        tip = self._tip
        if tip is not None and self._allocated > tip.size:
            os.ftruncate(self._file, tip.size)
        self._release()

    # -- with the chain claimed ----------------------------------------------------------------

    def _claimed(self) -> int:
        """Returns the first chain that nobody has, which is ours until its tip is closed."""
        for number in range(1, _MOST_CHAINS + 1):
            folder = chain_folder(self._log_folder, number)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tip_file = os.open(folder / TIP_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(tip_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(tip_file)
                continue
            self._folder, self._tip_file = folder, tip_file
            return number
        raise AccessError("too many processes write the audit log", code="RV310")

    def _opened(self, number: int) -> Tip:
        """Returns the tip of the claimed chain, the segment that it names open."""
        read = os.pread(self._tip_file, _MOST_TIP_BYTES, 0)
        if not read and not segments(self._folder):
            self.is_new = True
            return self._next_segment(Tip.start(number))
        tip = self._chain.read_tip(read)
        if tip is None or tip.chain != number:
            raise changed()
        self._path = segment_path(self._folder, tip.segment)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise changed() from None
        found = os.fstat(self._file)
        self._inode, self._allocated = found.st_ino, found.st_size
        if found.st_size < tip.size:
            raise changed()
        # Room that was made ahead is zeros.
        behind = os.pread(self._file, found.st_size - tip.size, tip.size).rstrip(b"\0")
        return self._adopt(tip, behind) if behind else tip

    def _be_there(self, tip: Tip) -> None:
        """Raises AccessError where the segment was removed, moved away or cut off."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise changed() from None
        if found.st_ino != self._inode or found.st_size < tip.size:
            raise changed()

    def _write(self, group: Group) -> Tip:
        end = group.tip.size
        if end > self._allocated:
            # A group that changes nothing but bytes is on disk in half the time. Without room for
            # more than the group, the group itself may still have some.
            with suppress(OSError):
                os.posix_fallocate(self._file, group.before.size, len(group.data) + _AHEAD_BYTES)
                self._allocated = end + _AHEAD_BYTES
        try:
            _write_all(self._file, group.data, group.before.size)
            # Not synced: after a power cut it is at most older than the records, which are adopted.
            os.pwrite(self._tip_file, self._chain.tip(group.tip), 0)
        except OSError:
            # Half a group must not stand before the next one.
            os.ftruncate(self._file, group.before.size)
            raise
        self._tip = group.tip
        return group.tip

    def _adopt(self, tip: Tip, behind: bytes) -> Tip:
        """Keeps the records behind the tip that a crash left whole, and cuts off the rest."""
        number, link, kept = tip.number, tip.link, 0
        for line in behind.split(b"\n")[:-1]:
            record = record_of(line)
            if record is None or record.number != number + 1:
                break
            if record.link != self._chain.link(link, record.number, record.body):
                break
            number, link, kept = record.number, record.link, kept + len(line) + 1
        self._allocated = tip.size + kept
        os.ftruncate(self._file, self._allocated)
        told = {"is": "recovered", "at": self._now(), "cut_bytes": len(behind) - kept}
        found = Tip(tip.segment, self._allocated, number, link, tip.chain)
        return self._write(self.joined([orjson.dumps(told)], found))

    def _next_segment(self, tip: Tip) -> Tip:
        if self._file >= 0:
            os.ftruncate(self._file, tip.size)
            os.close(self._file)
            self._file = -1
        number = tip.segment + 1
        self._path = segment_path(self._folder, number)
        mode = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_TRUNC
        self._file = os.open(self._path, mode, 0o600)
        self._inode, self._allocated = os.fstat(self._file).st_ino, 0
        told = {
            "is": "segment",
            "at": self._now(),
            "segment": number,
            "version": VERSION,
            "chain": tip.chain,
            "after": tip.link.hex(),
        }
        retired = self._retire(number)
        bodies = [orjson.dumps(told), *([orjson.dumps(retired)] if retired else [])]
        try:
            fresh = self._write(
                self.joined(bodies, Tip(number, 0, tip.number, tip.link, tip.chain))
            )
        except OSError:
            self._path.unlink()
            raise
        os.fsync(self._tip_file)
        _sync_folder(self._folder)
        if self.is_new:
            _sync_folder(self._log_folder)
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

    def _release(self) -> None:
        for descriptor in (self._file, self._tip_file):
            if descriptor >= 0:
                os.close(descriptor)
        self._tip_file = self._file = -1
        self._tip, self._allocated = None, 0

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
