"""Proves that random questions get PostgreSQL's answer over split sources, or a refusal.

ROUNDVIEW_QUERIES says how many are asked (500), ROUNDVIEW_SEED where the drawn half begins. What
fails is printed with its seed, whole and as small as it could be made; put it into tests/sql/cases.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.judging import Judge
from tests.sql.oracles import PostgresOracle
from tests.sql.random_queries import query

QUERIES = int(os.environ.get("ROUNDVIEW_QUERIES", "500"))
AT_ONCE = 125
MOST_REFUSED = 0.06
"""Share of the questions of one test that may be refused."""
MOST_SHOWN = 3

_POSITIONS = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")


@pytest.fixture(scope="session")
def drawn_seed() -> int:
    """Returns where the drawn seeds begin, another place in every run."""
    return int(os.environ.get("ROUNDVIEW_SEED", random.SystemRandom().randrange(10**6, 10**9)))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(-(-QUERIES // AT_ONCE)))
async def test_random_questions_have_the_answer_of_postgres(
    part: int,
    odd: Estate,
    oracle: PostgresOracle,
    drawn_seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    # Even parts ask the same in every run, odd ones what nobody asked before.
    first = AT_ONCE * part if part % 2 == 0 else drawn_seed + AT_ONCE * part
    judge = Judge(partial(answer, odd.connection), oracle)
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
            told = verdict.wrong
            if len(wrong) < MOST_SHOWN:
                told = await judge.report(f"seed {seed}", made.text, verdict)
            wrong.append(told)
    record_property("first seed", first)
    record_property("refused", refused.total())
    assert asked >= 0.99 * AT_ONCE
    assert not wrong, f"{len(wrong)} wrong from seed {first} on\n" + "\n".join(wrong)
    assert refused.total() <= MOST_REFUSED * asked, (first, refused.most_common(8))
