"""Decides which catalogs a Trino needs to read what a catalog of ours describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from roundview_catalog.errors import RequestError

if TYPE_CHECKING:
    from roundview.settings import Workspace
    from roundview_catalog.engines import Trino
    from roundview_catalog.model import Catalog

BRIDGE_ADDRESS = "127.0.0.1:8362"
_SCHEMES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "postgres": (("postgresql", "postgres"), 5432),
    "mysql": (("mysql", "mariadb"), 3306),
}
_NOT_IN_A_VARIABLE = re.compile("[^A-Z0-9]")
_REFERENCE = re.compile(r"\$\{ENV:([A-Z0-9_]+)\}")


def properties_of(
    catalog: Catalog,
    env: Mapping[str, str],
    bridge: str = BRIDGE_ADDRESS,
    *,
    is_bridge_encrypted: bool = False,
) -> dict[str, dict[str, str]]:
    """Returns the properties of each catalog of Trino by its name; no secret is among them.

    Passwords and files of authorities are references that Trino resolves in its own environment.
    Sources that only Trino reads have their catalogs already. `bridge` is HOST:PORT of
    `roundview thrift-bridge`. Raises RequestError RV102 where no source names a catalog.
    """
    from roundview_federation.bridged import BRIDGED
    from roundview_federation.connectors.login import login_of, tls_mode
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
        elif named and named not in made and source.connector in _SCHEMES:
            login = login_of(source, env, *_SCHEMES[source.connector])
            tls = tls_mode(source, login.host)
            has_ca = tls == "verify" and bool(source.connection.get("ca"))
            address = ServerAddress(
                login.host,
                login.port,
                login.database,
                login.user,
                reference(variable_of(named)),
                tls,
                reference(variable_of(named, "CA")) if has_ca else "",
            )
            made[named] = server_properties(source.connector, address)
    for name in sorted(names):
        made[name] = bridge_properties(bridge, is_encrypted=is_bridge_encrypted)
    if not made:
        raise RequestError(
            "no source names a catalog of Trino",
            code="RV102",
            hint="write trino_catalog in the files of sources, engines.trino in roundview.yaml",
        )
    return made


def variable_of(name: str, what: str = "PASSWORD") -> str:
    """Returns the variable of Trino's environment that has the password of a catalog.

    >>> variable_of("pos_north")
    'POS_NORTH_PASSWORD'
    """
    return f"{_NOT_IN_A_VARIABLE.sub('_', name.upper())}_{what}"


def reference(variable: str) -> str:
    """Returns what stands in properties for a variable of Trino's environment."""
    return f"${{ENV:{variable}}}"


def variables_in(made: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Returns the variables that Trino needs in its environment for properties."""
    texts = [value for properties in made.values() for value in properties.values()]
    return list(dict.fromkeys(name for text in texts for name in _REFERENCE.findall(text)))


async def apply(made: Mapping[str, Mapping[str, str]], told: Trino, place: Workspace) -> None:
    """Makes the catalogs on a Trino whose catalogs can change while it runs.

    One of the same name is replaced. Raises RequestError RV103 where catalogs are files, RV506
    for one that Trino does not take, EngineError RV505 where it does not answer.
    """
    from roundview_federation.engines.trino.applying import make_catalogs
    from roundview_federation.engines.trino.engine import TrinoEngine
    from roundview_federation.engines.trino.settings import settings_of

    engine = TrinoEngine(settings_of(told, place.catalog, place.env))
    try:
        await make_catalogs(engine, made)
    finally:
        await engine.close()


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
