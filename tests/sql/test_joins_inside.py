"""Proves that sources may join what belongs together in them without changing an answer.

ROUNDVIEW_QUERIES says how many questions are asked (500), ROUNDVIEW_SEED where they begin.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from tests.sql.asking import asked, explained
from tests.sql.conftest import WORKER, Estate
from tests.sql.estate import Entity, Form, Part, Split, build
from tests.sql.oracles import Answer, answered_by_duckdb, difference
from tests.sql.stores import Servers

from roundview_federation.sql import joining, shrinking

QUERIES = int(os.environ.get("ROUNDVIEW_QUERIES", "500")) // 8
SEED = int(os.environ.get("ROUNDVIEW_SEED", "0"))
BILLS, LINES, VISITS = 60, 400, 90

BILL = {
    "ident": "bigint", "shop_ident": "bigint", "status": "text", "grade": "integer",
    "day": "date", "total": "decimal(12,2)", "paid": "boolean",
}  # fmt: skip
LINE = {
    "ident": "bigint", "bill_ident": "bigint", "status": "text", "size": "integer",
    "amount": "decimal(10,3)", "big": "bigint",
}  # fmt: skip
SHOP = {"ident": "bigint", "city": "text", "grade": "integer", "opened": "date"}
ENTITIES = (
    Entity("bill", BILL, ("ident",), ("shop_ident",)),
    Entity("line", LINE, ("ident",), ("bill_ident",)),
    Entity("shop", SHOP, ("ident",)),
    Entity("visit", {"ident": "bigint", "shop_ident": "bigint", "score": "integer",
                     "note": "text"}, ("ident",), ("shop_ident",)),
)  # fmt: skip
IN_POS = "coalesce({0}, 0) % 2 = 1"
SPLIT = Split(
    f"inside_{WORKER}",
    {"crm": "postgres", "pos": "mariadb"},
    (
        Part("bill", "crm", "bills", f"NOT {IN_POS.format('ident')}", "b_{}".format),
        Part("bill", "pos", "receipts", IN_POS.format("ident")),
        Part("line", "crm", "bill_lines", f"NOT {IN_POS.format('bill_ident')}"),
        Part("line", "pos", "receipt_lines", IN_POS.format("bill_ident"), "l_{}".format),
        Part("shop", "pos", "shops"),
        Part("visit", "pos", "visits", forms={"note": Form("upper({c})", "lower({c})")}),
    ),
)
MADE = (
    "CREATE TABLE bill AS SELECT i AS ident, nullif(i % 7, 3) AS shop_ident,"
    " nullif('s' || i % 4, 's2') AS status, nullif((i % 5)::INT, 4) AS grade,"
    " DATE '2024-02-27' + (i % 9)::INT AS day, (i * 13 % 1000)::DECIMAL(12,2) / 4 AS total,"
    f" CASE i % 3 WHEN 0 THEN NULL ELSE i % 3 = 1 END AS paid FROM range({BILLS}) r(i)",
    f"CREATE TABLE line AS SELECT i AS ident, nullif(i * 7 % {BILLS + 9}, 5) AS bill_ident,"
    " nullif('s' || i % 3, 's1') AS status, nullif((i % 6)::INT, 5) AS size,"
    " (i * 37 % 5000)::DECIMAL(10,3) / 8 AS amount, nullif(i % 10, 4) * 1000000007 AS big"
    f" FROM range({LINES}) r(i)",
    "CREATE TABLE shop AS SELECT i AS ident, nullif('c' || i % 3, 'c1') AS city,"
    " (i % 4)::INT AS grade, DATE '2020-01-01' + i::INT AS opened FROM range(8) r(i)",
    "CREATE TABLE visit AS SELECT i AS ident, nullif(i % 9, 2) AS shop_ident,"
    f" nullif((i % 7)::INT, 1) AS score, nullif('n' || i % 5, 'n1') AS note"
    f" FROM range({VISITS}) r(i)",
)
_HERE = {
    "bill": f"CASE WHEN {IN_POS.format('ident')} THEN 'pos' ELSE 'crm' END",
    "line": f"CASE WHEN {IN_POS.format('bill_ident')} THEN 'pos' ELSE 'crm' END",
    "shop": "'pos'",
    "visit": "'pos'",
}


@pytest.fixture(scope="module")
async def inside(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[Estate]:
    """Opens two servers with half of the bills each; joins and folds are always worth it."""
    folder = tmp_path_factory.mktemp("inside")
    with duckdb.connect() as truth, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinking, "ROWS_PER_GROUP", 0)
        patch.setattr(joining, "WORTH", 0)
        for statement in MADE:
            truth.execute(statement)
        async with await build(folder, ENTITIES, SPLIT, truth, servers) as connection:
            for name, source in _HERE.items():
                truth.execute(f"ALTER TABLE {name} ADD COLUMN source VARCHAR")
                truth.execute(f"UPDATE {name} SET source = {source}")
            yield Estate(SPLIT, connection, truth)


async def judged(estate: Estate, text: str) -> str:
    """Returns how the answer to a question differs from the right one."""
    right = answered_by_duckdb(estate.truth, text)
    got = await asked(estate.connection, text)
    return difference(Answer(got.answer.names, right.rows), got.answer, ordered=False, typed=False)


@pytest.mark.timeout(600)
async def test_random_joins_have_the_answer_of_one_database(inside: Estate) -> None:
    joined = 0
    for seed in range(SEED, SEED + QUERIES):
        text = join_query(seed)
        told = await judged(inside, text)
        assert told == "", f"seed {seed}: {text}\n{told}"
        if seed < SEED + 20:
            joined += "joined inside" in await explained(inside.connection, text)
    assert joined >= min(QUERIES, 20) / 3


CASES = (
    "SELECT b.status, sum(l.amount), count(*) FROM bill b"
    " JOIN line l ON l.bill_ident = b.ident AND l.source = b.source GROUP BY b.status",
    "SELECT b.status, l.status, max(l.size) FROM line l, bill b"
    " WHERE b.source = l.source AND b.ident = l.bill_ident AND b.total > 40 GROUP BY 1, 2",
    "SELECT count(*), min(b.day) FROM bill b JOIN line l ON l.bill_ident = b.ident"
    " AND b.source = l.source AND l.size > b.grade",
    "SELECT s.city, avg(v.score) FROM shop s JOIN visit v ON v.shop_ident = s.ident"
    " WHERE s.grade < 3 GROUP BY s.city HAVING count(*) > 2",
    "SELECT b.source, b.ident, count(l.big) FROM bill b JOIN line l ON l.bill_ident = b.ident"
    " AND l.source = b.source GROUP BY 1, 2",
)


@pytest.mark.parametrize("text", CASES)
async def test_sources_join_their_own_rows(inside: Estate, text: str) -> None:
    assert "joined inside" in await explained(inside.connection, text)
    assert await judged(inside, text) == ""


APART = (
    # Bills and lines of any source may have the same numbers.
    "SELECT b.status, count(*) FROM bill b JOIN line l ON l.bill_ident = b.ident GROUP BY 1",
    # What is one read is not joined with itself.
    "SELECT a.grade, count(*) FROM bill a JOIN bill b ON b.ident = a.ident"
    " AND b.source = a.source AND b.total = a.total GROUP BY a.grade",
    # What the join makes up has no partner in the source.
    "SELECT s.city, count(*) FROM shop s LEFT JOIN visit v ON v.shop_ident = s.ident GROUP BY 1",
    # Text may be equal for a source and not for us.
    "SELECT b.day, count(*) FROM bill b JOIN line l ON l.status = b.status"
    " AND l.source = b.source GROUP BY 1",
    "SELECT s.city, count(*) FROM shop s JOIN visit v ON v.shop_ident = s.ident"
    " WHERE v.score > (SELECT min(w.score) FROM visit w WHERE w.shop_ident = s.ident) GROUP BY 1",
)


@pytest.mark.parametrize("text", APART)
async def test_what_is_not_proven_is_joined_by_the_engine(inside: Estate, text: str) -> None:
    assert "joined inside" not in await explained(inside.connection, text)
    assert await judged(inside, text) == ""


BELOW = Split(
    f"below_{WORKER}",
    {"crm": "postgres", "pos": "mariadb"},
    (
        Part("bill", "crm", "bills", f"NOT {IN_POS.format('ident')}", "b_{}".format),
        Part("bill", "pos", "receipts", IN_POS.format("ident")),
        Part("line", "crm", "bill_lines", f"NOT {IN_POS.format('bill_ident')}"),
        Part("line", "pos", "receipt_lines", IN_POS.format("bill_ident"), "l_{}".format),
    ),
)
BY_PARENT = (
    "SELECT b.status, count(*), sum(l.amount) FROM line l JOIN bill b"
    " ON l.bill_key = b.source_key AND l.source = b.source{} GROUP BY b.status"
)


async def test_rows_are_joined_with_those_that_they_lie_below(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "ROWS_PER_GROUP", 0)
    monkeypatch.setattr(joining, "WORTH", 0)
    bill, line = ENTITIES[:2]
    entities = (bill, replace(line, parents={"bill": "bill_ident"}))
    with duckdb.connect() as truth:
        for statement in MADE[:2]:
            truth.execute(statement)
        async with await build(tmp_path, entities, BELOW, truth, servers) as connection:
            estate = Estate(BELOW, connection, truth)
            for more in ("", " AND l.size = b.grade", " WHERE b.source_key < '3' AND b.paid"):
                text = BY_PARENT.format(more)
                plan = await explained(connection, text)
                # The bill is there already, for every line lies below one.
                assert plan.partition("engine")[2].count("JOIN") == 2
                assert "joined inside" in plan
                simple = text.replace("l.bill_key = b.source_key", "l.bill_ident = b.ident")
                simple = simple.replace("b.source_key", "b.ident::text")
                right = simple.replace(" AND l.source = b.source", "")
                wanted = answered_by_duckdb(estate.truth, right)
                got = await asked(connection, text)
                assert sorted(got.answer.rows, key=str) == sorted(wanted.rows, key=str), text


async def test_joined_rows_are_folded_in_each_source(inside: Estate) -> None:
    got = await asked(inside.connection, CASES[0])
    assert got.rows_fetched <= 2 * 4


def join_query(seed: int) -> str:
    """Returns the question of a seed: some rows that belong together, grouped or not."""
    draw = random.Random(seed)
    shape = draw.choice(("lines", "lines", "visits", "three", "comma"))
    if shape == "visits":
        tables = {"s": SHOP, "v": {"ident": "bigint", "score": "integer", "note": "text"}}
        source = "shop s JOIN visit v ON s.ident = v.shop_ident"
    else:
        tables = {"b": BILL, "l": LINE}
        tie = "l.bill_ident = b.ident AND b.source = l.source"
        source = draw.choice((f"bill b JOIN line l ON {tie}", f"line l JOIN bill b ON {tie}"))
        if shape == "three":
            tables["s"] = SHOP
            source += " JOIN shop s ON s.ident = b.shop_ident"
            source += draw.choice(("", " AND s.source = b.source"))
    terms = list(_terms(tables, draw))
    where = [f"{one} {way} {value}" for one, way, value in _conditions(tables, draw)]
    if shape == "comma":
        source, tie = "bill b, line l", "b.source = l.source AND l.bill_ident = b.ident"
        where.append(tie)
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    if draw.random() < 0.25:
        shown = ", ".join(draw.sample(terms, 3))
        return f"SELECT {shown} FROM {source}{clause}"
    keys = draw.sample(terms, draw.choice((0, 1, 1, 2)))
    numbers = [one for one in terms if one.rpartition(".")[2] in _NUMBERS]
    found = [
        draw.choice(("sum({})", "count({})", "min({})", "max({})", "avg({})", "count(*)",
                     "count(DISTINCT {})", "sum({}) FILTER (WHERE {} > 1)")).replace(
                         "{}", draw.choice(numbers))
        for _ in range(draw.randint(1, 3))
    ]  # fmt: skip
    group = f" GROUP BY {', '.join(keys)}" if keys else ""
    having = " HAVING count(*) > 1" if draw.random() < 0.2 else ""
    return f"SELECT {', '.join([*keys, *found])} FROM {source}{clause}{group}{having}"


_NUMBERS = frozenset({"grade", "size", "total", "amount", "big", "score", "ident"})


def _terms(tables: dict[str, dict[str, str]], draw: random.Random) -> Iterator[str]:
    for alias, fields in tables.items():
        yield from (f"{alias}.{name}" for name in fields)
        if draw.random() < 0.3:
            yield f"{alias}.source"


def _conditions(
    tables: dict[str, dict[str, str]], draw: random.Random
) -> Iterator[tuple[str, str, str]]:
    values = {"text": ("'s0'", "'c0'"), "date": ("DATE '2024-03-01'",), "boolean": ("TRUE",)}
    for alias, fields in tables.items():
        for name, type_ in fields.items():
            if draw.random() < 0.12:
                way = "=" if type_ == "boolean" else draw.choice(("=", "<>", "<", ">="))
                yield f"{alias}.{name}", way, draw.choice(values.get(type_, ("1", "3", "40")))
