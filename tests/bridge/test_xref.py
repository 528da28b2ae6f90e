"""The cross-reference is a table: whose record each one is, found by key, customer or source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.bridge.conftest import Served
from tests.bridge.thrift_client import among, texts

from roundview_federation.bridged import OWN_SCHEMA, XREF_COLUMNS, XREF_TABLE
from roundview_identity.links import links_after

COLUMNS = tuple(XREF_COLUMNS)


@pytest.fixture
def expected(demo: Served) -> Counter[tuple[str, ...]]:
    xref = demo.federation.xref
    found = Counter[tuple[str, ...]]()
    for source, key, customer in xref.connection.execute(
        "SELECT s.name, r.source_key, r.customer_id FROM record r JOIN source s USING (source_no)"
        " WHERE r.deleted_at IS NULL"
    ):
        owner = xref.owner(source, key)
        assert owner is not None
        assert owner.replace("-", "") == customer.hex()
        state = "provisional" if xref.is_provisional(owner) else "linked"
        found[source, key, owner, state] += 1
    return found


async def test_all_links_are_there(demo: Served, expected: Counter[tuple[str, ...]]) -> None:
    async with demo.client() as client:
        assert Counter(await client.scan(OWN_SCHEMA, XREF_TABLE, COLUMNS)) == expected
        assert len(await client.scan(OWN_SCHEMA, XREF_TABLE, [])) == expected.total()
        crm = {row for row in expected if row[0] == "crm"}
        found = await client.scan(OWN_SCHEMA, XREF_TABLE, COLUMNS, where={"source": among("crm")})
        assert set(found) == crm
        two = {"source": among("crm", "pos")}
        found = await client.scan(OWN_SCHEMA, XREF_TABLE, COLUMNS, where=two)
        assert set(found) == {row for row in expected if row[0] in ("crm", "pos")}


@pytest.mark.parametrize("names", [("source_key",), ("customer_id",), ("source", "source_key"), ("source", "customer_id")])  # fmt: skip
async def test_links_are_found_by_keys(
    demo: Served, expected: Counter[tuple[str, ...]], names: tuple[str, ...]
) -> None:
    places = [COLUMNS.index(name) for name in names]
    wanted = {tuple(row[at] for at in places) for row in list(expected)[::7]}
    blocks = [texts(*part) for part in zip(*wanted, strict=True)]
    async with demo.client() as client:
        found = await client.scan(OWN_SCHEMA, XREF_TABLE, COLUMNS, keys=(names, blocks))
        nobody = [texts(*("nobody" for _ in wanted)) for _ in names]
        assert await client.scan(OWN_SCHEMA, XREF_TABLE, COLUMNS, keys=(names, nobody)) == []
    rows = {row for row in expected if tuple(row[at] for at in places) in wanted}
    assert Counter(found) == Counter(dict.fromkeys(rows, 1))


async def test_sealed_keys_are_opened_and_found(odd: Served) -> None:
    async with odd.client() as client:
        found = await client.scan(OWN_SCHEMA, XREF_TABLE, ["source", "source_key"])
        assert sorted(found) == [
            ("news.north", "b%2Fen%25@b.example"),
            ("news.north", "mia@a.example"),
        ]
        for how in (
            {"keys": (["source_key"], [texts("mia@a.example", "else")])},
            {"where": {"source_key": among("mia@a.example")}},
            {"where": {"source_key": among("mia@a.example"), "source": among("news.north")}},
        ):
            rows = await client.scan(OWN_SCHEMA, XREF_TABLE, ["source_key"], **how)  # type: ignore[arg-type]
            assert rows == [("mia@a.example",)]
        other = {"source_key": among("mia@a.example"), "source": among("elsewhere")}
        assert await client.scan(OWN_SCHEMA, XREF_TABLE, ["source_key"], where=other) == []


async def test_the_store_still_has_no_key_that_is_an_identifier(
    open_odd: Callable[..., Any],
) -> None:
    served = await open_odd()
    async with served.client() as client:
        keys = (["source_key"], [texts("mia@a.example")])
        assert await client.scan(OWN_SCHEMA, XREF_TABLE, ["source_key"], keys=keys)
    folder = served.federation.root / "data"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert b"mia@a.example" not in b"".join(path.read_bytes() for path in files)


def test_links_come_in_pieces(demo: Served) -> None:
    every, after = links_after(demo.federation.xref, 0)
    assert after is None
    pieces = []
    last: int | None = 0
    while last is not None:
        piece, last = links_after(demo.federation.xref, last, most=7)
        assert len(piece) <= 7
        pieces += piece
    assert pieces == every
