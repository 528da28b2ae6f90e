"""Trino finds every table behind the bridge, and in it exactly the rows of the source."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from tests.bridge.conftest import Served
from tests.bridge.odd_shop import SCHEMA
from tests.bridge.thrift_client import RefusedError, ThriftClient, integers, texts

from roundview_catalog.types import Kind
from roundview_federation.bridge import messages
from roundview_federation.bridge.blocks import wire_column
from roundview_federation.bridge.tables import bridged_tables, column_of, selecting
from roundview_federation.bridged import OWN_SCHEMA, BridgedType
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.plan import Fragment
from roundview_federation.resilience.deadline import Deadline


@pytest.fixture
async def client(demo: Served) -> Any:
    async with demo.client() as client:
        yield client


async def own_rows(demo: Served, place: tuple[str, str]) -> list[tuple[Any, ...]]:
    """Returns the rows of a table as its connector gives them, as they travel."""
    table = bridged_tables(demo.federation.catalog)[place]
    connector: Any = demo.federation.current.connectors[table.source]
    columns = tuple(table.columns.values())
    tree = selecting(table.table, [column_of(column.name) for column in columns])
    types = tuple(column.type for column in columns)
    fragment = Fragment("own", table.source, tree, types, (), (), row_cap=NO_CAP, is_scan=True)
    found: list[tuple[Any, ...]] = []
    async for batch in connector.batches(connector.compile(fragment), {}, Deadline.after(10)):
        arrays = [wire_column(column) for column in batch.columns]
        arrays = [
            a.cast(pa.decimal128(38, 0)).cast(pa.string()).cast(pa.int64())
            if pa.types.is_decimal128(a.type)
            else a
            for a in arrays
        ]
        found += zip(*(array.to_pylist() for array in arrays), strict=True)
    return found


@pytest.mark.row("C9")
async def test_every_table_has_the_rows_of_its_source(demo: Served, client: ThriftClient) -> None:
    seen = Counter[str]()
    for table in await client.tables():
        name = table.name
        assert name is not None
        assert name.schema is not None
        assert name.table is not None
        if name.schema == OWN_SCHEMA:
            continue
        columns = [column.name or "" for column in table.columns or []]
        expected = await own_rows(demo, (name.schema, name.table))
        assert Counter(await client.scan(name.schema, name.table, columns)) == Counter(expected)
        assert await client.scan(name.schema, name.table, []) == [()] * len(expected)
        seen[name.schema] += len(expected)
    assert set(seen) == {"crm", "mail", "pos", "support"}
    assert min(seen.values()) > 100


async def test_rows_are_found_by_every_key_that_is_declared(
    demo: Served, client: ThriftClient
) -> None:
    tried = 0
    for table in await client.tables():
        name = table.name
        assert name is not None
        place = (name.schema or "", name.table or "")
        columns = [column.name or "" for column in table.columns or []]
        every = await client.scan(*place, columns)
        for key in table.keys or []:
            names = sorted(key)
            places = [columns.index(one) for one in names]
            present = [tuple(row[at] for at in places) for row in every]
            wanted = [row for row in dict.fromkeys(present) if None not in row][:3]
            if not wanted:
                continue
            blocks = [
                texts(*part) if isinstance(part[0], str) else _numbers(table, one, part)
                for one, part in zip(names, zip(*wanted, strict=True), strict=True)
            ]
            found = await client.scan(*place, columns, keys=(names, blocks))
            expected = [row for row, one in zip(every, present, strict=True) if one in wanted]
            assert Counter(found) == Counter(expected), (place, names)
            tried += 1
    assert tried > 30


def _numbers(table: messages.Table, name: str, found: Any) -> messages.Block:
    kind = next(column.type for column in table.columns or [] if column.name == name)
    if kind == "integer":
        return messages.Block(integer=messages.Integers(values=list(found)))
    return messages.Block(bigint=messages.Bigints(values=list(found)))


async def test_every_type_survives_the_few_of_the_protocol(odd: Served) -> None:
    async with odd.client() as client:
        table = next(one for one in await client.tables() if one.name and one.name.table == "odd")
        kinds = {column.name: column.type for column in table.columns or []}
        names = [column.name or "" for column in table.columns or []]
        rows = await client.scan(SCHEMA, "odd", names)
    types = bridged_tables(odd.federation.catalog)[SCHEMA, "odd"].types
    restored = [
        tuple(_restored(types[name], one) for name, one in zip(names, row, strict=True))
        for row in rows
    ]
    assert list(kinds.values()) == [
        "bigint", "bigint", "varchar", "varchar", "bigint", "date", "boolean", "double",
        "varchar", "varchar",
    ]  # fmt: skip
    assert restored == [
        (1, Decimal("12.50"), Decimal("12345678.5678"), "1.5",
         _utc(2026, 1, 1, 10, 0, 0, 1), date(2026, 1, 1), True, 1.5, "Zoë", "Aa"),
        (2, Decimal("-0.01"), Decimal("-0.0001"), "2.25",
         _utc(1, 1, 1), date(1, 1, 1), False, -1e300, "", "aa"),
        (3, *[None] * 9),
        (9007199254740993, Decimal("9999999999.99"), Decimal(0), "0",
         _utc(9999, 12, 31, 23, 59, 59, 999999), date(9999, 12, 31), True, 0.1, "𝄞 clef",
         "AA"),
    ]  # fmt: skip


def _restored(type_: BridgedType, one: Any) -> Any:
    """Does what Trino does with the restoring expression."""
    if one is None or (type_.type.kind is Kind.DECIMAL and not type_.is_scaled):
        return one
    if type_.is_scaled:
        return Decimal(one).scaleb(-(type_.type.scale or 0))
    if type_.type.is_time:
        return _utc(1970, 1, 1) + timedelta(microseconds=one)
    return one


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


async def test_a_column_that_is_gone_is_said(odd: Served) -> None:
    async with odd.client() as client:
        with pytest.raises(RefusedError, match="RV102"):
            await client.scan(SCHEMA, "odd", ["gone"])
        with pytest.raises(RefusedError, match="RV102"):
            await client.scan(SCHEMA, "gone", [])
        named = messages.TableName(schema="nowhere", table="gone")
        answer = await client.call(messages.GetTable(table=named), messages.TableOrNull)
        assert answer.table is None


async def test_an_api_is_asked_for_its_list_where_keys_need_too_many_calls(
    demo: Served, client: ThriftClient
) -> None:
    described = {one.name.table: one for one in await client.tables() if one.name and one.name.schema == "support"}  # fmt: skip
    # An email is one call a key; ids are fifty.
    assert described["users"].keys == [{"id"}]
    every = await client.scan("support", "tickets", ["id", "user_id"])
    users = sorted({user for _, user in every})
    wanted = [*users[::2], *range(10**6, 10**6 + 3_000)]
    found = await client.scan(
        "support", "tickets", ["id", "user_id"], keys=(["user_id"], [integers(*wanted)])
    )
    assert Counter(found) == Counter(row for row in every if row[1] in set(users[::2]))


async def test_a_filter_that_finds_more_than_its_column_loses_no_row(client: ThriftClient) -> None:
    users = dict(await client.scan("support", "users", ["email", "id"]))
    found = await client.scan("support", "user_emails", ["address", "is_default"])
    others = [address for address, is_default in found if not is_default and address not in users]
    assert others
    usual = next(iter(users))
    keys = (["email"], [texts(others[0], usual)])
    assert await client.scan("support", "users", ["id"], keys=keys) == [(users[usual],)]
    only = (["email"], [texts(*others[:2], "nobody@nowhere.example")])
    assert await client.scan("support", "users", ["id"], keys=only) == []
