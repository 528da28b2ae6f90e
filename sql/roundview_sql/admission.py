"""Decides who may connect, and how many statements of one user run at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from roundview_sql.failures import WireError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds the connections of this process; times in seconds.

    `statements` of one user run at the same time, others wait for their turn.
    """

    connections: int = 2_000
    connections_per_user: int = 1_500
    statements: int = 16
    startup_seconds: float = 15.0
    idle_seconds: float = 8 * 3600.0
    shutdown_seconds: float = 5.0


class Turn:
    """The turns of one user's statements."""

    def __init__(self, most: int) -> None:
        self.connections = 0
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Waits for a turn and keeps it for the block."""
        async with self._free:
            yield


@dataclass(slots=True)
class Admission:
    """Counts the connections of each user."""

    limits: Limits
    _users: dict[str, Turn] = field(default_factory=dict)

    @contextmanager
    def admitted(self, user: str) -> Iterator[Turn]:
        """Admits a connection of a user for the block; raises WireError 53300 for one too many."""
        turn = self._users.setdefault(user, Turn(self.limits.statements))
        if turn.connections >= self.limits.connections_per_user:
            raise WireError("53300", "too many connections of this user", is_fatal=True)
        turn.connections += 1
        try:
            yield turn
        finally:
            turn.connections -= 1
            if not turn.connections:
                self._users.pop(user, None)
