"""Decides what a proof may come to and how it is told: counts and shares, never values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roundview_catalog.errors import Position


class Verdict(StrEnum):
    """How much is known of a claim.

    PROVED: the source itself guarantees it. NOT_REFUTED: nothing against it in what was looked
    at. REFUTED: the source says otherwise. OPEN: nothing in the source could show it.
    """

    PROVED = "proved"
    NOT_REFUTED = "not refuted"
    REFUTED = "refuted"
    OPEN = "cannot be proved"


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim of a catalog and what its source says of it.

    `position` is the line to change if it is wrong, `seen` what was looked at, `hint` what to do.
    """

    source: str
    position: Position
    claim: str
    verdict: Verdict
    seen: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.position} {self.verdict}: {self.claim} — {self.seen}"
        return f"{text}; {self.hint}" if self.hint else text


def counted(number: int, what: str, many: str = "") -> str:
    """Returns a number with what it counts.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "index", "indexes")
    ('1 row', '1,200 rows', '2 indexes')
    """
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def share(part: int, whole: int) -> str:
    """Returns a part of a whole as people read it; a part is never shown as nothing or all.

    >>> share(1, 3), share(1, 100_000), share(0, 0)
    ('33 %', '< 1 %', '0 %')
    """
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent < 1:
        return "< 1 %"
    return "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"
