"""Proves that every golden query has its plan, its rows and its bound on what it fetches.

A case is a folder of tests/golden/queries. `query.sql` is written by hand: `-- over:` names the
estate, `-- ordered` says that the rows have one order. `plan.txt` and `result.json` are written by
--update-golden, and so is `fetched.txt`, the most rows that sources may send, where it is missing:
raising it is a decision.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.sql import odd_world, tpch_estate
from tests.sql.asking import asked, explained
from tests.sql.conftest import WORKER, Estate, opened
from tests.sql.oracles import Answer, PostgresOracle, answered_by_duckdb, difference
from tests.sql.stores import Servers

FOLDER = Path(__file__).parents[1] / "golden/queries"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/query.sql"))


@pytest.fixture(scope="module")
async def estates(
    odd: Estate,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, Estate]]:
    """Opens every estate; TPC-H is always the small one here, whose rows the cases know."""
    folder = tmp_path_factory.mktemp("golden")
    with tpch_estate.truth(folder, tpch_estate.TINY) as truth:
        async with (
            opened(tpch_estate.VERTICAL, f"golden_v_{WORKER}", truth, folder, servers) as vertical,
            opened(tpch_estate.HORIZONTAL, f"golden_h_{WORKER}", truth, folder, servers) as both,
        ):
            yield {"odd": odd, vertical.split.name: vertical, both.split.name: both}


@pytest.mark.parametrize("case", CASES)
async def test_a_golden_query_runs_as_planned(
    case: str,
    estates: dict[str, Estate],
    oracle: PostgresOracle,
    golden: Callable[[Path, str], None],
    update_golden: bool,
) -> None:
    folder = FOLDER / case
    text = (folder / "query.sql").read_text(encoding="utf-8")
    marks = [line[2:].strip() for line in text.splitlines() if line.startswith("--")]
    estate = estates[next(mark[5:].strip() for mark in marks if mark.startswith("over:"))]
    is_odd = estate.split is odd_world.SPLIT
    got = await asked(estate.connection, text)
    if "source" not in _uncommented(text):
        right = await oracle.answer(text) if is_odd else answered_by_duckdb(estate.truth, text)
        told = difference(right, got.answer, ordered="ordered" in marks, typed=is_odd)
        assert told == ""
    golden(folder / "plan.txt", await explained(estate.connection, text))
    golden(folder / "result.json", _shown(got.answer, is_ordered="ordered" in marks))
    bound = folder / "fetched.txt"
    if update_golden and not bound.exists():
        bound.write_text(f"{got.rows_fetched}\n", encoding="utf-8")
    assert bound.exists(), "say how many rows sources may send: run with --update-golden"
    assert got.rows_fetched <= int(bound.read_text(encoding="utf-8"))


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _shown(answer: Answer, *, is_ordered: bool) -> str:
    rows = [[None if value is None else str(value) for value in row] for row in answer.rows]
    told = {"columns": answer.names, "rows": rows if is_ordered else sorted(rows, key=repr)}
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
