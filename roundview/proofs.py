"""Decides how the proofs of a catalog are run and shown, and what they are worth to a shell."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from roundview.output import cell, console, print_json
from roundview.progress import progress
from roundview.settings import Workspace
from roundview_catalog import statistics_file
from roundview_catalog.errors import RequestError
from roundview_catalog.loader import load
from roundview_catalog.model import Catalog
from roundview_catalog.report import did_you_mean
from roundview_federation.live import Finding, Proven, Verdict, prove_source
from roundview_federation.live.findings import counted

_STYLES = {
    Verdict.PROVED: "green",
    Verdict.NOT_REFUTED: "",
    Verdict.REFUTED: "red",
    Verdict.OPEN: "yellow",
}
_LONGEST = 400


def prove_and_show(
    place: Workspace, sources: Sequence[str], seconds: float, *, as_json: bool
) -> int:
    """Proves the claims about some sources, or all, and prints them; returns the exit code.

    What sources say of the sizes of their tables is written beside their files. 1 if anything is
    refuted, else 4 if a source could not be asked, else 0. Raises RequestError for an unknown
    source.
    """
    catalog = load(place.catalog, env=place.env)
    for name in sources:
        if name not in catalog.sources:
            hint = did_you_mean(name, catalog.sources)
            raise RequestError(f"there is no source {name}", code="RV102", hint=hint)
    proven = {
        name: _prove(catalog, name, place, seconds)
        for name in catalog.sources
        if not sources or name in sources
    }
    noted = {name: _note(place, name, found) for name, found in proven.items() if found.rows}
    if as_json:
        print_json(
            {
                "problems": [],
                "findings": [_plain(one) for found in proven.values() for one in found.findings],
                "unasked": [name for name, found in proven.items() if found.failure],
                "noted": [file for file in noted.values() if file is not None],
            }
        )
    else:
        _show(proven, noted)
    if any(one.verdict is Verdict.REFUTED for found in proven.values() for one in found.findings):
        return 1
    failures = [found.failure for found in proven.values() if found.failure is not None]
    return failures[0].row.exit if failures else 0


def _prove(catalog: Catalog, name: str, place: Workspace, seconds: float) -> Proven:
    with progress(name) as report:
        return asyncio.run(
            prove_source(catalog, name, env=place.env, seconds=seconds, progress=report)
        )


def _note(place: Workspace, name: str, found: Proven) -> str | None:
    """Writes the sizes of a source's tables; returns the file, None where it cannot be written."""
    file = f"sources/{name}{statistics_file.SUFFIX}"
    try:
        moment = datetime.now(UTC)
        statistics_file.write(place.catalog / file, found.rows, moment, found.distinct)
    except OSError:
        return None
    return file


def _show(proven: dict[str, Proven], noted: Mapping[str, str | None]) -> None:
    out = console()
    for found in proven.values():
        for one in found.findings:
            line = Text(f"{one.position} ")
            line.append(one.verdict, style=_STYLES[one.verdict])
            line.append(f" {cell(one.claim, _LONGEST)} — {cell(one.seen, _LONGEST)}")
            line.append(f" — {cell(one.hint, _LONGEST)}" if one.hint else "")
            out.print(line, soft_wrap=True)
    for name, file in noted.items():
        sizes = f"sizes of {counted(len(proven[name].rows), 'table')}"
        said = f"{file}: {sizes}" if file else f"{name}: {sizes} could not be written beside it"
        out.print(Text(said), soft_wrap=True)
    for name, found in proven.items():
        counts = Counter(one.verdict for one in found.findings)
        said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
        out.print(Text(f"{name}: {said}"), soft_wrap=True)


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "source": finding.source,
        "file": finding.position.file,
        "line": finding.position.line,
        "column": finding.position.column,
        "claim": finding.claim,
        "verdict": str(finding.verdict),
        "seen": finding.seen,
        "hint": finding.hint,
    }
