"""Decides how a client is shown to see the same of our server as of PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.wire.served import Place, Served

ALL = "SELECT ident, code, grade, opened, active, budget FROM depot ORDER BY ident"
LONG = (
    "SELECT sum(a.x * b.x) FROM generate_series(1, 100000) AS a(x)"
    " CROSS JOIN generate_series(1, 1000000) AS b(x)"
)
"""What runs until it is cancelled."""


async def alike(served: Served, told: Callable[[str], Any]) -> Any:
    """Returns what a client tells of our server, once PostgreSQL has told it the same."""
    ours, theirs = await asyncio.gather(
        asyncio.to_thread(told, served.ours), asyncio.to_thread(told, served.theirs)
    )
    assert ours == theirs
    return ours


async def alike_at(served: Served, told: Callable[[Place], Any]) -> Any:
    """Returns the same for clients that are told a place."""
    ours, theirs = await asyncio.gather(
        *(asyncio.to_thread(told, place) for place in served.places)
    )
    assert ours == theirs
    return ours


async def seen(
    served: Served, told: Callable[[Place], Any], *, is_compared: bool = True
) -> tuple[Any, Any]:
    """Returns what a client tells of our server, and of PostgreSQL where that is compared."""
    ours, theirs = served.places
    asked = [asyncio.to_thread(told, place) for place in (ours, theirs)[: 1 + is_compared]]
    found = await asyncio.gather(*asked)
    return found[0], found[-1]
