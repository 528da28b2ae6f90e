"""Proves what can be set and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from roundview.listening import listen, listen_openly
from roundview.settings import Settings, find_workspace, is_loopback, read_settings, token_of
from roundview_catalog.access_file import Access
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
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.4", "example.com", "", "localhost.example", "2130706433"]
)
def test_nothing_else_may_be_served_without_configuration(folder: Path, host: str) -> None:
    for refuse in (
        lambda: listen(host, 0),
        lambda: listen_openly(host, 0, Access(), read_settings()),
        lambda: listen_openly(host, 0, Access(), Settings(tls_certificate=Path("server.pem"))),
        lambda: listen_openly(host, 0, Access(is_configured=True), read_settings()),
    ):
        with pytest.raises(AccessError) as refused:
            refuse()
        assert refused.value.code == "RV300"
        assert refused.value.row.exit == 3


def test_with_configuration_and_a_certificate_other_addresses_are_served(folder: Path) -> None:
    secure = Settings(tls_certificate=Path("server.pem"))
    with listen_openly("0.0.0.0", 0, Access(is_configured=True), secure) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"
    with pytest.raises(RequestError):
        listen_openly("view.example", 0, Access(is_configured=True), secure)


def test_a_token_is_given_or_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert token_of(None) is None
    assert token_of(" rvk_a\n") == "rvk_a"
    monkeypatch.setenv("ROUNDVIEW_TOKEN", "rvk_b")
    assert (token_of(None), token_of("rvk_a"), token_of("")) == ("rvk_b", "rvk_a", None)
    assert "rvk_b" not in repr(read_settings())


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
