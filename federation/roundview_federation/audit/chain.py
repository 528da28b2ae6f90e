"""Decides how records are bound to each other, so that no change to them stays unseen."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from roundview_identity.keys import Keys

_START = bytes(32)
_TIP = b"%08d %015d %015d %s"
_TIP_OF = b"%04d "
"""What stands before the end of any chain but the first."""

_MAC_BYTES = 32

TIP_FILE = "tip"


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a chain: the segment, its bytes, the number and the link of the last record."""

    segment: int = 0
    size: int = 0
    number: int = 0
    link: bytes = _START
    chain: int = 1

    @classmethod
    def start(cls, chain: int) -> Tip:
        """Returns what the first record of a chain follows.

        >>> Tip.start(1) == Tip()
        True
        """
        return cls(link=(chain - 1).to_bytes(len(_START), "big"), chain=chain)


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
        """Returns the end of a chain, signed, always of one length."""
        said = (_TIP_OF % tip.chain if tip.chain > 1 else b"") + _TIP % (
            tip.segment,
            tip.size,
            tip.number,
            tip.link.hex().encode(),
        )
        return b"%s %s\n" % (said, hmac.new(self._tip_key, said, sha256).hexdigest().encode())

    def read_tip(self, line: bytes) -> Tip | None:
        """Returns what `tip` wrote; None for anything else."""
        said, _, mac = line.removesuffix(b"\n").rpartition(b" ")
        expected = hmac.new(self._tip_key, said, sha256).hexdigest().encode()
        if not line.endswith(b"\n") or not hmac.compare_digest(mac, expected):
            return None
        *chain, segment, size, number, link = said.split(b" ")
        where = (int(segment), int(size), int(number), bytes.fromhex(link.decode()))
        return Tip(*where, *map(int, chain))


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


def chain_folder(folder: Path, chain: int) -> Path:
    """Returns the folder of a chain: the log's own is that of the first.

    >>> chain_folder(Path("audit"), 2).as_posix()
    'audit/chain-0002'
    """
    return folder if chain == 1 else folder / f"chain-{chain:04d}"


def chains(folder: Path) -> list[int]:
    """Returns the numbers of the chains of a log that are there, in order."""
    found = (path.name.partition("-")[2] for path in folder.glob("chain-[0-9]*"))
    first = [1] if (folder / TIP_FILE).exists() or segments(folder) else []
    return first + sorted(int(one) for one in found if one.isdigit())


def segment_path(folder: Path, segment: int) -> Path:
    """Returns the file of a segment."""
    return folder / f"{segment:08d}.log"


def segments(folder: Path) -> list[int]:
    """Returns the numbers of the segments that are there, in order."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.log") if path.stem.isdigit())
