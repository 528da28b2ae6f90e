"""Decides how keys that are identifiers are kept: encrypted, equal keys alike.

AES-SIV (RFC 5297) without a nonce is deterministic: a key always becomes the same text, so that
links hold, and nobody without our secret reads it or makes one up.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES: Final = 64
"""Length of the key: two of AES-256."""


class KeySealing:
    """Seals and opens the text of source keys; `space` names whose keys they are.

    >>> sealing = KeySealing(bytes(64))
    >>> sealing.opened(sealing.sealed("mia@a.example", "mail/"), "mail/")
    'mia@a.example'
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def sealed(self, text: str, space: str) -> str:
        """Returns the text as letters, digits, - and _."""
        sealed = self._cipher.encrypt(text.encode("utf-8", "surrogatepass"), [space.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def opened(self, sealed: str, space: str) -> str | None:
        """Returns the text, None for what we did not seal for this space."""
        try:
            data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            return self._cipher.decrypt(data, [space.encode()]).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError, binascii.Error):
            return None


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens the keys of one space; equal to any other that does the same."""

    sealing: KeySealing
    space: str

    def __call__(self, sealed: str) -> str | None:
        """Returns the text of a key, None for what we did not seal for this space."""
        return self.sealing.opened(sealed, self.space)


def key_space(source: str, branch: str) -> str:
    """Returns the name of the keys of one branch of a source."""
    return f"{source}/{branch}"
