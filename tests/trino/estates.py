"""Decides how an estate of the tests of SQL is read through Trino too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import duckdb
from ruamel.yaml import YAML
from tests.bridge.conftest import serving
from tests.sql.conftest import Estate
from tests.sql.estate import Entity, Part, Split, written
from tests.sql.stores import Servers
from tests.trino.trino_server import TrinoServer

from roundview.client import connect_async
from roundview_catalog.loader import load
from roundview_federation.connectors.login import login_of
from roundview_federation.engines.trino.catalogs import (
    ServerAddress,
    bridge_properties,
    server_properties,
)

ITEM = Entity("item", {"ident": "bigint", "name": "text", "price": "decimal(12,2)"}, ("ident",))
ROWS = {"item": [(at, f"item {at}", at) for at in range(1, 21)]}
ITEMS = Split(
    "items",
    {"east": "postgres", "north": "mariadb"},
    (
        Part("item", "east", "items", "ident % 2 = 0"),
        Part("item", "north", "items", "ident % 2 = 1"),
    ),
)
"""A small relation in two servers."""

_SCHEMES = {"postgres": (("postgresql",), 5432), "mysql": (("mysql",), 3306)}


@asynccontextmanager
async def estate_on_trino(
    folder: Path,
    entities: Sequence[Entity],
    split: Split,
    truth: duckdb.DuckDBPyConnection,
    servers: Servers,
    server: TrinoServer,
    ports: Mapping[str, int] = MappingProxyType({}),
) -> AsyncIterator[Estate]:
    """Writes an estate, has Trino read its servers and the bridge before the others, opens it.

    `ports` are those at which some servers are asked instead, by source.
    """
    place = folder / split.name
    place.mkdir()
    catalog, env = await written(place, entities, split, truth, servers)
    for name, port in ports.items():
        variable = f"{name.upper()}_PLACE"
        env[variable] = re.sub(r":\d+/", f":{port}/", env[variable])
    for name, source in load(catalog, env=env).sources.items():
        if source.connector not in _SCHEMES:
            continue
        named = f"{split.name}_{name}"
        login = login_of(source, env, *_SCHEMES[source.connector])
        address = ServerAddress(login.host, login.port, login.database, login.user, login.password)
        properties = server_properties(source.connector, address)
        await asyncio.to_thread(server.make_catalog, named, properties)
        _add(catalog / f"sources/{name}.yaml", {"trino_catalog": named})
    bridge = f"{split.name}_bridge"
    trino = {"url": "${env:TRINO_URL}", "user": "tests", "bridge": bridge}
    _add(catalog / "roundview.yaml", {"engines": {"trino": trino}})
    connection = connect_async(catalog, env={**env, "TRINO_URL": server.url})
    async with connection, serving(connection.federation) as served:
        properties = bridge_properties(f"127.0.0.1:{served.port}")
        await asyncio.to_thread(server.make_catalog, bridge, properties)
        yield Estate(split, connection, truth)


def _add(path: Path, more: dict[str, object]) -> None:
    yaml = YAML()
    told = yaml.load(path)
    told.update(more)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(told, file)
