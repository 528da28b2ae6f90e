"""Makes customer ids: UUIDv7, born once, never derived from content."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID


def uuid7(
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    random: Callable[[int], bytes] = os.urandom,
) -> UUID:
    """Returns a time-ordered UUID (RFC 9562, version 7)."""
    value = int.from_bytes(clock_ms().to_bytes(6, "big") + random(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
