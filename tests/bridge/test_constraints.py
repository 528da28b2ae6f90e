"""A constraint lets through a superset of what meets it, and reads no more than it must."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any

import pytest
from tests.bridge.conftest import Served
from tests.bridge.odd_shop import SCHEMA
from tests.bridge.thrift_client import RefusedError, among, between, everything, integers, texts

from roundview_federation.bridge import messages

NUMBERS = ("bigint", "integer")
START = date(2024, 1, 1)


def between_days(low: int | None, high: int | None) -> messages.Domain:
    """Returns the domain of days, counted from that of the first row."""
    shift = (START - date(1970, 1, 1)).days
    return _as_kind(between(*(None if one is None else one + shift for one in (low, high))), "date")


async def test_random_constraints_lose_no_row(demo: Served) -> None:
    dice = random.Random(11)
    narrowed = 0
    async with demo.client() as client:
        for table in await client.tables():
            name = table.name
            assert name is not None
            place = (name.schema or "", name.table or "")
            columns = [column.name or "" for column in table.columns or []]
            kinds = [column.type for column in table.columns or []]
            every = await client.scan(*place, columns)
            for _ in range(6):
                where: dict[str, messages.Domain] = {}
                tests = []
                for at in dice.sample(range(len(columns)), min(2, len(columns))):
                    present = sorted({row[at] for row in every if row[at] is not None}, key=str)
                    made = _condition(dice, kinds[at] or "", present)
                    if made is not None:
                        where[columns[at]] = made[0]
                        tests.append((at, made[1]))
                found = Counter(await client.scan(*place, columns, where=where))
                wanted = Counter(row for row in every if all(meets(row[at]) for at, meets in tests))
                assert wanted <= found, (place, where)
                assert found <= Counter(every)
                narrowed += found != Counter(every)
    assert narrowed > 30


def _condition(dice: random.Random, kind: str, present: list[Any]) -> Any:
    if kind not in (*NUMBERS, "varchar") or not present:
        return None
    nulls = dice.random() < 0.2
    way = dice.randrange(5)
    if way <= 1:
        known = {dice.choice(present) for _ in range(way * 4 + 1)}
        domain = among(*known, nulls=nulls)
        return _of_kind(domain, kind), lambda one: one in known or (nulls and one is None)
    low, high = sorted((dice.choice(present), dice.choice(present)))
    if way == 2:
        domain = between(low, high, nulls=nulls)
        return _of_kind(domain, kind), lambda one: nulls if one is None else low <= one <= high
    if way == 3:
        domain = between(low, None, inclusive=False)
        return _of_kind(domain, kind), lambda one: one is not None and one > low
    has_values = dice.random() < 0.5
    return everything(values=has_values, nulls=not has_values), (
        lambda one: (one is not None) == has_values
    )


def _of_kind(domain: messages.Domain, kind: str) -> messages.Domain:
    """Says 32-bit values as Trino does."""
    return _as_kind(domain, "integer") if kind == "integer" else domain


def _as_kind(domain: messages.Domain, kind: str) -> messages.Domain:
    """Has the 64-bit bounds of a domain travel in the block of another kind."""
    known = domain.values
    assert known is not None
    assert known.ranges is not None
    for one in known.ranges.ranges or []:
        for marker in (one.low, one.high):
            held = marker.value if marker is not None else None
            if held is not None and held.bigint is not None:
                setattr(held, kind, messages.Integers(values=held.bigint.values))
                held.bigint = None
    return domain


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"person": among(5)}, 400),
        ({"person": among(5, 7, 1_000)}, 800),
        ({"id": between(10, 19)}, 10),
        ({"id": between(10, 19, inclusive=False)}, 8),
        ({"id": between(None, 9)}, 10),
        ({"id": between(39_990, None)}, 10),
        ({"name": among("Person 77", "nobody")}, 1),
        ({"person": among(5), "id": between(0, 1_000)}, 10),
        ({"name": everything(values=False, nulls=True)}, 0),
        ({"name": everything(values=False, nulls=False)}, 0),
        ({"name": everything(values=True, nulls=False), "id": among(1)}, 1),
        ({"id": among()}, 0),
    ],
)
async def test_what_a_source_can_use_is_pushed(
    odd: Served, where: dict[str, messages.Domain], count: int
) -> None:
    async with odd.client() as client:
        assert len(await client.scan(SCHEMA, "scanned", ["id"], where=where)) == count


async def test_case_blind_columns_are_asked_exactly(odd: Served) -> None:
    async with odd.client() as client:
        assert await client.scan(SCHEMA, "odd", ["id"], where={"note": among("aa")}) == [(2,)]
        keys = (["note"], [texts("aa", "AA")])
        found = await client.scan(SCHEMA, "odd", ["note"], keys=keys)
        assert sorted(found) == [("AA",), ("aa",)]


async def test_no_row_meets_no_domains(odd: Served) -> None:
    async with odd.client() as client:
        nothing = messages.GetSplits(
            table=messages.TableName(schema=SCHEMA, table="scanned"),
            desired=messages.ColumnsOrNull(),
            constraint=messages.Constraint(),
            most=10,
            next=messages.Token(),
        )
        (split,) = (await client.call(nothing, messages.Splits)).splits or []
        assert split.id is not None
        assert await client.rows(split.id, ["id"]) == []


async def test_values_that_were_meant_as_sql_are_values(odd: Served) -> None:
    async with odd.client() as client:
        for value in ("' OR 1=1 --", '"; DROP TABLE scanned; --', "\x00", "%", "?1"):
            assert await client.scan(SCHEMA, "scanned", ["id"], where={"name": among(value)}) == []
            keys = (["name"], [texts(value)])
            assert await client.scan(SCHEMA, "scanned", ["id"], keys=keys) == []


async def test_constraints_that_cannot_be_meant_end_the_connection(odd: Served) -> None:
    wrong = [
        {"id": among("text")},
        {"name": among(5)},
        {"gone": among(5)},
        {"id": messages.Domain(nulls=False)},
        {"id": messages.Domain(values=messages.ValueSet(), nulls=False)},
    ]
    for where in wrong[:4]:
        async with odd.client() as client:
            with pytest.raises((RefusedError, EOFError)):
                await client.scan(SCHEMA, "scanned", ["id"], where=where)


async def test_keys_that_nobody_has_find_nothing(odd: Served) -> None:
    async with odd.client() as client:
        assert await client.scan(SCHEMA, "scanned", ["id"], keys=(["id"], [integers()])) == []
        none = messages.Block(bigint=messages.Bigints(nulls=[True, True]))
        assert await client.scan(SCHEMA, "scanned", ["id"], keys=(["id"], [none])) == []
        huge = (["id"], [integers(2**63 - 1, -(2**63))])
        assert await client.scan(SCHEMA, "scanned", ["id"], keys=huge) == []


@pytest.mark.parametrize(
    ("column", "domain", "first", "last"),
    [
        ("day", between_days(10, 19), 10, 19),
        ("day", between_days(None, 19), 0, 19),
        ("day", between_days(990, None), 990, 999),
        ("price", between(250, 500), 10, 20),
        ("price", among(250, 500), 10, 20),
        ("rough", between(250, 500), 10, 20),
        ("rough", between(None, 500), 0, 20),
    ],
)
async def test_files_are_asked_for_the_span_of_dates_and_amounts(
    odd: Served, column: str, domain: messages.Domain, first: int, last: int
) -> None:
    async with odd.client() as client:
        found = await client.scan("lake", "days", ["id"], where={column: domain})
    ids = {one for (one,) in found}
    assert ids >= set(range(first, last + 1))
    # A step beside each bound may come too.
    assert ids <= set(range(first - 1, last + 2))


async def test_bounds_at_the_end_of_time_lose_nothing(odd: Served) -> None:
    async with odd.client() as client:
        for low, high in ((date.min, date.max), (date.min, None), (None, date.max)):
            days = [None if one is None else (one - START).days for one in (low, high)]
            found = await client.scan("lake", "days", ["id"], where={"day": between_days(*days)})
            assert len(found) == 1_000
