"""Decides how a benchmark talks with a process that it started: one line of JSON each way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_LINE_BYTES = 64 * 1024 * 1024
_END_SECONDS = 10.0


class Child:
    """A process that answers each line on its standard input with a line on its output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def exchange(self, asked: Mapping[str, Any]) -> Any:
        """Sends one line and returns the one that comes back.

        Raises RuntimeError with what the process says under `error`, or when it has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        said = json.loads(line or b'{"error": "the process ended: what it said is above"}')
        if "error" in said:
            raise RuntimeError(said["error"])
        return said


@asynccontextmanager
async def child(*command: str | Path) -> AsyncIterator[Child]:
    """Starts a command; with the block its input ends, and so does the process."""
    process = await asyncio.create_subprocess_exec(
        *command, limit=_LINE_BYTES, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Child(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
