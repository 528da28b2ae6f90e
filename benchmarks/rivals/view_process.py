"""Asks for the whole view of the busy customer in a process of its own, as a server's worker does.

One JSON object per line comes in, one goes out. The first one opens the catalog:

    {"catalog": folder, "env": {...}, "processes": 2}
    {"ready": true}

Each one after it asks for so long with so many clients:

    {"clients": 8, "seconds": 2.0}
    {"walls": [milliseconds of each answer], "elapsed": seconds, "cpu": seconds}
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing
from typing import Any

import uvloop
from benchmarks.rivals.view import Roundview

from roundview.serve import hasten_loop
from roundview.settings import find_workspace
from roundview_federation.federation import Federation


async def answer() -> None:
    """Answers lines until there are no more."""
    asked = await _line()
    place = find_workspace(asked["catalog"])
    federation = Federation.open(
        place.catalog,
        data_dir=place.data_dir,
        secret=place.secret_file,
        env={**place.env, **asked["env"]},
        processes=asked["processes"],
    )
    view = Roundview(federation)
    await view.start()
    _say({"ready": True})
    while asked := await _line():
        walls, elapsed, cpu = await view.load(asked["seconds"], asked["clients"])
        _say({"walls": walls, "elapsed": elapsed, "cpu": cpu})
    await federation.close()


async def _line() -> dict[str, Any]:
    line = await asyncio.to_thread(sys.stdin.readline)
    said: dict[str, Any] = json.loads(line or "{}")
    return said


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    hasten_loop()
    with closing(sys.stdout):
        uvloop.run(answer())
