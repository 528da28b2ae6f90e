"""Times the identity store: normalised identifier -> customer -> source keys."""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure, emit

from roundview_identity.keys import Keys
from roundview_identity.store import Xref

IDENTIFIERS = 1_000_000
LOOKUPS = 20_000
PER_CUSTOMER = 5


def main() -> None:
    """Fills a store with a million identifiers and looks some of them up."""
    with tempfile.TemporaryDirectory() as folder:
        xref = Xref.open(Path(folder) / "xref.db", Keys(b"x" * 32))
        _fill(xref)
        chance = random.Random(7)
        wanted = [f"e{chance.randrange(IDENTIFIERS)}@mail.example" for _ in range(LOOKUPS)]
        for value in wanted[:2000]:
            _resolve(xref, value)
        times = []
        for value in wanted:
            started = time.perf_counter()
            found = _resolve(xref, value)
            times.append((time.perf_counter() - started) * 1e6)
            assert found
        raw = _raw(xref, wanted)
        times.sort()
        p50 = statistics.median(times)
        baseline = f"two prepared SQLite statements alone: {raw:.1f} us"
        figures = [
            Figure("identifier to source keys, p50", p50, "us", baseline, "<= 20", p50 <= 20),
            Figure("identifier to source keys, p99", times[int(len(times) * 0.99)], "us", baseline),
            Figure("ratio to the statements alone", p50 / raw, "x", baseline),
        ]
        xref.close()
    emit(figures, as_json="--json" in sys.argv)


def _resolve(xref: Xref, value: str) -> int:
    return sum(len(xref.members(one)) for one in xref.lookup("email", value))


def _raw(xref: Xref, wanted: list[str]) -> float:
    connection = xref.connection
    hashes = [xref.identifier_hash("email", value) for value in wanted]
    times = []
    for one in hashes:
        started = time.perf_counter()
        for row in connection.execute(
            "SELECT x.customer_id FROM identifier i JOIN xref x ON x.source = i.source"
            " AND x.source_key = i.source_key WHERE i.id_hash = ?", (one,)
        ).fetchall():  # fmt: skip
            connection.execute(
                "SELECT source, source_key FROM xref WHERE customer_id = ?", row
            ).fetchall()
        times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times)


def _fill(xref: Xref) -> None:
    connection: sqlite3.Connection = xref.connection
    connection.execute("BEGIN")
    ids = [xref.new_id().replace("-", "") for _ in range(IDENTIFIERS // PER_CUSTOMER)]
    owners = [bytes.fromhex(ids[at // PER_CUSTOMER]) for at in range(IDENTIFIERS)]
    connection.executemany(
        "INSERT INTO xref VALUES (?, ?, ?, x'00', 0)",
        ((f"s{at % 4}", str(at), owner) for at, owner in enumerate(owners)),
    )
    connection.executemany(
        "INSERT INTO identifier VALUES (?, ?, ?)",
        sorted(
            (xref.identifier_hash("email", f"e{at}@mail.example"), f"s{at % 4}", str(at))
            for at in range(IDENTIFIERS)
        ),
    )
    connection.execute("COMMIT")


if __name__ == "__main__":
    main()
