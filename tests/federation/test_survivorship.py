"""Compares the choice of every customer field with the rules as they are written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.federation.naive import Wanted, plain
from tests.federation.ruled import ROLES, RuledEstate, principal

from roundview_catalog.model import SurvivorRule
from roundview_catalog.types import Kind, Type
from roundview_federation.execute.survive import survive
from roundview_federation.plan import (
    ROW_HEAD,
    Identifier,
    Lookup,
    Origin,
    Question,
    Section,
    selecting,
)
from roundview_federation.request import Request
from roundview_federation.result import Losing, Result, Survived
from roundview_federation.rewrite.derive import CustomerPlan, SurvivingField

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOURCES = ("crm", "pos.north", "pos.south", "support")
RULES = (
    SurvivorRule("trusted", ("support", "pos")),
    SurvivorRule("trusted", ("pos.south", "crm")),
    SurvivorRule("most_recent"),
    SurvivorRule("most_frequent"),
    SurvivorRule("most_complete"),
    SurvivorRule("union"),
)
Row = tuple[Any, ...]


def _drawn(
    source: str, key: str, slot: str, value: str | None, day: int | None, primary: bool | None
) -> Row:
    changed = datetime(2026, 1, day, tzinfo=UTC) if day else None
    return (_origin(source), key, slot, None, value, changed, primary)


rows_of_a_customer = st.lists(
    st.builds(
        _drawn,
        source=st.sampled_from(SOURCES),
        key=st.sampled_from(("1", "2", "10", "lead:1")),
        slot=st.sampled_from(("", "home")),
        value=st.sampled_from(("Ann", "ann", "Anna", "Bob", None)),
        day=st.sampled_from((None, 1, 2)),
        primary=st.sampled_from((True, False, None)),
    ),
    max_size=7,
    unique_by=lambda row: (row[0].source, row[1], row[2]),
)


@given(
    rows=rows_of_a_customer,
    rule=st.sampled_from(RULES),
    has_primary=st.booleans(),
    shuffled=st.randoms(use_true_random=False),
)
def test_the_choice_follows_the_rule_whatever_came_first(
    rows: list[Row], rule: SurvivorRule, has_primary: bool, shuffled: Any
) -> None:
    chosen = _survived(rows, rule, has_primary=has_primary)
    assert chosen == _naive(rows, rule, has_primary=has_primary)
    again = list(rows)
    shuffled.shuffle(again)
    assert _survived(again, rule, has_primary=has_primary) == chosen


@given(rows=rows_of_a_customer)
def test_only_texts_are_united(rows: list[Row]) -> None:
    for kind in (Kind.DATE, Kind.ENUM, Kind.DECIMAL):
        united = _survived(rows, SurvivorRule("union"), kind=kind)
        assert united == _survived(rows, SurvivorRule("most_recent"), kind=kind)


@pytest.mark.parametrize(
    ("rule", "value", "losing"),
    [
        (SurvivorRule("trusted", ("pos",)), "Anna", ["Ann", "Bob"]),
        (SurvivorRule("most_recent"), "Bob", ["Ann", "Anna"]),
        (SurvivorRule("most_frequent"), "Ann", ["Anna", "Bob"]),
        (SurvivorRule("most_complete"), "Anna", ["Ann", "Bob"]),
        (SurvivorRule("union"), "Bob, Ann, Anna", []),
    ],
    ids=lambda given: given.rule if isinstance(given, SurvivorRule) else None,
)
def test_each_rule_by_example(rule: SurvivorRule, value: str, losing: list[str]) -> None:
    rows = [
        _row("crm", "Ann", day=2),
        _row("pos.north", "Anna"),
        _row("mail", "Ann"),
        _row("support", "Bob", day=3),
        _row("shop", None, day=9),
    ]
    found, survived = _survived(rows, rule)
    assert found == value
    assert survived is not None
    assert list(dict.fromkeys(loser.value for loser in survived.losing)) == losing


def test_nothing_survives_of_nothing() -> None:
    for rule in RULES:
        assert _survived([], rule) == (None, None)
        assert _survived([_row("crm", None)], rule) == (None, None)


@pytest.mark.parametrize("role", ["everyone", "careful", "narrow", "narrower"])
async def test_customers_survive_from_what_the_asker_sees(ruled: RuledEstate, role: str) -> None:
    """Values, winners and losers are masked and filtered like the records themselves."""
    canonical = ruled.federation.catalog.canonical
    names = (
        "given_name",
        "family_name",
        "birth_date",
        "customer_since",
        "email",
        "phone",
        "address",
    )
    asked = ruled.customers[:40]
    result = await _customers(ruled, names, role, asked)
    exists = [ruled.naive.exists(one, [ROLES[role]], {"region": "eu"}) for one in asked]
    assert [index for index, one in enumerate(exists) if one] == sorted(
        result.outputs["customer"].groups
    )
    for index, customer in enumerate(asked):
        if not exists[index]:
            continue
        (row,) = result.outputs["customer"].groups[index].rows
        found = dict(zip(names, row[len(ROW_HEAD) :], strict=True))
        for name in names:
            entity, field = canonical.customer_fields[name]
            has_primary = "is_primary" in canonical.entities[entity].types
            columns = (field, "source_updated_at", *(("is_primary",) if has_primary else ()))
            rows = ruled.naive.rows(
                Wanted(entity, columns), customer, [ROLES[role]], {"region": "eu"}
            )
            records = [(_origin(r[0]), *r[1:]) for r in rows]
            rule = ruled.federation.catalog.survivor_rule(name)
            value, survived = _naive(records, rule, has_primary=has_primary)
            assert plain((_origin("x"), found[name]))[1] == value, (customer, name)
            got = result.outputs["customer"].provenance[index].get(name)
            assert (got is None) == (survived is None)
            if got is not None and survived is not None:
                assert (got.source, got.source_key, got.rule) == (
                    survived.source,
                    survived.source_key,
                    survived.rule,
                )
                shown = [plain((_origin(o.source), o.source_key, o.value)) for o in got.losing]
                assert shown == [(o.source, o.source_key, o.value) for o in survived.losing]


async def _customers(
    ruled: RuledEstate, names: tuple[str, ...], role: str, asked: tuple[str, ...]
) -> Result:
    section = Section("customer", "customer", selecting("customer", names), "c", provenance=names)
    question = Question(f"survivors:{names}", (Lookup("c"),), (section,))
    who = [Identifier("customer_id", customer) for customer in asked]
    request = Request(principal((role,)), timeout_seconds=20)
    result = await ruled.federation.run(question, {"c": who}, request)
    assert result.complete
    return result


def _naive(
    rows: list[Row], rule: SurvivorRule, *, has_primary: bool = True
) -> tuple[Any, Survived | None]:
    """Chooses by the rules' definitions: the smallest of all ranks at once."""
    rows = [row for row in rows if row[4] is not None]
    if not rows:
        return None, None

    def rank(row: Row) -> tuple[Any, ...]:
        origin: Origin = row[0]
        first: float = 0
        if rule.rule == "trusted":
            names = (origin.source, origin.source_system)
            first = min(
                (at for at, name in enumerate(rule.trusted) if name in names),
                default=len(rule.trusted),
            )
        elif rule.rule == "most_frequent":
            first = -sum(other[4] == row[4] for other in rows)
        elif rule.rule == "most_complete":
            first = -len(str(row[4]))
        age = -(row[5].replace(tzinfo=UTC).timestamp()) if row[5] else float("inf")
        is_primary = has_primary and row[6] is True
        return first, age, not is_primary, origin.source, row[1], row[2]

    best = min(rows, key=rank)
    value: Any = best[4]
    losing = sorted(
        (row for row in rows if row[4] != value), key=lambda row: (row[0].source, row[1], row[2])
    )
    if rule.rule == "union":
        value = ", ".join(dict.fromkeys(row[4] for row in sorted(rows, key=rank)))
        losing = []
    return value, Survived(
        "field",
        best[0].source,
        best[1],
        rule.rule,
        best[0].as_of,
        tuple(Losing(row[4], row[0].source, row[1]) for row in losing),
    )


def _survived(
    rows: list[Row], rule: SurvivorRule, *, has_primary: bool = True, kind: Kind = Kind.TEXT
) -> tuple[Any, Survived | None]:
    field = SurvivingField(
        name="field",
        section="rows",
        index=4,
        updated_index=5,
        primary_index=6 if has_primary else -1,
        rule=rule,
        type=Type(kind),
    )
    plan = CustomerPlan(("customer_id", "field"), {"field": field}, ("field",), ("rows",))
    found, provenance = survive(plan, {"rows": {0: rows}}, 0, "c1", "linked")
    (row,) = found.rows
    assert row[: len(ROW_HEAD) + 1] == (None, None, None, None, "c1")
    return row[-1], provenance.get("field")


def _row(source: str, value: Any, day: int = 1) -> Row:
    return (_origin(source), "1", "", None, value, datetime(2026, 1, day, tzinfo=UTC), None)


def _origin(source: str) -> Origin:
    system, _, instance = source.partition(".")
    return Origin(source, system, instance, NOW, NOW)
