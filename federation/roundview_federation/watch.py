"""Decides when a changed catalog file is taken: once it was unchanged for one poll."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from roundview_catalog.model import Catalog

_POLL_SECONDS = 1.0

State = dict[str, tuple[int, int]]


class Reloadable(Protocol):
    """What a watcher needs of a federation."""

    root: Path

    @property
    def catalog(self) -> Catalog:
        """Returns the current catalog."""

    async def reload(self) -> bool:
        """Takes the folder's present content, if it is right."""


async def watch(
    federation: Reloadable,
    on_change: Callable[[frozenset[str]], Awaitable[None]],
    *,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Polls the catalog folder until cancelled and reloads when it settled on a new state.

    `on_change` gets the names of the sources that are new or changed, after the swap.
    """
    taken = await asyncio.to_thread(_state, federation.root)
    last = taken
    while True:
        await asyncio.sleep(poll_seconds)
        now = await asyncio.to_thread(_state, federation.root)
        if now != taken and now == last:
            taken = now
            before = federation.catalog
            if await federation.reload():
                await on_change(changed_sources(before, federation.catalog))
        last = now


def _state(root: Path) -> State:
    found: State = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith((".yaml", ".yml")):
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                found[path] = (status.st_mtime_ns, status.st_size)
    return found


def changed_sources(before: Catalog, after: Catalog) -> frozenset[str]:
    """Returns the names of the sources that are new or not what they were."""
    return frozenset(
        name for name, source in after.sources.items() if before.sources.get(name) != source
    )
