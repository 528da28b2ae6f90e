"""Proves that nobody gets in without a credential but this machine's user, and only unconfigured."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.access.issuing import NOW, Provider, make_catalog

from roundview_catalog.errors import AccessError
from roundview_federation.access.principals import bearer, is_this_machine
from roundview_federation.federation import Federation


def _clock() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


async def _code(federation: Federation, credential: str | None, *, is_local: bool) -> str:
    with pytest.raises(AccessError) as refused:
        await federation.authenticate(credential, is_local=is_local)
    return refused.value.code


async def test_without_configuration_only_this_machine_is_served(
    tmp_path: Path, provider: Provider
) -> None:
    root = make_catalog(tmp_path, provider, access=None)
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    assert (await federation.authenticate(None, is_local=True)).name == "demo"
    assert await _code(federation, None, is_local=False) == "RV302"
    # Whoever shows a credential is not taken for somebody else.
    assert await _code(federation, provider.token(), is_local=True) == "RV302"
    assert await _code(federation, "rvk_" + "A" * 43, is_local=True) == "RV302"
    assert not (tmp_path / "data/access.db").exists()
    await federation.close()


async def test_with_configuration_everybody_says_who_they_are(federation: Federation) -> None:
    assert await _code(federation, None, is_local=True) == "RV302"
    assert await _code(federation, None, is_local=False) == "RV302"


async def test_a_lost_file_does_not_open_the_door(federation: Federation) -> None:
    (federation.root / "access.yaml").unlink()
    assert await federation.reload()
    assert not federation.catalog.access.is_configured
    assert await _code(federation, None, is_local=True) == "RV302"


async def test_an_empty_file_lets_nobody_in(tmp_path: Path, provider: Provider) -> None:
    root = make_catalog(tmp_path, provider, access="{}\n")
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    for credential in (None, provider.token(), "rvk_" + "A" * 43):
        assert await _code(federation, credential, is_local=True) == "RV302"
    await federation.close()


async def test_places_may_come_from_the_environment(tmp_path: Path, provider: Provider) -> None:
    access = """
issuers:
  staff:
    issuer: "${env:ISSUER}"
    audience: ["${env:AUDIENCE}", other]
    keys: "${env:KEYS}"
"""
    env = {
        "ISSUER": "https://id.example/realm",
        "AUDIENCE": "roundview",
        "KEYS": str(tmp_path / "keys.json"),
    }
    root = make_catalog(tmp_path, provider, access)
    federation = Federation.open(
        root, data_dir=tmp_path / "data", secret=bytes(32), env=env, clock=_clock
    )
    assert (await federation.authenticate(provider.token(), is_local=False)).name == "anna"
    await federation.close()
    env["KEYS"] = "http://id.example/keys"
    federation = Federation.open(
        root, data_dir=tmp_path / "data", secret=bytes(32), env=env, clock=_clock
    )
    assert await _code(federation, provider.token(), is_local=False) == "RV303"
    await federation.close()


@pytest.mark.parametrize(
    "headers",
    [
        ["Basic YTpi"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer a b"],
        ["Bearer a, Bearer b"],
        ["bearer\ta"],
        ["Bearer a\0"],
        ["Bearer é"],
        [""],
        ["Bearer a", "Bearer b"],
        ["Bearer a", "Bearer a"],
    ],
)
def test_other_headers_are_refused(headers: list[str]) -> None:
    with pytest.raises(AccessError) as refused:
        bearer(headers)
    assert refused.value.code == "RV302"


def test_one_bearer_token_is_taken() -> None:
    assert bearer([]) is None
    assert bearer(["Bearer abc.d-e_f"]) == bearer(["bEaReR   abc.d-e_f "]) == "abc.d-e_f"


def test_this_machine_is_known_by_its_address() -> None:
    here = ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"]
    elsewhere = ["10.0.0.1", "::ffff:10.0.0.1", "localhost", "", "2130706433", "0.0.0.0", "::"]
    assert [is_this_machine(one) for one in here] == [True, True, True, False]
    assert not any(is_this_machine(one) for one in elsewhere)
