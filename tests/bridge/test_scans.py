"""Rows go out page by page, in bounded memory and time, and nothing stays behind in a source."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.bridge.conftest import Served
from tests.bridge.odd_shop import SCANNED, SCHEMA
from tests.bridge.thrift_client import RefusedError, ThriftClient, among, integers, texts

from roundview_federation.bridge import messages
from roundview_federation.bridge.blocks import values
from roundview_federation.bridge.frames import encode

COLUMNS = ("id", "person", "name", "total")
HEAVY = ("id", "body")
EXPECTED = [(at, at % 100, f"Person {at}", at) for at in range(SCANNED)]


@pytest.mark.parametrize("most", [1 << 17, 1 << 20, 1 << 24])
async def test_pages_keep_to_the_bytes_that_trino_takes(odd: Served, most: int) -> None:
    async with odd.client() as client:
        split = await client.split(SCHEMA, "scanned")
        rows: list[Any] = []
        token = None
        pages = 0
        while pages == 0 or token is not None:
            page = await client.page(split, COLUMNS, token, most)
            assert len(encode(page)) < most
            rows += zip(*map(values, page.blocks or []), strict=True)
            token = page.next
            pages += 1
    assert rows == EXPECTED
    assert pages >= SCANNED * 30 // most


async def test_a_row_larger_than_a_page_is_an_error_not_a_loss(odd: Served) -> None:
    async with odd.client() as client:
        assert len(await client.scan(SCHEMA, "wide", ["id", "body"])) == 3
        split = await client.split(SCHEMA, "wide")
        with pytest.raises(RefusedError, match="RV405"):
            await client.rows(split, ["id", "body"], 1 << 18)
        assert len(await client.scan(SCHEMA, "wide", ["id", "body"])) == 3


async def test_an_answer_that_got_lost_can_be_had_again(odd: Served) -> None:
    async with odd.client() as client:
        split = await client.split(SCHEMA, "scanned")
        first = await client.page(split, COLUMNS, None, 1 << 18)
        second = await client.page(split, COLUMNS, first.next, 1 << 18)
        again = await client.page(split, COLUMNS, first.next, 1 << 18)
        assert encode(second) == encode(again)
        await client.page(split, COLUMNS, second.next, 1 << 18)
        with pytest.raises(RefusedError, match="RV104"):
            await client.page(split, COLUMNS, first.next, 1 << 18)


async def test_a_token_of_nobody_is_refused(odd: Served) -> None:
    async with odd.client() as client:
        split = await client.split(SCHEMA, "scanned")
        for token in (b"", b"x" * 20, b"x" * 19):
            with pytest.raises(RefusedError, match="RV104"):
                await client.page(split, COLUMNS, messages.Id(id=token))


async def test_more_rows_than_allowed_are_an_error(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(source_limits="scan_rows: 1000")
    async with served.client() as client:
        with pytest.raises(RefusedError, match="RV117"):
            await client.scan(SCHEMA, "scanned", COLUMNS)
        with pytest.raises(RefusedError, match="RV117"):
            await client.scan(SCHEMA, "scanned", COLUMNS, where={"person": among(1, 2, 3)})
        assert len(await client.scan(SCHEMA, "scanned", ["id"], where={"person": among(7)})) == 400


async def test_a_scan_may_be_allowed(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(source_limits="scan_rows: 1000", allow_scan=True)
    async with served.client() as client:
        assert await client.scan(SCHEMA, "scanned", COLUMNS) == EXPECTED


async def test_nothing_outlives_its_deadline(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(seconds=1.0, heavy_rows=8_000)
    async with served.client() as client:
        for table in ("scanned", "heavy"):
            split = await client.split(SCHEMA, table)
            page = await client.page(split, ["id"] if table == "scanned" else HEAVY, None, 1 << 19)
            while served.bridge.scans:
                await asyncio.sleep(0.01)
            with pytest.raises(RefusedError, match="RV104"):
                await client.page(split, ["id"], page.next or messages.Id(id=b"x" * 20), 1 << 19)


async def test_what_fits_into_memory_is_read_from_the_source_at_once(
    open_odd: Callable[..., Any],
) -> None:
    served = await open_odd(source_limits="concurrency: 1")
    async with served.client() as client:
        split = await client.split(SCHEMA, "scanned")
        pages = []
        for _ in range(5):
            pages.append(await client.page(split, COLUMNS, None, 1 << 18))
            # On a stalled machine one that still reads is forgotten before the next one begins.
            while served.bridge.scans[-1].is_reading:
                await asyncio.sleep(0.01)
        assert len(served.bridge.scans) == 5
        # None of them holds the one place, and all of them go on.
        for page in pages:
            rows = await _rest(client, split, page)
            assert rows == EXPECTED


async def test_what_does_not_fit_waits_in_the_source(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(heavy_rows=12_000)
    async with served.client() as client:
        split = await client.split(SCHEMA, "heavy")
        page = await client.page(split, HEAVY, None, 1 << 20)
        (scan,) = served.bridge.scans
        while scan.held_bytes < 8 << 20:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert scan.is_reading
        assert scan.held_bytes < 24 << 20
        assert len(await _rest(client, split, page, HEAVY)) == 12_000


async def test_forgotten_scans_make_room_for_others(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(source_limits="concurrency: 2", heavy_rows=12_000)
    async with served.client() as client:
        split = await client.split(SCHEMA, "heavy")
        pages = [await client.page(split, HEAVY, None, 1 << 20) for _ in range(2)]
        assert len(served.bridge.scans) == 2
        # Trino does not say that its LIMIT is reached.
        third = await client.page(split, HEAVY, None, 1 << 20)
        assert third.next is not None
        assert len(served.bridge.scans) == 2
        with pytest.raises(RefusedError, match="RV104"):
            await client.page(split, HEAVY, pages[0].next, 1 << 20)


async def test_who_goes_away_ends_what_runs_in_the_source(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(source_limits="concurrency: 1", heavy_rows=12_000)
    async with served.client() as other:
        async with served.client() as client:
            split = await client.split(SCHEMA, "heavy")
            await client.page(split, HEAVY, None, 1 << 20)
            asked = messages.GetRows(
                split=split, columns=["id"], most_bytes=1 << 20, next=messages.Token()
            )
            # It waits for the place of the one before.
            client.send(asked)
            await client.writer.drain()
        assert len(await other.scan(SCHEMA, "scanned", ["id"])) == SCANNED
    while served.bridge.scans:
        await asyncio.sleep(0.01)


async def test_closing_leaves_no_thread_in_a_scan(open_odd: Callable[..., Any]) -> None:
    served = await open_odd()
    before = threading.active_count()
    async with served.client() as client:
        split = await client.split(SCHEMA, "scanned")
        for _ in range(3):
            await client.page(split, COLUMNS, None, 1 << 17)
        await served.server.close()
    assert served.bridge.scans == ()
    assert threading.active_count() <= before + 8


async def _rest(
    client: ThriftClient,
    split: messages.Id,
    page: messages.Page,
    columns: tuple[str, ...] = COLUMNS,
) -> list[tuple[Any, ...]]:
    """Returns the rows of a page and of all that follow."""
    rows: list[tuple[Any, ...]] = []
    while True:
        rows += zip(*map(values, page.blocks or []), strict=True)
        if page.next is None:
            return rows
        page = await client.page(split, columns, page.next, 1 << 20)


async def test_keys_of_several_columns_are_rows(odd: Served) -> None:
    async with odd.client() as client:
        keys = (["a", "b"], [texts("x", "y", "z"), integers(1, 2, 1)])
        found = await client.scan(SCHEMA, "parts", ["c"], keys=keys)
        assert sorted(found) == [("x1",), ("y2",)]


async def test_ten_thousand_keys_are_one_batch(odd: Served) -> None:
    wanted = list(range(0, SCANNED, 4))
    async with odd.client() as client:
        found = await client.scan(SCHEMA, "scanned", ["id"], keys=(["id"], [integers(*wanted)]))
        assert sorted(found) == [(one,) for one in wanted]
        again = await client.scan(SCHEMA, "scanned", ["id"], where={"id": among(*wanted)})
        assert sorted(again) == [(one,) for one in wanted]
