"""Decides how often an address may come with a credential that is not accepted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from cachetools import LRUCache, TTLCache

from roundview_catalog.errors import AccessError

MOST = 20
"""Attempts that may fail at once."""
SECONDS_EACH = 3.0
"""After so many seconds one more may."""
_ADDRESSES = 10_000
_KNOWN = 10_000
_KNOWN_SECONDS = 3600.0


class Attempts:
    """Counts failed attempts by address, in bounded memory.

    Who came with an accepted credential within the last hour may go on with it: one that is wrong
    must not lock out everybody behind the same proxy. It is checked as ever.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._spent: LRUCache[str, tuple[float, float]] = LRUCache(_ADDRESSES)
        self._known: TTLCache[bytes, bool] = TTLCache(_KNOWN, _KNOWN_SECONDS, timer=ticks)

    def check(self, address: str, credential: str) -> None:
        """Raises AccessError RV306 where too many attempts of an address failed."""
        spent = self._now(address)
        if spent <= MOST - 1 or _hash(credential) in self._known:
            return
        seconds = math.ceil((spent - (MOST - 1)) * SECONDS_EACH)
        raise AccessError(
            "too many failed attempts",
            code="RV306",
            hint=f"try again in {seconds} seconds",
            retryable=True,
            extensions={"retryAfter": seconds},
        )

    def failed(self, address: str) -> None:
        """Counts an attempt whose credential was not accepted."""
        self._spent[_network(address)] = (self._now(address) + 1, self._ticks())

    def accepted(self, credential: str) -> None:
        """Remembers a credential by its hash."""
        self._known[_hash(credential)] = True

    def _now(self, address: str) -> float:
        """Returns how many failures still count."""
        spent, at = self._spent.get(_network(address), (0.0, 0.0))
        return max(0.0, spent - (self._ticks() - at) / SECONDS_EACH)


def _network(address: str) -> str:
    """Returns what counts as one address: of IPv6 the part that a provider gives one customer."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((found, 64), strict=False))
    return str(found)


def _hash(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()
