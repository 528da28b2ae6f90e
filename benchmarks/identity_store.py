"""Measures the identity store: normalised identifier -> customer -> source keys, and refreshing.

python -m benchmarks.identity_store [--json] [--identifiers N] [--lookups-only]
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.report import Figure, emit

from roundview_catalog.model import IdentifierKind
from roundview_identity.keys import Keys
from roundview_identity.records import Record
from roundview_identity.refresh import refresh, remember
from roundview_identity.rules import Rules
from roundview_identity.store import Xref

IDENTIFIERS = 1_000_000
LOOKUPS = 20_000
PROBES = 2_000
SOURCES = ("crm", "mail", "pos", "support")
RULES = Rules(
    {
        kind.name: kind
        for kind in (
            IdentifierKind("email", "", "email"),
            IdentifierKind("phone", "", "phone"),
            IdentifierKind("loyalty_no", "", "code", usage="unique"),
        )
    }
)
GIVEN = ("Anna", "Peter", "Maria", "Thomas", "Karl", "Lisa", "Sven", "Olga", "Ivan", "Yara")


def main() -> None:
    """Fills a store through a refresh, then looks up, refreshes again and probes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--identifiers", type=int, default=IDENTIFIERS)
    parser.add_argument("--lookups-only", action="store_true", help="fill the store once")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xref.db"
        with Xref.open(path, Keys(b"x" * 32)) as xref:
            figures = measure(xref, path, chosen.identifiers, lookups_only=chosen.lookups_only)
    emit(figures, as_json=chosen.json)


def measure(
    xref: Xref, path: Path, identifiers: int, *, lookups_only: bool = False
) -> list[Figure]:
    """Returns the figures for a store of that many identifiers."""
    people = identifiers // 4
    first_wall, first_cpu = _timed(lambda: _refresh(xref, people))
    kept = xref.counts()["identifiers"]
    lookups, statements = _lookups(xref, people)
    misses = [_clocked(lambda: xref.lookup("email", "nobody@x.example")) for _ in range(LOOKUPS)]
    p50, p99 = _quantile(lookups, 50), _quantile(lookups, 99)
    alone = _quantile(statements, 50)
    baseline = f"its two SQL statements alone {alone:.1f} us"
    figures = [
        Figure("identifier to source keys, p50", p50, "us", baseline, "<= 20 us", p50 <= 20),
        Figure("identifier to source keys, p99", p99, "us", baseline),
        Figure("unknown identifier, p50", _quantile(misses, 50), "us"),
        Figure("identifiers kept", kept, "identifiers"),
        Figure("first refresh, wall", first_wall, "s"),
        Figure("first refresh, CPU", first_cpu, "s", f"{people * 2.5:,.0f} records"),
    ]
    if not lookups_only:
        again_wall, again_cpu = _timed(lambda: _refresh(xref, people))
        probes = _probes(xref, people)
        figures += [
            Figure("unchanged refresh, wall", again_wall, "s"),
            Figure("unchanged refresh, CPU", again_cpu, "s", f"{people * 2.5:,.0f} records"),
            Figure("probe of one record, p50", _quantile(probes, 50) / 1e3, "ms"),
            Figure("probe of one record, p99", _quantile(probes, 99) / 1e3, "ms"),
        ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return [
        *figures,
        Figure("largest memory", memory, "MB", "", "<= 2,048 MB", memory <= 2048),
        Figure("size of the store", path.stat().st_size / 2**20, "MB"),
    ]


def _people(count: int) -> Iterator[Record]:
    """Yields five records for every two people: four identifiers each person, some shared."""
    for person in range(count):
        given = GIVEN[person % len(GIVEN)]
        born = f"{1940 + person % 60}-{1 + person % 12:02}-{1 + person % 28:02}"
        email = ("email", f"person.{person}@mail{person % 9}.example")
        # Every tenth pair of neighbours has one number.
        phone = ("phone", f"+4930{10_000_000 + (person // 2 if person % 20 < 2 else -person)}")
        card = ("loyalty_no", f"L{person}X")
        yield Record("crm", f"{person}", (email, phone), given, "Moor", born)
        yield Record("pos", f"{person}", (phone, card), given, "Moor")
        if person % 2:
            yield Record("support", f"{person}", (email,), "", "")


def _refresh(xref: Xref, people: int) -> None:
    refresh(xref, _people(people), RULES, sources=SOURCES)


def _lookups(xref: Xref, people: int) -> tuple[list[float], list[float]]:
    rng = random.Random(7)
    wanted = [rng.randrange(people) for _ in range(LOOKUPS)]
    values = [f"person.{person}@mail{person % 9}.example" for person in wanted]
    lookup, members = xref.lookup, xref.members

    def resolve(value: str) -> None:
        for customer_id in lookup("email", value):
            if not members(customer_id):
                raise AssertionError("a known identifier leads to no record")

    for value in values[:2000]:
        resolve(value)
    hashes = [xref.hasher.identifier("email", value) for value in values]
    execute = xref.connection.execute

    def statements(id_hash: bytes) -> None:
        (customer_id,) = execute(
            "SELECT r.customer_id FROM identifier i JOIN record r ON r.record_no = i.record_no"
            " WHERE i.id_hash = ? LIMIT 1",
            (id_hash,),
        ).fetchone()
        execute(
            "SELECT source_no, source_key FROM record WHERE customer_id = ? AND deleted_at IS NULL",
            (customer_id,),
        ).fetchall()

    found: list[float] = []
    alone: list[float] = []
    # Taken in turns, so that a busy moment of the machine touches both.
    for value, id_hash in zip(values, hashes, strict=True):
        found.append(_clocked(partial(resolve, value)))
        alone.append(_clocked(partial(statements, id_hash)))
    return found, alone


def _probes(xref: Xref, people: int) -> list[float]:
    rng = random.Random(11)
    times = []
    for at in range(PROBES):
        person = rng.randrange(people)
        email = ("email", f"person.{person}@mail{person % 9}.example")
        record = Record("web", str(at), (email,), GIVEN[person % len(GIVEN)], "Moor")
        times.append(_clocked(partial(remember, xref, [record], RULES, actor="probe")))
    return times


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _clocked(work: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - started) / 1e3


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
