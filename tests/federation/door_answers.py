"""Decides whether each door's answer to a random question is the naive one."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from tests.federation.conftest import World
from tests.federation.door_questions import DoorQuestion, from_graphql, of_graphql
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

SQL_ANSWERS = 3
"""Finished in process, by DuckDB, and once more with a plan that is known."""


Rows = list[tuple[Any, ...]]
Expected = Mapping[str, Rows]
"""The naive rows by customer; those of everybody by nobody's name."""


def expected_of(ruled: RuledEstate, one: DoorQuestion) -> Expected:
    """Returns the naive answer to a question."""
    rules, consent, who = one.asker.rules, one.asker.consent, {"region": one.region}
    if not one.customers:
        where = "" if one.where is None else one.where.sql
        naive = ruled.naive.scanned(one.entity, one.columns, where, rules, who, consent)
        return {"": naive}
    return {
        customer: ruled.naive.rows(one.wanted, customer, rules, who, consent)
        for customer in one.customers
    }


async def compare_sql(ruled: RuledEstate, one: DoorQuestion, naive: Expected) -> int:
    """Compares the rows that both ways of finishing have, with a plan that is new and one that is
    known; returns how many answers there were."""
    expected = _bag(_in_sql(naive))
    request = Request(
        _asker(one), one.asker.purpose, timeout_seconds=60, allow_scan=not one.customers
    )
    for engine in ("auto", "embedded", "auto"):
        answer = await ruled.federation.sql(one.statement, request, engine=engine)
        found = _rows(await answer.table())
        assert _bag(found) == expected, (one.seed, engine, one)
    return SQL_ANSWERS


async def compare_graphql(
    ruled: RuledEstate, door: Door, one: DoorQuestion, naive: Expected
) -> int:
    """Compares the lists of the customers, each with its order; returns how many there were."""
    request = Request(_asker(one), one.asker.purpose, timeout_seconds=60)
    types = ruled.naive.types[one.entity]
    names = [camel(name) for name in one.columns]
    for customer in one.customers:
        expected = [
            (
                *row[:3],
                *(of_graphql(v, types[n]) for v, n in zip(row[4:], one.columns, strict=True)),
            )
            for row in naive[customer]
        ]
        answer = await door.answer(Ask(one.document, variables=one.variables(customer)), request)
        body = json.loads(encode(answer.body))
        assert "errors" not in body, (one.seed, body["errors"])
        if not ruled.naive.exists(customer, one.asker.rules, {"region": one.region}):
            assert body["data"] == {"customer": None}, one.seed
            continue
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


def kind(one: DoorQuestion) -> tuple[tuple[str, ...], str]:
    """Returns what decides which schema is asked."""
    return one.asker.roles, one.asker.purpose


@dataclass(frozen=True)
class CommandLine:
    """The commands, run in this process over a copy of the catalog that asks for keys."""

    root: Path
    keys: ApiKeys
    out: Path
    env: Mapping[str, str]

    @classmethod
    @contextmanager
    def opened(cls, world: World, ruled: RuledEstate, folder: Path) -> Iterator[CommandLine]:
        """Copies the estate under the policy to a folder and asks there."""
        root = shutil.copytree(ruled.federation.root, folder / "catalog")
        (root / "access.yaml").write_text("api_keys: true\n", encoding="utf-8")
        identity = ruled.federation.root.parent / "identity"
        data = shutil.copytree(identity, folder / "data", ignore=shutil.ignore_patterns("audit*"))
        env = {
            **world.estate.env,
            "ROUNDVIEW_CATALOG": str(root),
            "ROUNDVIEW_DATA_DIR": str(data),
            "ROUNDVIEW_SECRET_FILE": str(world.estate.secret),
            "SUPPORT_URL": world.support.url,
            support.TOKEN_VARIABLE: world.support.token,
        }
        keys = ApiKeys(data / FILE)
        try:
            yield cls(root, keys, folder / "answer.arrow", env)
        finally:
            keys.close()

    def compare(self, one: DoorQuestion, naive: Expected) -> int:
        """Compares what the command writes; returns how many answers there were."""
        now = datetime.now(UTC)
        attributes = {} if one.region is None else {"region": one.region}
        holder = Holder("test", one.asker.roles, attributes)
        text, _ = self.keys.create(holder, now, timedelta(hours=9))
        options = ["--purpose", one.asker.purpose, "--timeout", "60s", "--output", str(self.out)]
        if not one.customers:
            options.append("--allow-scan")
        env = {**self.env, "ROUNDVIEW_TOKEN": text}
        with patch.dict("os.environ", env):
            done = CliRunner().invoke(app, ["sql", one.statement, *options])
        assert done.exit_code == 0, (one.seed, done.output)
        with pa.ipc.open_stream(self.out) as answer:
            assert _bag(_rows(answer.read_all())) == _bag(_in_sql(naive)), one.seed
        self.out.unlink()
        return 1


def _asker(one: DoorQuestion) -> Principal:
    attributes = {} if one.region is None else {"region": one.region}
    return replace(principal(one.asker.roles), attributes=attributes, scopes=SCOPES)


def _in_sql(naive: Expected) -> Rows:
    """Returns the rows as SQL has them: with their customer, and without the key of a parent."""
    everybody = naive.get("", [])
    return [*everybody, *((who, *row[:3], *row[4:]) for who in naive if who for row in naive[who])]


def _rows(table: pa.Table) -> Rows:
    return [stored_row(row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]


def _bag(rows: Rows) -> Counter[tuple[Any, ...]]:
    return Counter(stored_row(row) for row in rows)
