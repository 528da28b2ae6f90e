"""Proves that random questions get PostgreSQL's answer on Trino too, or a refusal.

ROUNDVIEW_TRINO_QUERIES says how many are asked (100), ROUNDVIEW_SEED where the drawn half begins.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from tests.sql import odd_world
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.judging import Judge
from tests.sql.oracles import PostgresOracle, duckdb_of
from tests.sql.random_queries import query
from tests.sql.stores import Servers
from tests.sql.test_cases import CASES
from tests.trino.conftest import WORKER
from tests.trino.engines_compared import assert_engines_agree, golden_queries
from tests.trino.estates import estate_on_trino
from tests.trino.trino_server import TrinoServer

QUERIES = int(os.environ.get("ROUNDVIEW_TRINO_QUERIES", "100"))
AT_ONCE = 50
MOST_REFUSED = 0.55
"""Share of the questions of one test that may be refused: half of the estate has columns of types
that connectors of Trino do not read."""

GOLDEN = golden_queries(odd_world.SPLIT.name)

_POSITIONS = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")


@pytest.fixture(scope="session")
async def odd(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Estate]:
    """Opens the world of odd rows over its sources, read by Trino."""
    named = odd_world.SPLIT.named(f"{odd_world.SPLIT.name}_on_trino_{WORKER}")
    with duckdb_of(odd_world.ENTITIES, odd_world.raw_rows()) as raw:
        folder = tmp_path_factory.mktemp("odd")
        async with estate_on_trino(
            folder, odd_world.ENTITIES, named, raw, servers, server
        ) as estate:
            yield estate


@pytest.fixture(scope="session")
async def oracle(servers: Servers) -> AsyncIterator[PostgresOracle]:
    """Opens the PostgreSQL that has every odd row as plain tables."""
    opened = await PostgresOracle.of(
        servers.postgres, f"odd_truth_trino_{WORKER}", odd_world.ENTITIES, odd_world.rows()
    )
    yield opened
    await opened.close()


@pytest.mark.parametrize("part", range(-(-QUERIES // AT_ONCE)))
async def test_random_questions_have_the_answer_of_postgres(
    part: int,
    odd: Estate,
    oracle: PostgresOracle,
    record_property: Callable[[str, object], None],
) -> None:
    # Even parts ask the same in every run, odd ones what nobody asked before.
    drawn = int(os.environ.get("ROUNDVIEW_SEED", random.SystemRandom().randrange(10**6, 10**9)))
    first = AT_ONCE * part if part % 2 == 0 else drawn + AT_ONCE * part
    judge = Judge(partial(answer, odd.connection, engine="trino"), oracle)
    wrong: list[str] = []
    refused: Counter[str] = Counter()
    asked = 0
    for seed in range(first, first + AT_ONCE):
        made = query(seed)
        verdict = await judge.verdict(made.text, is_ordered=made.is_ordered)
        asked += verdict.is_asked
        if verdict.refusal:
            refused[_POSITIONS.sub("…", verdict.refusal)] += 1
        if verdict.wrong:
            wrong.append(f"seed {seed}: {verdict.wrong}\n{made.text}")
    record_property("first seed", first)
    record_property("refused", dict(refused.most_common(8)))
    assert asked >= 0.9 * AT_ONCE
    assert not wrong, f"{len(wrong)} wrong from seed {first} on\n" + "\n".join(wrong[:3])
    assert refused.total() <= MOST_REFUSED * asked, (first, refused.most_common(8))


@pytest.mark.parametrize("name", GOLDEN)
async def test_a_golden_query_has_one_answer_on_every_engine(name: str, odd: Estate) -> None:
    await assert_engines_agree(odd, GOLDEN[name])


@pytest.mark.parametrize("case", CASES)
async def test_a_case_has_the_answer_of_postgres(
    case: str, odd: Estate, oracle: PostgresOracle
) -> None:
    lines = CASES[case].read_text(encoding="utf-8").strip().splitlines()
    marks = {line.removeprefix("--").strip() for line in lines if line.startswith("--")}
    text = "\n".join(line for line in lines if not line.startswith("--")).rstrip(";")
    judge = Judge(partial(answer, odd.connection, engine="trino"), oracle)
    verdict = await judge.verdict(text, is_ordered="ordered" in marks)
    assert verdict.is_asked, "PostgreSQL does not run it"
    assert verdict.wrong == ""
