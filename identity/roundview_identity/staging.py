"""Decides how hashed records enter the store: staged beside it, then moved in at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from roundview_identity.hashing import Hashed, Hasher
from roundview_identity.records import Record
from roundview_identity.rules import Rules

_CHUNK = 5_000

_STAGE = (
    "DROP TABLE IF EXISTS temp.staged_record",
    "DROP TABLE IF EXISTS temp.staged_identifier",
    """CREATE TEMP TABLE staged_record (
        source_no INTEGER NOT NULL, source_key TEXT NOT NULL, mark BLOB, fingerprint BLOB,
        PRIMARY KEY (source_no, source_key)) WITHOUT ROWID""",
    """CREATE TEMP TABLE staged_identifier (
        id_hash BLOB NOT NULL, source_no INTEGER NOT NULL, source_key TEXT NOT NULL,
        kind_no INTEGER NOT NULL, guard BLOB NOT NULL)""",
)


def hashed(
    records: Iterable[Record], rules: Rules, hasher: Hasher, known: Mapping[tuple[str, str], bytes]
) -> Iterator[tuple[list[Record], list[Hashed]]]:
    """Yields chunks of (unchanged records, hashed records); streams, whatever the number.

    `known` are the marks of records that need no new hashes while they are unchanged.
    Placeholders and blocked identifiers end here.
    """
    stored = {kind: rules.is_stored(kind) for kind in rules.kinds}
    iterator = iter(records)
    while chunk := list(islice(iterator, _CHUNK)):
        same: list[Record] = []
        changed: list[Record] = []
        kept: list[list[tuple[str, str]]] = []
        for record in chunk:
            identifiers = [
                one
                for one in dict.fromkeys(record.identifiers)
                if stored.get(one[0]) and not rules.is_blocked(*one)
            ]
            mark = known.get(record.id) if known else None
            if mark is not None and mark == hasher.mark(record, identifiers):
                same.append(record)
            else:
                changed.append(record)
                kept.append(identifiers)
        yield same, hasher.records(changed, kept)


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the empty staging tables of this connection; they lock nobody."""
    for statement in _STAGE:
        connection.execute(statement)


def stage(
    connection: sqlite3.Connection,
    same: Sequence[Record],
    changed: Sequence[Hashed],
    sources: Mapping[str, int],
    kinds: Mapping[str, int],
) -> None:
    """Adds one chunk to the staging tables."""
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT OR IGNORE INTO staged_record VALUES (?, ?, NULL, NULL)",
        [(sources[one.source], one.source_key) for one in same],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO staged_record VALUES (?, ?, ?, ?)",
        [(sources[one.source], one.source_key, one.mark, one.fingerprint) for one in changed],
    )
    connection.executemany(
        "INSERT INTO staged_identifier VALUES (?, ?, ?, ?, ?)",
        [
            (id_hash, sources[one.source], one.source_key, kinds[kind], guard)
            for one in changed
            for id_hash, kind, guard in one.identifiers
        ],
    )
    connection.execute("COMMIT")


def forget(connection: sqlite3.Connection, source_no: int) -> None:
    """Takes out what was staged of a source."""
    connection.execute("DELETE FROM staged_record WHERE source_no = ?", (source_no,))
    connection.execute("DELETE FROM staged_identifier WHERE source_no = ?", (source_no,))


def absorb(connection: sqlite3.Connection, replaced: Sequence[int], *, now: int) -> None:
    """Moves what is staged into the store, inside the open transaction.

    Records of the `replaced` sources that are not staged lose their identifiers and are marked
    as deleted; they keep their customer, in case they come back.
    """
    is_first = connection.execute("SELECT 1 FROM record LIMIT 1").fetchone() is None
    if is_first:
        # An index made at the end is sorted once instead of filled at random.
        connection.execute("DROP INDEX identifier_record")
        connection.execute("DROP INDEX record_customer")
    for source_no in replaced:
        connection.execute(_GONE_IDENTIFIERS, (source_no,))
        connection.execute(_GONE_RECORDS, (now, source_no))
        connection.execute(_CONFIRMED, (source_no,))
    connection.execute(_CHANGED_IDENTIFIERS)
    connection.execute(_RECORDS, (now,))
    connection.execute(_IDENTIFIERS)
    if is_first:
        connection.execute(_IDENTIFIER_INDEX)


def finish(connection: sqlite3.Connection) -> None:
    """Makes the index again that a first filling left out, inside the open transaction."""
    if connection.execute(_HAS_CUSTOMER_INDEX).fetchone() is not None:
        return
    # SQLite maps no more than 2 GB of a file into memory. Looking somebody up reads this index and
    # never the other, so that the other one is to lie at the end.
    connection.execute("DROP INDEX identifier_record")
    connection.execute(_CUSTOMER_INDEX)
    connection.execute(_IDENTIFIER_INDEX)


def replace(
    connection: sqlite3.Connection,
    record: Hashed,
    source_no: int,
    kinds: Mapping[str, int],
    *,
    now: int,
) -> tuple[int, set[bytes]]:
    """Writes one record directly; returns its number and the identifiers it had or has.

    A new one is provisional. For a few records inside a transaction.
    """
    connection.execute(
        _RECORD, (source_no, record.source_key, record.mark, record.fingerprint, now)
    )
    number: int = connection.execute(_NUMBER, (source_no, record.source_key)).fetchone()[0]
    seen = {one for (one,) in connection.execute(_HASHES, (number,))}
    connection.execute("DELETE FROM identifier WHERE record_no = ?", (number,))
    connection.executemany(
        "INSERT INTO identifier (id_hash, record_no, kind_no, guard) VALUES (?, ?, ?, ?)",
        [(id_hash, number, kinds[kind], guard) for id_hash, kind, guard in record.identifiers],
    )
    return number, seen | {id_hash for id_hash, _, _ in record.identifiers}


def drop(connection: sqlite3.Connection) -> None:
    """Removes the staging tables."""
    connection.execute("DROP TABLE IF EXISTS temp.staged_record")
    connection.execute("DROP TABLE IF EXISTS temp.staged_identifier")


def marks(connection: sqlite3.Connection, sources: Iterable[str]) -> dict[tuple[str, str], bytes]:
    """Returns the marks of the live records of some sources."""
    return {
        (source, key): mark
        for source in sorted(sources)
        for key, mark in connection.execute(_MARKS, (source,))
    }


Progress = Callable[[str, int, int | None], None]
"""Called as progress(stage, done, total or None where it is not known)."""

_MARKS = """
SELECT r.source_key, r.mark FROM record r JOIN source s ON s.source_no = r.source_no
WHERE s.name = ? AND r.deleted_at IS NULL
"""
_GONE_IDENTIFIERS = """
DELETE FROM identifier WHERE record_no IN (
    SELECT record_no FROM record r WHERE r.source_no = ? AND r.deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM temp.staged_record t
        WHERE t.source_no = r.source_no AND t.source_key = r.source_key))
"""
_GONE_RECORDS = """
UPDATE record SET deleted_at = ?, mark = x'', fingerprint = x''
WHERE source_no = ? AND deleted_at IS NULL
AND NOT EXISTS (SELECT 1 FROM temp.staged_record t
    WHERE t.source_no = record.source_no AND t.source_key = record.source_key)
"""
_CONFIRMED = "UPDATE record SET is_provisional = 0 WHERE source_no = ? AND is_provisional"
_CHANGED_IDENTIFIERS = """
DELETE FROM identifier WHERE record_no IN (
    SELECT r.record_no FROM temp.staged_record t JOIN record r
    ON r.source_no = t.source_no AND r.source_key = t.source_key WHERE t.mark IS NOT NULL)
"""
_RECORDS = """
INSERT INTO record (source_no, source_key, mark, fingerprint, is_provisional, first_seen)
SELECT t.source_no, t.source_key, t.mark, t.fingerprint, 0, ?
FROM temp.staged_record t JOIN source s ON s.source_no = t.source_no
WHERE t.mark IS NOT NULL ORDER BY s.name, t.source_key
ON CONFLICT (source_no, source_key) DO UPDATE SET mark = excluded.mark,
    fingerprint = excluded.fingerprint, deleted_at = NULL, is_provisional = 0
"""
_IDENTIFIERS = """
INSERT OR IGNORE INTO identifier (id_hash, record_no, kind_no, guard)
SELECT t.id_hash, r.record_no, t.kind_no, t.guard
FROM temp.staged_identifier t JOIN record r
ON r.source_no = t.source_no AND r.source_key = t.source_key
ORDER BY t.id_hash, r.record_no
"""
_RECORD = """
INSERT INTO record
    (source_no, source_key, mark, fingerprint, is_provisional, first_seen) VALUES (?, ?, ?, ?, 1, ?)
ON CONFLICT (source_no, source_key) DO UPDATE SET mark = excluded.mark,
    fingerprint = excluded.fingerprint, deleted_at = NULL,
    is_provisional = CASE WHEN deleted_at IS NULL THEN is_provisional ELSE 1 END
"""
_NUMBER = "SELECT record_no FROM record WHERE source_no = ? AND source_key = ?"
_HASHES = "SELECT id_hash FROM identifier WHERE record_no = ?"
_IDENTIFIER_INDEX = "CREATE INDEX identifier_record ON identifier (record_no)"
_HAS_CUSTOMER_INDEX = "SELECT 1 FROM sqlite_schema WHERE name = 'record_customer'"
_CUSTOMER_INDEX = """
CREATE INDEX record_customer ON record (customer_id, source_no, source_key)
WHERE deleted_at IS NULL
"""
