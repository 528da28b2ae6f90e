"""Proves that many customers cost what one costs, and that everyone gets their own rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from tests.federation.naive import Wanted, plain
from tests.federation.ruled import ROLES, RuledEstate, principal

from roundview_federation.plan import Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Result

BATCH = 50


async def ask(ruled: RuledEstate, who: Sequence[Identifier]) -> Result:
    """Returns every list of some customers, under no restriction."""
    sections = tuple(
        Section(entity, entity, selecting(entity, tuple(columns)), "c")
        for entity, columns in ruled.naive.types.items()
    )
    question = Question("many", (Lookup("c"),), sections)
    request = Request(principal(("everyone",)), timeout_seconds=20)
    result = await ruled.federation.run(question, {"c": list(who)}, request)
    assert result.complete
    return result


def by_id(customers: Sequence[str]) -> list[Identifier]:
    """Names customers by their ids."""
    return [Identifier("customer_id", customer) for customer in customers]


async def test_fifty_customers_cost_as_many_statements_as_one(ruled: RuledEstate) -> None:
    """One person's lists take a statement each; so do those of fifty."""
    one = await ask(ruled, by_id(ruled.customers[:1]))
    many = await ask(ruled, by_id(ruled.customers[:BATCH]))
    assert sum(found.customer_id is not None for found in many.found["c"]) == BATCH
    (plan,) = (
        p for p in ruled.federation.current.planner.plans() if p.key.shape.startswith("many|")
    )
    fragments = Counter(planned.fragment.source for planned in plan.fragments)
    for result in (one, many):
        assert {source.name for source in result.sources} == {"crm", "pos", "mail", "support"}
        for source in result.sources:
            # 50 keys go into one call of the desk, and 50 people may have more records.
            most = fragments[source.name] * (1 if source.name != "support" else 2)
            assert source.calls <= most, source.name


@pytest.mark.parametrize("seed", range(3))
async def test_everyone_gets_their_own_rows(ruled: RuledEstate, seed: int) -> None:
    chance = random.Random(seed)
    customers = chance.sample(ruled.customers, BATCH)
    result = await ask(ruled, by_id(customers))
    shown = 0
    for entity, columns in ruled.naive.types.items():
        for index, customer in enumerate(customers):
            wanted = Wanted(entity, tuple(columns))
            expected = ruled.naive.rows(wanted, customer, [ROLES["everyone"]], {})
            groups = result.outputs[entity].groups
            found = [plain(row) for row in groups[index].rows] if index in groups else []
            assert ordered(found) == ordered(expected), (seed, entity, customer)
            shown += len(found)
    assert shown > BATCH


async def test_the_same_customer_twice_and_nobody_between(ruled: RuledEstate) -> None:
    known = ruled.customers[0]
    nobody = "00000000-0000-7000-8000-000000000000"
    result = await ask(ruled, by_id((known, nobody, known)))
    assert [found.customer_id for found in result.found["c"]] == [known, None, known]
    for entity, output in result.outputs.items():
        assert 1 not in output.groups
        rows = [
            [plain(row) for row in output.groups[index].rows] if index in output.groups else []
            for index in (0, 2)
        ]
        assert rows[0] == rows[1], entity
    assert result.outputs["individual"].groups[0].rows


async def test_lines_of_a_customer_asked_for_twice_are_there_once(ruled: RuledEstate) -> None:
    above = Section("o", "sales_order", selecting("sales_order", ("source_key",)), "c")
    tree = selecting("sales_order_product", ("source_key",))
    below = Section("l", "sales_order_product", tree, "c", parent="o")
    question = Question("twice", (Lookup("c"),), (above, below))
    lines = []
    for times in (1, 2):
        who = by_id(ruled.customers[:1] * times)
        request = Request(principal(("everyone",)), timeout_seconds=20)
        result = await ruled.federation.run(question, {"c": who}, request)
        groups = result.outputs["l"].groups
        lines.append({key: [row[1] for row in rows.rows] for key, rows in groups.items()})
    assert lines[0]
    assert lines[0] == lines[1]


def ordered(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Returns rows by (source, source_key, slot)."""
    return sorted((tuple(row) for row in rows), key=lambda row: row[:3])
