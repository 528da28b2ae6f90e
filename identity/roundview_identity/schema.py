"""Decides what the identity store looks like on disk and how older ones are brought up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from roundview_catalog.errors import IdentityError

APPLICATION_ID = 0x52585246

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE source (source_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE kind (kind_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE customer (
        customer_id BLOB PRIMARY KEY, status TEXT NOT NULL, created_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE record (
        record_no INTEGER PRIMARY KEY, source_no INTEGER NOT NULL, source_key TEXT NOT NULL,
        customer_id BLOB, first_customer_id BLOB, mark BLOB NOT NULL, fingerprint BLOB NOT NULL,
        is_provisional INTEGER NOT NULL, first_seen INTEGER NOT NULL, deleted_at INTEGER,
        UNIQUE (source_no, source_key)
    );
    CREATE INDEX record_customer ON record (customer_id, source_no, source_key)
        WHERE deleted_at IS NULL;
    CREATE TABLE identifier (
        id_hash BLOB NOT NULL, record_no INTEGER NOT NULL, kind_no INTEGER NOT NULL,
        guard BLOB NOT NULL, PRIMARY KEY (id_hash, record_no)
    ) WITHOUT ROWID;
    CREATE INDEX identifier_record ON identifier (record_no);
    CREATE TABLE identifier_state (
        id_hash BLOB PRIMARY KEY, kind_no INTEGER NOT NULL, state TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, a_source TEXT, a_key TEXT, b_source TEXT,
        b_key TEXT, id_hash BLOB, actor TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
        revoked_at INTEGER
    );
    CREATE TABLE alias (
        old_customer_id BLOB PRIMARY KEY, customer_id BLOB NOT NULL, cause TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alias_customer ON alias (customer_id);
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
        body TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL
    );
    CREATE TABLE run (
        run_id INTEGER PRIMARY KEY, mode TEXT NOT NULL, rules TEXT NOT NULL,
        started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL, counters TEXT NOT NULL
    );
    """,
)
"""One script for each version; a script that was released is never changed, only followed."""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Opens one connection, in write-ahead mode, with the file mapped into memory.

    A new file belongs to its owner only (mode 0600); the log beside it gets the same mode.
    """
    if not read_only and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    if not read_only:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = normal")
        # The default of 2 MB makes every random insert into a large store a read.
        connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 8589934592")
    return connection


def migrate(connection: sqlite3.Connection, *, read_only: bool = False) -> None:
    """Brings the store to the newest version; each version is one transaction.

    Raises IdentityError RV602 for a file that is not ours, or newer than this program.
    """
    at = _version(connection)
    if at > len(MIGRATIONS):
        raise IdentityError(
            "the identity store was written by a newer version",
            code="RV602",
            hint="update Roundview",
        )
    if at < len(MIGRATIONS) and read_only:
        raise IdentityError(
            "the identity store is of an older version",
            code="RV602",
            hint="open it once for writing: roundview identity refresh",
        )
    while at < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            at = _version(connection)
            if at < len(MIGRATIONS):
                for statement in MIGRATIONS[at].split(";"):
                    connection.execute(statement)
                at += 1
                connection.execute(f"PRAGMA user_version = {at}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and owner != APPLICATION_ID:
        raise IdentityError(
            "this file is not an identity store of this program",
            code="RV602",
            hint="remove it and run: roundview identity refresh",
        )
    return version
