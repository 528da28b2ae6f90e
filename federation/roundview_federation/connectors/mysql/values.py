"""Decides what values are on their way to a MySQL server and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import orjson
from asyncmy.constants import FIELD_TYPE
from asyncmy.converters import conversions

from roundview_catalog.types import Kind

_RANGES: Final = MappingProxyType({True: range(2**64), False: range(-(2**63), 2**63)})
_WIDE: Final = Context(prec=120)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")

# A time of day may be -30:01:02 or 838:59:59, which no Python time is: it stays text.
DECODERS: Final[Mapping[Any, Any]] = {**conversions, FIELD_TYPE.TIME: str}


class Nature(StrEnum):
    """What a column's values are to the server, whatever the catalog calls them."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    BYTES = "bytes"
    """Fixed length: shown and asked as hexadecimal text."""
    OTHER = "other"
    """Compares by rules of its own, exactly."""


def nature_of(kind: Kind) -> Nature:
    """Returns what a declared type would be to the server."""
    if kind in _NUMBERS:
        return Nature.NUMBER
    if kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return Nature.TIME
    return Nature.OTHER if kind is Kind.JSON else Nature.TEXT


def json_keys(
    keys: Iterable[Any], nature: Nature, *, is_unsigned: bool = False, scale: int | None = None
) -> str:
    """Returns a key set as a JSON array of what a column of that nature can hold.

    `scale` is that of a column of decimals, None for any other.

    >>> json_keys([1, "2", "x", 2**64], Nature.NUMBER)
    '[1,2]'
    >>> json_keys([Decimal("1.50"), 2, Decimal("0.125")], Nature.NUMBER, scale=2)
    '["1.50","2"]'
    >>> json_keys(["a", 5, "\\ud800"], Nature.TEXT)
    '["a","5"]'
    """
    if nature is Nature.NUMBER:
        if scale is not None:
            found = (_amount(key, scale) for key in keys)
            # As numbers of JSON they would be binary fractions.
            return orjson.dumps([f"{one:f}" for one in found if one is not None]).decode()
        held = _RANGES[is_unsigned]
        numbers = [number for key in keys if (number := _whole(key)) is not None]
        return orjson.dumps([number for number in numbers if number in held]).decode()
    texts = [key if key.__class__ is str else str(key) for key in keys]
    if nature is Nature.BYTES:
        texts = [key for key in texts if _HEX.fullmatch(key)]
    try:
        return orjson.dumps(texts).decode()
    except TypeError:
        return orjson.dumps([key for key in texts if _is_text(key)]).decode()


def json_rows(
    keys: Iterable[Sequence[Any]], columns: Sequence[tuple[Nature, bool, int | None]]
) -> str:
    """Returns keys of several columns as a JSON array of arrays; each is there whole or not.

    `columns` are the nature of each, whether it holds no negative numbers, and its scale.

    >>> natures = [(Nature.TEXT, False, None), (Nature.NUMBER, False, None)]
    >>> json_rows([("a", 1), ("b", "x")], natures)
    '[["a",1]]'
    """
    rows = [
        [
            one_key(part, nature, is_unsigned=is_unsigned, scale=scale)
            for part, (nature, is_unsigned, scale) in zip(key, columns, strict=True)
        ]
        for key in keys
    ]
    return orjson.dumps([row for row in rows if None not in row], default=str).decode()


def one_key(
    key: Any, nature: Nature, *, is_unsigned: bool = False, scale: int | None = None
) -> Any:
    """Returns a key as a column of that nature holds it, NULL if it cannot.

    >>> one_key("12", Nature.NUMBER), one_key(12, Nature.TEXT), one_key("zz", Nature.BYTES)
    (12, '12', None)
    """
    if nature is Nature.NUMBER and scale is not None:
        return _amount(key, scale)
    if nature is Nature.NUMBER:
        number = _whole(key)
        return number if number is not None and number in _RANGES[is_unsigned] else None
    text = key if key.__class__ is str else str(key)
    if nature is Nature.BYTES and not _HEX.fullmatch(text):
        return None
    return text if _is_text(text) else None


def parameter(value: Any, nature: Nature) -> Any:
    """Returns one value as a column of that nature is compared with it, NULL if it cannot be."""
    if value is None:
        return None
    if nature is Nature.NUMBER:
        if isinstance(value, str):
            try:
                number = Decimal(value)
            except InvalidOperation:
                return None
            return number if number.is_finite() else None
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if nature is Nature.TIME:
        return value
    text = value if isinstance(value, str) else str(value)
    return text if _is_text(text) else None


def _whole(key: Any) -> int | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    # Another spelling, such as 007, would be another text but the same number.
    text = str(key)
    digits = text.removeprefix("-")
    if not digits.isdigit() or not digits.isascii() or (digits != "0" and digits[0] == "0"):
        return None
    return int(text)


def _amount(key: Any, scale: int) -> Decimal | None:
    """Returns a key as a column of decimals holds it, None where it would be rounded."""
    number = key if isinstance(key, Decimal) else _whole(key)
    if number is None:
        return None
    amount = Decimal(number)
    if not amount.is_finite():
        return None
    exponent = amount.normalize(_WIDE).as_tuple().exponent
    return amount if isinstance(exponent, int) and -exponent <= scale else None


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN})
