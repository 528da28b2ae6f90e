"""Keeps API keys: who holds them and until when, and of each key nothing but its hash."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.access.verifiers import Verifier, read_verifier, verifier_of
from roundview_identity.schema import connect

FILE: Final = "access.db"
PREFIX: Final = "rvk_"
"""What every key begins with, so that scanners for lost secrets can know it."""
LONGEST: Final = timedelta(days=366)
_KEY_BYTES = 32
_KEY = re.compile(r"rvk_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[^\W\d_][\w.@+-]{0,127}")
_APPLICATION_ID: Final = 0x5258414B

_MIGRATIONS: Final = (
    """
    CREATE TABLE api_key (
        key_id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
        roles TEXT NOT NULL, attributes TEXT NOT NULL, purposes TEXT NOT NULL,
        default_purpose TEXT NOT NULL, scopes TEXT NOT NULL, created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, revoked_at INTEGER
    ) WITHOUT ROWID
    """,
    "ALTER TABLE api_key ADD COLUMN verifier TEXT NOT NULL DEFAULT ''",
)
"""One statement for each version; one that was released is never changed, only followed."""

_COLUMNS = (
    "key_id, hash, name, roles, attributes, purposes, default_purpose, scopes, created_at,"
    " expires_at, revoked_at"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Says who acts with a key; no `purposes` means all those of the roles."""

    name: str
    roles: tuple[str, ...]
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    purposes: tuple[str, ...] = ()
    default_purpose: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept: its name for people, its holder, and when it ends."""

    key_id: str
    holder: Holder
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class ApiKeys:
    """The store of API keys: one SQLite file that belongs to its owner only.

    What is revoked by any process is refused by all with the next request: nothing is held in
    memory. A look takes some ten microseconds.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._connection = connect(path, read_only=False)
            _migrate(self._connection)
            # A key that was shown must not be lost.
            self._connection.execute("PRAGMA synchronous = full")
        except sqlite3.DatabaseError:
            raise AccessError(
                "the store of keys cannot be opened", hint="restore the file access.db"
            ) from None

    def create(self, holder: Holder, now: datetime, lasts: timedelta) -> tuple[str, ApiKey]:
        """Makes a key and returns it with what is kept of it: it is never shown again."""
        if not _NAME.fullmatch(holder.name):
            raise RequestError(
                "this is no name of a key", code="RV105", hint="letters, digits, . @ + - _"
            )
        if not timedelta() < lasts <= LONGEST:
            raise RequestError(
                "a key lasts for a year at most", code="RV105", hint="for example 90d"
            )
        text = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        kept = ApiKey(secrets.token_hex(6), holder, _second(now), _second(now + lasts))
        self._connection.execute(
            f"INSERT INTO api_key ({_COLUMNS}, verifier)"  # noqa: S608  no value is in the text
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (
                kept.key_id,
                _hash(text),
                holder.name,
                json.dumps(holder.roles),
                json.dumps(dict(holder.attributes)),
                json.dumps(holder.purposes),
                holder.default_purpose,
                json.dumps(holder.scopes),
                int(kept.created_at.timestamp()),
                int(kept.expires_at.timestamp()),
                str(verifier_of(text)),
            ),
        )
        return text, kept

    def find(self, text: str, now: datetime) -> Holder | None:
        """Returns the holder of a key; None for one that is unknown, over or revoked."""
        if not _KEY.fullmatch(text):
            return None
        wanted = _hash(text)
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM api_key WHERE hash = ?",  # noqa: S608
            (wanted,),
        ).fetchone()
        if row is None or not hmac.compare_digest(row[1], wanted):
            return None
        kept = _kept(row)
        return kept.holder if kept.revoked_at is None and now < kept.expires_at else None

    def proof(self, name: str, now: datetime) -> tuple[Verifier, Holder] | None:
        """Returns what proves that somebody has the newest valid key of a holder.

        `name` is that of the holder, or of the key. None where there is no such key.
        """
        rows = self._connection.execute(
            f"SELECT {_COLUMNS}, verifier FROM api_key"  # noqa: S608
            " WHERE (name = ? OR key_id = ?) AND revoked_at IS NULL AND expires_at > ?"
            " AND verifier <> '' ORDER BY created_at DESC, key_id LIMIT 1",
            (name, name, int(now.timestamp())),
        ).fetchall()
        for row in rows:
            verifier = read_verifier(str(row[-1]))
            if verifier is not None:
                return verifier, _kept(row[:-1]).holder
        return None

    def all(self) -> tuple[ApiKey, ...]:
        """Returns every key that was ever made, in the order of their making."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM api_key ORDER BY created_at, key_id"  # noqa: S608
        )
        return tuple(_kept(row) for row in rows)

    def revoke(self, key_id: str, now: datetime) -> None:
        """Ends a key at once; raises RequestError RV102 for one that there is not."""
        done = self._connection.execute(
            "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?) WHERE key_id = ?",
            (int(now.timestamp()), key_id),
        )
        if done.rowcount == 0:
            raise RequestError("there is no such key", code="RV102", hint="see: roundview key list")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


def _hash(text: str) -> bytes:
    # 256 random bits cannot be guessed from a fast hash.
    return hashlib.sha256(text.encode()).digest()


def _kept(row: Sequence[object]) -> ApiKey:
    key_id, _, name, roles, attributes, purposes, default, scopes, created, expires, revoked = row
    holder = Holder(
        name=str(name),
        roles=tuple(json.loads(str(roles))),
        attributes=MappingProxyType(json.loads(str(attributes))),
        purposes=tuple(json.loads(str(purposes))),
        default_purpose=str(default),
        scopes=tuple(json.loads(str(scopes))),
    )
    ended = None if revoked is None else _instant(revoked)
    return ApiKey(str(key_id), holder, _instant(created), _instant(expires), ended)


def _instant(seconds: object) -> datetime:
    return datetime.fromtimestamp(int(str(seconds)), UTC)


def _second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _migrate(connection: sqlite3.Connection) -> None:
    """Brings the store to the newest version; raises AccessError for a file that is not ours."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        at = connection.execute("PRAGMA user_version").fetchone()[0]
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if (tables and owner != _APPLICATION_ID) or at > len(_MIGRATIONS):
            raise AccessError("the store of keys is not of this version", hint="update Roundview")
        for statement in _MIGRATIONS[at:]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
