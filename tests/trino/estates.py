"""Decides how an estate of the tests of SQL is read through Trino too."""

from __future__ import annotations

from pathlib import Path

import duckdb
from ruamel.yaml import YAML
from tests.sql.estate import Entity, Split, written
from tests.sql.stores import Servers
from tests.trino.trino_server import TrinoServer

from roundview.client import AsyncConnection, connect_async
from roundview_catalog.loader import load
from roundview_federation.connectors.login import login_of
from roundview_federation.engines.trino.catalogs import ServerAddress, server_properties

_SCHEMES = {"postgres": (("postgresql",), 5432), "mysql": (("mysql",), 3306)}


async def build_on_trino(
    folder: Path,
    entities: tuple[Entity, ...],
    split: Split,
    truth: duckdb.DuckDBPyConnection,
    servers: Servers,
    server: TrinoServer,
) -> AsyncConnection:
    """Writes an estate as `build` does, has Trino read its servers, and opens it."""
    catalog, env = await written(folder, entities, split, truth, servers)
    yaml = YAML()
    for name, source in load(catalog, env=env).sources.items():
        if source.connector not in _SCHEMES:
            continue
        named = f"{split.name}_{name}"
        login = login_of(source, env, *_SCHEMES[source.connector])
        address = ServerAddress(login.host, login.port, login.database, login.user, login.password)
        server.make_catalog(named, server_properties(source.connector, address))
        path = catalog / f"sources/{name}.yaml"
        told = yaml.load(path)
        told["trino_catalog"] = named
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(told, file)
    main = catalog / "roundview.yaml"
    told = yaml.load(main)
    told["engines"] = {"trino": {"url": "${env:TRINO_URL}", "user": "tests"}}
    with main.open("w", encoding="utf-8") as file:
        yaml.dump(told, file)
    return connect_async(catalog, env={**env, "TRINO_URL": server.url})
