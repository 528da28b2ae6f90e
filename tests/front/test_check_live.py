"""Proves what `check --live` says of the demo's catalog, of a lie in it, and with which code."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from roundview.cli import app
from roundview.demo.estate import Estate

Run = Callable[..., Result]


@pytest.fixture
def own_catalog(made_estate: Estate, tmp_path: Path) -> Path:
    """Returns a copy of the demo's catalog beside a copy of its environment."""
    copied = tmp_path / "catalog"
    shutil.copytree(made_estate.catalog, copied)
    shutil.copy(made_estate.catalog.parent / "env", tmp_path / "env")
    return copied


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns `run(*args)`: a command without settings of ours."""
    monkeypatch.delenv("ROUNDVIEW_CATALOG", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *args: CliRunner().invoke(app, args, prog_name="roundview")


def test_the_demo_claims_nothing_that_its_sources_refute(run: Run, own_catalog: Path) -> None:
    result = run("check", str(own_catalog), "--live", "--json")
    told = json.loads(result.stdout)
    wrong = [one for one in told["findings"] if one["verdict"] == "refuted"]
    assert wrong == []
    assert (result.exit_code, told["unasked"], told["problems"]) == (0, [], [])
    counts = Counter(one["source"] for one in told["findings"] if one["verdict"] == "proved")
    assert counts.keys() == {"crm", "mail", "pos", "support"}
    assert {one["verdict"] for one in told["findings"]} == {
        "proved", "not refuted", "cannot be proved"
    }  # fmt: skip


def test_the_sizes_of_tables_are_noted_for_explanations(run: Run, own_catalog: Path) -> None:
    question = "SELECT full_name FROM individual WHERE source IN ('crm', 'pos')"
    asked = ("explain", question, "--catalog", str(own_catalog))
    assert "sizes " not in run(*asked).stdout
    result = run("check", str(own_catalog), "--live", "--source", "crm")
    (said,) = [one for one in result.stdout.splitlines() if one.startswith("sources/crm.stat")]
    assert said == "sources/crm.statistics.yaml: sizes of 10 tables"
    text = (own_catalog / "sources/crm.statistics.yaml").read_text(encoding="utf-8")
    assert "  contacts: " in text
    assert "sizes     noted of crm just now\n" in run(*asked).stdout
    assert run("check", str(own_catalog)).exit_code == 0


def test_a_folder_that_cannot_be_written_is_checked_all_the_same(
    run: Run, own_catalog: Path
) -> None:
    (own_catalog / "sources/.crm.statistics.yaml.new").mkdir()
    result = run("check", str(own_catalog), "--live", "--source", "crm")
    assert result.exit_code == 0
    assert "crm: sizes of 10 tables could not be written beside it" in result.stdout


def test_a_lie_is_told_at_its_line(run: Run, own_catalog: Path) -> None:
    file = own_catalog / "sources/mail.yaml"
    text = file.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if "normal_form: lower" in one)
    file.write_text(text.replace("normal_form: lower", "normal_form: upper"), encoding="utf-8")
    number = text.splitlines().index(line) + 1
    result = run("check", str(own_catalog), "--live", "--source", "mail")
    assert result.exit_code == 1
    place = f"sources/mail.yaml:{number}:{line.index('normal_form') + 1} refuted "
    assert any(said.startswith(place) for said in result.stdout.splitlines()), result.stdout
    summary = result.stdout.splitlines()[-1]
    assert summary.startswith("mail: ")
    assert summary.endswith(" cannot be proved")
    assert "crm" not in result.stdout


def test_a_source_that_does_not_answer_is_no_refutation(run: Run, own_catalog: Path) -> None:
    env = own_catalog.parent / "env"
    env.write_text(f"{env.read_text()}ROUNDVIEW_DEMO={own_catalog.parent}\n", encoding="utf-8")
    result = run("check", str(own_catalog), "--live", "--source", "crm", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["unasked"]) == (4, ["crm"])
    assert [one["verdict"] for one in told["findings"]] == ["cannot be proved"]


def test_only_sources_that_exist_are_proved(run: Run, made_estate: Estate) -> None:
    result = run("check", str(made_estate.catalog), "--live", "--source", "crn")
    assert result.exit_code == 2
    assert result.stderr == "RV102 there is no source crn — did you mean crm?\n"


def test_problems_come_before_proofs(run: Run, own_catalog: Path) -> None:
    (own_catalog / "roundview.yaml").write_text("roundview: 1\nnmae: x\n", encoding="utf-8")
    result = run("check", str(own_catalog), "--live")
    assert result.exit_code == 1
    assert result.stdout.startswith("roundview.yaml:2:1 RV205 ")
