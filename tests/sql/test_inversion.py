"""Proves that conditions on computed fields reach the columns of real systems, and miss no row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from tests.sql.estate import Entity, Form, Part, Split, build, in_cents
from tests.sql.oracles import rows_of
from tests.sql.stores import Servers

from roundview.client import AsyncConnection
from roundview_federation.request import Request

ROWS = 3_000
GAUGE = Entity(
    "gauge",
    {"ident": "bigint", "amount": "decimal(12,2)", "size": "bigint", "tag": "text", "code": "text",
     "label": "text", "stage": "enum(open, closed, lost)"},
    ("ident",),
)  # fmt: skip
STAGES = Form(
    "CASE CAST({c} AS VARCHAR) WHEN 'open' THEN 1 WHEN 'closed' THEN 2 ELSE 7 END",
    "CASE WHEN {c} = 1 THEN 'open' WHEN {c} = 2 THEN 'closed' ELSE 'lost' END",
    dict.fromkeys(("sqlite", "postgres", "mariadb"), "bigint"),
)
FORMS = {
    "amount": in_cents(),
    "size": Form("CAST((10 - {c}) / 3 AS BIGINT)", "10 - {c} * 3"),
    "tag": Form("substr({c}, 3, length({c}) - 4)", "'G-' || {c} || '/x'"),
    "code": Form("lower({c})", "upper({c})"),
    "label": Form("substr({c}, 3)", "concat_ws('-', 'G', {c})"),
    "stage": STAGES,
}
SPLIT = Split(
    "inversion",
    {"lite": "sqlite", "elephant": "postgres", "dolphin": "mariadb"},
    tuple(
        Part("gauge", source, "gauges", f"ident % 3 = {at}", forms=FORMS)
        for at, source in enumerate(("lite", "elephant", "dolphin"))
    ),
)
MADE = f"""
SELECT ident, CAST((ident * 7919) % 100000 / 100.00 - 250 AS DECIMAL(12, 2)) AS amount,
  10 - 3 * (ident % 500) AS size, 'G-n' || (ident % 400) || '/x' AS tag,
  CASE ident % 10 WHEN 0 THEN NULL ELSE 'K' || chr(CAST(65 + ident % 26 AS INTEGER)) END AS code,
  'G-m' || (ident % 300) AS label,
  CASE ident % 50 WHEN 0 THEN 'lost' WHEN 1 THEN 'closed' ELSE 'open' END AS stage
FROM range({ROWS}) t (ident)
"""
CONDITIONS = {
    "label = 'G-m7'": ROWS,
    "amount = 12.34": 10,
    "amount IN (12.34, 12.35, 12.36)": 20,
    "amount > 745.5": 300,
    "amount BETWEEN -1 AND 1.005": 60,
    "size = -290": 10,
    "size = -291": 0,
    "size < -1480": 30,
    "size >= 4": 30,
    "tag = 'G-n17/x'": 10,
    "tag IN ('G-n17/x', 'G-n18/x', 'g-n19/x')": 20,
    "tag = 'n17'": 0,
    "code = 'KB'": 130,
    "code = 'kb'": 0,
    "stage = 'lost'": 70,
    "stage IN ('lost', 'closed')": 130,
    "stage = 'closed' AND amount > 0": 70,
}
"""Conditions and how many rows sources may send for them."""


@dataclass(frozen=True, slots=True)
class World:
    """Three systems that hold other values than they show, and the truth."""

    connection: AsyncConnection
    truth: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> AsyncIterator[World]:
    with duckdb.connect() as truth:
        truth.execute(f"CREATE TABLE gauge AS {MADE}")
        folder = tmp_path_factory.mktemp("inversion")
        opened = await build(folder, (GAUGE,), SPLIT, truth, servers)
        async with opened:
            yield World(opened, truth)


@pytest.mark.parametrize(("where", "most"), CONDITIONS.items(), ids=CONDITIONS)
async def test_a_condition_on_what_is_computed_reaches_its_column(
    world: World, where: str, most: int
) -> None:
    federation: Any = world.connection.federation
    text = f"SELECT ident FROM gauge WHERE {where} ORDER BY ident"
    result = await federation.sql(text, Request(federation.principal, allow_scan=True))
    got = rows_of(await result.table())
    assert got == [tuple(row) for row in world.truth.execute(text).fetchall()]
    assert len(got) <= result.rows_fetched <= most
