"""Decides how several processes serve one address."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from roundview.client import open_federation
from roundview.serve import BACKLOG, hasten_loop, make_app, server_config
from roundview.settings import find_workspace, read_settings
from roundview.sql_door import SqlDoor, hand_over, handed_over
from roundview_federation.federation import Federation


def run_workers(
    federation: Federation,
    listener: socket.socket,
    announce: Callable[[], None],
    processes: int,
    sql: SqlDoor,
) -> None:
    """Serves with several processes until SIGINT or SIGTERM; one that dies is replaced.

    The processes open the federation's catalog folder for themselves; the given one only
    proved that this is possible. SIGHUP replaces them one after the other.
    """
    asyncio.run(federation.close())
    # What the workers need is handed over as settings: they are started, not forked.
    os.environ["ROUNDVIEW_CATALOG"] = str(federation.root.resolve())
    os.environ["ROUNDVIEW_WORKERS"] = str(processes)
    hand_over(sql, sql.listener.getsockname()[0])
    listener.listen(BACKLOG)
    announce()
    config = server_config(f"{__name__}:worker_app", factory=True, workers=processes)
    try:
        Multiprocess(config, sockets=[listener]).run()
    finally:
        sql.close()


def worker_app() -> FastAPI:
    """Returns the server of one of the processes that `run_workers` starts."""
    hasten_loop()
    federation = open_federation(processes=read_settings().workers)
    links = Turn(find_workspace().data_dir / "linking.lock").taken
    return make_app(federation, links=links, sql=handed_over())


class Turn:
    """Belongs to one process of those that name the same file, until that process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def taken(self) -> bool:
        """Returns whether this process has the turn; takes it where nobody has it."""
        if self._file is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._file = descriptor
        return True
