"""Tests that questions which differ in constants share a plan, and are answered as if they did not."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from sqlglot import exp
from tests.sql.conftest import Estate
from tests.sql.estate import Entity
from tests.sql.odd_world import ENTITIES
from tests.sql.oracles import Answer, difference, rows_of
from tests.sql.random_queries import query

from roundview_catalog.errors import RequestError, RoundviewError
from roundview_federation.dialect.types import numeric
from roundview_federation.planner import Planner
from roundview_federation.request import Request
from roundview_federation.sql.fingerprint import fingerprint
from roundview_federation.sql.planned import PlannedQuery, known_values
from roundview_federation.sql.planning import plan_query, plans_of
from roundview_federation.sql.question import SqlQuestions

QUERIES = 120
CONDITIONS = 60
OTHERS = 3
"""Other constants that each random question is asked with."""
LEAST_SHARED = 8

TEXTS = ("ab", "AB", "tail ", "17", "-5", "1e3", "straße", "in", "fee", "2024-02-29", "1999-12-31",
         "2024-01-01 12:00:00", "true", "crm", "pos", "nobody")  # fmt: skip
NUMBERS = ("0", "1", "7", "12", "99", "2147483647", "2147483648", "0.5", "12.50", "99.995")
HAND = (
    ("SELECT ident FROM ledger WHERE kind = '{}'", ("in", "fee", "out", "odd")),
    (
        "SELECT ident FROM ledger WHERE kind IN ('{}', 'fee') AND source = '{}'",
        ("in", "pos", "out", "crm", "out", "pos", "fee", "crm"),
    ),
    (
        "SELECT ident FROM parcel WHERE code = '{}' OR code = '{}'",
        ("ab", "AB", "ab", "nobody", "x", "x"),
    ),
    ("SELECT ident FROM parcel WHERE ident = {}", ("1", "2", "17", "9999999999")),
    (
        "SELECT ident FROM parcel WHERE weight < {} ORDER BY ident LIMIT {}",
        ("5", "2", "7.25", "3", "9", "2"),
    ),
    (
        "SELECT ident FROM parcel WHERE sent_at >= TIMESTAMPTZ '{}'",
        ("2024-01-01", "2024-03-01 12:00+02", "odd"),
    ),
    (
        "SELECT p.ident, d.city FROM parcel p JOIN depot d ON d.ident = p.depot_ident"
        " WHERE d.grade = {}",
        ("1", "2", "3"),
    ),
    (
        "SELECT count(*) FROM depot WHERE opened BETWEEN '{}' AND '{}'",
        ("2020-01-01", "2024-01-01", "1990-02-30", "2024-01-01", "2019-01-01", "2025-01-01"),
    ),
    (
        "SELECT city, 'x{}' FROM depot WHERE active AND city > '{}' GROUP BY 1, 2",
        ("a", "A", "b", "a", "a", "S"),
    ),
    (
        "SELECT ident FROM visit WHERE score = '{}'"
        " AND day > DATE '2020-01-01' - INTERVAL '{} days'",
        ("7", "1", "x", "2", "3", "1"),
    ),
)
_CONSTANT = re.compile(r"(?<![\w.'])(\d+(?:\.\d+)?)(?![\w.'])|'([^']*)'")


def with_others(text: str, draw: random.Random) -> str:
    """Returns a question with another constant in one place or two."""
    for _ in range(draw.randint(1, 2)):
        found = draw.choice(list(_CONSTANT.finditer(text)))
        other = draw.choice(NUMBERS) if found[1] else f"'{draw.choice(TEXTS)}'"
        text = f"{text[: found.start()]}{other}{text[found.end() :]}"
    return text


def conditions(draw: random.Random) -> str:
    """Returns a question about rows of one relation, perhaps joined, by one to three conditions."""
    entity = draw.choice(ENTITIES)
    names = [*entity.fields, "source", "source_key"]
    said = " AND ".join(
        _condition(draw, draw.choice(names), entity) for _ in range(draw.randint(1, 3))
    )
    if draw.random() < 0.4:
        return f"SELECT a.ident, b.ident FROM {entity.name} a JOIN depot b ON b.ident = a.ident WHERE {said}"
    if draw.random() < 0.3:
        return f"SELECT count(*) FROM {entity.name} a WHERE {said}"
    return f"SELECT {', '.join(entity.fields)} FROM {entity.name} a WHERE {said}"


def _condition(draw: random.Random, name: str, entity: Entity) -> str:
    kind = entity.fields.get(name, "text")
    if kind.startswith(("text", "enum")):
        values = [f"'{one}'" for one in TEXTS]
    elif kind.startswith("timestamptz"):
        values = ["TIMESTAMPTZ '2024-02-29 12:00:00+00'", "'2024-01-01'", "TIMESTAMP '2024-03-01'"]
    elif kind == "date":
        values = ["DATE '2024-02-29'", "'2024-12-31'", "'2025-01-01'"]
    elif kind == "boolean":
        values = ["'true'", "TRUE", "'no'"]
    else:
        values = [*NUMBERS, "'7'", "-5", "'12'"]
    way = draw.choice(("=", "=", "=", "<>", "<", ">=", "IN", "BETWEEN", "OR", "NOT"))
    one, two = draw.choice(values), draw.choice(values)
    if way == "IN":
        return f"a.{name} IN ({one}, {two}, {draw.choice(values)})"
    if way == "BETWEEN":
        return f"a.{name} BETWEEN {one} AND {two}"
    if way == "OR":
        return f"(a.{name} = {one} OR {two} = a.{name})"
    return f"NOT a.{name} = {one}" if way == "NOT" else f"a.{name} {way} {one}"


def filled(text: str, values: tuple[str, ...]) -> list[str]:
    """Returns a text with as many of the values at a time as it takes."""
    size = text.count("{}")
    return [text.format(*values[at : at + size]) for at in range(0, len(values) - size + 1, size)]


class Both:
    """Asks questions with plans that are shared, and with those of nobody else."""

    def __init__(self, estate: Estate) -> None:
        self.federation = estate.connection.federation
        self.questions = _questions(self.federation)
        self.request = Request(self.federation.principal, timeout_seconds=60, allow_scan=True)
        self.decision = self.questions.snapshot.decide(self.federation.principal)
        self.shared = 0

    async def compare(self, text: str, *, is_ordered: bool = False) -> None:
        """Compares plans and answers."""
        self.shared += self.serves(text)
        snapshot = self.questions.snapshot
        planner = Planner(snapshot.catalog, snapshot.connectors, snapshot.planner.sealing)
        relations = self.questions.plans.relations(self.decision)
        own: PlannedQuery | RequestError
        theirs: PlannedQuery | RequestError
        try:
            own = plan_query(text, planner, relations, allow_scan=True, decision=self.decision)
        except RequestError as error:
            own = error
        try:
            theirs = await self.questions.plans.prepare(text, self.decision, allow_scan=True)
        except RequestError as error:
            theirs = error
        if isinstance(own, RequestError) or isinstance(theirs, RequestError):
            assert _said(theirs) == _said(own), text
            return
        assert await self.told(theirs, snapshot.planner) == await self.told(own, planner), text
        answers = [await self.answered(text, one) for one in (own, theirs)]
        assert not difference(*answers, ordered=is_ordered), text

    async def shares(self, text: str) -> bool:
        """Tells whether the plan of a question may serve others too, now that it was asked."""
        try:
            await self.questions.plans.prepare(text, self.decision, allow_scan=True)
        except RequestError:
            return False
        return self.serves(text)

    def serves(self, text: str) -> bool:
        """Tells whether a question has a plan from those of others."""
        known = fingerprint(text)
        key = (text, self.decision.policy_shape, True)
        return known is not None and self.questions.plans.of_others(text, known, key) is not None

    async def told(self, planned: PlannedQuery, planner: Planner) -> dict[str, Any]:
        """Returns what a plan asks of which source, with which values."""
        direct = planned.direct
        made: dict[str, Any] = {
            "columns": planned.columns,
            "direct": direct and (direct.conditions, direct.order, direct.limit, direct.offset),
        }
        for name, one in planned.reads.items():
            values = known_values(one)
            made[name] = [
                one.read.relation,
                one.columns,
                one.fold,
                one.read.spared,
                one.choice,
                one.customers,
                one.is_point,
            ]
            for is_bound in (False, True) if one.bound is not None else (False,):
                plan = await plans_of(one, planner, self.decision, is_bound=is_bound)
                params = {**plan.constants, **values}
                fragments = [_with_values(part.fragment.tree, params) for part in plan.fragments]
                sources = [part.fragment.source for part in plan.fragments]
                made[f"{name} {is_bound}"] = [sources, fragments, plan.notes, values]
        return made

    async def answered(self, text: str, planned: PlannedQuery) -> Answer:
        """Answers a question by a plan."""
        engine = self.federation._engine()
        try:
            result = await self.questions._run(text, self.request, engine, planned=planned)
            table = await result.table()
        except RoundviewError as error:
            return Answer(("error",), [(error.row.code,)])
        return Answer(tuple(one.name for one in result.columns), rows_of(table))


def _questions(federation: Any) -> SqlQuestions:
    kept = federation._questions()
    return SqlQuestions(kept.snapshot, kept._xref, kept._clock, kept._find, kept._audit)


def _said(outcome: PlannedQuery | RequestError) -> str:
    if isinstance(outcome, PlannedQuery):
        return "it is answered"
    return f"{outcome.row.code} {outcome} {outcome.extensions}"


def _with_values(tree: exp.Expr, params: Mapping[str, Any]) -> str:
    made = tree.copy()
    for place in list(made.find_all(exp.Placeholder)):
        place.replace(exp.Literal.string(repr(params.get(place.name, place.name))))
    return made.sql()


@pytest.mark.parametrize(("text", "values"), HAND)
async def test_a_shared_plan_is_the_plan_of_its_own(
    odd: Estate, text: str, values: tuple[str, ...]
) -> None:
    both = Both(odd)
    for one in filled(text, values):
        await both.compare(one)
    assert both.shared


async def test_random_questions_share_the_plans_of_their_own(odd: Estate) -> None:
    both = Both(odd)
    for seed in range(QUERIES):
        draw = random.Random(seed)
        made = query(seed)
        if not await both.shares(made.text):
            continue
        for _ in range(OTHERS):
            await both.compare(with_others(made.text, draw), is_ordered=made.is_ordered)
    assert both.shared >= LEAST_SHARED


async def test_random_conditions_share_the_plans_of_their_own(odd: Estate) -> None:
    both = Both(odd)
    for seed in range(CONDITIONS):
        draw = random.Random(seed)
        text = conditions(draw)
        for _ in range(1 + OTHERS):
            await both.compare(text)
            text = with_others(text, draw)
    assert both.shared >= CONDITIONS


async def test_one_plan_serves_all_values(odd: Estate) -> None:
    both = Both(odd)
    for number in range(20):
        await both.compare(
            f"SELECT code FROM parcel WHERE ident = {number} AND note <> 'n{number}'"
        )
    assert len(both.questions.plans._shared) == 1


@pytest.mark.parametrize(
    ("text", "shape", "texts"),
    [
        ("a = 'x' AND b = 7", "a = {0:None} AND b = {1:int}", ("x", "7")),
        ("a = 'x' OR b = 'x'", "a = {0:None} OR b = {0:None}", ("x",)),
        ("a1 < 1.50 + t2.c", "a1 < {0:decimal(3, 2)} + t2.c", ("1.50",)),
        ('"a 1" = 3000000000', '"a 1" = {0:bigint}', ("3000000000",)),
        ("1e3 + .5 + 1. + x1", "1e3 + .5 + 1. + x1", ()),
    ],
)
def test_a_fingerprint_is_a_text_without_its_constants(
    text: str, shape: str, texts: tuple[str, ...]
) -> None:
    found = fingerprint(text)
    assert found is not None
    assert re.sub(r"\x00(.*?)\x00", r"{\1}", found.shape) == shape
    assert found.texts == texts


@pytest.mark.parametrize(
    "text",
    [
        "a = 'it''s'", "a = ''", "a = E'x'", "a = 'x\\'", "a = $1", "a = $$x$$", "a -- 'x'",
        "a /* 'x' */", "a = 'x", 'a = "x', "U&'x'", "a = 'x\x00'", "a = 'x\ud800'", "DATE'2020-01-01'",
    ],
)  # fmt: skip
def test_odd_texts_share_nothing(text: str) -> None:
    assert fingerprint(text) is None


def test_numbers_have_the_type_that_the_dialect_gives() -> None:
    assert [one.type for one in fingerprint("1.50, 0.05, 00.5").constants] == [  # type: ignore[union-attr]
        f"decimal({type_.precision}, {type_.scale})"
        for type_ in (numeric(3, 2), numeric(2, 2), numeric(1, 1))
    ]
