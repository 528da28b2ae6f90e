"""Decides when consents count as known: they were read in time, and whole."""

from __future__ import annotations

import asyncio

from roundview_federation.resilience.deadline import Deadline
from roundview_federation.result import Agreed

NOBODY = Agreed(frozenset())
"""Nobody agreed, or none was asked."""
UNKNOWN = Agreed(frozenset(), is_known=False)
"""Nobody agreed, as far as can be told."""


async def settled(reading: asyncio.Future[Agreed], deadline: Deadline) -> Agreed:
    """Returns who agreed, as soon as it is known; nobody where that fails or is late."""
    await asyncio.wait([reading], timeout=max(deadline.left, 0.0))
    if not reading.done() or reading.cancelled() or reading.exception() is not None:
        return UNKNOWN
    return reading.result()
