"""Decides how a source is read before its schema file exists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roundview_catalog.errors import RequestError
from roundview_catalog.loader import source_outline
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.report import did_you_mean
from roundview_federation.connectors import open_connector


async def introspect_source(
    root: Path, name: str, env: Mapping[str, str]
) -> Mapping[str, SourceTable]:
    """Returns the tables of a source, metadata only.

    Its mappings are not read, because they cannot be checked before the schema is known.
    Raises RequestError for an unknown source, CatalogError for a file that cannot be read,
    SourceError where the source does not answer.
    """
    connector = open_connector(_bare_source(root, name), env=env)
    try:
        return await connector.introspect()
    finally:
        await connector.close()


def _bare_source(root: Path, name: str) -> Source:
    names = [path.name for path in (root / "sources").glob("*.yaml")]
    others = (".schema.yaml", ".template.yaml", ".statistics.yaml")
    known = sorted(one.removesuffix(".yaml") for one in names if not one.endswith(others))
    if name not in known:
        raise RequestError(
            f"there is no source {name}", code="RV102", hint=did_you_mean(name, known)
        )
    return source_outline(root, name)
