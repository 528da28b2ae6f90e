"""Proves that node's pg works unmodified."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients import obtaining
from tests.wire.served import Place, Served

SCRIPT = Path(__file__).parent / "node" / "asked.js"


@pytest.fixture(scope="module")
async def told(served: Served) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what node sees of our server and of PostgreSQL."""
    if missing := obtaining.missing():
        pytest.skip(missing)

    def asked(place: Place) -> dict[str, Any]:
        run = subprocess.run(
            [
                shutil.which("node") or "node", SCRIPT,
                str(place.port), place.user, place.password, place.database,
            ],
            env={**os.environ, "NODE_PATH": str(obtaining.node_modules()), "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=100,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        seen: dict[str, Any] = json.loads(run.stdout)
        return seen

    ours, theirs = await asyncio.gather(
        *(asyncio.to_thread(asked, place) for place in served.places)
    )
    return ours, theirs


def alike(told: tuple[dict[str, Any], dict[str, Any]], part: str) -> Any:
    """Returns one part of what both servers have shown."""
    ours, theirs = told
    assert ours[part] == theirs[part]
    return ours[part]


def test_rows(told: Any) -> None:
    assert alike(told, "rows")[2] == 12


def test_parameters_without_types(told: Any) -> None:
    assert len(alike(told, "parameters")) == 7


def test_prepared_statements(told: Any) -> None:
    assert alike(told, "prepared")[3]


def test_queued_queries(told: Any) -> None:
    assert [one[0]["twice"] for one in alike(told, "queued")] == [2, 4, 6, 8]


def test_several_statements(told: Any) -> None:
    assert len(alike(told, "several")) == 3


def test_cursors(told: Any) -> None:
    assert [len(one) for one in alike(told, "cursors")] == [2, 3, 7, 0]


def test_binary_values(told: Any) -> None:
    assert len(alike(told, "binary")) == 12


def test_failures(told: Any) -> None:
    assert [one[0] for one in alike(told, "failures")[0]] == ["42703", "22012", "42601", "22P02"]


def test_transactions_and_notices(told: Any) -> None:
    assert alike(told, "transactions") == ["BEGIN", "22012", "25P02", "ROLLBACK", "SELECT"]
    assert alike(told, "notices") == ["25P01"]
