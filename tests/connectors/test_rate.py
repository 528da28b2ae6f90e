"""Proves that calls keep to a rate, leave views their share, and wait at a closed gate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_federation.resilience.deadline import Deadline
from roundview_federation.resilience.rate import BusyError, Pace, RateLimit


@given(
    st.floats(0.5, 2_000),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_no_second_holds_more_calls_than_the_rate(per_second: float, gaps: list[float]) -> None:
    pace = Pace(per_second)
    now, made = 0.0, []
    for gap in gaps:
        now += gap * 3 / per_second
        wait = pace.wait(now)
        pace.reserve(now)
        made.append(now + wait)
    for at, start in enumerate(made):
        inside = sum(1 for moment in made[at:] if moment < start + 1.0 - 1e-9)
        assert inside <= max(1.0, per_second) + 1


async def test_without_a_rate_nothing_waits() -> None:
    limit = RateLimit(None, 0.5)
    for _ in range(1_000):
        await limit.admit(Deadline.after(0.0), is_view=True)


async def test_views_find_their_share_free_while_scans_press() -> None:
    now = [1_000.0]
    limit = RateLimit(10.0, 0.5, clock=lambda: now[0])
    scans = views = 0
    for _ in range(2_000):
        now[0] += 0.005
        for is_view in (False, True):
            try:
                await limit.admit(Deadline.after(0.0), is_view=is_view)
            except BusyError:
                continue
            if is_view:
                views += 1
            else:
                scans += 1
    # Ten seconds at ten calls a second.
    assert scans <= 51
    assert views >= 40
    assert scans + views <= 101


async def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    limit = RateLimit(0.1, 0.0)
    await limit.admit(Deadline.after(1.0), is_view=True)
    with pytest.raises(BusyError) as caught:
        await limit.admit(Deadline.after(1.0), is_view=True)
    assert caught.value.seconds > 1.0


async def test_a_closed_gate_stops_everybody_until_it_opens() -> None:
    now = [50.0]
    limit = RateLimit(None, 0.5, clock=lambda: now[0])
    limit.close_for(30.0)
    limit.close_for(5.0)
    for is_view in (True, False):
        with pytest.raises(BusyError):
            await limit.admit(Deadline.after(1.0), is_view=is_view)
    now[0] += 31.0
    await limit.admit(Deadline.after(0.0), is_view=True)


async def test_everything_reserved_leaves_scans_nothing() -> None:
    limit = RateLimit(10.0, 1.0)
    await limit.admit(Deadline.after(1.0), is_view=True)
    with pytest.raises(BusyError):
        await limit.admit(Deadline.after(1.0), is_view=False)
