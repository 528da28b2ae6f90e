"""Prints figures: a table for people, one JSON line for machines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `holds` is None where there is no target."""

    name: str
    value: float
    unit: str
    baseline: str = ""
    target: str = ""
    holds: bool | None = None


def emit(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Prints the figures of one benchmark."""
    if as_json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures]}))
        return
    print(f"load average {os.getloadavg()[0]:.2f}")
    for f in figures:
        verdict = {True: "holds", False: "SHORT", None: ""}[f.holds]
        print(f"{f.name:44} {f.value:10.3f} {f.unit:6} {f.target:10} {verdict:6} {f.baseline}")
