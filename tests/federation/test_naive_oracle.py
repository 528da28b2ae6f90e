"""Compares random questions with their naive answer: scan everything, then plain SQL."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pytest
from sqlglot import exp
from tests.federation.naive import Wanted, plain
from tests.federation.ruled import CONSENT, ROLES, Asker, RuledEstate, principal

from roundview_catalog.errors import RequestError
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import in_keys
from roundview_federation.plan import Identifier, Lookup, Page, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Result

# ROUNDVIEW_POLICY_SECONDS=3600 asks fresh questions for so long.
SECONDS = float(os.environ.get("ROUNDVIEW_POLICY_SECONDS", "4"))
FOUND = (*range(16), 325145475)
"""Seeds that are always run: the first few, and whatever failed once."""

TOGETHER = (
    ("everyone",),
    ("careful",),
    ("narrow",),
    ("narrower", "narrow"),
    ("narrow", "careful"),
    ("careful", "everyone"),
    ("partly", "narrow"),
    ("partly", "careful"),
)
RULED = tuple(
    sorted(
        {e for rules in ROLES.values() for e, _ in rules.masks}
        | {e for rules in ROLES.values() for e in rules.filters}
        | {e for e, _ in CONSENT.needed}
    )
)
ORDERED = (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMPTZ, Kind.TEXT)
COMPARISONS = {"=": exp.EQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}


@pytest.mark.parametrize("seed", FOUND)
async def test_a_question_equals_its_naive_answer(ruled: RuledEstate, seed: int) -> None:
    await _compare(ruled, seed)


@pytest.mark.timeout(SECONDS + 120)
async def test_fresh_questions_equal_their_naive_answers(ruled: RuledEstate) -> None:
    """Runs as many new seeds as fit; one that fails belongs into FOUND."""
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until or not count:
        seed = secrets.randbelow(10**9)
        print(f"seed {seed}")  # noqa: T201 - shown only where the test fails
        await _compare(ruled, seed)
        count += 1
    print(f"{count} questions")  # noqa: T201 - shown only where the test fails, or with -s


async def test_hidden_columns_cannot_be_asked_in_any_place(ruled: RuledEstate) -> None:
    column = "gender"
    where = exp.EQ(this=exp.column(column), expression=exp.Placeholder(this="value"))
    name = selecting("individual", ("given_name",))
    for tree in (
        selecting("individual", (column,)),
        name.where(where),
        name.order_by(exp.Ordered(this=exp.column(column))),
    ):
        section = Section("s", "individual", tree, "c")
        with pytest.raises(RequestError) as caught:
            await _ask(
                ruled, (section,), Asker(("careful",)), ruled.customers[:1], {"value": "female"}
            )
        assert caught.value.code == "RV102"


async def _compare(ruled: RuledEstate, seed: int) -> None:
    """Makes a random question of up to three lists and compares every row of every customer."""
    chance = random.Random(seed)
    asker = Asker(chance.choice(TOGETHER), chance.choice(("service", "service", "marketing")))
    customers = tuple(chance.sample(ruled.customers, chance.choice((1, 1, 2, 7))))
    lists = [_wanted(chance, ruled, asker) for _ in range(chance.randint(1, 3))]
    values = {name: value for one in lists for name, value in one.wanted.values.items()}
    sections = tuple(
        Section(f"s{at}", one.wanted.entity, one.tree, "c") for at, one in enumerate(lists)
    )
    result = await _ask(ruled, sections, asker, customers, values)
    for at, one in enumerate(lists):
        for index, customer in enumerate(customers):
            expected = _expected(ruled, one.wanted, customer, asker)
            groups = result.outputs[f"s{at}"].groups
            found = [_cut(r, one.wanted) for r in groups[index].rows] if index in groups else []
            assert found == expected, (seed, asker, customer, one.wanted)
    await _compare_pages(ruled, chance, lists[0], asker, customers[0], seed)
    await _compare_below(ruled, lists, asker, customers, seed)


@dataclass(frozen=True)
class _List:
    wanted: Wanted
    tree: exp.Select


async def _compare_pages(
    ruled: RuledEstate,
    chance: random.Random,
    one: _List,
    asker: Asker,
    customer: str,
    seed: int,
) -> None:
    """Walks the pages of a list: together they are the list."""
    expected = _expected(ruled, one.wanted, customer, asker)
    section = Section("p", one.wanted.entity, one.tree, "c", page=Page("first", "after"))
    walked: list[tuple[Any, ...]] = []
    size, after = chance.randint(1, 4), None
    for _ in range(4):
        values = {**one.wanted.values, "first": size, "after": after}
        result = await _ask(ruled, (section,), asker, (customer,), values)
        groups = result.outputs["p"].groups
        if 0 not in groups:
            break
        rows = groups[0]
        walked += [_cut(row, one.wanted) for row in rows.rows]
        assert rows.has_next == (len(walked) < len(expected)), seed
        after = rows.end_cursor
        if not rows.has_next:
            break
    assert walked == expected[: max(len(walked), min(4 * size, len(expected)))], (seed, one.wanted)


async def _compare_below(
    ruled: RuledEstate,
    lists: list[_List],
    asker: Asker,
    customers: tuple[str, ...],
    seed: int,
) -> None:
    """Asks for the lines below orders: grouped by the order that they lie below."""
    if lists[0].wanted.entity != "sales_order_product":
        return
    one = lists[0]
    above = Section("o", "sales_order", selecting("sales_order", ("source_key",)), "c")
    below = Section("l", one.wanted.entity, one.tree, "c", parent="o")
    result = await _ask(ruled, (above, below), asker, customers, one.wanted.values)
    expected: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for customer in customers:
        for row in _expected(ruled, one.wanted, customer, asker):
            expected.setdefault((row[0], row[3]), []).append(row)
    found = {
        key: [_cut(row, one.wanted) for row in rows.rows]
        for key, rows in result.outputs["l"].groups.items()
    }
    assert found == expected, (seed, one.wanted)


async def _ask(
    ruled: RuledEstate,
    sections: tuple[Section, ...],
    asker: Asker,
    customers: tuple[str, ...],
    values: dict[str, Any] | Any,
) -> Result:
    shape = f"random:{[(s.name, s.parent, s.page, s.tree.sql()) for s in sections]}"
    question = Question(shape, (Lookup("c"),), sections)
    who = [Identifier("customer_id", customer) for customer in customers]
    request = Request(principal(asker.roles), asker.purpose, timeout_seconds=20)
    result = await ruled.federation.run(question, {"c": who, **values}, request)
    assert result.complete
    return result


def _expected(
    ruled: RuledEstate, wanted: Wanted, customer: str, asker: Asker
) -> list[tuple[Any, ...]]:
    known = {"region": "eu"}
    if not ruled.naive.exists(customer, asker.rules, known):
        return []
    rows = ruled.naive.rows(wanted, customer, asker.rules, known, asker.consent)
    return [(*row[:4], *(_plain(value) for value in row[4:])) for row in rows]


def _cut(row: tuple[Any, ...], wanted: Wanted) -> tuple[Any, ...]:
    """Returns a row without the columns that only its order needs."""
    return plain(row)[: 4 + len(wanted.columns)]


def _plain(value: Any) -> Any:
    return value.normalize() if hasattr(value, "normalize") else value


def _wanted(chance: random.Random, ruled: RuledEstate, asker: Asker) -> _List:
    entity = chance.choice((*sorted(ruled.naive.types), *RULED))
    hidden = set.intersection(*(set(rules.hidden.get(entity, ())) for rules in asker.rules))
    types = {n: t for n, t in ruled.naive.types[entity].items() if n not in hidden}
    names = sorted(types)
    columns = tuple(chance.sample(names, chance.randint(1, min(5, len(names)))))
    tree = selecting(entity, columns)
    where = ""
    values: dict[str, Any] = {}
    if chance.random() < 0.7:
        where, condition, values = _condition(chance, ruled, entity, types, chance.randint(0, 2))
        tree = tree.where(condition)
    order = tuple(
        (name, chance.random() < 0.5)
        for name in chance.sample(names, min(len(names), chance.choice((0, 1, 1, 2))))
    )
    for name, descending in order:
        tree = tree.order_by(exp.Ordered(this=exp.column(name), desc=descending))
    return _List(Wanted(entity, columns, where, values, order), tree)


def _condition(
    chance: random.Random, ruled: RuledEstate, entity: str, types: dict[str, Type], depth: int
) -> tuple[str, exp.Expr, dict[str, Any]]:
    """Returns a condition twice, for DuckDB and for a section, and its values."""
    if depth:
        left = _condition(chance, ruled, entity, types, depth - 1)
        if chance.random() < 0.3:
            return f"NOT ({left[0]})", exp.not_(left[1]), left[2]
        right = _condition(chance, ruled, entity, types, depth - 1)
        word: str = chance.choice(("AND", "OR"))
        join: Callable[..., exp.Expr] = exp.and_ if word == "AND" else exp.or_
        return f"({left[0]}) {word} ({right[0]})", join(left[1], right[1]), {**left[2], **right[2]}
    name = chance.choice(sorted(types))
    column = exp.column(name)
    known = ruled.naive.values(entity, name)
    if chance.random() < 0.2 or not known:
        return f"{name} IS NULL", exp.Is(this=column, expression=exp.Null()), {}
    parameter = f"v{chance.randrange(10**9)}"
    if chance.random() < 0.3:
        values = chance.sample(known, min(3, len(known)))
        return (
            f"list_contains(${parameter}, {name})",
            in_keys(column, parameter),
            {parameter: [_typed(value, types[name]) for value in values]},
        )
    operator = chance.choice(sorted(COMPARISONS)) if types[name].kind in ORDERED else "="
    condition = COMPARISONS[operator](this=column, expression=exp.Placeholder(this=parameter))
    value = _typed(chance.choice(known), types[name])
    return f"{name} {operator} ${parameter}", condition, {parameter: value}


def _typed(value: Any, type_: Type) -> Any:
    """Returns a value of DuckDB as doors pass it."""
    if type_.kind is Kind.TIMESTAMPTZ:
        return value.replace(tzinfo=UTC)
    return value
