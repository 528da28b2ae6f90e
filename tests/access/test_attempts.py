"""Proves that credentials cannot be tried without end, and that nobody else is locked out by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.access.issuing import NOW, Provider, make_catalog

from roundview.serve import make_app
from roundview_catalog.errors import AccessError
from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.access.attempts import MOST, SECONDS_EACH, Attempts
from roundview_federation.federation import Federation

ASKED = {"query": "{ __typename }"}


def refused(attempts: Attempts, address: str, credential: str = "x") -> int:
    """Returns after how many seconds an address may try again; 0: now."""
    try:
        attempts.check(address, credential)
    except AccessError as error:
        return int(error.extensions["retryAfter"])
    return 0


def test_attempts_come_back_one_by_one() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(MOST):
        assert not refused(attempts, "10.0.0.1")
        attempts.failed("10.0.0.1")
    assert refused(attempts, "10.0.0.1") == SECONDS_EACH
    assert not refused(attempts, "10.0.0.2")
    now[0] += SECONDS_EACH
    assert not refused(attempts, "10.0.0.1")
    attempts.failed("10.0.0.1")
    assert refused(attempts, "10.0.0.1") == SECONDS_EACH
    now[0] += MOST * SECONDS_EACH
    for _ in range(MOST):
        assert not refused(attempts, "10.0.0.1")
        attempts.failed("10.0.0.1")
    assert refused(attempts, "10.0.0.1")


def test_a_network_of_one_customer_is_one_address() -> None:
    attempts = Attempts(lambda: 0.0)
    for at in range(MOST):
        attempts.failed(f"2001:db8:0:1::{at:x}")
        attempts.failed("::ffff:10.0.0.1")
    assert refused(attempts, "2001:db8:0:1:ffff::1")
    assert not refused(attempts, "2001:db8:0:2::1")
    assert refused(attempts, "10.0.0.1")


def test_memory_is_bounded_whatever_addresses_come() -> None:
    attempts = Attempts(lambda: 0.0)
    for at in range(30_000):
        attempts.failed(f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
        attempts.accepted(str(at))
    assert len(attempts._spent) == len(attempts._known) == 10_000


async def test_http_tells_when_to_try_again_and_lets_known_ones_on(
    tmp_path: Path, provider: Provider
) -> None:
    ticks = [0.0]
    federation = Federation.open(
        make_catalog(tmp_path, provider),
        data_dir=tmp_path / "data",
        secret=bytes(32),
        env={},
        clock=lambda: datetime.fromtimestamp(NOW, UTC),
    )
    federation.access._attempts = Attempts(lambda: ticks[0])
    keys = ApiKeys(tmp_path / "data" / FILE)
    holder = Holder("till", ("admin",), scopes=("graphql:open",), default_purpose="service")
    known, fresh = (
        keys.create(holder, datetime.fromtimestamp(NOW, UTC), timedelta(days=1))[0]
        for _ in range(2)
    )
    transport = httpx.ASGITransport(app=make_app(federation), client=("10.1.2.3", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

        async def status(key: str, path: str = "/graphql") -> httpx.Response:
            return await client.post(path, json=ASKED, headers={"authorization": f"Bearer {key}"})

        assert (await status(known)).status_code == 200
        for _ in range(MOST):
            assert (await status("rvk_" + "A" * 43)).status_code == 401
        wrong = await status("rvk_" + "A" * 43)
        assert (wrong.status_code, wrong.headers["retry-after"]) == (429, str(int(SECONDS_EACH)))
        assert wrong.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_ATTEMPTS"
        assert (await status(fresh)).status_code == 429
        assert (await status(known)).status_code == 200
        schema = await client.get("/graphql/schema", headers={"authorization": "Bearer x.y.z"})
        assert (schema.status_code, "retry-after" in schema.headers) == (429, True)
        ticks[0] += SECONDS_EACH
        assert (await status(fresh)).status_code == 200
        for one in keys.all():
            keys.revoke(one.key_id, datetime.fromtimestamp(NOW, UTC))
        assert (await status(known)).status_code in (401, 429)
    keys.close()
    await federation.close()


@pytest.mark.parametrize("address", ["", "fe80::1%eth0", "unix:socket", "not an address"])
def test_odd_addresses_are_counted_as_they_are(address: str) -> None:
    attempts = Attempts(lambda: 0.0)
    for _ in range(MOST):
        attempts.failed(address)
    assert refused(attempts, address)
