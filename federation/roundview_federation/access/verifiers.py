"""Decides what is kept of a key so that its holder can prove to have it, without showing it.

SCRAM-SHA-256, RFC 5802 and RFC 7677.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

ITERATIONS: Final = 4096
_MECHANISM: Final = "SCRAM-SHA-256"
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Verifier:
    """What proves that somebody knows a password, and what proves to them that we know it too."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __str__(self) -> str:
        """Returns it as PostgreSQL keeps it."""
        salt, stored, server = (
            b64encode(one).decode() for one in (self.salt, self.stored_key, self.server_key)
        )
        return f"{_MECHANISM}${self.iterations}:{salt}${stored}:{server}"


def verifier_of(password: str, salt: bytes | None = None) -> Verifier:
    """Returns the verifier of a password of ASCII letters, digits and signs.

    Keys are random: more iterations would make nothing harder to guess.
    """
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    return Verifier(ITERATIONS, salt, stored, hmac.digest(salted, b"Server Key", "sha256"))


def read_verifier(text: str) -> Verifier | None:
    """Returns the verifier that was kept, None where none was."""
    if not text.startswith(f"{_MECHANISM}$"):
        return None
    _, first, second = text.split("$")
    iterations, salt = first.split(":")
    stored, server = (b64decode(part) for part in second.split(":"))
    return Verifier(int(iterations), b64decode(salt), stored, server)


def nobodys_verifier(user: str, secret: bytes) -> Verifier:
    """Returns the verifier of somebody who is not known: always the same, and nobody's.

    Whoever asks in the name of another learns nothing of whether there is one.
    """
    drawn = [
        hmac.digest(secret, f"{part}:{user}".encode("utf-8", "surrogatepass"), "sha256")
        for part in ("salt", "stored", "server")
    ]
    return Verifier(ITERATIONS, drawn[0][:_SALT_BYTES], drawn[1], drawn[2])
