"""Derives every key of the product from one root secret."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from roundview_catalog.errors import IdentityError

SHORTEST = 32


class Keys:
    """Hands out one independent key per purpose (HKDF, RFC 5869)."""

    def __init__(self, root: bytes) -> None:
        if len(root) < SHORTEST:
            raise IdentityError(
                f"the root secret has fewer than {SHORTEST} bytes",
                code="RV602",
                hint="restore the file, or remove it and the identity store to begin anew",
            )
        self._root = root

    @classmethod
    def from_file(cls, path: Path, *, create: bool = False) -> Keys:
        """Reads the root secret; with `create` makes one of mode 0600 where there is none."""
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        return cls(path.read_bytes().strip())

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """Returns the key of a purpose: the same for ever for one root secret."""
        return HKDF(SHA256(), length, None, f"roundview:{purpose}".encode()).derive(self._root)
