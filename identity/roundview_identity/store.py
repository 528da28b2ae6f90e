"""Keeps the identity cross-reference: keys, keyed hashes and ids, never a source's value."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from roundview_catalog.errors import IdentityError
from roundview_catalog.normalizers import name_key
from roundview_identity.ids import uuid7
from roundview_identity.keys import Keys
from roundview_identity.linking import RecordId
from roundview_identity.records import Record

_MIGRATIONS = (
    """
    CREATE TABLE customer (customer_id BLOB PRIMARY KEY, status TEXT NOT NULL,
        is_provisional INTEGER NOT NULL, created_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE xref (source TEXT NOT NULL, source_key TEXT NOT NULL, customer_id BLOB NOT NULL,
        fingerprint BLOB NOT NULL, first_seen INTEGER NOT NULL,
        PRIMARY KEY (source, source_key)) WITHOUT ROWID;
    CREATE INDEX xref_customer ON xref (customer_id, source, source_key);
    CREATE TABLE identifier (id_hash BLOB NOT NULL, source TEXT NOT NULL, source_key TEXT NOT NULL,
        PRIMARY KEY (id_hash, source, source_key)) WITHOUT ROWID;
    CREATE INDEX identifier_record ON identifier (source, source_key);
    CREATE TABLE identifier_state (id_hash BLOB PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE decision (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, a_source TEXT NOT NULL,
        a_key TEXT NOT NULL, b_source TEXT NOT NULL, b_key TEXT NOT NULL, actor TEXT NOT NULL,
        reason TEXT NOT NULL, at INTEGER NOT NULL, revoked_at INTEGER);
    CREATE TABLE alias (old_customer_id BLOB PRIMARY KEY, customer_id BLOB NOT NULL,
        cause TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,
        kind TEXT NOT NULL, body TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL);
    """,
)
_LOOKUP = """
SELECT DISTINCT x.customer_id FROM identifier i
JOIN xref x ON x.source = i.source AND x.source_key = i.source_key
WHERE i.id_hash = ? AND NOT EXISTS
    (SELECT 1 FROM identifier_state s WHERE s.id_hash = i.id_hash AND s.state = 'blocked')
LIMIT 64
"""


class Xref:
    """The identity store: one SQLite file, read by any thread, written by one at a time."""

    def __init__(
        self,
        path: Path,
        keys: Keys,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._path = path
        self._identifier_key = keys.derive("identifier")
        self._fingerprint_key = keys.derive("fingerprint")
        self.clock_ms = clock_ms
        self._random = random
        self._local = threading.local()
        self._write_lock = threading.RLock()
        self._open: list[sqlite3.Connection] = []
        self._migrate()

    @classmethod
    def open(cls, path: Path | str, keys: Keys) -> Xref:
        """Opens the store, making or migrating it as needed."""
        try:
            return cls(Path(path), keys)
        except sqlite3.DatabaseError:
            raise IdentityError(
                "the identity store cannot be opened",
                code="RV602",
                hint="restore the file or remove it and refresh identity",
            ) from None

    # -- reading -----------------------------------------------------------------------------

    def lookup(self, kind: str, normalized: str) -> tuple[str, ...]:
        """Returns the customers whose records carry an identifier, in id order.

        >>> # xref.lookup("phone", "+4930123456") -> ("0190…",)
        """
        rows = self.connection.execute(_LOOKUP, (self.identifier_hash(kind, normalized),))
        return tuple(sorted(str(UUID(bytes=row[0])) for row in rows.fetchall()))

    def members(self, customer_id: str) -> tuple[RecordId, ...]:
        """Returns the records of a customer as (source, source_key)."""
        rows = self.connection.execute(
            "SELECT source, source_key FROM xref WHERE customer_id = ?", (_blob(customer_id),)
        )
        return tuple(rows.fetchall())

    def owner(self, source: str, source_key: str) -> str | None:
        """Returns the customer of a record."""
        row = self.connection.execute(
            "SELECT customer_id FROM xref WHERE source = ? AND source_key = ?", (source, source_key)
        ).fetchone()
        return None if row is None else str(UUID(bytes=row[0]))

    def resolve_id(self, customer_id: str) -> str | None:
        """Returns the id that a customer has today, None for an unknown one."""
        try:
            blob = _blob(customer_id)
        except ValueError:
            return None
        row = self.connection.execute(
            "SELECT customer_id FROM alias WHERE old_customer_id = ?", (blob,)
        ).fetchone()
        blob = row[0] if row else blob
        known = self.connection.execute(
            "SELECT 1 FROM customer WHERE customer_id = ?", (blob,)
        ).fetchone()
        return str(UUID(bytes=blob)) if known else None

    def is_provisional(self, customer_id: str) -> bool:
        """Tells whether a customer was found by a probe and not yet confirmed."""
        row = self.connection.execute(
            "SELECT is_provisional FROM customer WHERE customer_id = ?", (_blob(customer_id),)
        ).fetchone()
        return bool(row and row[0])

    def fingerprint_of(self, source: str, source_key: str) -> bytes | None:
        """Returns the fingerprint that a record had when it was linked."""
        row = self.connection.execute(
            "SELECT fingerprint FROM xref WHERE source = ? AND source_key = ?", (source, source_key)
        ).fetchone()
        return row[0] if row else None

    def assignments(self) -> dict[RecordId, str]:
        """Returns the customer of every record."""
        rows = self.connection.execute("SELECT source, source_key, customer_id FROM xref")
        return {(source, key): str(UUID(bytes=blob)) for source, key, blob in rows}

    def carriers(self, kind: str, normalized: str) -> tuple[RecordId, ...]:
        """Returns the records that carry an identifier."""
        rows = self.connection.execute(
            "SELECT source, source_key FROM identifier WHERE id_hash = ?",
            (self.identifier_hash(kind, normalized),),
        )
        return tuple(rows.fetchall())

    def state_of(self, kind: str, normalized: str) -> str:
        """Returns ok, shared or blocked."""
        row = self.connection.execute(
            "SELECT state FROM identifier_state WHERE id_hash = ?",
            (self.identifier_hash(kind, normalized),),
        ).fetchone()
        return row[0] if row else "ok"

    def decisions(self, kind: str) -> list[tuple[RecordId, RecordId]]:
        """Returns the standing must_link or cannot_link decisions of people."""
        rows = self.connection.execute(
            "SELECT a_source, a_key, b_source, b_key FROM decision"
            " WHERE kind = ? AND revoked_at IS NULL ORDER BY id",
            (kind,),
        )
        return [((a, b), (c, d)) for a, b, c, d in rows]

    def counts(self) -> dict[str, int]:
        """Returns how many customers, records and identifiers there are."""
        counted = {}
        for name, statement in (
            ("customers", "SELECT count(*) FROM customer"),
            ("records", "SELECT count(*) FROM xref"),
            ("identifiers", "SELECT count(*) FROM identifier"),
        ):
            counted[name] = self.connection.execute(statement).fetchone()[0]
        return counted

    def is_chain_whole(self) -> bool:
        """Verifies the hash chain of events."""
        previous = b""
        for at, actor, kind, body, before, stored in self.connection.execute(
            "SELECT at, actor, kind, body, prev_hash, hash FROM event ORDER BY seq"
        ):
            if before != previous or stored != _event_hash(previous, at, actor, kind, body):
                return False
            previous = stored
        return True

    # -- hashes ------------------------------------------------------------------------------

    def identifier_hash(self, kind: str, normalized: str) -> bytes:
        """Returns the keyed hash of an identifier; the kind separates the domains."""
        text = f"{kind}\x00{normalized}".encode()
        return hashlib.blake2b(text, digest_size=16, key=self._identifier_key).digest()

    def fingerprint(self, record: Record) -> bytes:
        """Returns the keyed hash of names and birth date."""
        parts = (name_key(record.given_name), name_key(record.family_name), record.birth_date)
        text = "\x00".join(parts).encode()
        return hashlib.blake2b(text, digest_size=8, key=self._fingerprint_key).digest()

    def new_id(self) -> str:
        """Returns a fresh customer id."""
        return str(uuid7(self.clock_ms, self._random))

    # -- writing -----------------------------------------------------------------------------

    def publish(
        self,
        records: Sequence[Record],
        owners: Mapping[RecordId, str],
        *,
        replace_sources: Iterable[str],
        states: Mapping[tuple[str, str], str],
        aliases: Mapping[str, str],
        actor: str,
        is_provisional: bool = False,
    ) -> None:
        """Writes links, hashes, aliases and one event in one transaction.

        The links of `replace_sources` that are not among `records` end; those of other
        sources stay, but move to the owner that `owners` names for them.
        """
        now = self.clock_ms()
        with self._write_lock, self.connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            for source in sorted(replace_sources):
                connection.execute("DELETE FROM identifier WHERE source = ?", (source,))
                connection.execute("DELETE FROM xref WHERE source = ?", (source,))
            connection.executemany(
                "INSERT INTO xref VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " customer_id = excluded.customer_id, fingerprint = excluded.fingerprint",
                sorted((*r.id, _blob(owners[r.id]), self.fingerprint(r), now) for r in records),
            )
            mine = {record.id for record in records}
            connection.executemany(
                "UPDATE xref SET customer_id = ? WHERE source = ? AND source_key = ?",
                sorted((_blob(owner), *rid) for rid, owner in owners.items() if rid not in mine),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO identifier VALUES (?, ?, ?)",
                sorted(
                    (self.identifier_hash(kind, value), *record.id)
                    for record in records
                    for kind, value in record.identifiers
                ),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO identifier_state VALUES (?, ?)",
                sorted((self.identifier_hash(*i), state) for i, state in states.items()),
            )
            connection.executemany(
                "INSERT INTO customer VALUES (?, 'active', ?, ?) ON CONFLICT DO UPDATE SET"
                " is_provisional = min(is_provisional, excluded.is_provisional)",
                sorted((_blob(c), int(is_provisional), now) for c in set(owners.values())),
            )
            for old, new in sorted(aliases.items()):
                # Records of a source that could not be read this time move along.
                connection.execute(
                    "UPDATE xref SET customer_id = ? WHERE customer_id = ?",
                    (_blob(new), _blob(old)),
                )
                connection.execute(
                    "UPDATE alias SET customer_id = ? WHERE customer_id = ?",
                    (_blob(new), _blob(old)),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO alias VALUES (?, ?, 'merge', ?)",
                    (_blob(old), _blob(new), now),
                )
                connection.execute("DELETE FROM customer WHERE customer_id = ?", (_blob(old),))
            self._event(connection, actor, "publish", {"records": len(records), "aliases": aliases})

    def _event(
        self, connection: sqlite3.Connection, actor: str, kind: str, body: Mapping[str, object]
    ) -> None:
        row = connection.execute("SELECT hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        previous = row[0] if row else b""
        now = self.clock_ms()
        text = json.dumps(body, sort_keys=True)
        connection.execute(
            "INSERT INTO event (at, actor, kind, body, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?)",
            (now, actor, kind, text, previous, _event_hash(previous, now, actor, kind, text)),
        )

    # -- connections -------------------------------------------------------------------------

    @property
    def connection(self) -> sqlite3.Connection:
        """Returns this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            connection.execute("PRAGMA journal_mode = wal")
            connection.execute("PRAGMA synchronous = normal")
            connection.execute("PRAGMA mmap_size = 2147483648")
            self._local.connection = connection
            self._open.append(connection)
        return connection

    def close(self) -> None:
        """Closes every connection."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    def _migrate(self) -> None:
        connection = self.connection
        at = connection.execute("PRAGMA user_version").fetchone()[0]
        if at > len(_MIGRATIONS):
            raise IdentityError(
                "the identity store was written by a newer version",
                code="RV602",
                hint="update Roundview",
            )
        for number in range(at, len(_MIGRATIONS)):
            connection.executescript(
                f"BEGIN; {_MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            )


def _blob(customer_id: str) -> bytes:
    return UUID(customer_id).bytes


def _event_hash(previous: bytes, at: int, actor: str, kind: str, body: str) -> bytes:
    text = f"{at}\x00{actor}\x00{kind}\x00{body}".encode()
    return hashlib.sha256(previous + text).digest()
