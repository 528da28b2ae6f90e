"""Proves what `check --live` says of sources that Trino reads too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sql.conftest import Estate
from tests.sql.estate import Part, Split
from tests.sql.oracles import duckdb_of
from tests.sql.stores import Servers
from tests.trino.conftest import WORKER
from tests.trino.estates import ITEM, ROWS, estate_on_trino
from tests.trino.trino_server import TrinoServer

from roundview.demo.servers import free_port
from roundview_catalog.model import Catalog
from roundview_catalog.types import parse_type
from roundview_federation.live import Finding, Verdict, prove_source

BRIDGED = Split(
    f"bridged_items_{WORKER}",
    {"west": "sqlite", "lake": "parquet"},
    (
        Part("item", "west", "items", "ident % 2 = 0"),
        Part("item", "lake", "items", "ident % 2 = 1"),
    ),
)


async def found(catalog: Catalog, estate: Estate, source: str) -> list[Finding]:
    """Returns what is said of a source on Trino."""
    federation: Any = estate.connection.federation
    proven = await prove_source(catalog, source, env=federation._env, seconds=100)
    return [one for one in proven.findings if one.claim.startswith("Trino reads")]


async def test_tables_of_servers_have_their_types_there(estate: Estate) -> None:
    catalog = estate.connection.federation.catalog
    for source in ("east", "north"):
        (finding,) = await found(catalog, estate, source)
        assert (finding.claim, finding.verdict, finding.seen) == (
            "Trino reads items with its types", Verdict.PROVED, "3 columns",
        )  # fmt: skip
        assert finding.position.file == f"sources/{source}.yaml"


async def test_tables_behind_the_bridge_have_their_types_there(
    tmp_path: Path, servers: Servers, server: TrinoServer
) -> None:
    with duckdb_of((ITEM,), ROWS) as truth:
        async with estate_on_trino(tmp_path, (ITEM,), BRIDGED, truth, servers, server) as estate:
            catalog = estate.connection.federation.catalog
            for source in BRIDGED.sources:
                (finding,) = await found(catalog, estate, source)
                assert (finding.verdict, finding.seen) == (Verdict.PROVED, "3 columns")


@pytest.mark.parametrize(
    ("column", "type_", "seen"),
    [
        ("price", "decimal(12,3)", "price is decimal(12,2)"),
        ("name", "bigint", "name is varchar"),
        ("gone", "text", "gone is missing"),
    ],
)
async def test_another_type_there_is_refuted(
    estate: Estate, column: str, type_: str, seen: str
) -> None:
    catalog = estate.connection.federation.catalog
    source = catalog.sources["east"]
    table = source.tables["items"]
    known = next(iter(table.columns.values()))
    columns = {**table.columns, column: replace(known, name=column, type=parse_type(type_))}
    tables = {"items": replace(table, columns=columns)}
    lying = replace(source, tables=tables)
    changed = replace(catalog, sources={**catalog.sources, "east": lying})
    (finding,) = await found(changed, estate, "east")
    assert finding.verdict is Verdict.REFUTED
    assert finding.seen.startswith(seen)
    assert "roundview trino catalogs" in finding.hint


async def test_a_trino_that_does_not_answer_proves_nothing(estate: Estate) -> None:
    catalog = estate.connection.federation.catalog
    told = catalog.engines.trino
    assert told is not None
    gone = replace(told, url=f"http://127.0.0.1:{free_port()}")
    changed = replace(catalog, engines=replace(catalog.engines, trino=gone))
    (finding,) = await found(changed, estate, "east")
    assert finding.verdict is Verdict.OPEN
    assert finding.seen.startswith("RV505")


async def test_nothing_is_said_where_trino_reads_nothing(estate: Estate) -> None:
    catalog = estate.connection.federation.catalog
    alone = replace(catalog, engines=replace(catalog.engines, trino=None))
    assert await found(alone, estate, "east") == []
