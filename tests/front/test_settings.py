"""Proves what can be set and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from roundview.settings import Settings, find_workspace, loopback, read_settings
from roundview_catalog.errors import AccessError, RequestError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns an empty working folder without settings from outside."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ROUNDVIEW_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_catalog(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "roundview.yaml").write_text("roundview: 1\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_may_be_served(host: str) -> None:
    assert loopback(host) == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.4", "example.com", "", "localhost.example", "2130706433"]
)
def test_nothing_else_may_be_served(host: str) -> None:
    with pytest.raises(AccessError) as refused:
        loopback(host)
    assert refused.value.code == "RV300"
    assert refused.value.row.exit == 3


def test_defaults(folder: Path) -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8360)


def test_a_setting_that_cannot_be_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDVIEW_PORT", "many")
    with pytest.raises(RequestError, match="ROUNDVIEW_PORT") as refused:
        read_settings()
    assert refused.value.code == "RV105"


def test_catalogs_are_found_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="no catalog"):
        find_workspace()
    make_catalog(folder / ".demo/catalog")
    assert find_workspace().catalog == Path(".demo/catalog")
    make_catalog(folder / "catalog")
    assert find_workspace().catalog == Path("catalog")
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(make_catalog(folder / "mine")))
    assert find_workspace().catalog == folder / "mine"
    assert find_workspace("catalog").catalog == Path("catalog")


def test_files_beside_the_catalog_belong_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_catalog(folder / "a/catalog")
    place = find_workspace("a/catalog")
    assert place.data_dir == folder / "a/.roundview"
    assert place.secret_file == folder / "a/.roundview/secret"
    (folder / "a/secret").touch()
    text = "# systems\nCRM_URL=one=1\n CRM_PASSWORD = $x'y\" \n"
    (folder / "a/env").write_text(text, encoding="utf-8")
    place = find_workspace("a/catalog")
    assert place.secret_file == folder / "a/secret"
    assert place.env["CRM_URL"] == "one=1"
    assert place.env["CRM_PASSWORD"] == "$x'y\""
    monkeypatch.setenv("CRM_URL", "two")
    assert find_workspace("a/catalog").env["CRM_URL"] == "two"


def test_a_named_environment_file_must_exist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_catalog(folder / "catalog")
    monkeypatch.setenv("ROUNDVIEW_ENV_FILE", "gone")
    with pytest.raises(RequestError, match="environment file"):
        find_workspace()
