"""Runs a command in a terminal of its own and types into it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>()][0-9A-Za-z]?)")
_SECONDS = 40.0


class Terminal:
    """One running command: `said` is what was shown since the last `await_text`."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._shown = ""

    def type(self, text: str) -> None:
        """Types text; Enter is `\\r`, Ctrl-C is `\\x03`, Tab is `\\t`."""
        os.write(self._master, text.encode())

    def until(self, text: str) -> str:
        """Returns what was shown up to a text, which is taken away with it."""
        deadline = time.monotonic() + _SECONDS
        while text not in self._shown:
            assert time.monotonic() < deadline, f"no {text!r} in {self._shown!r}"
            if not select.select([self._master], [], [], 1)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                data = b""
            assert data, f"ended without {text!r}: {self._shown!r}"
            self._shown = _ESCAPES.sub("", self._shown + data.decode(errors="replace"))
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def ended(self) -> int:
        """Returns the exit code; what is still shown is read, or the command would wait."""
        while True:
            try:
                if not os.read(self._master, 65536):
                    break
            except OSError:
                break
        return self.process.wait(timeout=_SECONDS)


@contextmanager
def terminal(
    *command: str, cwd: Path, env: Mapping[str, str], columns: int = 100
) -> Iterator[Terminal]:
    """Starts a command in a new terminal; it is killed where it did not end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**env, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Tests that a shell runs in the background inherit that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
