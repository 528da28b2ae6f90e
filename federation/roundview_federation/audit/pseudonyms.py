"""Decides under which name a customer stands in the audit log: one that erasure can cut off."""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from cachetools import LRUCache

from roundview_identity.keys import Keys
from roundview_identity.schema import connect

_KNOWN = 50_000
_KEY_BYTES = 16


class Pseudonyms:
    """Keeps a random key per customer; a pseudonym is made of it and of the root secret.

    When the key is dropped, nobody can tell any more whose records those of the pseudonym are.
    Methods belong to one thread, but for `remembered`, which is for another while that one waits.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._secret = keys.derive("audit pseudonyms")
        self._known: LRUCache[str, str] = LRUCache(_KNOWN)
        self._connection: sqlite3.Connection | None = None

    def of(self, customers: Iterable[str]) -> dict[str, str]:
        """Returns the pseudonyms of customers, made and on disk where they are new."""
        found: dict[str, str] = {}
        missing: list[str] = []
        for one in customers:
            name = self._known.get(one)
            if name is None:
                missing.append(one)
            else:
                found[one] = name
        if missing:
            made = [(one, os.urandom(_KEY_BYTES)) for one in missing]
            with self._open() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR IGNORE INTO customer_key VALUES (?, ?)", made)
            fresh = self._read(missing)
            self._known.update(fresh)
            found |= fresh
        return found

    def remembered(self, customers: Iterable[str]) -> dict[str, str] | None:
        """Returns the pseudonyms of customers where all are in memory, None where one is not."""
        try:
            return {one: self._known[one] for one in customers}
        except KeyError:
            return None

    def known(self, customers: Iterable[str]) -> dict[str, str]:
        """Returns the pseudonyms of those customers who have one."""
        return self._read(customers) if self._path.exists() else {}

    def forget(self, customers: Iterable[str]) -> int:
        """Drops the keys of customers and returns how many there were; nothing can undo it."""
        if not self._path.exists():
            return 0
        asked = list(customers)
        connection = self._open()
        with connection:
            done = connection.executemany(
                "DELETE FROM customer_key WHERE customer_id = ?", ((one,) for one in asked)
            ).rowcount
        # A deleted row stays in the write-ahead log until that is emptied.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for one in asked:
            self._known.pop(one, None)
        return done

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, customers: Iterable[str]) -> dict[str, str]:
        connection = self._open()
        found: dict[str, str] = {}
        for one in customers:
            with closing(
                connection.execute("SELECT key FROM customer_key WHERE customer_id = ?", (one,))
            ) as rows:
                row = rows.fetchone()
            if row is not None:
                found[one] = hmac.digest(self._secret, row[0], "sha256")[:_KEY_BYTES].hex()
        return found

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = connect(self._path, read_only=False)
            # A key has to be there as long as the records that are named by it.
            connection.execute("PRAGMA synchronous = full")
            connection.execute("PRAGMA secure_delete = on")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS customer_key"
                " (customer_id TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID"
            )
            self._connection = connection
        return self._connection
