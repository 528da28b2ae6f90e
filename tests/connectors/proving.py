"""Decides how tests prove a catalog against a source: files written, findings by claim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from roundview_catalog import schema_file
from roundview_catalog.loader import load, source_outline
from roundview_federation.connectors import open_connector
from roundview_federation.live import Finding, Proven, prove_source

ENV = {"TOKEN": "conformance-token"}


async def proven(
    root: Path, text: str, *, env: Mapping[str, str] | None = None, **limits: float
) -> Proven:
    """Returns what is known of `sources/shop.yaml`; its schema file is written if it has none."""
    given = {**ENV, **(env or {})}
    (root / "sources").mkdir(parents=True, exist_ok=True)
    (root / "roundview.yaml").write_text("roundview: 1\nname: proofs\n", encoding="utf-8")
    (root / "sources/shop.yaml").write_text(dedent(text), encoding="utf-8")
    schema = root / "sources/shop.schema.yaml"
    outline = source_outline(root, "shop")
    if outline.connector != "rest" and not schema.exists():
        connector = open_connector(outline, env=given)
        try:
            schema_file.write(schema, await connector.introspect())
        finally:
            await connector.close()
    return await prove_source(load(root, env=given), "shop", env=given, **limits)


def about(found: Proven, claim: str) -> Finding:
    """Returns the only finding whose claim begins so."""
    said = [one for one in found.findings if one.claim.startswith(claim)]
    assert len(said) == 1, [str(one) for one in found.findings]
    return said[0]


def refuted(found: Proven) -> list[str]:
    """Returns the claims that were refuted."""
    return [one.claim for one in found.findings if one.verdict == "refuted"]


def at(root: Path, finding: Finding) -> str:
    """Returns what stands at a finding's place, up to the end of its line."""
    lines = (root / finding.position.file).read_text(encoding="utf-8").splitlines()
    return lines[finding.position.line - 1][finding.position.column - 1 :]
