"""Decides which view is asked for beside rivals, and how many clients ask for it at once."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.busy import PHONE
from benchmarks.graphql import FULL
from benchmarks.rivals.child import Child, child

from roundview_federation.federation import Federation
from roundview_federation.request import Request
from roundview_graphql.door import Ask, Door

SECONDS = 10.0


class Roundview:
    """The full view of the busy customer, without what lies behind the REST app."""

    def __init__(self, federation: Federation) -> None:
        text = re.sub(r"\n  supportCase\(.*", "", FULL)
        assert text != FULL
        self.federation = federation
        self._door = Door(federation)
        self._request = Request(federation.principal, timeout_seconds=SECONDS)
        self._ask = Ask(text, variables={"by": {"phone": PHONE}})

    async def answer(self) -> Mapping[str, Any]:
        """Returns the customer of a complete answer."""
        body = (await self._door.answer(self._ask, self._request)).body
        assert "errors" not in body, body["errors"]
        assert body["extensions"]["complete"], body["extensions"]
        customer: Mapping[str, Any] = body["data"]["customer"]
        return customer

    async def start(self) -> Mapping[str, Any]:
        """Answers twice, so that everything is compiled and connected."""
        await self._door.prepare(self.federation.principal)
        await self.answer()
        return await self.answer()

    async def load(self, seconds: float, clients: int) -> tuple[list[float], float, float]:
        """Returns milliseconds of each answer to so many clients, and seconds of all and of CPU."""
        walls: list[float] = []
        gc.collect()
        started, cpu = time.perf_counter(), time.process_time()
        until = started + seconds

        async def client() -> None:
            while (asked := time.perf_counter()) < until:
                await self.answer()
                walls.append((time.perf_counter() - asked) * 1000)

        await asyncio.gather(*(client() for _ in range(clients)))
        return walls, time.perf_counter() - started, time.process_time() - cpu


class Processes:
    """Several processes that answer views, as `roundview serve --workers` has them."""

    def __init__(self, processes: Sequence[Child]) -> None:
        self._processes = processes

    async def load(self, seconds: float, clients: int) -> tuple[list[float], float, float]:
        """Does what `Roundview.load` does, the clients shared out."""
        asked = {"seconds": seconds, "clients": clients // len(self._processes)}
        said = await asyncio.gather(*(one.exchange(asked) for one in self._processes))
        walls = [wall for one in said for wall in one["walls"]]
        return walls, max(one["elapsed"] for one in said), sum(one["cpu"] for one in said)


@asynccontextmanager
async def processes(root: Path, env: Mapping[str, str], count: int) -> AsyncIterator[Processes]:
    """Starts so many processes over one catalog; they end with the block."""
    async with AsyncExitStack() as stack:
        command = (sys.executable, "-m", "benchmarks.rivals.view_process")
        started = [await stack.enter_async_context(child(*command)) for _ in range(count)]
        opened = {"catalog": str(root), "env": dict(env), "processes": count}
        for process in started:
            await process.exchange(opened)
        yield Processes(started)
