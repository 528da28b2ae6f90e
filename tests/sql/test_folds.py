"""Proves that rows may be folded and conditions left to sources without changing an answer.

ROUNDVIEW_QUERIES says how many questions are asked (500), ROUNDVIEW_SEED where they begin.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import pytest
from tests.sql.asking import answer, asked, explained
from tests.sql.conftest import WORKER, Estate, odd_opened
from tests.sql.estate import Entity, Part, Split, build, written
from tests.sql.fold_queries import fold_query
from tests.sql.judging import Judge
from tests.sql.oracles import PostgresOracle
from tests.sql.stores import Servers

from roundview.client import connect_async
from roundview_catalog import loader, statistics_file
from roundview_federation.live.proving import prove_source
from roundview_federation.sql import shrinking

QUERIES = int(os.environ.get("ROUNDVIEW_QUERIES", "500")) // 4
SEED = int(os.environ.get("ROUNDVIEW_SEED", "0"))
MOST_SHOWN = 3


@pytest.fixture(scope="module")
async def eager(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[Estate]:
    """Opens the world of odd rows where folding is worth it however few rows are alike."""
    folder = tmp_path_factory.mktemp("eager")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinking, "ROWS_PER_GROUP", 0)
        async with odd_opened(f"eager_{WORKER}", folder, servers) as estate:
            yield estate


@pytest.mark.timeout(600)
async def test_folded_rows_add_up_to_the_answer_of_postgres(
    eager: Estate, oracle: PostgresOracle
) -> None:
    judge = Judge(partial(answer, eager.connection), oracle)
    wrong: list[str] = []
    asked = 0
    for seed in range(SEED, SEED + QUERIES):
        text = fold_query(seed)
        verdict = await judge.verdict(text, is_ordered=False)
        asked += verdict.is_asked and not verdict.refusal
        if verdict.wrong:
            shown = len(wrong) < MOST_SHOWN
            wrong.append(
                await judge.report(f"seed {seed}", text, verdict)
                if shown
                else f"seed {seed}: {verdict.wrong}"
            )
    assert not wrong, f"{len(wrong)} wrong from seed {SEED} on\n" + "\n".join(wrong)
    assert asked >= 0.6 * QUERIES


async def test_questions_that_aggregate_are_folded(eager: Estate) -> None:
    plans = [await explained(eager.connection, fold_query(seed)) for seed in range(20)]
    assert sum("folded" in plan for plan in plans) >= 5


async def test_long_texts_are_told_apart_by_their_ends(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "ROWS_PER_GROUP", 0)
    letter = Entity("letter", {"ident": "bigint", "body": "text"}, ("ident",))
    split = Split(
        f"letters_{WORKER}",
        {"mail": "mariadb"},
        (Part("letter", "mail", "letters", natives={"body": "LONGTEXT"}),),
    )
    ends = ("a", "A", "a ", "b", "b", None)
    rows = [(at, None if end is None else "x" * 3_000 + end) for at, end in enumerate(ends)]
    with duckdb.connect() as truth:
        truth.execute("CREATE TABLE letter (ident BIGINT, body VARCHAR)")
        truth.executemany("INSERT INTO letter VALUES (?, ?)", rows)
        async with await build(tmp_path, [letter], split, truth, servers) as connection:
            text = "SELECT body, count(*) FROM letter GROUP BY body"
            assert "folded by body" in await explained(connection, text)
            got = await answer(connection, text)
    found = {(body and body[2_999:], count) for body, count in got.rows}
    assert found == {("xa", 1), ("xA", 1), ("xa ", 1), ("xb", 2), (None, 1)}


async def test_noted_numbers_of_values_decide_what_is_folded(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "ROWS_PER_GROUP", 20)
    parcel = Entity("parcel", {"ident": "bigint", "city": "text", "state": "text"}, ("ident",))
    split = Split(f"noted_{WORKER}", {"crm": "postgres"}, (Part("parcel", "crm", "parcels"),))
    text = "SELECT city, state, count(*) FILTER (WHERE state = 's1') FROM parcel GROUP BY 1, 2"
    with duckdb.connect() as truth:
        truth.execute(
            "CREATE TABLE parcel AS SELECT i AS ident, 'c' || i % 4 AS city,"
            " 's' || i % 3 AS state FROM range(3000) r(i)"
        )
        catalog, env = await written(tmp_path, (parcel,), split, truth, servers)
        async with connect_async(catalog, env=env) as connection:
            # Of texts nothing is known: each city may have rows of two hundred states.
            assert "folded" not in await explained(connection, text)
        proven = await prove_source(loader.load(catalog, env=env), "crm", env=env)
        assert proven.distinct["parcels"] == {"ident": 3_000, "city": 4, "state": 3}
        file = catalog / "sources/crm.statistics.yaml"
        statistics_file.write(file, proven.rows, datetime.now(UTC), proven.distinct)
        async with connect_async(catalog, env=env) as connection:
            assert "folded by city, state: about" in await explained(connection, text)
            got = await asked(connection, text)
            assert sorted(got.answer.rows) == sorted(truth.execute(text).fetchall())
            assert got.rows_fetched == 12
