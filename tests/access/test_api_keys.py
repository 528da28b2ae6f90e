"""Proves that API keys lead to who holds them, and end when they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.access.issuing import NOW, Provider

from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.access.api_keys import FILE, PREFIX, ApiKeys, Holder
from roundview_federation.federation import Federation

AGENT = Holder("helpdesk", ("agent",), {"region": "eu"}, scopes=("graphql:open",))
NOW_INSTANT = datetime.fromtimestamp(NOW, UTC)
DAYS = timedelta(days=90)


@pytest.fixture
def keys(tmp_path: Path, federation: Federation) -> ApiKeys:
    """Returns the federation's store, as another process opens it."""
    return ApiKeys(tmp_path / "data" / FILE)


async def test_a_key_says_who_asks(federation: Federation, keys: ApiKeys) -> None:
    text, _ = keys.create(AGENT, NOW_INSTANT, DAYS)
    who = await federation.authenticate(text, is_local=False)
    assert (who.name, who.roles, dict(who.attributes)) == ("helpdesk", ("agent",), {"region": "eu"})
    assert (who.purposes, who.default_purpose) == (("service",), "service")
    assert who.scopes == ("graphql:open",)


async def test_a_revoked_key_is_refused_at_once(federation: Federation, keys: ApiKeys) -> None:
    text, kept = keys.create(AGENT, NOW_INSTANT, DAYS)
    other, _ = keys.create(AGENT, NOW_INSTANT, DAYS)
    assert await federation.authenticate(text, is_local=False)
    keys.revoke(kept.key_id, NOW_INSTANT)
    with pytest.raises(AccessError) as refused:
        await federation.authenticate(text, is_local=True)
    assert refused.value.code == "RV302"
    assert await federation.authenticate(other, is_local=False)


async def test_a_key_ends_with_its_time(
    federation: Federation, keys: ApiKeys, clock: list[float]
) -> None:
    text, kept = keys.create(AGENT, NOW_INSTANT, DAYS)
    clock[0] = kept.expires_at.timestamp() - 1
    assert await federation.authenticate(text, is_local=False)
    clock[0] += 1
    with pytest.raises(AccessError):
        await federation.authenticate(text, is_local=False)


async def test_only_the_very_key_is_accepted(federation: Federation, keys: ApiKeys) -> None:
    text, kept = keys.create(AGENT, NOW_INSTANT, DAYS)
    odd = [
        PREFIX,
        text[:-1],
        text + "A",
        text.swapcase(),
        text.upper(),
        text + "\n",
        text + "\0",
        PREFIX + "A" * 43,
        PREFIX + "'; DROP TABLE api_key; --",
        PREFIX + kept.key_id,
        PREFIX + "%" * 43,
        PREFIX + "é" * 43,
        PREFIX + "A" * 1_000_000,
        text.removeprefix(PREFIX),
    ]
    for one in odd:
        with pytest.raises(AccessError) as refused:
            await federation.authenticate(one, is_local=True)
        assert refused.value.code == "RV302"
    assert await federation.authenticate(text, is_local=False)


def test_nothing_but_the_hash_is_kept(tmp_path: Path, keys: ApiKeys) -> None:
    text, _ = keys.create(AGENT, NOW_INSTANT, DAYS)
    secret = text.removeprefix(PREFIX)
    files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
    assert any(path.name == FILE for path in files)
    assert not any(secret.encode() in path.read_bytes() for path in files)
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o077 == 0


async def test_keys_are_refused_where_they_are_not_wanted(
    tmp_path: Path, provider: Provider, federation: Federation, keys: ApiKeys
) -> None:
    text, _ = keys.create(AGENT, NOW_INSTANT, DAYS)
    access = federation.root / "access.yaml"
    access.write_text(access.read_text().replace("api_keys: true", "api_keys: false"))
    assert await federation.reload()
    with pytest.raises(AccessError):
        await federation.authenticate(text, is_local=True)


async def test_roles_that_are_gone_leave_a_key_nothing(
    federation: Federation, keys: ApiKeys
) -> None:
    text, _ = keys.create(Holder("old", ("retired",)), NOW_INSTANT, DAYS)
    with pytest.raises(AccessError) as refused:
        await federation.authenticate(text, is_local=True)
    assert refused.value.code == "RV300"


def test_keys_that_cannot_be_are_not_made(keys: ApiKeys) -> None:
    for name in ("", "a b", "a\n", "-a", "x" * 200):
        with pytest.raises(RequestError):
            keys.create(Holder(name, ("agent",)), NOW_INSTANT, DAYS)
    for lasts in (timedelta(), timedelta(days=-1), timedelta(days=400)):
        with pytest.raises(RequestError):
            keys.create(AGENT, NOW_INSTANT, lasts)
    with pytest.raises(RequestError):
        keys.revoke("unknown", NOW_INSTANT)
    assert keys.all() == ()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("my notes, longer than what SQLite begins its files with " * 9)
    with pytest.raises(AccessError, match="cannot be opened"):
        ApiKeys(tmp_path / FILE)
