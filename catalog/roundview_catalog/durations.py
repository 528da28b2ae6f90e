"""Reads durations, sizes, rates and shares as people write them in a catalog."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip


def seconds(value: object) -> float:
    """Reads a duration in seconds; raises ValueError.

    >>> seconds("800ms"), seconds("10m")
    (0.8, 600.0)
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("write a duration with its unit: 800ms, 2s, 10m, 1h")
    return float(match[1]) * _SECONDS[match[2]]


def size_in_bytes(value: object) -> int:
    """Reads a size in bytes; raises ValueError.

    >>> size_in_bytes("8MiB")
    8388608
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("write a size with its unit: 500kB, 8MiB, 2GB")
    return int(float(match[1]) * _BYTES[match[2]])


def per_second(value: object) -> float:
    """Reads a rate as a number per second; raises ValueError.

    >>> per_second("120/m")
    2.0
    """
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("write a rate: 50/s, 600/m")
    return float(match[1]) / _SECONDS[match[2]]


def share(value: object) -> float:
    """Reads a percentage as a fraction; raises ValueError.

    >>> share("50%")
    0.5
    """
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError("write a percentage: 50%")
    return float(match[1]) / 100
