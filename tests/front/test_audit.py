"""Proves the commands about who saw whom, as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roundview.demo.estate import Estate

Shell = Callable[..., subprocess.CompletedProcess[str]]
PHONE = "phone=0171/3920042"


@pytest.fixture
def folder(made_estate: Estate, tmp_path: Path) -> Path:
    """Returns the folder beside which a copy of the made catalog lies, its log still empty."""
    leave = shutil.ignore_patterns(".roundview")
    return shutil.copytree(made_estate.directory, tmp_path / "estate", ignore=leave)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Returns the standard output of a command that went well."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_view_is_seen_found_and_handed_out(shell: Shell, folder: Path, tmp_path: Path) -> None:
    catalog = ["--catalog", str(folder / "catalog")]
    said(shell("roundview", "identity", "refresh", *catalog, cwd=tmp_path))
    said(shell("roundview", "customer", PHONE, *catalog, "--json", cwd=tmp_path))
    text = "SELECT count(*) FROM sales_order"
    said(shell("roundview", "sql", text, *catalog, cwd=tmp_path))
    found = json.loads(said(shell("roundview", "audit", "who-saw", PHONE, *catalog, "--json", cwd=tmp_path)))  # fmt: skip
    assert [(one["actor"], one["question"], one["status"]) for one in found] == [("demo", "view", "ok")]  # fmt: skip
    assert "sales_order" in found[0]["fields"]
    everything = said(shell("roundview", "audit", "who-saw", PHONE, "--many", *catalog, cwd=tmp_path))  # fmt: skip
    assert "sql (many)" in everything
    nobody = said(shell("roundview", "audit", "who-saw", "email=nobody@nowhere.example", *catalog, cwd=tmp_path))  # fmt: skip
    assert "nobody, as far as the log reaches back" in nobody
    lines = said(shell("roundview", "audit", "export", *catalog, cwd=tmp_path)).splitlines()
    kinds = [json.loads(line)["is"] for line in lines]
    assert kinds.count("reading") == 4
    table = said(shell("roundview", "audit", "export", "--format", "csv", *catalog, cwd=tmp_path))
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["is"] for row in rows][: len(kinds)] == kinds
    assert "Vogt" not in table
    assert "3920042" not in table


def test_verify_tells_a_whole_log_from_one_that_was_changed(
    shell: Shell, folder: Path, tmp_path: Path
) -> None:
    catalog = ["--catalog", str(folder / "catalog")]
    said(shell("roundview", "customer", PHONE, *catalog, cwd=tmp_path))
    assert "as it was written" in said(shell("roundview", "audit", "verify", *catalog, cwd=tmp_path))  # fmt: skip
    log = folder / ".roundview/audit/00000001.log"
    good = shutil.copy(log, tmp_path / "good")
    log.write_bytes(log.read_bytes().replace(b'"demo"', b'"anna"', 1))
    done = shell("roundview", "audit", "verify", *catalog, cwd=tmp_path)
    shutil.copy(good, log)
    assert done.returncode == 3
    assert "is not what was written here" in done.stdout
