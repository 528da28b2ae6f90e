"""Measures reading everybody of a source for identity: pace, and memory whatever the number.

python -m benchmarks.people [--json] [--people N]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

from benchmarks.report import Figure, emit

from roundview.demo.crm import CrmWriter
from roundview.demo.histories import invent
from roundview.demo.people import make_people
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

PEOPLE = 200_000
FEW = 0.1
"""The share of people after which memory is taken as what any number needs."""
_STATUS = Path("/proc/self/status")


def main() -> None:
    """Makes a CRM, reads it through the ordinary path, links it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--people", type=int, default=PEOPLE)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _make(Path(folder), chosen.people)
        figures = asyncio.run(measure(Path(folder)))
    emit(figures, as_json=chosen.json)


async def measure(folder: Path) -> list[Figure]:
    """Returns the figures for the CRM in a folder."""
    federation = Federation.open(
        folder / "catalog",
        data_dir=folder / "identity",
        secret=b"s" * 32,
        env={"ROUNDVIEW_DEMO": str(folder)},
    )
    seen: list[tuple[int, float]] = []
    ended = [0.0]

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("reading"):
            seen.append((done, _resident()))
            ended[0] = time.perf_counter()

    started = time.perf_counter()
    done = await refresh_identity(federation, progress=progress)
    wall = time.perf_counter() - started
    await federation.close()
    people = seen[-1][0]
    few = max(memory for count, memory in seen if count <= people * FEW)
    growth = max(memory for _, memory in seen) - few
    reading = ended[0] - started
    return [
        Figure("people", done.summary.records, "people"),
        Figure("read, normalised, hashed", people / reading, "people/s"),
        Figure("whole refresh, wall", wall, "s"),
        Figure(
            "memory while reading, growth", growth, "MB",
            f"{few:,.0f} MB after {FEW:.0%} of them", "<= 64 MB", growth <= 64,
        ),
    ]  # fmt: skip


def _make(folder: Path, people: int) -> None:
    out = CrmWriter(folder)
    for person in make_people(people, 1):
        for contact in invent(person, 1).contacts:
            out.add_contact(contact)
    out.close()
    shipped = resources.files("roundview.demo") / "catalog"
    (folder / "catalog/sources").mkdir(parents=True)
    (folder / "catalog/roundview.yaml").write_text("roundview: 1\nname: people\nversion: 1\n")
    for name in ("identity.yaml", "sources/crm.yaml", "sources/crm.schema.yaml"):
        with resources.as_file(shipped / name) as file:
            shutil.copy(file, folder / "catalog" / name)


def _resident() -> float:
    """Returns the resident memory of this process in MB."""
    if not _STATUS.exists():
        sys.exit("this benchmark reads /proc/self/status")
    line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
