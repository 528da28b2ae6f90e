"""Seals page cursors, so that they reveal nothing and fit only the list they were made for."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roundview_catalog.errors import RequestError

_NONCE = 12
_LONGEST = 4096


class CursorSeal:
    """Encrypts the position of a row in a list (AES-GCM, NIST SP 800-38D).

    The list (entity, order, filters, rules) is authenticated with it: a cursor of another
    list, another filter or another policy is RV104.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key[:32])

    def seal(self, position: Sequence[Any], binding: bytes) -> str:
        """Returns the cursor of a row: its order values, source, source key and slot."""
        nonce = os.urandom(_NONCE)
        plain = orjson.dumps([_plain(value) for value in position])
        sealed = nonce + self._cipher.encrypt(nonce, plain, binding)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, cursor: str, binding: bytes) -> list[Any]:
        """Returns the position that `seal` sealed; RV104 if it is not ours or not of this list."""
        try:
            if len(cursor) > _LONGEST:
                raise ValueError
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], binding)
            return [_typed(value) for value in orjson.loads(plain)]
        except (ValueError, InvalidTag):
            raise RequestError(
                "the cursor does not belong to this list",
                code="RV104",
                hint="start again without `after`",
            ) from None


def binding(*parts: str) -> bytes:
    """Returns what ties a cursor to its list.

    >>> binding("sales_order", "ordered_at desc") != binding("sales_order", "ordered_at")
    True
    """
    return hashlib.sha256("\x00".join(parts).encode()).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, Decimal):
        return {"n": str(value)}
    return value


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        if "t" in value:
            return datetime.fromisoformat(value["t"])
        if "d" in value:
            return date.fromisoformat(value["d"])
        return Decimal(value["n"])
    return value
