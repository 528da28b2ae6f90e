"""Keeps the public keys of one issuer: read from its configured place only, again when needed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from roundview_catalog.errors import AccessError

Key = RSAKey | ECKey | OKPKey

MOST_BYTES: Final = 256 * 1024
REFRESH_SECONDS: Final = 600.0
OLDEST_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 60.0
_PAUSE_AFTER_FAILURE_SECONDS: Final = 10.0
_FETCH_SECONDS: Final = 5.0
_MOST_KEYS: Final = 100
_SHORTEST_RSA_BITS: Final = 2048
_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "ES512": ("EC", "P-521"),
        "Ed25519": ("OKP", "Ed25519"),
    }
)
_LOG = logging.getLogger("roundview.access")


class SigningKeys:
    """The keys of one issuer.

    They are read before the first token, again after ten minutes, and once a minute at most where
    a token names a key that is not among them. Keys that could not be read again for an hour are
    not believed any more. `ticks` is a clock in seconds that only goes forward.
    """

    def __init__(
        self, read: Callable[[], Awaitable[bytes]], name: str, ticks: Callable[[], float]
    ) -> None:
        self._read = read
        self._name = name
        self._ticks = ticks
        self._keys: tuple[tuple[str, Key, Mapping[str, Any]], ...] = ()
        self._read_at: float | None = None
        self._next_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None, algorithm: str) -> tuple[Key, ...]:
        """Returns the keys that a token may be signed with: few, mostly one, or none.

        Without a `key_id` the only key of the algorithm is meant. Raises AccessError RV303 where
        the keys cannot be had.
        """
        now = self._ticks()
        age = float("inf") if self._read_at is None else now - self._read_at
        if age > OLDEST_SECONDS:
            await self._read_again()
            if self._read_at is None or self._ticks() - self._read_at > OLDEST_SECONDS:
                raise AccessError(
                    "the keys of the issuer cannot be had",
                    code="RV303",
                    hint="try again later",
                    retryable=True,
                )
        elif age > REFRESH_SECONDS:
            self._begin()
        found = self._fitting(key_id, algorithm)
        if not found:
            await self._read_again()
            found = self._fitting(key_id, algorithm)
        return found

    def _fitting(self, key_id: str | None, algorithm: str) -> tuple[Key, ...]:
        fitting = [one for one in self._keys if _fits(one[1], one[2], algorithm)]
        if key_id is not None:
            return tuple(key for known, key, _ in fitting if known == key_id)
        return (fitting[0][1],) if len(fitting) == 1 else ()

    async def _read_again(self) -> None:
        self._begin()
        if self._reading is not None:
            # Who gives up waiting must not stop the others' reading.
            await asyncio.shield(self._reading)

    def _begin(self) -> None:
        if self._reading is None and self._ticks() >= self._next_at:
            self._reading = asyncio.ensure_future(self._replace())

    async def _replace(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                content = await self._read()
            self._keys = await asyncio.to_thread(_keys_of, content)
            self._read_at = self._ticks()
            self._next_at = self._read_at + PAUSE_SECONDS
        except Exception as error:  # noqa: BLE001  whatever it was, the keys of before stay
            # The text of an HTTP library names hosts.
            _LOG.warning("keys of the issuer %s: %s", self._name, type(error).__name__)
            self._next_at = self._ticks() + _PAUSE_AFTER_FAILURE_SECONDS
        finally:
            self._reading = None


async def read_url(url: str) -> bytes:
    """Reads a key set over HTTP: no redirects, no proxies of the environment, 256 KiB at most."""
    import httpx

    client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=_FETCH_SECONDS)
    async with client, client.stream("GET", url, headers={"accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise ValueError("not a key set")
        content = b""
        # In small parts, as they are unpacked: a small answer may unpack into a large one.
        async for part in answer.aiter_bytes(16 * 1024):
            content += part
            if len(content) > MOST_BYTES:
                raise ValueError("the key set is too large")
    return content


async def read_file(path: Path) -> bytes:
    """Reads a key set from a file of 256 KiB at most."""
    return await asyncio.to_thread(_file_content, path)


def _file_content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError("the key set is too large")
    return content


def _keys_of(content: bytes) -> tuple[tuple[str, Key, Mapping[str, Any]], ...]:
    """Returns (id, key, what is said of it) of each key that can check a signature."""
    given = json.loads(content)
    listed = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError("not a key set")
    found = []
    for one in listed:
        key = _key(one) if isinstance(one, dict) else None
        if key is not None:
            found.append((str(one.get("kid", "")), key, MappingProxyType(one)))
    return tuple(found)


def _key(given: Mapping[str, Any]) -> Key | None:
    """Returns a public key; None for one that is private, weak, or made for something else."""
    operations = given.get("key_ops", ["verify"])
    is_ours = given.get("use", "sig") == "sig" and "d" not in given
    if not is_ours or not isinstance(operations, list) or "verify" not in operations:
        return None
    kinds: dict[str, type[Key]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = kinds.get(str(given.get("kty")))
    if kind is None:
        return None
    try:
        if kind is RSAKey and len(given["n"]) * 6 < _SHORTEST_RSA_BITS:
            return None
        key = kind.import_key({name: value for name, value in given.items() if name != "alg"})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_weak = isinstance(key, RSAKey) and key.public_key.key_size < _SHORTEST_RSA_BITS
    return None if is_weak else key


def _fits(key: Key, given: Mapping[str, Any], algorithm: str) -> bool:
    if given.get("alg", algorithm) not in (algorithm, "EdDSA" if algorithm == "Ed25519" else ""):
        return False
    kind, curve = _KINDS.get(algorithm, ("RSA", ""))
    return given["kty"] == kind and (not curve or given.get("crv") == curve)
