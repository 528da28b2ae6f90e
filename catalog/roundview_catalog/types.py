"""Decides what types a column, a field or an expression can have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Names every type; the Python value of each on the direct path is in brackets."""

    TEXT = "text"  # str
    INTEGER = "integer"  # int, 32 bits
    BIGINT = "bigint"  # int, 64 bits
    DECIMAL = "decimal"  # decimal.Decimal
    FLOAT = "float"  # float, only in sources
    BOOLEAN = "boolean"  # bool
    DATE = "date"  # datetime.date
    TIMESTAMP = "timestamp"  # datetime; in sources naive, canonical fields UTC
    TIMESTAMPTZ = "timestamptz"  # datetime, an instant
    UUID = "uuid"  # str in lower case
    JSON = "json"  # str, list, dict
    ENUM = "enum"  # str, one of values
    COUNTRY = "country"  # str, ISO 3166-1 alpha-2
    CURRENCY = "currency"  # str, ISO 4217
    LANGUAGE = "language"  # str, BCP 47 primary tag


@dataclass(frozen=True, slots=True)
class Type:
    """Describes one type: `Type(Kind.DECIMAL, 18, 4)`, `Type(Kind.ENUM, values=("a", "b"))`.

    `scale` is None where the source does not say it.
    """

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind is Kind.ENUM:
            return f"enum({', '.join(self.values)})"
        if self.kind is Kind.DECIMAL and self.precision is not None:
            return f"decimal({self.precision},{self.scale or 0})"
        return self.kind.value

    @property
    def digits(self) -> tuple[int, int]:
        """Returns precision and scale of a canonical decimal: those of money if it says none."""
        if self.precision is None:
            return _MONEY
        return self.precision, self.scale or 0

    @property
    def is_text(self) -> bool:
        """Tells whether values are strings."""
        return self.kind in _TEXTS

    @property
    def is_number(self) -> bool:
        """Tells whether arithmetic works on it."""
        return self.kind in _NUMBERS

    @property
    def is_time(self) -> bool:
        """Tells whether values are instants or local times."""
        return self.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)


MOMENTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
"""Types of days and times."""

_MONEY = (18, 4)
_TEXTS = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM, Kind.COUNTRY, Kind.CURRENCY, Kind.LANGUAGE})
_NUMBERS = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.FLOAT})
_PATTERN = re.compile(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


def parse_type(text: str) -> Type:
    """Reads a type as catalogs write it.

    >>> str(parse_type("decimal(18,4)")), parse_type("enum(a, b)").values
    ('decimal(18,4)', ('a', 'b'))

    Raises ValueError for anything else.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a type")
    name, inner = match.groups()
    try:
        kind = Kind(name)
    except ValueError:
        raise ValueError(f"{name!r} is not a type") from None
    if kind is Kind.ENUM:
        values = tuple(part.strip() for part in (inner or "").split(",") if part.strip())
        if not values:
            raise ValueError("an enum needs its values: enum(open, closed)")
        return Type(kind, values=values)
    if kind is Kind.DECIMAL and inner:
        numbers = [int(part) for part in inner.split(",")]
        return Type(kind, numbers[0], numbers[1] if len(numbers) > 1 else 0)
    if inner:
        raise ValueError(f"{name} takes no arguments")
    return Type(kind)
