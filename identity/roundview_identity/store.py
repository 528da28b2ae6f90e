"""Keeps the identity cross-reference: keys, keyed hashes and ids, never a source's value."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from roundview_catalog.errors import IdentityError
from roundview_identity import events
from roundview_identity.hashing import Hasher
from roundview_identity.ids import id_blob, id_text, uuid7
from roundview_identity.keys import Keys
from roundview_identity.linking import BLOCKED, OK, SHARED
from roundview_identity.records import Record, RecordId
from roundview_identity.schema import connect, migrate

MUST_LINK, CANNOT_LINK = "must_link", "cannot_link"
"""What a person can decide of two records."""
_IDENTIFIER_DECISIONS = {"identifier_shared": SHARED, "identifier_block": BLOCKED}

_LOOKUP = (
    "SELECT r.customer_id FROM identifier i JOIN record r ON r.record_no = i.record_no"
    " WHERE i.id_hash = ?1 AND NOT EXISTS (SELECT 1 FROM identifier_state"
    " WHERE id_hash = ?1 AND state = 'blocked')"
)
_MEMBERS = (
    "SELECT source_no, source_key FROM record WHERE customer_id = ? AND deleted_at IS NULL"
    " ORDER BY source_no, source_key"
)
_LINKED = (
    "SELECT source_no, source_key, fingerprint, is_provisional FROM record"
    " WHERE customer_id = ? AND deleted_at IS NULL ORDER BY source_no, source_key"
)
_SOURCES = "SELECT source_no, name FROM source"
_RECORD = (
    "SELECT r.customer_id, r.fingerprint, r.mark FROM record r"
    " JOIN source s ON s.source_no = r.source_no"
    " WHERE s.name = ? AND r.source_key = ? AND r.deleted_at IS NULL"
)

_CUSTOMERS_OF = (
    "SELECT r.source_key, r.customer_id, CASE WHEN r.is_provisional THEN"
    " (SELECT min(o.is_provisional) FROM record o"
    " WHERE o.customer_id = r.customer_id AND o.deleted_at IS NULL) ELSE 0 END"
    " FROM json_each(?2) k JOIN record r ON r.source_key = k.value"
    " AND r.source_no = (SELECT source_no FROM source WHERE name = ?1)"
    " WHERE r.deleted_at IS NULL"
)


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Linked:
    """The records of a customer and what they were linked with; confirmed by a refresh or not."""

    fingerprints: Mapping[RecordId, bytes]
    is_provisional: bool


class Xref:
    """The identity store: one SQLite file, read by any thread, written by one at a time.

    Reading never waits for writing. Every method may be called from any thread; point reads
    take some ten microseconds.
    """

    def __init__(
        self,
        path: Path | str,
        keys: Keys,
        *,
        clock_ms: Callable[[], int] = _clock_ms,
        random: Callable[[int], bytes] = os.urandom,
        read_only: bool = False,
    ) -> None:
        self._path = Path(path)
        self._read_only = read_only
        self._event_key = keys.derive("event")
        self._check = keys.derive("xref check", 16)
        self.hasher = Hasher(keys)
        self.clock_ms = clock_ms
        self._random = random
        self._local = threading.local()
        self._write_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        self._sources: dict[int, str] = {}
        try:
            migrate(self.connection, read_only=read_only)
            self._prove_secret()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        path: Path | str,
        keys: Keys,
        *,
        clock_ms: Callable[[], int] = _clock_ms,
        random: Callable[[int], bytes] = os.urandom,
        read_only: bool = False,
    ) -> Self:
        """Opens the store, making or migrating it as needed.

        Raises IdentityError RV602 where the file is damaged, not ours, newer than this
        program, or made with another root secret.
        """
        try:
            return cls(path, keys, clock_ms=clock_ms, random=random, read_only=read_only)
        except sqlite3.DatabaseError:
            raise IdentityError(
                "the identity store cannot be opened",
                code="RV602",
                hint="restore the file, or remove it and run: roundview identity refresh",
            ) from None

    # -- reading -----------------------------------------------------------------------------

    def lookup(self, kind: str, normalized: str) -> tuple[str, ...]:
        """Returns the customers whose records carry an identifier, in id order.

        Several customers share it where there are several; an identifier that is blocked
        leads to nobody. The kind `customer_id` follows merges.

        >>> xref.lookup("phone", "+49301234567")            # doctest: +SKIP
        ('0190e1c2-…',)
        """
        if kind == "customer_id":
            known = self.resolve_id(normalized)
            return () if known is None else (known,)
        rows = self.connection.execute(_LOOKUP, (self.hasher.identifier(kind, normalized),))
        found = rows.fetchall()
        if len(found) == 1:
            return (id_text(found[0][0]),)
        return tuple(id_text(blob) for (blob,) in sorted(set(found)))

    def members(self, customer_id: str) -> tuple[RecordId, ...]:
        """Returns the records of a customer as (source, source_key), after merges too."""
        blob = id_blob(customer_id)
        if blob is None:
            return ()
        rows = self.connection.execute(_MEMBERS, (blob,)).fetchall()
        if not rows:
            rows = self.connection.execute(_MEMBERS, (self._today(blob),)).fetchall()
        names = self._names(number for number, _ in rows)
        return tuple([(names[number], key) for number, key in rows])

    def linked(self, customer_id: str) -> Linked:
        """Returns everything that a view has to know of a customer as the id is today."""
        rows = self.connection.execute(_LINKED, (id_blob(customer_id),)).fetchall()
        names = self._names(row[0] for row in rows)
        return Linked(
            {(names[number], key): fingerprint for number, key, fingerprint, _ in rows},
            bool(rows) and all(row[3] for row in rows),
        )

    def owner(self, source: str, source_key: str) -> str | None:
        """Returns the customer of a record, None for one that is not known."""
        row = self.connection.execute(_RECORD, (source, source_key)).fetchone()
        return None if row is None else id_text(row[0])

    def owners(self, records: Iterable[RecordId]) -> dict[RecordId, str]:
        """Returns the customers of those records that are known."""
        found = ((record, self.owner(*record)) for record in records)
        return {record: owner for record, owner in found if owner is not None}

    def customers_of(self, source: str, source_keys: Sequence[str]) -> dict[str, tuple[str, bool]]:
        """Returns (customer, whether only a probe knows it) of the records of one source."""
        rows = self.connection.execute(_CUSTOMERS_OF, (source, json.dumps(source_keys)))
        return {key: (id_text(blob), bool(probed)) for key, blob, probed in rows}

    def resolve_id(self, customer_id: str) -> str | None:
        """Returns the id that a customer has today, however often it was merged.

        None for an id that was never given, or whose last record is gone.
        """
        blob = id_blob(customer_id)
        if blob is None:
            return None
        today = self._today(blob)
        live = self.connection.execute(
            "SELECT 1 FROM record WHERE customer_id = ? AND deleted_at IS NULL LIMIT 1", (today,)
        ).fetchone()
        return id_text(today) if live else None

    def is_provisional(self, customer_id: str) -> bool:
        """Tells whether a customer was found by a probe and no refresh has confirmed it."""
        row = self.connection.execute(
            "SELECT min(is_provisional) FROM record WHERE customer_id = ? AND deleted_at IS NULL",
            (id_blob(customer_id),),
        ).fetchone()
        return bool(row[0])

    def fingerprint(self, record: Record) -> bytes:
        """Returns the keyed hash of a record's names and birth date."""
        return self.hasher.fingerprint(record)

    def fingerprint_of(self, source: str, source_key: str) -> bytes | None:
        """Returns the fingerprint that a record had when it was linked."""
        row = self.connection.execute(_RECORD, (source, source_key)).fetchone()
        return row[1] if row else None

    def mark_of(self, source: str, source_key: str) -> bytes | None:
        """Returns the change mark of a record as it was linked."""
        row = self.connection.execute(_RECORD, (source, source_key)).fetchone()
        return row[2] if row else None

    def state_of(self, kind: str, normalized: str) -> str:
        """Returns what an identifier is: ok, shared or blocked."""
        row = self.connection.execute(
            "SELECT state FROM identifier_state WHERE id_hash = ?",
            (self.hasher.identifier(kind, normalized),),
        ).fetchone()
        return row[0] if row else OK

    def counts(self) -> dict[str, int]:
        """Returns how many customers, records, identifiers and provisional records there are."""
        counted = {}
        for name, statement in _COUNTS.items():
            counted[name] = self.connection.execute(statement).fetchone()[0]
        return counted

    def version(self) -> int:
        """Returns a number that grows with every change."""
        row = self.connection.execute("SELECT max(seq) FROM event").fetchone()
        return row[0] or 0

    def is_chain_whole(self) -> bool:
        """Verifies the chain of events: False if one was changed, removed or put in between."""
        return events.is_chain_whole(self.connection, self._event_key)

    # -- decisions of people -----------------------------------------------------------------

    def decide(self, kind: str, a: RecordId, b: RecordId, *, actor: str, reason: str) -> None:
        """Records that two records must be, or cannot be, one customer.

        `kind` is `must_link` or `cannot_link`; it holds from the next refresh on, above every
        rule.
        """
        if kind not in (MUST_LINK, CANNOT_LINK):
            raise ValueError(f"a decision is {MUST_LINK} or {CANNOT_LINK}")
        with self.writing() as connection:
            connection.execute(
                "INSERT INTO decision (kind, a_source, a_key, b_source, b_key, actor, reason, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (kind, *a, *b, actor, reason, self.clock_ms()),
            )
            self.note(connection, actor, kind, {"a": a, "b": b, "reason": reason})

    def decisions(self, kind: str) -> list[tuple[RecordId, RecordId]]:
        """Returns the standing must_link or cannot_link decisions."""
        rows = self.connection.execute(
            "SELECT a_source, a_key, b_source, b_key FROM decision"
            " WHERE kind = ? AND revoked_at IS NULL ORDER BY id",
            (kind,),
        )
        return [((a, b), (c, d)) for a, b, c, d in rows]

    def decided_states(self) -> dict[bytes, str]:
        """Returns the identifier hashes whose state a person set."""
        rows = self.connection.execute(
            "SELECT id_hash, kind FROM decision"
            " WHERE id_hash IS NOT NULL AND revoked_at IS NULL ORDER BY id"
        )
        return {id_hash: _IDENTIFIER_DECISIONS[kind] for id_hash, kind in rows}

    # -- writing -----------------------------------------------------------------------------

    @contextmanager
    def writing(self, *, patience_seconds: float = 30.0) -> Iterator[sqlite3.Connection]:
        """Opens the one write transaction; it ends with the block, all or nothing.

        Raises IdentityError RV602 (retryable) if another writer does not end in time.
        """
        if not self._write_lock.acquire(timeout=patience_seconds):
            raise _busy()
        try:
            connection = self.connection
            connection.execute(f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}")
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                raise _busy() from None
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        finally:
            self._write_lock.release()

    def note(
        self, connection: sqlite3.Connection, actor: str, kind: str, body: Mapping[str, Any]
    ) -> None:
        """Adds an event to the chain, inside the open transaction."""
        events.append(
            connection, self._event_key, at=self.clock_ms(), actor=actor, kind=kind, body=body
        )

    def new_id(self) -> bytes:
        """Returns a fresh customer id, 16 bytes."""
        return uuid7(self.clock_ms, self._random).bytes

    @property
    def connection(self) -> sqlite3.Connection:
        """Returns this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path, read_only=self._read_only)
            self._local.connection = connection
            with self._open_lock:
                self._open.append(connection)
        return connection

    def close(self) -> None:
        """Closes every connection of every thread."""
        with self._open_lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _names(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """Returns the names of sources by number, read anew where one is not known yet."""
        if not self._sources.keys() >= set(numbers):
            self._sources = dict(self.connection.execute(_SOURCES).fetchall())
        return self._sources

    def _today(self, blob: bytes) -> bytes:
        row = self.connection.execute(
            "SELECT customer_id FROM alias WHERE old_customer_id = ?", (blob,)
        ).fetchone()
        return row[0] if row else blob

    def _prove_secret(self) -> None:
        row = self.connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()
        if row is None and not self._read_only:
            with self.writing() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (self._check,)
                )
                row = connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()
        if row is not None and row[0] != self._check:
            raise IdentityError(
                "the identity store was made with another secret",
                code="RV602",
                hint="restore the secret, or remove the store and run: roundview identity refresh",
            )


def numbered(connection: sqlite3.Connection, table: str, names: Sequence[str]) -> dict[str, int]:
    """Returns the number of each source or kind, giving new names one, inside a transaction."""
    insert, select = _NUMBERED[table]
    connection.executemany(insert, [(name,) for name in sorted(names)])
    return dict(connection.execute(select).fetchall())


_NUMBERED = {
    "source": (
        "INSERT OR IGNORE INTO source (name) VALUES (?)",
        "SELECT name, source_no FROM source",
    ),
    "kind": ("INSERT OR IGNORE INTO kind (name) VALUES (?)", "SELECT name, kind_no FROM kind"),
}
_COUNTS = {
    "customers": "SELECT count(DISTINCT customer_id) FROM record WHERE deleted_at IS NULL",
    "records": "SELECT count(*) FROM record WHERE deleted_at IS NULL",
    "identifiers": "SELECT count(*) FROM identifier",
    "provisional": "SELECT count(*) FROM record WHERE deleted_at IS NULL AND is_provisional",
}


def _busy() -> IdentityError:
    return IdentityError(
        "identity is being refreshed", code="RV602", hint="try again", retryable=True
    )
