"""Decides how the workers of one test run share a server: the first starts it, the last stops it.

with shared(folder, "postgres", start) as told:  # `start()` returns JSON: at least {"pid": …}
    told["port"]
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_STOP_SECONDS = 10.0


@contextmanager
def shared(
    folder: Path,
    name: str,
    start: Callable[[], dict[str, Any]],
    stop_signal: signal.Signals = signal.SIGINT,
) -> Iterator[dict[str, Any]]:
    """Yields what `start` told, whoever called it; `folder` is the same for all workers."""
    state = folder / f"{name}.json"
    with _locked(folder / f"{name}.lock"):
        known = json.loads(state.read_text(encoding="utf-8")) if state.exists() else None
        if known is None:
            known = {"users": 0, "told": start()}
        known["users"] += 1
        state.write_text(json.dumps(known), encoding="utf-8")
    try:
        yield known["told"]
    finally:
        with _locked(folder / f"{name}.lock"):
            known = json.loads(state.read_text(encoding="utf-8"))
            known["users"] -= 1
            if known["users"]:
                state.write_text(json.dumps(known), encoding="utf-8")
            else:
                state.unlink()
                _stop(known["told"]["pid"], stop_signal)


def _stop(pid: int, stop_signal: signal.Signals) -> None:
    until = time.monotonic() + _STOP_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, stop_signal)
        while _is_running(pid):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                until += _STOP_SECONDS
            time.sleep(0.02)


def _is_running(pid: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie of another worker is not running any more.
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
