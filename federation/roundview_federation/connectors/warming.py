"""Decides how connections of a pool are opened ahead: some at once, one left for questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

_CONNECTIONS: Final = 4
"""About as many as one view of a customer uses at once."""


async def together(
    connect: Callable[[asyncio.Barrier], Coroutine[Any, Any, None]], most: int
) -> None:
    """Runs `connect(ready)` for some of `most` connections; raises what the first one raises.

    Each has its own because it keeps it until all are `ready`.
    """
    ready = asyncio.Barrier(max(1, min(_CONNECTIONS, most - 1)))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(ready.parties):
                group.create_task(connect(ready))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
