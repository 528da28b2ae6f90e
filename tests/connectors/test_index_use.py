"""Whatever way a mapping names its person, a server finds the person's rows by an index.

Its own EXPLAIN says so, over tables large enough that reading one whole would cost more.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.federation.test_index_use import HEAD, TABLES, WAYS, planned_fragments

from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file
from roundview_federation.connectors import open_connector
from roundview_federation.key_sets import part_of_keyset
from roundview_federation.plan import PlannedFragment
from roundview_federation.resilience.deadline import Deadline

DATABASE = f"ways_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
ROWS = """
INSERT INTO people SELECT i, {x}, 'n' FROM {five} i;
INSERT INTO partners SELECT {c}, i, 'n' FROM {five} i;
INSERT INTO orders SELECT i, {fourth}, {code}, CASE WHEN i % 2 = 0 THEN 'web' ELSE 'shop' END,
  {c}, {fourth}, '2026-01-01' FROM {twenty} i;
INSERT INTO {lines} SELECT i, 1, 'n' FROM {twenty} i;
INSERT INTO old_orders SELECT i + 30000, {fourth}, '2025-01-01' FROM {twenty} i;
INSERT INTO cases SELECT i, '2026-01-01' FROM {twenty} i;
INSERT INTO case_people SELECT i, {half}, {fourth}, 'caller', i FROM {forty} i;
"""
WORDS = {
    "postgres": {
        "x": "'x-' || i", "c": "'c' || i % 5", "fourth": "i / 4", "half": "i / 2",
        "code": "'x-' || i / 4", "lines": "lines", "five": "generate_series(1, 5000)",
        "twenty": "generate_series(1, 20000)", "forty": "generate_series(1, 40000)",
    },
    "mysql": {
        "x": "concat('x-', i)", "c": "concat('c', i % 5)", "fourth": "i DIV 4", "half": "i DIV 2",
        "code": "concat('x-', i DIV 4)", "lines": "`lines`", "five": "(SELECT seq i FROM seq_1_to_5000)",
        "twenty": "(SELECT seq i FROM seq_1_to_20000)",
        "forty": "(SELECT seq i FROM seq_1_to_40000)",
    },
}  # fmt: skip
URL = 'connection: {url: "${env:WAYS_URL}"}'


@dataclass(frozen=True, slots=True)
class Shop:
    """The tables of all ways, filled, on one server, and the folder of a catalog over them."""

    connector: str
    root: Path
    env: dict[str, str]


@pytest.fixture(scope="module", params=["postgres", "mysql"])
async def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    script = TABLES.replace(" COLLATE NOCASE", "") + ROWS.format(**WORDS[request.param])
    if request.param == "postgres":
        server: Any = request.getfixturevalue("postgres")
        await server.make(DATABASE, script)
    else:
        server = request.getfixturevalue("mariadb")
        for word, other in ((" TEXT", " VARCHAR(200)"), (" TIMESTAMP", " DATETIME")):
            script = script.replace(word, other)
        statements = script.replace("TABLE lines", "TABLE `lines`").split(";\n")
        tables = "people, partners, orders, `lines`, old_orders, cases, case_people"
        await server.make(
            DATABASE, [*(s for s in statements if s.strip()), f"ANALYZE TABLE {tables}"]
        )
    root = tmp_path_factory.mktemp("ways")
    (root / "sources").mkdir()
    (root / "roundview.yaml").write_text("roundview: 1\nname: ways\n", encoding="utf-8")
    outline = f"source: shop\nconnector: {request.param}\n{URL}\n"
    (root / "sources/shop.yaml").write_text(outline, "utf-8")
    env = {"WAYS_URL": server.url(DATABASE)}
    schema_file.write(root / "sources/shop.schema.yaml", await introspect_source(root, "shop", env))
    yield Shop(request.param, root, env)
    if request.param == "postgres":
        await server.drop(DATABASE)


@pytest.mark.parametrize("way", WAYS)
async def test_rows_of_a_person_are_found_by_index(way: str, shop: Shop) -> None:
    head = HEAD.replace("connector: sqlite", f"connector: {shop.connector}")
    head = head.replace("connection: {path: shop.db}", URL)
    (shop.root / "sources/shop.yaml").write_text(f"{head}  {WAYS[way]}\n", encoding="utf-8")
    catalog = loader.load(shop.root)
    fragments = await planned_fragments(catalog, shop.env)
    connector = open_connector(catalog.sources["shop"], env=shop.env)
    try:
        for planned in fragments:
            for count in (1, 2):
                accesses = await connector.accesses(
                    planned.call, _params(planned, count), Deadline.after(10)
                )
                assert accesses
                assert [one for one in accesses if one.is_scan] == []
    finally:
        await connector.close()


def _params(planned: PlannedFragment, count: int) -> dict[str, Any]:
    """Returns some keys for each set, of the types that its name ends with."""
    params: dict[str, Any] = dict.fromkeys(planned.fragment.params)
    for name in planned.fragment.keysets:
        parts = [
            ["x-17", "c2"] if word == "text" else [17, 18]
            for word in name.split("_")
            if word in ("text", "bigint", "integer")
        ]
        keys = [part[:count] for part in parts]
        params[name] = keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))
        params |= {part_of_keyset(name, at): part for at, part in enumerate(keys)}
    return params
