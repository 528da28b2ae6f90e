"""Decides which estate and which running demo the tests of the front door share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from roundview.demo import estate, support
from roundview.demonstration import write_env

PEOPLE = 200


@dataclass(frozen=True)
class RunningDemo:
    """A `roundview demo` in a process of its own; `folder` is its working folder."""

    folder: Path
    base: str
    said: str


def shell_env() -> dict[str, str]:
    """Returns an environment in which `roundview` is found and nothing of ours is set."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDVIEW_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    env.pop("COLUMNS", None)
    return env


@pytest.fixture(scope="session")
def made_estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[estate.Estate]:
    """Returns a small finished estate whose support app runs."""
    made = estate.make(tmp_path_factory.mktemp("estate"), PEOPLE)
    process = support.start(made.directory)
    write_env(made.directory, process)
    yield made
    process.stop()


@pytest.fixture(scope="session")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Runs the demo of 2,000 people until the tests end; tests leave it as it is."""
    with running(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Runs a small demo for the tests of one module that break it."""
    with running(tmp_path_factory.mktemp("own"), "--people", str(PEOPLE)) as demo:
        yield demo


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Returns `shell(*command, cwd=…)`: runs a command as a user would."""

    def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=cwd, env=shell_env(), capture_output=True, text=True)

    return run


@contextmanager
def running(folder: Path, *options: str) -> Iterator[RunningDemo]:
    """Starts a demo and waits for its last line; it must end by itself when interrupted."""
    process = subprocess.Popen(
        ["roundview", "demo", "--port", "0", *options],
        cwd=folder,
        env=shell_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ctrl-c"):
            break
    said = "".join(lines)
    try:
        assert process.poll() is None, said
        base = next(line.strip().removesuffix("/desk") for line in lines if "/desk\n" in line)
        yield RunningDemo(folder, base, said)
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=20) == 0, rest
