"""Decides which bucket of a hash-bucketed path a key is in."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from roundview_catalog.tables import BucketBy

_WORD: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def buckets_of(rule: BucketBy, keys: Iterable[Any]) -> set[int]:
    """Returns the buckets that hold some keys; a key that the rule cannot place has none."""
    bucket = _RULES[rule.hash]
    return {bucket(key, rule.buckets) for key in keys if _is_placeable(key, rule.hash)}


def murmur3_32(data: bytes) -> int:
    """Returns MurmurHash3 (x86, 32 bits, seed 0) as an unsigned number.

    The algorithm is Austin Appleby's, in the public domain; Apache Iceberg's table
    specification (appendix B) lists the values that the tests compare with.
    """
    value = 0
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(data[at : at + 4], "little"))
        value = _rotated(value, 13)
        value = (value * 5 + 0xE6546B64) & _WORD
    if whole < len(data):
        value ^= _mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & _WORD
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & _WORD
    return value ^ (value >> 16)


def _mixed(block: int) -> int:
    block = (block * 0xCC9E2D51) & _WORD
    return (_rotated(block, 15) * 0x1B873593) & _WORD


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _WORD


def _is_placeable(key: Any, rule: str) -> bool:
    if rule == "mod":
        return isinstance(key, int) or (isinstance(key, str) and key.lstrip("-").isdecimal())
    return key is not None


def _modulo(key: Any, buckets: int) -> int:
    return int(key) % buckets


def _crc32(key: Any, buckets: int) -> int:
    return zlib.crc32(_text(key)) % buckets


def _murmur3_32(key: Any, buckets: int) -> int:
    return (murmur3_32(_text(key)) & _POSITIVE) % buckets


def _text(key: Any) -> bytes:
    return str(key).encode("utf-8", "surrogatepass")


_RULES: Final[dict[str, Callable[[Any, int], int]]] = {
    "mod": _modulo,
    "crc32": _crc32,
    "murmur3_32": _murmur3_32,
}
