"""Proves of every connector that declares batches that they are its rows, as Arrow."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pyarrow as pa
import pytest
from tests.connectors.opening import TECHNOLOGIES, Places, fragment, opened
from tests.connectors.test_conformance import SLOW, expected, selecting
from tests.connectors.world import COLUMNS, ODD_TEXTS, PEOPLE

from roundview_catalog.errors import SourceError
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.columns import arrow_type
from roundview_federation.connectors.port import NO_CAP, Connector
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline

LOOSE_SECONDS = 0.25
CROSS = "SELECT p.id AS c0, o.id AS c1 FROM people AS p CROSS JOIN orders AS o"
ENDLESS = f"{CROSS} CROSS JOIN orders AS q"
BIGINT = Type(Kind.BIGINT)


def asked(sql: str, *types: Type, **options: Any) -> Fragment:
    """Returns a fragment whose columns have these types."""
    return fragment(sql, types=types, **{"is_scan": True, "row_cap": NO_CAP, **options})


def of_table(table: str, columns: tuple[str, ...], where: str = "", **options: Any) -> Fragment:
    """Returns a fragment over one table with its declared types."""
    types = [COLUMNS[table][column] for column in columns]
    return asked(selecting(table, columns, where), *types, **options)


async def collected(
    connector: Any, made: Fragment, params: dict[str, Any] | None = None, seconds: float = 10
) -> list[tuple[Any, ...]]:
    """Returns all rows that come as batches."""
    call = connector.compile(made)
    found: list[tuple[Any, ...]] = []
    async for batch in connector.batches(call, params or {}, Deadline.after(seconds)):
        assert batch.schema.names == [f"c{at}" for at in range(len(made.types))]
        assert batch.schema.types == [arrow_type(type_) for type_ in made.types]
        assert 0 < batch.num_rows <= 65_536
        found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return found


def test_every_connector_declares_batches(connector: Connector) -> None:
    assert connector.capabilities.batches


# -- the same rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["people", "orders"])
async def test_a_scan_is_the_table(connector: Connector, places: Places, table: str) -> None:
    columns = tuple(COLUMNS[table])
    found = await collected(connector, of_table(table, columns))
    assert sorted(found, key=repr) == expected(places, table, columns, lambda _: True)


@pytest.mark.parametrize("count", [0, 1, 1_000])
@pytest.mark.parametrize("table", ["people", "orders"])
async def test_keys_find_exactly_their_rows(
    connector: Connector, places: Places, table: str, count: int
) -> None:
    column = "id" if table == "people" else "person_id"
    keys = [5_000 + at if at % 50 == 49 else at * 3 for at in range(count)]
    columns = tuple(COLUMNS[table])
    made = of_table(table, columns, f"t.{column} = ANY(:keys)", is_scan=False)
    found = await collected(connector, made, {"keys": keys})
    wanted = set(keys)
    assert sorted(found, key=repr) == expected(
        places, table, columns, lambda row: row[column] in wanted
    )


async def test_keys_that_no_column_can_hold_find_nothing(connector: Connector) -> None:
    names = of_table("people", ("id", "name"), "t.name = ANY(:keys)", is_scan=False)
    keys = ["plain\0", "\0", "\ud800", "a\0b", "no such name"]
    assert await collected(connector, names, {"keys": keys}) == []
    numbers = of_table("people", ("id",), "t.id = ANY(:keys)", is_scan=False)
    assert await collected(connector, numbers, {"keys": [2**63, -(2**63) - 1, 2**200]}) == []


async def test_values_filter(connector: Connector, places: Places) -> None:
    columns = ("id", "status", "total")
    made = of_table("orders", columns, "t.status = :v AND t.id = ANY(:keys)")
    if not connector.capabilities.dialect:
        made = of_table("orders", columns, "t.status = :v AND t.person_id = ANY(:keys)")
    column = "id" if connector.capabilities.dialect else "person_id"
    below = set(range(100))
    for value in ("open", "OPEN", None):
        found = await collected(connector, made, {"v": value, "keys": list(below)})
        wanted = expected(places, "orders", columns, lambda row: row[column] in below)
        at = columns.index("status")
        assert sorted(found, key=repr) == [
            row for row in wanted if value is not None and row[at] == value
        ]


async def test_odd_text_is_a_value_and_nothing_else(connector: Connector) -> None:
    by_key = connector.compile(of_table("people", ("id", "name"), "t.name = ANY(:keys)"))
    column = "name" if connector.capabilities.dialect else "email"
    by_value = connector.compile(of_table("people", ("id", "name"), f"t.{column} = :v"))
    for at, text in enumerate(ODD_TEXTS):
        wanted = [{"c0": at, "c1": text}]
        for call, params in ((by_key, {"keys": [text]}), (by_value, {"v": text})):
            found: list[Any] = []
            async for batch in connector.batches(call, params, Deadline.after(10)):  # type: ignore[attr-defined]
                found += batch.to_pylist()
            assert found == wanted or (not connector.capabilities.dialect and found == [])


async def test_joins_orders_and_limits(connector: Connector, places: Places) -> None:
    if not connector.capabilities.joins:
        return
    sql = (
        "SELECT p.id AS c0, o.id AS c1 FROM people AS p JOIN orders AS o ON o.person_id = p.id"
        " WHERE p.id = ANY(:keys) ORDER BY o.id DESC LIMIT :n"
    )
    wanted = sorted(((r[1], r[0]) for r in places.rows.orders if r[1] in (7, 14)), reverse=True)
    wanted.sort(key=lambda row: -row[1])
    for size in (0, 2, None):
        found = await collected(
            connector, asked(sql, BIGINT, BIGINT), {"keys": [7, 14, 4_000], "n": size}
        )
        assert found == wanted[:size]


async def test_a_column_may_be_asked_twice(connector: Connector, places: Places) -> None:
    made = of_table("people", ("id", "name", "id"), "t.id = ANY(:keys)")
    assert await collected(connector, made, {"keys": [3]}) == [(3, places.rows.people[3][1], 3)]


async def test_a_single_column_of_nulls_and_empty_texts(
    connector: Connector, places: Places
) -> None:
    found = await collected(connector, of_table("people", ("note",)))
    at = PEOPLE.index("note")
    assert sorted(map(repr, found)) == sorted(repr((row[at],)) for row in places.rows.people)


async def test_a_row_cap_lets_one_more_row_through(connector: Connector) -> None:
    keys = {"keys": list(range(50))}
    cut = of_table("people", ("id",), "t.id = ANY(:keys)", row_cap=20)
    assert len(await collected(connector, cut, keys)) == 21
    whole = of_table("people", ("id",), "t.id = ANY(:keys)", row_cap=50)
    assert len(await collected(connector, whole, keys)) == 50


async def test_many_rows_come_in_batches(connector: Connector, places: Places) -> None:
    if not connector.capabilities.joins:
        return
    made = asked(CROSS + " WHERE p.id < 100", BIGINT, BIGINT)
    found = await collected(connector, made)
    assert len(found) == len(set(found)) == 100 * len(places.rows.orders)


# -- time, cancelling, leaving ---------------------------------------------------------------


async def test_no_time_left_is_a_timeout_at_once(connector: Connector) -> None:
    made = of_table("people", ("id",), "t.id = ANY(:keys)")
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await collected(connector, made, {"keys": list(range(100))}, seconds=-1)
    assert caught.value.code == "RV401"
    assert time.monotonic() - started < LOOSE_SECONDS


async def test_a_slow_statement_ends_at_the_deadline(connector: Connector) -> None:
    if not connector.capabilities.joins:
        return
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await collected(connector, asked(SLOW, BIGINT), seconds=0.2)
    assert caught.value.code == "RV401"
    assert time.monotonic() - started < 0.2 + LOOSE_SECONDS


SQL = [technology for technology in TECHNOLOGIES if technology != "rest"]


@pytest.mark.parametrize("technology", SQL)
@pytest.mark.parametrize("how", ["cancelled", "left", "late"])
async def test_a_stream_that_nobody_reads_ends_in_the_source(
    technology: str, how: str, places: Places
) -> None:
    """One connection: the next statement runs only if the stream before is really gone."""
    connector: Any = opened(places.source(technology, concurrency=1))
    big = connector.compile(asked(ENDLESS, BIGINT, BIGINT))
    quick = connector.compile(of_table("people", ("id",), "t.id = ANY(:keys)"))
    await connector.rows(quick, {"keys": [1]}, Deadline.after(5))
    for _ in range(3):
        left = 0.2 if how == "late" else 30.0
        stream = connector.batches(big, {}, Deadline.after(left))
        first = await anext(stream)
        assert first.num_rows > 0
        waiting = asyncio.create_task(connector.rows(quick, {"keys": [1]}, Deadline.after(5)))
        if how == "left":
            await stream.aclose()
        elif how == "cancelled":
            reading = asyncio.create_task(_all(stream))
            await asyncio.wait([waiting], timeout=0.02)
            assert not waiting.done()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert (await waiting).rows == [(1,)]
        if how == "late":
            with pytest.raises(SourceError) as caught:
                await _all(stream)
            assert caught.value.code == "RV401"
    await connector.close()


@pytest.mark.parametrize("technology", SQL)
async def test_the_source_is_not_read_faster_than_the_reader(
    technology: str, places: Places
) -> None:
    connector: Any = opened(places.source(technology, concurrency=2))
    quick = connector.compile(of_table("people", ("id",), "t.id = ANY(:keys)"))
    before = pa.total_allocated_bytes()
    call = connector.compile(asked(ENDLESS, BIGINT, BIGINT))
    async with aclosing(connector.batches(call, {}, Deadline.after(30))) as stream:
        held = await anext(stream)
        for _ in range(100):
            await connector.rows(quick, {"keys": [1]}, Deadline.after(5))
        assert held.num_rows
        assert pa.total_allocated_bytes() - before < 32 * 2**20
    await connector.close()


async def _all(stream: Any) -> None:
    async for _ in stream:
        pass


async def test_many_streams_at_once_do_not_mix(connector: Connector, places: Places) -> None:
    made = of_table("people", ("id", "name"), "t.id = ANY(:keys)")
    found = await asyncio.gather(*(collected(connector, made, {"keys": [at]}) for at in range(40)))
    assert found == [[(at, places.rows.people[at][1])] for at in range(40)]


async def test_a_closed_connector_fails_by_name(connector: Connector) -> None:
    made = of_table("people", ("id",), "t.id = ANY(:keys)")
    assert await collected(connector, made, {"keys": [1]}) == [(1,)]
    await connector.close()
    with pytest.raises(SourceError) as caught:
        await collected(connector, made, {"keys": [1]})
    assert caught.value.code == "RV402"
