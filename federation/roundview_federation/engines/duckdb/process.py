"""Decides how a worker process is started, interrupted and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from roundview_federation.engines.duckdb.channel import Channel, GoneError
from roundview_federation.engines.duckdb.frames import NUMBER, Kind, frame

_MODULE: Final = "roundview_federation.engines.duckdb.worker"
_KEPT_NAMES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SOCKET_BYTES: Final = 1_048_576


class WorkerProcess:
    """One worker and the two lines to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: Channel, control: socket.socket
    ) -> None:
        self._process = process
        self._control = control
        self.channel = channel
        self.number = 0
        """The number of the request that was sent last."""
        self.is_asked = False
        """Whether that request is still to be answered to its end."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def interrupt(self) -> None:
        """Asks the worker to stop the request that was sent last."""
        # A full or broken line means that the worker does not listen: then it is killed.
        with contextlib.suppress(OSError):
            self._control.send(NUMBER.pack(self.number))

    async def reset(self) -> None:
        """Returns when the worker has forgotten everything; raises GoneError if it never will."""
        if self.channel.torn:
            raise GoneError
        if self.is_asked:
            self.interrupt()
        self.is_asked = False
        self.channel.drop_queued()
        await self.channel.put(frame(Kind.RESET))
        await self.channel.flush()
        await self.ready()

    async def ready(self) -> None:
        """Returns when the worker waits for a question; what it says before is dropped."""
        while (await self.channel.receive())[0] is not Kind.READY:
            pass

    def kill(self) -> None:
        """Ends the process whatever it does; its memory is free when `gone` returns."""
        self._process.kill()
        self.channel.close()
        self._control.close()

    def is_running(self) -> bool:
        """Tells whether the process has not ended."""
        return self._process.poll() is None

    async def gone(self) -> None:
        """Waits for the end of a killed process."""
        await asyncio.to_thread(self._process.wait)


async def start_worker(
    work_bytes: int, total_bytes: int, threads: int, *, tells: bool
) -> WorkerProcess:
    """Starts a worker that will say READY; raises OSError where none can be started."""
    data, data_there = socket.socketpair()
    control, control_there = socket.socketpair()
    control.setblocking(False)
    for end in (data, data_there):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BYTES)
    inherited = (data_there.fileno(), control_there.fileno())
    command = [sys.executable, "-P", "-m", _MODULE, *map(str, inherited)]
    command += map(str, (work_bytes, total_bytes, threads))

    def started() -> subprocess.Popen[bytes]:
        with data_there, control_there:
            # A session of its own: Ctrl-C in the terminal is for the server.
            return subprocess.Popen(  # noqa: S603 our own module
                command,
                pass_fds=inherited,
                env=_environment(tells=tells),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if tells else subprocess.DEVNULL,
                start_new_session=True,
            )

    try:
        process = await asyncio.to_thread(started)
    except BaseException:
        data.close()
        control.close()
        raise
    return WorkerProcess(process, Channel(data), control)


def _environment(*, tells: bool) -> Mapping[str, str]:
    """Returns all that a worker sees of the environment: no secret is in it."""
    kept = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ}
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return {
        **kept,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # Address space is bounded: an arena per thread would use it up unseen.
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        **({"ROUNDVIEW_ENGINE_TELLS": "1"} if tells else {}),
    }
