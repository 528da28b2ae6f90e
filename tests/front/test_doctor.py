"""Proves that the doctor finds what makes an installation unfit to serve, and tells no secret."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roundview.demo.estate import Estate

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def own(made_estate: Estate, tmp_path: Path) -> Path:
    """Returns the folder of a copy of the estate, which a test may break."""
    copy = shutil.copytree(made_estate.directory, tmp_path / "own")
    env = (copy / "env").read_text(encoding="utf-8")
    env = env.replace(str(made_estate.directory), str(copy))
    (copy / "env").write_text(env, encoding="utf-8")
    return copy


def looked(shell: Shell, folder: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Returns the exit code of the doctor and what it found."""
    catalog = ["--catalog", str(folder / "catalog")]
    done = shell("roundview", "doctor", *catalog, "--json", *options, cwd=folder)
    told = json.loads(done.stdout)
    assert told["exit"] == done.returncode
    return done.returncode, {one["name"]: one for one in told["looks"]}


def test_the_demo_is_well_and_every_role_was_tried(shell: Shell, own: Path) -> None:
    catalog = ["--catalog", str(own / "catalog")]
    assert shell("roundview", "identity", "refresh", *catalog, cwd=own).returncode == 0
    code, found = looked(shell, own)
    assert {name: one for name, one in found.items() if one["state"] == "failed"} == {}
    assert code == 0
    for name in ("crm", "pos", "mail", "support"):
        assert found[f"{name}: login"]["detail"] == "proved to be read-only"
        assert ", 0 refuted" in found[f"{name}: claims"]["detail"]
    assert found["policy tests"]["detail"] == "8 hold"
    assert found["policy questions"]["detail"] == "2 hold"
    assert found["role demo"]["detail"].startswith("9 views")
    assert found["role shop"]["state"] == found["links"]["state"] == found["clock"]["state"] == "ok"
    secret = (
        own / "secret" if (own / "secret").exists() else own / ".roundview/secret"
    ).read_text()
    assert secret.strip() not in json.dumps(found)


def test_what_lies_open_is_found(shell: Shell, own: Path) -> None:
    _, found = looked(shell, own, "--offline")
    assert found["environment file"]["state"] == "ok"
    (own / "env").chmod(0o644)
    code, found = looked(shell, own, "--offline")
    assert (code, found["environment file"]["state"]) == (3, "failed")


def test_a_policy_that_is_not_what_its_tests_say_is_found(shell: Shell, own: Path) -> None:
    policy = own / "catalog/policy.yaml"
    text = policy.read_text(encoding="utf-8")
    filter_ = "sales_order: region = principal.region"
    policy.write_text(text.replace(filter_, "sales_order: region <> 'us'"), encoding="utf-8")
    code, found = looked(shell, own, "--offline")
    assert (code, found["policy tests"]["state"]) == (3, "failed")
    assert found["policy tests"]["detail"].endswith("a shop without a region sees no order")
    (own / "catalog/policy_tests.yaml").unlink()
    code, found = looked(shell, own, "--offline")
    assert (code, found["policy tests"]["state"]) == (0, "warning")


def test_a_secret_that_is_written_out_is_found_and_not_shown(shell: Shell, own: Path) -> None:
    source = own / "catalog/sources/support.yaml"
    text = source.read_text(encoding="utf-8")
    assert "${env:SUPPORT_TOKEN}" in text
    source.write_text(text.replace("${env:SUPPORT_TOKEN}", "hunter2-hunter2"), encoding="utf-8")
    code, found = looked(shell, own)
    assert (code, found["catalog"]["state"]) == (1, "failed")
    assert "hunter2" not in json.dumps(found)
    assert "crm: login" not in found


def test_a_changed_audit_log_and_a_source_that_is_gone_are_found(shell: Shell, own: Path) -> None:
    catalog = ["--catalog", str(own / "catalog")]
    view = shell("roundview", "customer", "phone=0171/3920042", *catalog, cwd=own)
    assert view.returncode == 0
    (own / "pos.db").unlink()
    code, found = looked(shell, own)
    assert (code, found["pos: login"]["state"]) == (4, "failed")
    assert found["audit log"]["state"] == "ok"
    log = own / ".roundview/audit/00000001.log"
    log.write_bytes(log.read_bytes()[:-40])
    code, found = looked(shell, own, "--offline")
    assert (code, found["audit log"]["state"]) == (3, "failed")
