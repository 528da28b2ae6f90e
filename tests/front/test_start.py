"""Proves that sources are made ready ahead, and that none of them holds up the start."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from roundview.serve import make_app, readiness
from roundview_catalog import loader, schema_file
from roundview_federation.connectors import open_connector
from roundview_federation.federation import Federation

SHOP = """
source: shop
connector: sqlite
connection: {path: shop.db}
entities:
  individual: {from: customers c, fields: {full_name: c.name}}
"""
DEAF = """
source: %s
connector: %s
connection: {url: "${env:DEAF_URL_%s}"}
entities:
  individual: {from: customers c, fields: {full_name: c.name}}
"""
SOURCES = {"crm": ("postgres", "postgresql"), "pos": ("mysql", "mysql")}


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Returns a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def _opened(folder: Path, port: int) -> Federation:
    sources = folder / "catalog/sources"
    sources.mkdir(parents=True)
    (folder / "catalog/roundview.yaml").write_text("roundview: 1\nname: case\n")
    with closing(sqlite3.connect(sources.parent / "shop.db")) as database:
        database.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)")
    (sources / "shop.yaml").write_text(SHOP)
    connector = open_connector(loader.source_outline(sources.parent, "shop"), env={})
    tables = await connector.introspect()
    await connector.close()
    schema_file.write(sources / "shop.schema.yaml", tables)
    env = {}
    for name, (technology, scheme) in SOURCES.items():
        (sources / f"{name}.yaml").write_text(DEAF % (name, technology, name.upper()))
        schema_file.write(sources / f"{name}.schema.yaml", tables)
        env[f"DEAF_URL_{name.upper()}"] = f"{scheme}://reader:secret@127.0.0.1:{port}/db"
    return Federation.open(sources.parent, data_dir=folder / "data", secret=bytes(32), env=env)


async def test_the_server_starts_while_sources_are_deaf(tmp_path: Path, deaf_port: int) -> None:
    federation = await _opened(tmp_path, deaf_port)
    app = make_app(federation)
    warming = asyncio.create_task(federation.warm())
    async with app.router.lifespan_context(app):
        # Sources that do not answer are given up only after some seconds.
        assert not warming.done()
        warming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warming


async def test_sources_that_refuse_are_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    federation = await _opened(tmp_path, port)
    try:
        await federation.warm()
        await federation.warm({"crm"})
        state = await readiness(federation)
        assert state["ready"]
        assert not state["complete"]
    finally:
        await federation.close()
