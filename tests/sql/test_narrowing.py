"""Tests that values narrow what each source is asked, and that values which narrow alike share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import duckdb
import pytest
from tests.sql.estate import Entity, Form, Part, Split, as_text, build, by_code
from tests.sql.oracles import rows_of
from tests.sql.stores import Servers

from roundview.client import AsyncConnection
from roundview_federation.request import Request
from roundview_federation.sql.answered import SqlResult

THING = Entity(
    "thing",
    {"ident": "bigint", "kind": "enum(in, out, fee)", "code": "text", "number": "text"},
    ("ident",),
    ("code",),
)


def behind(prefix: str) -> Form:
    """Returns the form of a text that is stored without what it begins with."""
    return Form(f"substr({{c}}, {len(prefix) + 1})", f"'{prefix}' || {{c}}")


SPLIT = Split(
    "narrowing",
    {"first": "sqlite", "second": "sqlite"},
    (
        Part(
            "thing", "first", "things", "ident <= 2",
            forms={"kind": by_code({"in": "1", "out": "2", "fee": "3"}), "code": behind("a-")},
        ),
        Part(
            "thing", "second", "things", "ident > 2",
            forms={"kind": by_code({"in": "I", "out": "O", "fee": "F"}), "code": behind("b-"),
                   "number": as_text("text")},
        ),
    ),
)  # fmt: skip
ROWS = """
SELECT * FROM (VALUES
  (1, 'in', 'a-x', '7'), (2, 'out', 'a-y', '8'), (3, 'in', 'b-x', '7'), (4, 'fee', 'b-a-y', '9')
) t (ident, kind, code, number)
"""


@pytest.fixture(scope="module")
async def connection(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[AsyncConnection]:
    with duckdb.connect() as truth:
        truth.execute(f"CREATE TABLE thing AS {ROWS}")
        folder = tmp_path_factory.mktemp("narrowing")
        opened = await build(folder, (THING,), SPLIT, truth, servers)
    async with opened:
        yield opened


async def asked(connection: AsyncConnection, where: str) -> tuple[list[Any], SqlResult]:
    """Returns the identities of the things of a condition, and how they were found."""
    federation = connection.federation
    request = Request(federation.principal, allow_scan=True)
    result = await federation.sql(f"SELECT ident FROM thing WHERE {where} ORDER BY ident", request)
    return [row[0] for row in rows_of(await result.table())], result


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("kind = 'in'", [1, 3]),
        ("kind IN ('in', 'fee')", [1, 3, 4]),
        ("kind = 'out'", [2]),
        ("code = 'a-x'", [1]),
        ("code = 'b-x'", [3]),
        ("code = 'b-a-y'", [4]),
        ("code = 'c-x'", []),
        ("code IN ('a-x', 'b-x', 'x')", [1, 3]),
        ("number = '7' AND kind = 'in'", [1, 3]),
    ],
)
async def test_each_source_is_asked_by_its_own_values(
    connection: AsyncConnection, where: str, found: list[int]
) -> None:
    assert (await asked(connection, where))[0] == found


async def test_values_that_narrow_alike_share_a_plan(connection: AsyncConnection) -> None:
    plans = connection.federation.current.planner.plans

    async def sources(where: str) -> list[str]:
        _, result = await asked(connection, f"{where} AND ident > 0")
        (run,) = result.fetched.runs.values()
        assert run.plan is not None
        return [one.fragment.source for one in run.plan.fragments]

    assert await sources("code = 'a-1'") == ["first"]
    known = len(plans())
    assert await sources("code = 'a-2'") == ["first"]
    assert len(plans()) == known
    assert await sources("code = 'b-1'") == ["second"]
    assert await sources("code = '1'") == []
    assert len(plans()) == known + 2
