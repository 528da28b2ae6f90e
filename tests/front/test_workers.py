"""Proves that several processes serve one address and share what a source allows."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.front.conftest import shell_env

from roundview.demo.estate import Estate
from roundview.settings import find_workspace
from roundview.workers import Turn
from roundview_federation.federation import Federation

SECONDS = 60.0
ASKED = '{ customer(by: {phone: "%s"}) { customerId } }'


@pytest.fixture(scope="module")
def served(made_estate: Estate) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serves the estate with two processes."""
    process = subprocess.Popen(
        ["roundview", "serve", str(made_estate.catalog), "--port", "0", "--workers", "2"],
        env=shell_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    base = process.stdout.readline().split()[-1].removesuffix("/desk")
    try:
        yield process, base
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=SECONDS) == 0, rest


def workers(process: subprocess.Popen[str]) -> set[int]:
    """Returns the processes that serve; spawned helpers of Python's own are left out."""
    found = set()
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def healthy(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health", timeout=SECONDS).status_code == 200
    except httpx.TransportError:
        return False


def test_a_worker_that_dies_is_replaced(
    served: tuple[subprocess.Popen[str], str], made_estate: Estate
) -> None:
    process, base = served
    assert healthy(base)
    before = workers(process)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    until = time.monotonic() + SECONDS
    while (now := workers(process)) == before or len(now) < 2 or not healthy(base):
        assert time.monotonic() < until
    assert max(before) in now
    phone = made_estate.personas["heroine"]["identifiers"]["phone"][1]
    answer = httpx.post(f"{base}/graphql", json={"query": ASKED % phone}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text


def test_one_process_of_many_links_records(tmp_path: Path) -> None:
    first, second = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    assert first.taken()
    assert not second.taken()
    assert first.taken()


async def test_processes_share_the_limits_of_a_source(made_estate: Estate, tmp_path: Path) -> None:
    env = find_workspace(made_estate.catalog).env
    opened = [
        Federation.open(
            made_estate.catalog, data_dir=tmp_path, secret=bytes(32), env=env, processes=count
        )
        for count in (1, 2, 1000)
    ]
    alone, half, least = ({n: s.limits for n, s in one.catalog.sources.items()} for one in opened)
    assert opened[0].catalog.version == opened[1].catalog.version
    for name, limits in alone.items():
        assert half[name].concurrency == limits.concurrency // 2
        assert least[name].concurrency == 1
        if limits.rate_per_second is not None:
            assert half[name].rate_per_second == limits.rate_per_second / 2
    assert any(limits.rate_per_second is not None for limits in alone.values())
    for one in opened:
        await one.close()


@pytest.mark.parametrize("number", ["0", "65"])
def test_a_number_of_workers_that_cannot_be(
    made_estate: Estate,
    shell: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    number: str,
) -> None:
    said = shell("roundview", "serve", str(made_estate.catalog), "--workers", number, cwd=tmp_path)
    assert said.returncode == 2
    assert "--workers" in said.stderr + said.stdout
