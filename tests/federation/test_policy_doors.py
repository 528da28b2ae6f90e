"""Asks random questions under random roles at every door: each answer is the naive one."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.federation.conftest import World
from tests.federation.door_questions import DoorQuestion, from_graphql, of_graphql, question
from tests.federation.naive import stored_row
from tests.federation.ruled import RuledEstate, principal
from typer.testing import CliRunner

from roundview.cli import app
from roundview.demo import support
from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.access.principals import SCOPES
from roundview_federation.request import Principal, Request
from roundview_graphql.door import Ask, Door
from roundview_graphql.http import encode
from roundview_graphql.names import camel

# ROUNDVIEW_POLICY_QUESTIONS=100000 ROUNDVIEW_SEED=… ask more and others.
COUNT = int(os.environ.get("ROUNDVIEW_POLICY_QUESTIONS", "90"))
SEED = int(os.environ.get("ROUNDVIEW_SEED", "1"))
DOORS = 3
"""SQL finished in process, by DuckDB, and once more; GraphQL besides, for each customer."""


@pytest.mark.timeout(300 + COUNT)
async def test_every_door_answers_what_plain_sql_does(ruled: RuledEstate) -> None:
    door = Door(ruled.federation)
    asked = 0
    schemas: set[tuple[tuple[str, ...], str]] = set()
    questions = [question(ruled, seed) for seed in range(SEED, SEED + COUNT)]
    # A schema takes seconds to make: each is made once, and a short run makes few.
    for one in sorted(questions, key=_kind):
        asked += await _compare_sql(ruled, one)
        if _kind(one) in schemas or len(schemas) < COUNT // 25:
            schemas.add(_kind(one))
            asked += await _compare_graphql(ruled, door, one)
    print(f"{asked} answers to {COUNT} questions")  # noqa: T201 - shown with -s
    assert asked > COUNT * DOORS


async def _compare_sql(ruled: RuledEstate, one: DoorQuestion) -> int:
    """Compares the rows that both ways of finishing have, with a plan that is new and one that is
    known; returns how many answers there were."""
    expected = _bag(_expected(ruled, one))
    request = Request(
        _asker(one), one.asker.purpose, timeout_seconds=60, allow_scan=not one.customers
    )
    for engine in ("auto", "embedded", "auto"):
        answer = await ruled.federation.sql(one.statement, request, engine=engine)
        found = _rows(await answer.table())
        assert _bag(found) == expected, (one.seed, engine, one)
    return 3


async def _compare_graphql(ruled: RuledEstate, door: Door, one: DoorQuestion) -> int:
    """Compares the lists of the customers, each with its order; returns how many there were."""
    request = Request(_asker(one), one.asker.purpose, timeout_seconds=60)
    types = ruled.naive.types[one.entity]
    names = [camel(name) for name in one.columns]
    for customer in one.customers:
        rows = ruled.naive.rows(
            one.wanted, customer, one.asker.rules, {"region": one.region}, one.asker.consent
        )
        expected = [
            (
                *row[:3],
                *(of_graphql(v, types[n]) for v, n in zip(row[4:], one.columns, strict=True)),
            )
            for row in rows
        ]
        answer = await door.answer(Ask(one.document, variables=one.variables(customer)), request)
        body = json.loads(encode(answer.body))
        assert "errors" not in body, (one.seed, body["errors"])
        page = body["data"]["customer"][camel(one.entity)]
        found = [
            (
                node["source"],
                node["sourceKey"],
                node["slot"] or "",
                *(
                    from_graphql(node[name], types[column])
                    for name, column in zip(names, one.columns, strict=True)
                ),
            )
            for node in page["nodes"]
        ]
        assert page["pageInfo"]["hasNextPage"] == (len(expected) > len(found))
        if one.order is None:
            # The order of the entity itself is proved elsewhere.
            assert _bag(found) <= _bag(expected), (one.seed, one)
            assert len(found) == min(200, len(expected))
        else:
            assert found == expected[:200], (one.seed, one)
    return len(one.customers)


@pytest.mark.timeout(300 + COUNT)
def test_the_command_line_answers_what_plain_sql_does(
    world: World, ruled: RuledEstate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(ruled.federation.root, tmp_path / "catalog")
    (root / "access.yaml").write_text("api_keys: true\n", encoding="utf-8")
    identity = ruled.federation.root.parent / "identity"
    data = shutil.copytree(identity, tmp_path / "data", ignore=shutil.ignore_patterns("audit*"))
    env = {
        **world.estate.env,
        "ROUNDVIEW_CATALOG": str(root),
        "ROUNDVIEW_DATA_DIR": str(data),
        "ROUNDVIEW_SECRET_FILE": str(world.estate.secret),
        "SUPPORT_URL": world.support.url,
        support.TOKEN_VARIABLE: world.support.token,
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    keys = ApiKeys(data / FILE)
    now = datetime.now(UTC)
    for seed in range(SEED, SEED + max(6, COUNT // 200)):
        one = question(ruled, seed)
        attributes = {} if one.region is None else {"region": one.region}
        text, _ = keys.create(Holder("test", one.asker.roles, attributes), now, timedelta(hours=9))
        monkeypatch.setenv("ROUNDVIEW_TOKEN", text)
        out = tmp_path / f"{seed}.arrow"
        options = ["--purpose", one.asker.purpose, "--timeout", "60s", "--output", str(out)]
        if not one.customers:
            options.append("--allow-scan")
        done = CliRunner().invoke(app, ["sql", one.statement, *options])
        assert done.exit_code == 0, (seed, done.output)
        with pa.ipc.open_stream(out) as answer:
            assert _bag(_rows(answer.read_all())) == _bag(_expected(ruled, one)), seed
    keys.close()


def _kind(one: DoorQuestion) -> tuple[tuple[str, ...], str]:
    return one.asker.roles, one.asker.purpose


def _asker(one: DoorQuestion) -> Principal:
    attributes = {} if one.region is None else {"region": one.region}
    return replace(principal(one.asker.roles), attributes=attributes, scopes=SCOPES)


def _expected(ruled: RuledEstate, one: DoorQuestion) -> list[tuple[Any, ...]]:
    """Returns the rows of the question in SQL, by the naive answer."""
    rules, consent, who = one.asker.rules, one.asker.consent, {"region": one.region}
    if not one.customers:
        where = "" if one.where is None else one.where.sql
        return ruled.naive.scanned(one.entity, one.columns, where, rules, who, consent)
    return [
        (customer, *row[:3], *row[4:])
        for customer in one.customers
        for row in ruled.naive.rows(one.wanted, customer, rules, who, consent)
    ]


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [stored_row(row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]


def _bag(rows: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter(stored_row(row) for row in rows)
