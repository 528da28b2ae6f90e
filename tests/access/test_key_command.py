"""Proves that keys are made, listed and revoked from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.access.issuing import Provider, make_catalog
from typer.testing import CliRunner, Result

from roundview.cli import app
from roundview_catalog.errors import AccessError
from roundview_federation.federation import Federation


@pytest.fixture
def root(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_catalog(tmp_path, provider)
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(made))
    return made


def _run(*args: str) -> Result:
    return CliRunner().invoke(app, args, prog_name="roundview")


async def test_a_key_lives_from_create_to_revoke(tmp_path: Path, root: Path) -> None:
    made = _run("key", "create", "helpdesk", "--role", "agent", "--attribute", "region=eu")
    assert made.exit_code == 0
    text = made.stdout.strip()
    federation = Federation.open(root, data_dir=tmp_path / ".roundview", secret=bytes(32), env={})
    who = await federation.authenticate(text, is_local=False)
    assert (who.name, who.roles, dict(who.attributes)) == ("helpdesk", ("agent",), {"region": "eu"})
    (listed,) = json.loads(_run("key", "list", "--json").stdout)
    assert (listed["name"], listed["state"]) == ("helpdesk", "valid")
    assert text not in _run("key", "list").stdout
    assert _run("key", "revoke", listed["key_id"]).exit_code == 0
    with pytest.raises(AccessError):
        await federation.authenticate(text, is_local=False)
    assert json.loads(_run("key", "list", "--json").stdout)[0]["state"] == "revoked"
    await federation.close()


def test_keys_are_told_of_that_nobody_accepts(root: Path) -> None:
    (root / "access.yaml").unlink()
    made = _run("key", "create", "helpdesk", "--role", "agent", "--json")
    assert json.loads(made.stdout)["key"].startswith("rvk_")
    assert "api_keys: true" in made.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("create", "x", "--role", "agnt"), "RV102"),
        (("create", "x", "--role", "agent", "--purpose", "analytics"), "RV102"),
        (("create", "x", "--role", "agent", "--default-purpose", "fraud"), "RV102"),
        (("create", "x", "--role", "agent", "--scope", "all"), "RV102"),
        (("create", "x", "--role", "agent", "--attribute", "team=a"), "RV102"),
        (("create", "x", "--role", "agent", "--attribute", "region"), "RV105"),
        (("create", "x", "--role", "agent", "--expires", "2000d"), "RV105"),
        (("create", "x", "--role", "agent", "--expires", "soon"), "RV105"),
        (("create", "x y", "--role", "agent"), "RV105"),
        (("revoke", "unknown"), "RV102"),
    ],
)
def test_what_cannot_be_is_refused(root: Path, args: tuple[str, ...], code: str) -> None:
    refused = _run("key", *args)
    assert refused.exit_code == 2
    assert code in refused.stderr
    assert _run("key", "list", "--json").stdout.strip() == "[]"
