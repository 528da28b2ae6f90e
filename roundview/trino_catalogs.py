"""Decides which catalogs a Trino needs to read what a catalog of ours describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from roundview_catalog.errors import RequestError

if TYPE_CHECKING:
    from roundview_catalog.model import Catalog

BRIDGE_ADDRESS = "127.0.0.1:8362"
_SCHEMES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "postgres": (("postgresql", "postgres"), 5432),
    "mysql": (("mysql", "mariadb"), 3306),
}
_NOT_IN_A_VARIABLE = re.compile("[^A-Z0-9]")


def properties_of(
    catalog: Catalog, env: Mapping[str, str], bridge: str = BRIDGE_ADDRESS
) -> dict[str, dict[str, str]]:
    """Returns the properties of each catalog of Trino by its name; no secret is among them.

    Passwords are references that Trino resolves in its own environment. `bridge` is HOST:PORT
    of `roundview thrift-bridge`. Raises RequestError RV102 where no source names a catalog.
    """
    from roundview_federation.bridged import BRIDGED
    from roundview_federation.connectors.login import login_of
    from roundview_federation.engines.trino.catalogs import (
        ServerAddress,
        bridge_properties,
        server_properties,
    )

    made: dict[str, dict[str, str]] = {}
    told = catalog.engines.trino
    names = {told.bridge} if told is not None and told.bridge else set()
    for source in catalog.sources.values():
        named = source.trino_catalog.partition(".")[0]
        if source.connector in BRIDGED:
            names |= {named} if named else set()
        elif named and named not in made:
            login = login_of(source, env, *_SCHEMES[source.connector])
            address = ServerAddress(
                login.host,
                login.port,
                login.database,
                login.user,
                f"${{ENV:{variable_of(named)}}}",
                is_encrypted=login.tls is not None,
            )
            made[named] = server_properties(source.connector, address)
    made |= {name: bridge_properties(bridge) for name in sorted(names)}
    if not made:
        raise RequestError(
            "no source names a catalog of Trino",
            code="RV102",
            hint="write trino_catalog in the files of sources, engines.trino in roundview.yaml",
        )
    return made


def variable_of(name: str) -> str:
    """Returns the variable of Trino's environment that has the password of a catalog.

    >>> variable_of("pos_north")
    'POS_NORTH_PASSWORD'
    """
    return f"{_NOT_IN_A_VARIABLE.sub('_', name.upper())}_PASSWORD"


def write(made: Mapping[str, Mapping[str, str]], folder: Path) -> list[Path]:
    """Writes `NAME.properties` for each catalog; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, properties in made.items():
        path = folder / f"{name}.properties"
        path.write_text(as_text(properties), encoding="utf-8")
        paths.append(path)
    return paths


def as_text(properties: Mapping[str, str]) -> str:
    """Returns properties as Java reads them."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    """Returns a value of a properties file, whose one special sign is the backslash."""
    return value.replace("\\", "\\\\")
