"""Decides how a client proves that it has a key without sending it: SCRAM-SHA-256.

RFC 5802 and RFC 7677, with the channel binding tls-server-end-point of RFC 5929 over TLS.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final

from roundview_federation.access.verifiers import Verifier
from roundview_sql.failures import WireError

MECHANISM: Final = "SCRAM-SHA-256"
BOUND: Final = f"{MECHANISM}-PLUS"
_NONCE_BYTES: Final = 18
_BINDING: Final = "p=tls-server-end-point"


class Scram:
    """One login: `first` answers the client's first message, `final` its last.

    `binding` is what of the channel could be said, `is_bound` that the client has chosen to.
    """

    def __init__(
        self,
        verifier: Verifier,
        nonce: str | None = None,
        *,
        binding: bytes = b"",
        is_bound: bool = False,
    ) -> None:
        self._verifier = verifier
        self._channel = binding
        self._is_bound = is_bound
        self._nonce = nonce or b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()
        self._said = ""
        self._binding = ""

    def first(self, message: str) -> str:
        """Returns the server's first message; raises WireError 08P01 for a broken one."""
        parts = message.split(",", 2)
        if len(parts) != 3:
            raise _broken()
        binding, who, bare = parts
        # A client that could bind, "y", and was not told that it can, was told by someone else.
        allowed = (_BINDING,) if self._is_bound else ("n",) if self._channel else ("n", "y")
        if binding not in allowed:
            raise _broken()
        fields = bare.split(",")
        if len(fields) < 2 or not fields[0].startswith("n=") or not fields[1].startswith("r="):
            raise _broken()
        bound = self._channel if self._is_bound else b""
        self._binding = b64encode(f"{binding},{who},".encode() + bound).decode()
        self._nonce = fields[1][2:] + self._nonce
        salt = b64encode(self._verifier.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        self._said = f"{bare},{answer}"
        return answer

    def final(self, message: str) -> str:
        """Returns the server's last message; raises WireError 28P01 for who is not the holder."""
        without, separator, proof = message.rpartition(",p=")
        fields = without.split(",")
        if not separator or len(fields) < 2 or fields[0] != f"c={self._binding}":
            raise _broken()
        if fields[1] != f"r={self._nonce}":
            raise _broken()
        told = f"{self._said},{without}".encode()
        signature = hmac.digest(self._verifier.stored_key, told, "sha256")
        try:
            sent = b64decode(proof, validate=True)
        except ValueError:
            raise _broken() from None
        if len(sent) != len(signature):
            raise _broken()
        client = bytes(one ^ two for one, two in zip(sent, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client).digest(), self._verifier.stored_key):
            raise refused()
        server = hmac.digest(self._verifier.server_key, told, "sha256")
        return f"v={b64encode(server).decode()}"


def refused() -> WireError:
    """Returns the error for who is not believed, whatever the reason is."""
    return WireError("28P01", "password authentication failed", is_fatal=True)


def _broken() -> WireError:
    return WireError("08P01", "malformed SCRAM message", is_fatal=True)
