"""Decides how often one question looks an identifier up: once, however many reads need it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from roundview_federation.plan import Identifier
from roundview_federation.result import Found

Find = Callable[[Identifier], Awaitable[Found]]


def once(find: Find) -> Find:
    """Returns a function that finds each identifier the first time, and then remembers."""
    known: dict[Identifier, asyncio.Future[Found]] = {}

    async def found(identifier: Identifier) -> Found:
        if identifier not in known:
            known[identifier] = asyncio.ensure_future(find(identifier))
        return await known[identifier]

    return found
