"""Decides when a source may be called: a rate with a reserve for views, and a shared gate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from roundview_federation.resilience.deadline import Deadline

# A tenth of a second's calls at once and nine tenths after it: no window of one second, wherever
# it begins, holds more than the declared rate.
_BURST_SHARE: Final = 0.1


class BusyError(Exception):
    """The next call would have to wait longer than there is time; `seconds` says how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Pace:
    """Spaces calls evenly with a small burst (the generic cell rate algorithm).

    Each call reserves its place at once, so that waiting calls neither overtake nor bunch.
    """

    __slots__ = ("_burst", "_interval", "_next")

    def __init__(self, per_second: float) -> None:
        burst = max(1.0, per_second * _BURST_SHARE)
        self._interval = 1.0 / max(per_second - burst, per_second * 0.5)
        self._burst = (burst - 1.0) * self._interval
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Returns the seconds that a call made now would wait."""
        return max(0.0, self._next - self._burst - now)

    def reserve(self, now: float) -> None:
        """Takes the next place."""
        self._next = max(self._next, now) + self._interval


class RateLimit:
    """What one source allows: `per_second` None means no limit but the gate.

    Calls that are no live view together keep below `1 - reserve` of the rate, so that views
    find the reserved share free. The gate closes for everybody when the source says so.
    """

    def __init__(
        self,
        per_second: float | None,
        reserve: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all = None if per_second is None else Pace(per_second)
        rest = None if per_second is None else per_second * (1.0 - reserve)
        self._others = None if not rest else Pace(rest)
        self._has_place_for_others = rest is None or rest > 0
        self._open_at = 0.0
        self._clock = clock

    def close_for(self, seconds: float) -> None:
        """Closes the gate for everybody, from now."""
        self._open_at = max(self._open_at, self._clock() + seconds)

    async def admit(self, deadline: Deadline, *, is_view: bool) -> None:
        """Waits until a call may be made; raises BusyError at once where time cannot suffice."""
        if not is_view and not self._has_place_for_others:
            raise BusyError(deadline.left)
        while True:
            now = self._clock()
            paces = [self._all] if is_view else [self._all, self._others]
            known = [pace for pace in paces if pace is not None]
            wait = max([self._open_at - now, *(pace.wait(now) for pace in known)])
            if wait > deadline.left:
                raise BusyError(wait)
            for pace in known:
                pace.reserve(now)
            if wait <= 0:
                return
            await asyncio.sleep(wait)
            if self._open_at <= self._clock():
                return
