"""Decides how figures of benchmarks are printed: a table for people, one JSON line for tools."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its baseline of the same run and the target it must hold.

    `baseline` and `target` are shown as written; `holds` is None where there is no target.
    """

    name: str
    value: float
    unit: str
    baseline: str = ""
    target: str = ""
    holds: bool | None = None


def emit(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Prints figures: one line of JSON, or a table with the machine's load average."""
    if as_json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures]}))
        return
    rows = [("figure", "value", "baseline", "target", "")]
    for figure in figures:
        verdict = {True: "holds", False: "MISSED", None: ""}[figure.holds]
        shown = f"{figure.value:,.4g} {figure.unit}"
        rows.append((figure.name, shown, figure.baseline, figure.target, verdict))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    print(f"load average {load} on {os.cpu_count()} cores")
