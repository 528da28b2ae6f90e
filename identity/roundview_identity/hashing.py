"""Decides what is kept of a record instead of its values: keyed hashes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from roundview_catalog.normalizers import name_key
from roundview_identity.guards import Guards
from roundview_identity.keys import Keys
from roundview_identity.records import Record

_FORMAT = 1
"""Part of every change mark: raised when hashes are made otherwise, so that all are made anew."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A record as it is stored.

    `mark` changes with anything that matters for linking, `fingerprint` with names and birth
    date; `identifiers` are (hash, kind, guard), sorted.
    """

    source: str
    source_key: str
    mark: bytes
    fingerprint: bytes
    identifiers: tuple[tuple[bytes, str, bytes], ...]


class Hasher:
    """Hashes identifiers and records under the keys of one root secret."""

    def __init__(self, keys: Keys) -> None:
        self._identifiers = hashlib.blake2b(digest_size=16, key=keys.derive("identifier"))
        self._marks = hashlib.blake2b(digest_size=8, key=keys.derive("mark"))
        self._fingerprints = hashlib.blake2b(digest_size=8, key=keys.derive("fingerprint"))
        self._guards = Guards(keys.derive("guard"))
        self._name_key = lru_cache(maxsize=50_000)(name_key)

    def identifier(self, kind: str, normalized: str) -> bytes:
        """Returns the hash of an identifier, 16 bytes; the kind separates the domains."""
        state = self._identifiers.copy()
        state.update(f"{kind}\x00{normalized}".encode(errors="surrogatepass"))
        return state.digest()

    def fingerprint(self, record: Record) -> bytes:
        """Returns the hash of names and birth date, 8 bytes.

        Source and key are part of it: equal names of two records have unequal fingerprints.
        """
        names = self._name_key(record.given_name), self._name_key(record.family_name)
        state = self._fingerprints.copy()
        state.update(_text((record.source, record.source_key, names, record.birth_date[:10])))
        return state.digest()

    def mark(self, record: Record, identifiers: Sequence[tuple[str, str]]) -> bytes:
        """Returns what changes when the record has to be hashed and linked again, 8 bytes."""
        state = self._marks.copy()
        names = record.given_name, record.family_name, record.birth_date
        state.update(_text((_FORMAT, record.source, record.source_key, names, sorted(identifiers))))
        return state.digest()

    def records(
        self, records: Sequence[Record], identifiers: Sequence[Sequence[tuple[str, str]]]
    ) -> list[Hashed]:
        """Hashes records; `identifiers` are those of each that may be kept."""
        hashes: list[bytes] = []
        tokens: list[bytes] = []
        for record, kept in zip(records, identifiers, strict=True):
            own = self._guards.tokens(record)
            for identifier in kept:
                hashes.append(self.identifier(*identifier))
                tokens.append(own)
        guards = self._guards.seal(hashes, tokens)
        result: list[Hashed] = []
        at = 0
        for record, kept in zip(records, identifiers, strict=True):
            stop = at + len(kept)
            kinds = [kind for kind, _ in kept]
            result.append(
                Hashed(
                    record.source,
                    record.source_key,
                    self.mark(record, kept),
                    self.fingerprint(record),
                    tuple(sorted(zip(hashes[at:stop], kinds, guards[at:stop], strict=True))),
                )
            )
            at = stop
        return result


def _text(parts: tuple[object, ...]) -> bytes:
    """Returns a form that no two different tuples share, made by the interpreter at C speed."""
    return repr(parts).encode()
