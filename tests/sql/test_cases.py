"""Proves that every query that once failed has PostgreSQL's answer or its refusal, for ever.

A case is one query in tests/sql/cases; `-- ordered` above it says that its rows have one order,
`-- refused` that it must be refused.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.judging import Judge
from tests.sql.oracles import PostgresOracle

CASES = {path.stem: path for path in sorted((Path(__file__).parent / "cases").glob("*.sql"))}


@pytest.mark.parametrize("case", CASES)
async def test_a_case_has_the_answer_of_postgres(
    case: str, odd: Estate, oracle: PostgresOracle
) -> None:
    lines = CASES[case].read_text(encoding="utf-8").strip().splitlines()
    marks = {line.removeprefix("--").strip() for line in lines if line.startswith("--")}
    text = "\n".join(line for line in lines if not line.startswith("--")).rstrip(";")
    verdict = await Judge(partial(answer, odd.connection), oracle).verdict(
        text, is_ordered="ordered" in marks
    )
    assert verdict.is_asked, "PostgreSQL does not run it"
    assert verdict.wrong == ""
    assert bool(verdict.refusal) == ("refused" in marks), verdict.refusal
