"""Proves that PostgreSQL's driver for Java works unmodified."""

from __future__ import annotations

import asyncio
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.clients import obtaining
from tests.wire.served import Place, Served

SOURCE = Path(__file__).parent / "java" / "Asked.java"


@pytest.fixture(scope="module")
async def told(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Returns what Java sees of our server and of PostgreSQL."""
    if missing := obtaining.missing():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("java")
    path = f"{obtaining.jdbc_driver()}:{folder}"

    def run(*command: str | Path) -> str:
        found = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert found.returncode == 0, found.stderr
        return found.stdout

    def asked(place: Place) -> dict[str, list[str]]:
        said = run(
            "java", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", "-XX:TieredStopAtLevel=1", "-cp", path, "Asked",
            str(place.port), place.user, place.password, place.database,
        )  # fmt: skip
        seen: dict[str, list[str]] = defaultdict(list)
        for line in said.splitlines():
            part, _, value = line.partition("\t")
            seen[part].append(value)
        return dict(seen)

    await asyncio.to_thread(
        run,
        "javac",
        "-proc:none",
        "-encoding",
        "UTF-8",
        "-cp",
        str(obtaining.jdbc_driver()),
        "-d",
        folder,
        SOURCE,
    )
    ours, theirs = await asyncio.gather(
        *(asyncio.to_thread(asked, place) for place in served.places)
    )
    return ours, theirs


def alike(told: Any, part: str) -> list[str]:
    """Returns one part of what both servers have shown."""
    ours, theirs = told
    assert ours[part] == theirs[part]
    found: list[str] = ours[part]
    return found


def test_rows(told: Any) -> None:
    assert len(alike(told, "rows")) == 1 + 12


def test_parameters_of_all_types(told: Any) -> None:
    assert len(alike(told, "parameters")) > 3 + 3


def test_prepared_statements(told: Any) -> None:
    assert len(alike(told, "prepared")) == 8 + 8


def test_fetch_sizes(told: Any) -> None:
    assert len(alike(told, "fetch sizes")) == 3 * (1 + 40) + 1 + 3


def test_copy(told: Any) -> None:
    assert alike(told, "copy")[0] == "12"


def test_failures(told: Any) -> None:
    assert alike(told, "failures") == ["42703", "22012", "42601"]


def test_cancel(told: Any) -> None:
    assert alike(told, "cancel")[0] == "57014"


def test_several_statements(told: Any) -> None:
    assert len(alike(told, "several statements")) == 4
