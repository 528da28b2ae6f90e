"""Whatever way a mapping names its person, PostgreSQL finds the person's rows by an index.

Its own EXPLAIN says so, over tables large enough that reading one whole would cost more.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.connectors.postgres_server import PostgresServer
from tests.federation.test_index_use import HEAD, TABLES, WAYS, planned_fragments

from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file
from roundview_catalog.types import Kind

DATABASE = f"ways_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
ROWS = """
INSERT INTO people SELECT i, 'x-' || i, 'n' FROM generate_series(1, 5000) i;
INSERT INTO partners SELECT 'c' || i % 5, i, 'n' FROM generate_series(1, 5000) i;
INSERT INTO orders SELECT i, i / 4, 'x-' || i / 4, CASE WHEN i % 2 = 0 THEN 'web' ELSE 'shop' END,
  'c' || i % 5, i / 4, '2026-01-01' FROM generate_series(1, 20000) i;
INSERT INTO lines SELECT i, 1, 'n' FROM generate_series(1, 20000) i;
INSERT INTO old_orders SELECT i + 30000, i / 4, '2025-01-01' FROM generate_series(1, 20000) i;
INSERT INTO cases SELECT i, '2026-01-01' FROM generate_series(1, 20000) i;
INSERT INTO case_people SELECT i, i / 2, i / 4, 'caller', i FROM generate_series(1, 40000) i;
"""
URL = 'connection: {url: "${env:WAYS_URL}"}'


@pytest.fixture(scope="module")
async def ways(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Path, dict[str, str]]]:
    """Makes the tables of all ways, filled, and the folder of a catalog over them."""
    await postgres.make(DATABASE, TABLES.replace(" COLLATE NOCASE", "") + ROWS)
    connection = await postgres.admin(DATABASE)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    root = tmp_path_factory.mktemp("ways")
    (root / "sources").mkdir()
    (root / "roundview.yaml").write_text("roundview: 1\nname: ways\n", encoding="utf-8")
    (root / "sources/shop.yaml").write_text(f"source: shop\nconnector: postgres\n{URL}\n", "utf-8")
    env = {"WAYS_URL": postgres.url(DATABASE)}
    schema_file.write(root / "sources/shop.schema.yaml", await introspect_source(root, "shop", env))
    yield root, env
    await postgres.drop(DATABASE)


@pytest.mark.parametrize("way", WAYS)
async def test_rows_of_a_person_are_found_by_index(
    way: str, ways: tuple[Path, dict[str, str]], postgres: PostgresServer
) -> None:
    root, env = ways
    head = HEAD.replace("connector: sqlite", "connector: postgres")
    head = head.replace("connection: {path: shop.db}", URL)
    (root / "sources/shop.yaml").write_text(f"{head}  {WAYS[way]}\n", encoding="utf-8")
    connection = await postgres.admin(DATABASE)
    try:
        for planned in await planned_fragments(loader.load(root), env):
            call = planned.call
            keys = {True: ["x-17", "c2"], False: [17, 18]}
            values = [keys[call.declared[name] is Kind.TEXT] for name in call.parameters]
            steps = await connection.fetch(f"EXPLAIN {call.text}", *values)
            whole = [step[0].strip() for step in steps if "Seq Scan on" in step[0]]
            assert whole == []
    finally:
        await connection.close()
