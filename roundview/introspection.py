"""Decides how a source is read before its schema file exists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roundview_catalog.document import read
from roundview_catalog.errors import CatalogError, RequestError
from roundview_catalog.model import Defaults, Limits, Source, SourceTable
from roundview_catalog.report import Report, did_you_mean
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
    folder = root / "sources"
    known = sorted(p.stem for p in folder.glob("*.yaml") if not p.name.endswith(".schema.yaml"))
    if name not in known:
        raise RequestError(
            f"there is no source {name}", code="RV102", hint=did_you_mean(name, known)
        )
    report = Report()
    file = f"sources/{name}.yaml"
    document = read((folder / f"{name}.yaml").read_text(encoding="utf-8"), file, report)
    if document is None or not isinstance(document.data, dict):
        raise CatalogError(report.problems)
    data = document.data
    return Source(
        name=name,
        title=str(data.get("title", name)),
        owner=str(data.get("owner", "")),
        connector=str(data.get("connector", "")),
        connection=data.get("connection") or {},
        limits=Limits(),
        defaults=Defaults(),
        tables={},
        branches=(),
        root=root,
        position=document.position(()),
    )
