"""Decides whether the audit log is whole, and reads its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any

from roundview_federation.audit.chain import (
    TIP_FILE,
    Chain,
    Record,
    Tip,
    chain_folder,
    chains,
    record_of,
    segment_path,
    segments,
)
from roundview_federation.audit.log import AuditPlace

Progress = Callable[[str, int, int | None], None]
_EVERY = 5_000
_MOST_FINDINGS = 100
_RARE = (b'{"is":"retired"', b'{"is":"recovered"')


@dataclass(slots=True)
class Verdict:
    """What was found: how far the log reaches, and what is wrong with it."""

    records: int = 0
    segments: int = 0
    heads: int = 0
    first: str = ""
    last: str = ""
    recoveries: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Tells whether nothing is missing, moved or changed."""
        return not self.findings

    def found(self, what: str) -> None:
        """Notes what is wrong; only so many are kept."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(what)

    def add(self, other: Verdict, of: str) -> None:
        """Adds what was found of a part, named behind what is wrong with it."""
        self.records += other.records
        self.segments += other.segments
        self.heads += other.heads
        self.recoveries += other.recoveries
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)
        for finding in other.findings:
            self.found(finding + of)


def verify(place: AuditPlace, chain: Chain, progress: Progress | None = None) -> Verdict:
    """Reads the whole log and says whether it is what was written.

    It is held against its own links, its tip, and the heads that were written elsewhere. Others
    may write meanwhile: what they add is not looked at.
    """
    whole, of_heads = Verdict(), Verdict()
    heads = _heads(place.heads, chain, of_heads)
    there = chains(place.folder)
    for number in sorted({1, *there, *heads}):
        verdict = _verified(place.folder, number, chain, heads[number], progress)
        whole.add(verdict, f" of chain {number}" if number > 1 else "")
    for number in sorted(set(range(1, max(there, default=1))).difference(there)):
        whole.found(f"chain {number} is missing")
    whole.add(of_heads, "")
    return whole


def records(folder: Path, progress: Progress | None = None) -> Iterator[dict[str, Any]]:
    """Yields what the records say, those of all chains in the order of time; see `verify` first.

    Each has the `number` of its `chain`.
    """
    told = [_told(folder, number, progress) for number in chains(folder)]
    for _, record in merge(*told, key=lambda one: one[0]):
        yield record


def _verified(
    folder: Path, number: int, chain: Chain, heads: dict[int, Tip], progress: Progress | None
) -> Verdict:
    """Returns what was found of one chain."""
    verdict, own = Verdict(), chain_folder(folder, number)
    tip = _tip(own, number, chain, verdict)
    there = segments(own)
    if tip is None and there and verdict.is_whole:
        verdict.found("the tip is missing")
    walk = _Walk(chain, number, tip, heads, verdict)
    for at, segment in enumerate(there):
        if at and segment != there[at - 1] + 1:
            verdict.found(f"segments are missing before {segment}")
        verdict.segments += 1
        walk.begin(segment)
        with segment_path(own, segment).open("rb") as file:
            for line in file:
                walk.take(line)
                if progress is not None and verdict.records % _EVERY == 0:
                    progress("records", verdict.records, tip.number if tip else None)
    walk.end()
    return verdict


def _told(
    folder: Path, chain: int, progress: Progress | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the records of a chain, each with a time that is never before those before it."""
    own, at = chain_folder(folder, chain), ""
    there = segments(own)
    for done, segment in enumerate(there):
        if progress is not None:
            progress("segments", done, len(there))
        with segment_path(own, segment).open("rb") as file:
            for line in file:
                record = record_of(line.removesuffix(b"\n"))
                if record is not None:
                    said = {**record.content, "chain": chain, "number": record.number}
                    at = max(at, said.get("at", ""))
                    yield at, said


class _Walk:
    """Follows the links through all segments of a chain."""

    def __init__(
        self, chain: Chain, number: int, tip: Tip | None, heads: dict[int, Tip], verdict: Verdict
    ) -> None:
        self._chain = chain
        self._start = Tip.start(number)
        self._tip = tip
        self._heads = heads
        self._verdict = verdict
        self._segment = self._oldest = 0
        self._last: Record | None = None
        self._retired = 0

    def begin(self, segment: int) -> None:
        """Goes on with the next segment."""
        self._segment = segment

    def take(self, line: bytes) -> None:
        """Takes one line."""
        verdict, before = self._verdict, self._last
        record = record_of(line[:-1]) if line.endswith(b"\n") else None
        if record is None:
            if not self._is_behind_tip():
                number = before.number if before else 0
                verdict.found(f"what follows record {number} is not a record")
            return
        verdict.records += 1
        if before is None:
            previous, self._oldest = self._before_first(record), self._segment
            verdict.first = _time(record)
        else:
            previous = before.link
            if record.number != before.number + 1:
                verdict.found(f"records are missing between {before.number} and {record.number}")
        if record.link != self._chain.link(previous, record.number, record.body):
            verdict.found(f"record {record.number} is not what was written here")
        elif record.body.startswith(_RARE):
            told = record.content
            verdict.recoveries += told["is"] == "recovered"
            self._retired = max(self._retired, told.get("through", 0))
        self._compare(record, self._heads.pop(record.number, None), "a head names")
        is_tip = self._tip is not None and self._tip.number == record.number
        self._compare(record, self._tip if is_tip else None, "the tip names")
        self._last = record

    def end(self) -> None:
        """Says what should have come and did not."""
        verdict, tip = self._verdict, self._tip
        number = self._last.number if self._last else 0
        if self._last is not None:
            verdict.last = _time(self._last)
        if self._oldest > self._retired + 1:
            verdict.found(f"segments are missing before {self._oldest}")
        missing = sorted(n for n, head in self._heads.items() if head.segment > self._retired)
        if missing:
            verdict.found(f"a head names record {missing[-1]}, which is missing")
        if tip is not None and number < tip.number:
            verdict.found(f"the log ends with record {number}, its tip names {tip.number}")

    def _compare(self, record: Record, named: Tip | None, by: str) -> None:
        if named is not None and named.link != record.link:
            self._verdict.found(f"record {record.number} is not the one that {by}")

    def _before_first(self, record: Record) -> bytes:
        """Returns what the oldest record that is left follows, as it says itself."""
        if self._segment == 1:
            return self._start.link
        try:
            return bytes.fromhex(record.content["after"])
        except (ValueError, KeyError, TypeError):
            return b""

    def _is_behind_tip(self) -> bool:
        """Tells whether a crash may have left the line: nobody was told that it is kept."""
        last, tip = self._last, self._tip
        return tip is not None and last is not None and last.number >= tip.number


def _tip(folder: Path, number: int, chain: Chain, verdict: Verdict) -> Tip | None:
    path = folder / TIP_FILE
    line = path.read_bytes() if path.exists() else b""
    if not line:
        # One that was claimed and never written to.
        return None
    tip = chain.read_tip(line)
    if tip is None or tip.chain != number:
        verdict.found("the tip is not what was written, or the root secret is another one")
        return None
    return tip


def _heads(path: Path, chain: Chain, verdict: Verdict) -> defaultdict[int, dict[int, Tip]]:
    found: defaultdict[int, dict[int, Tip]] = defaultdict(dict)
    if not path.exists():
        return found
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        head = chain.read_tip(line)
        if head is None:
            verdict.found(f"line {number} of the heads is not what was written")
        else:
            found[head.chain][head.number] = head
            verdict.heads += 1
    return found


def _time(record: Record) -> str:
    try:
        return str(record.content.get("at", ""))
    except ValueError:
        return ""
