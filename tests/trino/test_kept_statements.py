"""Proves that questions which differ in values share a statement of Trino, and none that differs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.estate import Entity, Form, Part, Split, written
from tests.sql.oracles import answered_by_duckdb, difference, duckdb_of

from roundview.client import connect_async
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.sql.row_store import RowStore
from roundview_federation.sql.trino.running import TrinoQuestions

THING = Entity(
    "thing",
    {"ident": "bigint", "name": "text", "made": "date", "price": "decimal(12,2)"},
    ("ident",),
)
ROWS = {"thing": [(at, f"thing {at}", date(2024, 1, at), at) for at in range(1, 21)]}
THINGS = Split(
    "things",
    {"east": "sqlite", "north": "sqlite"},
    (
        Part("thing", "east", "things", "ident % 2 = 0", forms={"name": Form("{c}", "lower({c})")}),
        Part("thing", "north", "things", "ident % 2 = 1"),
    ),
)
QUESTIONS = (
    ("SELECT name FROM thing WHERE ident = {}", ("7", "8", "9999999999")),
    ("SELECT ident FROM thing WHERE name = '{}'", ("thing 3", "it''s", "Thing 4", " ")),
    ("SELECT ident FROM thing WHERE made >= '{}' AND ident < {}", ("2024-01-03", "9")),
    ("SELECT ident FROM thing WHERE ident IN ({}, {})", ("1", "2", "3", "4", "5", "5")),
    ("SELECT ident FROM thing WHERE source = '{}' AND ident > {}", ("east", "3", "north", "4")),
    ("SELECT name FROM thing WHERE source_key = '{}'", ("3", "5", "x", "17")),
    ("SELECT name FROM thing WHERE price < {}", ("3", "4.50")),
    ("SELECT count(*) AS n FROM thing WHERE made < now() AND ident <> {}", ("3", "5")),
)


class Things:
    """Writes statements, with those that are kept and without."""

    def __init__(self, federation: Any) -> None:
        self.federation = federation
        self.questions = federation._questions()
        self.kept = self.fresh()

    def fresh(self) -> TrinoQuestions:
        """Returns what has kept no statement yet."""
        known: TrinoQuestions = self.questions._trino
        return TrinoQuestions(known.engine, known.env)

    async def statement(self, text: str, by: TrinoQuestions) -> str:
        """Returns the statement of a question."""
        questions = self.questions
        request = Request(self.federation.principal, timeout_seconds=60, allow_scan=True)
        decision = questions.snapshot.decide_for(request)
        planned = await questions._whole(text, None, request, decision)
        deadline = Deadline.after(60)
        async with AsyncExitStack() as stack:
            store = RowStore(self.federation._engine(), deadline, stack, is_here=True)
            asked = questions._asked(request, decision, deadline, store, None, None)
            return (await by.statement(planned, asked)).text()


@pytest.fixture(scope="module")
async def things(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Things]:
    """Opens two sources that Trino would read through the bridge; it is not asked."""
    folder = tmp_path_factory.mktemp("things")
    servers: Any = None
    with duckdb_of((THING,), ROWS) as truth:
        catalog, env = await written(folder, (THING,), THINGS, truth, servers)
    yaml, path = YAML(), catalog / "roundview.yaml"
    told = yaml.load(path)
    told["engines"] = {"trino": {"url": "http://127.0.0.1:1", "user": "tests", "bridge": "b"}}
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(told, file)
    async with connect_async(catalog, env=env) as connection:
        yield Things(connection.federation)


def filled(text: str, values: tuple[str, ...]) -> list[str]:
    size = text.count("{}")
    return [text.format(*values[at : at + size]) for at in range(0, len(values) - size + 1, size)]


@pytest.mark.parametrize(("text", "values"), QUESTIONS)
async def test_a_kept_statement_is_the_one_that_its_question_has(
    text: str, values: tuple[str, ...], things: Things
) -> None:
    kept = things.fresh()
    for one in (*filled(text, values), *filled(text, values)):
        own = await things.statement(one, things.fresh())
        # The time of the statement stands there too.
        same = await things.statement(one, kept)
        assert _without_time(same) == _without_time(own)


async def test_other_values_take_the_statement_of_the_first(things: Things) -> None:
    kept = things.fresh()
    texts = [await things.statement(QUESTIONS[0][0].format(at), kept) for at in (1, 2, 3)]
    assert len(set(texts)) == 3
    ((template,),) = kept._kept.values()
    assert template.is_open


async def test_a_value_that_looks_like_a_place_for_one_stays_what_it_is(things: Things) -> None:
    text = await things.statement(
        "SELECT 'p1:p2' AS a, name FROM thing WHERE ident = 5", things.kept
    )
    assert "'p1:p2'" in text


async def test_answers_to_other_values_are_right(estate: Estate) -> None:
    for text in (
        "SELECT name FROM item WHERE ident = {}",
        "SELECT ident FROM item WHERE name = 'item {}' OR name = 'item 3' ORDER BY ident",
        "SELECT count(*) AS n FROM item WHERE source_key = '{}'",
    ):
        for value in (7, 8, 3, 99):
            own = text.format(value)
            if "source_key" not in own:
                right = answered_by_duckdb(estate.truth, own)
                got = await answer(estate.connection, own, "trino")
                assert difference(right, got, ordered=True, typed=False) == "", own
            else:
                got = await answer(estate.connection, own, "trino")
                assert got.rows == [(1 if value < 21 else 0,)], own


def _without_time(text: str) -> str:
    before, found, after = text.partition(" UTC' AS TIMESTAMP(6) WITH TIME ZONE)")
    if not found:
        return text
    return before[: -len("2024-01-01 00:00:00.000000")] + _without_time(after)
