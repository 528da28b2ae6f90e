"""Decides how it is remembered who changed what: a chain of keyed hashes over all events."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any


def append(
    connection: sqlite3.Connection,
    key: bytes,
    *,
    at: int,
    actor: str,
    kind: str,
    body: Mapping[str, Any],
) -> int:
    """Adds an event inside the open transaction; returns its number."""
    last = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last[0] + 1, last[1]) if last else (1, b"")
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    link = _hash(key, previous, seq, at, actor, kind, text)
    connection.execute(
        "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
        (seq, at, actor, kind, text, previous, link),
    )
    return seq


def is_chain_whole(connection: sqlite3.Connection, key: bytes) -> bool:
    """Tells whether no event was changed, removed or put in between."""
    previous, expected = b"", 1
    for seq, at, actor, kind, text, before, link in connection.execute(
        "SELECT seq, at, actor, kind, body, prev_hash, hash FROM event ORDER BY seq"
    ):
        if seq != expected or before != previous:
            return False
        if link != _hash(key, previous, seq, at, actor, kind, text):
            return False
        previous, expected = link, seq + 1
    return True


def _hash(
    key: bytes, previous: bytes, seq: int, at: int, actor: str, kind: str, text: str
) -> bytes:
    body = json.dumps([previous.hex(), seq, at, actor, kind, text])
    return hashlib.blake2b(body.encode(), digest_size=32, key=key).digest()
