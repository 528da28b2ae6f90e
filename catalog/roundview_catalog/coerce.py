"""Turns driver values into typed values and typed values into canonical ones."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from roundview_catalog.expressions import casts
from roundview_catalog.expressions.times import midnight
from roundview_catalog.places import COUNTRIES, CURRENCIES, LANGUAGES
from roundview_catalog.types import Kind, Type

Coerce = Callable[[Any], Any]

_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,40}\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_EXPONENTS = MappingProxyType({scale: Decimal(1).scaleb(-scale) for scale in range(19)})
_WHOLE = (Kind.INTEGER, Kind.BIGINT)


def decoder(type_: Type) -> Coerce | None:
    """Returns what turns a driver's value into the Python value of a source type.

    None means that there is nothing to do. What is returned raises ValueError for values that
    are not of the type; NULL stays None.
    """
    if type_.kind is Kind.DECIMAL:
        return _decimal_decoder(type_.scale)
    return _DECODERS.get(type_.kind)


def converter(source: Type, target: Type, time_zone: str) -> Coerce | None:
    """Returns what turns a typed source value into a canonical field's value.

    Blank text becomes NULL; naive times are local to `time_zone` (an ambiguous hour is the
    earlier one), dates their midnight there; decimals are rounded once, half up.
    """
    if target.is_time:
        return _instant_converter(source, zone(time_zone))
    if target.kind is Kind.ENUM:
        return _enum_converter(target.values)
    if target.kind is Kind.DECIMAL:
        return _rounding(_EXPONENTS[scale_of(target)], blank=True)
    if target.kind in _WHOLE and source.kind in (Kind.INTEGER, target.kind):
        return None
    if target.kind is Kind.BOOLEAN and source.kind is Kind.BOOLEAN:
        return None
    if target.kind is Kind.JSON and source.kind is Kind.JSON:
        # A text in it is a JSON text already, not JSON to be read.
        return _printable
    return _CONVERTERS.get(target.kind)


def scale_of(target: Type) -> int:
    """Returns how many digits after the point a decimal field of the canonical schema has."""
    return target.digits[1]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return casts.to_text(value)


def _integer(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float | Decimal):
        # Infinity and NaN have no whole part at all.
        if not math.isfinite(value) or value != int(value):
            raise ValueError("not an integer")
        return int(value)
    # Python alone would also read 1_000 and digits of other scripts.
    if isinstance(value, bool) or (isinstance(value, str) and _INTEGER.fullmatch(value)):
        return int(value)
    raise ValueError("not an integer")


def _float(value: Any) -> float | None:
    if value is None:
        return None
    number = casts.to_float(value if isinstance(value, int | float | Decimal) else str(value))
    if number != number:
        raise ValueError("not a number")
    return number


def _decimal_decoder(scale: int | None) -> Coerce:
    exponent = None if scale is None else _EXPONENTS.get(scale)

    if exponent is None:
        return lambda value: None if value is None else _decimal(value)
    return _rounding(exponent, blank=False)


def _decimal(value: Any) -> Decimal:
    if value.__class__ is Decimal and not value.is_nan():
        return value
    if value.__class__ is float and math.isfinite(value):
        return Decimal(repr(value))
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError("not a decimal")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError("not a decimal") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def _rounding(exponent: Decimal, *, blank: bool) -> Coerce:
    """Returns what reads a decimal of that scale; blank text may be NULL."""
    quantize = casts.EXACT.quantize

    def convert(value: Any) -> Decimal | None:
        if value is None or (blank and value.__class__ is str and not value.strip()):
            return None
        if value.__class__ is int:
            number = Decimal(value)
        else:
            number = _decimal(value)
        try:
            rounded = quantize(number, exponent)
        except InvalidOperation:
            raise ValueError("number out of range") from None
        # PostgreSQL's numeric knows no negative zero.
        return rounded if rounded else rounded.copy_abs()

    return convert


def _boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("not a boolean")


def _date(value: Any) -> date | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return _parsed(str(value)).date()


def _timestamp(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return midnight(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError):
            raise ValueError("time out of range") from None
    return _parsed(str(value))


def _parsed(text: str) -> datetime:
    text = text.strip()
    if text.startswith("0000"):
        raise ValueError("a zero date")
    if "W" in text:
        # ISO weeks are dates for Python, not for PostgreSQL.
        raise ValueError("not a date")
    return datetime.fromisoformat(text)


def _timestamptz(value: Any) -> datetime | None:
    moment = _timestamp(value)
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment


def _uuid(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def _json(value: Any) -> Any:
    return casts.to_json(value) if isinstance(value, str | bytes) else value


_DECODERS: Mapping[Kind, Coerce] = MappingProxyType(
    {
        Kind.INTEGER: _integer,
        Kind.BIGINT: _integer,
        Kind.FLOAT: _float,
        Kind.BOOLEAN: _boolean,
        Kind.DATE: _date,
        Kind.TIMESTAMP: _timestamp,
        Kind.TIMESTAMPTZ: _timestamptz,
        Kind.UUID: _uuid,
        Kind.JSON: _json,
        Kind.TEXT: _text,
    }
)


def _to_text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else casts.to_text(value)
    return text if text and not text.isspace() else None


def _integer_converter(bits: int) -> Coerce:
    least, beyond = -(1 << (bits - 1)), 1 << (bits - 1)

    def convert(value: Any) -> int | None:
        if isinstance(value, str) and not value.strip():
            return None
        number = _integer(value)
        if number is not None and not least <= number < beyond:
            raise ValueError("out of range")
        return number

    return convert


def _to_boolean(value: Any) -> bool | None:
    if isinstance(value, str) and not value.strip():
        return None
    return _boolean(value)


def _to_date(value: Any) -> date | None:
    if isinstance(value, str) and not value.strip():
        return None
    return _date(value)


def _to_uuid(value: Any) -> str | None:
    if value is None or not str(value).strip():
        return None
    return casts.to_uuid(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        return None
    return _printable(_json(value))


def _printable(value: Any) -> Any:
    """Returns JSON with the numbers that every JSON writer takes."""
    if isinstance(value, dict):
        return {name: _printable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_printable(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


def _enum_converter(values: tuple[str, ...]) -> Coerce:
    known = {value: value for value in values} | {value.upper(): value for value in values}

    def convert(value: Any) -> str | None:
        if value is None:
            return None
        text = str(value).strip()
        if not text:
            return None
        found = known.get(text) or known.get(text.upper())
        if found is None:
            raise ValueError("not one of the enum's values")
        return found

    return convert


def _instant_converter(source: Type, zone: tzinfo) -> Coerce:
    def convert(value: Any) -> datetime | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        moment = value if type(value) is datetime else _timestamp(value)
        if moment is None:
            return None
        if moment.tzinfo is None:
            # fold=0 is the earlier of an ambiguous hour, and moves a missing one forward.
            moment = moment.replace(tzinfo=zone, fold=0)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("time out of range") from None

    return convert


def zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Z"):
        return UTC
    if name[0] in "+-":
        hours, _, minutes = name[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(offset if name[0] == "+" else -offset)
    return ZoneInfo(name)


def _named(table: Mapping[str, str]) -> Coerce:
    def convert(value: Any) -> str | None:
        if value is None:
            return None
        text = unicodedata.normalize("NFKC", str(value)).strip()
        if not text:
            return None
        found = table.get(text.upper())
        if found is None:
            raise ValueError("unknown name")
        return found

    return convert


_CONVERTERS: Mapping[Kind, Coerce] = MappingProxyType(
    {
        Kind.TEXT: _to_text,
        Kind.INTEGER: _integer_converter(32),
        Kind.BIGINT: _integer_converter(64),
        Kind.BOOLEAN: _to_boolean,
        Kind.DATE: _to_date,
        Kind.UUID: _to_uuid,
        Kind.JSON: _to_json,
        Kind.COUNTRY: _named(COUNTRIES),
        Kind.CURRENCY: _named(CURRENCIES),
        Kind.LANGUAGE: _named(LANGUAGES),
    }
)
