"""Decides what a client says for a parameter, in text or binary, as the text of a constant."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from uuid import UUID

from roundview_federation.dialect.array_texts import array_items
from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.messages import utf8

Said = str | tuple[str | None, ...] | None
"""The text of a constant, texts for an array, None for NULL."""

_ZONE: Final = re.compile(r"\s*(?:[+-]\d{1,2}(?::?\d{2}){0,2}|[zZ])$")
_ZONED_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\s*(?:[+-]\d{1,2}(?::?\d{2}){0,2}|[zZ])")
_EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001  a timestamp has no zone
_TEXTS = (codes.TEXT, codes.VARCHAR, codes.BPCHAR, codes.NAME, codes.UNKNOWN, codes.JSON, 0)


def said(raw: bytes | None, oid: int, format_: int) -> Said:
    """Returns what a parameter of a type says; raises WireError 22P03 where it cannot be read."""
    if raw is None:
        return None
    element = codes.element_of(oid)
    if format_ == 0:
        text = utf8(raw)
        if element is not None:
            return array_items(text)
        return _without_zone(text, oid)
    try:
        return _binary_array(raw, element) if element is not None else _binary(raw, oid)
    except (struct.error, ValueError, OverflowError, IndexError):
        raise WireError("22P03", "a binary parameter is not of its type") from None


def _without_zone(text: str, oid: int) -> str:
    """Leaves out the zone of a date or local time, as PostgreSQL does."""
    if oid == codes.TIMESTAMP and ":" in text:
        return _ZONE.sub("", text)
    match = _ZONED_DATE.fullmatch(text) if oid == codes.DATE else None
    return text if match is None else match[1]


def _binary(raw: bytes, oid: int) -> str:
    if oid in _TEXTS:
        return utf8(raw)
    read = _READERS.get(oid)
    if read is None:
        raise unsupported("a binary parameter of this type")
    return read(raw)


def _binary_array(raw: bytes, element: int) -> tuple[str | None, ...]:
    dimensions, _, own = struct.unpack_from(">iiI", raw)
    if dimensions == 0:
        return ()
    if dimensions != 1:
        raise unsupported("an array of several dimensions")
    count, _ = struct.unpack_from(">ii", raw, 12)
    found: list[str | None] = []
    at = 20
    for _ in range(count):
        (size,) = struct.unpack_from(">i", raw, at)
        at += 4
        if size < 0:
            found.append(None)
            continue
        if at + size > len(raw):
            raise ValueError
        found.append(_binary(raw[at : at + size], own or element))
        at += size
    return tuple(found)


def _whole(size: int, *, is_signed: bool = True) -> Callable[[bytes], str]:
    def read(raw: bytes) -> str:
        if len(raw) != size:
            raise ValueError
        return str(int.from_bytes(raw, "big", signed=is_signed))

    return read


def _float(form: str) -> Callable[[bytes], str]:
    return lambda raw: repr(struct.unpack(form, raw)[0])


def _bool(raw: bytes) -> str:
    return "true" if struct.unpack("?", raw)[0] else "false"


def _numeric(raw: bytes) -> str:
    count, weight, sign, scale = struct.unpack_from(">hhHh", raw)
    if sign == 0xC000:
        return "NaN"
    groups = struct.unpack(f">{count}h", raw[8:])
    value = sum(
        (Decimal(one).scaleb(4 * (weight - at)) for at, one in enumerate(groups)), Decimal(0)
    )
    text = f"{value:f}"
    whole, _, fraction = text.partition(".")
    shown = f"{whole}.{fraction[:scale].ljust(scale, '0')}" if scale else whole
    return f"-{shown}" if sign == 0x4000 else shown


def _date(raw: bytes) -> str:
    (days,) = struct.unpack(">i", raw)
    if abs(days) >= 2**31 - 1:
        return "infinity" if days > 0 else "-infinity"
    return (date(2000, 1, 1) + timedelta(days=days)).isoformat()


def _timestamp(raw: bytes) -> str:
    (micros,) = struct.unpack(">q", raw)
    if abs(micros) >= 2**63 - 1:
        return "infinity" if micros > 0 else "-infinity"
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(sep=" ")


def _timestamptz(raw: bytes) -> str:
    text = _timestamp(raw)
    if text.endswith("infinity"):
        return text
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat(sep=" ")


def _time(raw: bytes) -> str:
    (micros,) = struct.unpack(">q", raw)
    return (_EPOCH + timedelta(microseconds=micros)).time().isoformat()


def _interval(raw: bytes) -> str:
    micros, days, months = struct.unpack(">qii", raw)
    sign = "-" if micros < 0 else ""
    seconds, fraction = divmod(abs(micros), 1_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
    if seconds >= 360_000:
        return f"{months} months {days} days {micros} microseconds"
    return f"{months} months {days} days {sign}{clock}"


def _jsonb(raw: bytes) -> str:
    if raw[:1] != b"\x01":
        raise ValueError
    return utf8(raw[1:])


_READERS: Mapping[int, Callable[[bytes], str]] = MappingProxyType(
    {
        codes.BOOL: _bool,
        codes.INT2: _whole(2),
        codes.INT4: _whole(4),
        codes.INT8: _whole(8),
        codes.FLOAT4: _float(">f"),
        codes.FLOAT8: _float(">d"),
        codes.NUMERIC: _numeric,
        codes.DATE: _date,
        codes.TIME: _time,
        codes.TIMESTAMP: _timestamp,
        codes.TIMESTAMPTZ: _timestamptz,
        codes.INTERVAL: _interval,
        codes.UUID: lambda raw: str(UUID(bytes=raw)),
        codes.JSONB: _jsonb,
        codes.BYTEA: lambda raw: "\\x" + raw.hex(),
        codes.CHAR: utf8,
        **{oid: _whole(4, is_signed=False) for oid in codes.OIDS},
    }
)
