"""Asks so many random questions under random roles at every door, from several processes.

python -m tests.federation.asking 100000 [--processes 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.federation.conftest import opened
from tests.federation.door_answers import (
    CommandLine,
    compare_graphql,
    compare_sql,
    expected_of,
    kind,
)
from tests.federation.door_questions import question
from tests.federation.ruled import opened_ruled

from roundview.demo import support
from roundview_graphql.door import Door

EVERY = 1_000
"""So many questions are asked together, role after role, and told of."""
COMMANDS = 200
"""One question in so many is asked at the command line too, which opens everything each time."""


async def ask(seeds: Sequence[int]) -> int:
    """Asks the questions of seeds over an estate of its own; returns how many were different."""
    began, answers, different = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        made, ruling, shell = (Path(folder) / name for name in ("estate", "ruled", "shell"))
        async with opened(made) as world:
            env = {**world.estate.env, "SUPPORT_URL": world.support.url}
            env[support.TOKEN_VARIABLE] = world.support.token
            records = world.estate.truth["records"]
            async with opened_ruled(made, ruling, env, records) as ruled:
                door = Door(ruled.federation)
                with CommandLine.opened(world, ruled, shell) as commands:
                    for start in range(0, len(seeds), EVERY):
                        some = [question(ruled, seed) for seed in seeds[start : start + EVERY]]
                        for one in sorted(some, key=kind):
                            try:
                                naive = expected_of(ruled, one)
                                answers += await compare_sql(ruled, one, naive)
                                answers += await compare_graphql(ruled, door, one, naive)
                                if one.seed % COMMANDS == 0:
                                    answers += await asyncio.to_thread(commands.compare, one, naive)
                            except Exception:  # noqa: BLE001 - whatever it was, it is told of
                                different += 1
                                _say(f"different: seed {one.seed}\n{traceback.format_exc()}")
                        spent = time.monotonic() - began
                        done = min(start + EVERY, len(seeds))
                        _say(
                            f"{done} of {len(seeds)} questions from seed {seeds[0]},"
                            f" {answers} answers, {different} different, {spent:.0f} s"
                        )
    return different


def main() -> int:
    """Asks, alone or in several processes; returns 1 where an answer was different."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("questions", type=int)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--processes", type=int, default=1)
    told = options.parse_args()
    if told.processes == 1:
        return int(asyncio.run(ask(range(told.seed, told.seed + told.questions))) > 0)
    each, left = divmod(told.questions, told.processes)
    first, started = told.seed, []
    for at in range(told.processes):
        count = each + (at < left)
        command = [
            sys.executable,
            "-m",
            "tests.federation.asking",
            str(count),
            "--seed",
            str(first),
        ]
        started.append(subprocess.Popen(command))
        first += count
    return max([one.wait() for one in started])


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - for whoever waits


if __name__ == "__main__":
    raise SystemExit(main())
