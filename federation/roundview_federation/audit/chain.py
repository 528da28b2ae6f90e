"""Decides how records are bound to each other, so that no change to them stays unseen."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from roundview_identity.keys import Keys

START = bytes(32)
"""What the first record of all follows."""

_TIP = b"%08d %015d %015d %s"
_MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of the log: the segment, its bytes, the number and the link of the last record."""

    segment: int = 0
    size: int = 0
    number: int = 0
    link: bytes = START


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in a segment."""

    number: int
    link: bytes
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        """Returns what the record says."""
        told: dict[str, Any] = orjson.loads(self.body)
        return told


class Chain:
    """Links records with HMAC-SHA256 (RFC 2104), each over the one before it.

    Without the root secret no record can be put in, taken out, moved or changed.
    """

    def __init__(self, keys: Keys) -> None:
        self._key = keys.derive("audit records")
        self._tip_key = keys.derive("audit heads")

    def link(self, previous: bytes, number: int, body: bytes) -> bytes:
        """Returns the link of a record."""
        # hmac.digest would let go of the interpreter for each record, and wait to get it back.
        linked = hmac.new(self._key, previous, sha256)
        linked.update(number.to_bytes(8, "big") + body)
        return linked.digest()

    def line(self, previous: bytes, number: int, body: bytes) -> tuple[bytes, bytes]:
        """Returns a record as a line of a segment, and its link."""
        link = self.link(previous, number, body)
        return b"%d %s %s\n" % (number, link.hex().encode(), body), link

    def tip(self, tip: Tip) -> bytes:
        """Returns the end of the log, signed, always of one length."""
        said = _TIP % (tip.segment, tip.size, tip.number, tip.link.hex().encode())
        return b"%s %s\n" % (said, hmac.new(self._tip_key, said, sha256).hexdigest().encode())

    def read_tip(self, line: bytes) -> Tip | None:
        """Returns what `tip` wrote; None for anything else."""
        said, _, mac = line.removesuffix(b"\n").rpartition(b" ")
        expected = hmac.new(self._tip_key, said, sha256).hexdigest().encode()
        if not line.endswith(b"\n") or not hmac.compare_digest(mac, expected):
            return None
        segment, size, number, link = said.split(b" ")
        return Tip(int(segment), int(size), int(number), bytes.fromhex(link.decode()))


def record_of(line: bytes) -> Record | None:
    """Returns the record of a line without its end; None for anything else."""
    number, _, rest = line.partition(b" ")
    link, _, body = rest.partition(b" ")
    # Only what is written is read: a digit or a letter more would be a change that nobody sees.
    if not number.isdigit() or number.startswith(b"0") or len(link) != 2 * _MAC_BYTES:
        return None
    try:
        read = bytes.fromhex(link.decode("ascii"))
    except ValueError:
        return None
    if read.hex().encode() != link:
        return None
    return Record(int(number), read, body)


def segment_path(folder: Path, segment: int) -> Path:
    """Returns the file of a segment."""
    return folder / f"{segment:08d}.log"


def segments(folder: Path) -> list[int]:
    """Returns the numbers of the segments that are there, in order."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.log") if path.stem.isdigit())
