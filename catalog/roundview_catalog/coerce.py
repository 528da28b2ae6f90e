"""Turns driver values into typed values and typed values into canonical ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from roundview_catalog.places import COUNTRIES, CURRENCIES, LANGUAGES
from roundview_catalog.types import Kind, Type

Coerce = Callable[[Any], Any]

_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
_EXPONENTS = MappingProxyType({scale: Decimal(1).scaleb(-scale) for scale in range(19)})
_MONEY_SCALE = 4


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
        return _instant_converter(source, _zone(time_zone))
    if target.kind is Kind.ENUM:
        return _enum_converter(target.values)
    if target.kind is Kind.DECIMAL:
        return _decimal_converter(_MONEY_SCALE if target.scale is None else target.scale)
    if target.kind in (Kind.INTEGER, Kind.BIGINT) and source.kind in (Kind.INTEGER, Kind.BIGINT):
        return None
    if target.kind is Kind.BOOLEAN and source.kind is Kind.BOOLEAN:
        return None
    return _CONVERTERS.get(target.kind)


def cast(value: Any, target: Type) -> Any:
    """Returns a value cast as PostgreSQL's CAST does; raises ValueError where it cannot."""
    if value is None:
        return None
    if target.kind is Kind.TEXT:
        return as_text(value)
    if target.kind in (Kind.INTEGER, Kind.BIGINT):
        if isinstance(value, str):
            return int(value.strip())
        if isinstance(value, Decimal | float):
            return int(Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP))
        return int(value)
    if target.kind is Kind.DATE and isinstance(value, datetime):
        return value.date()
    if (
        target.kind is Kind.TIMESTAMP
        and isinstance(value, date)
        and not isinstance(value, datetime)
    ):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local by meaning
    decode = decoder(target)
    return value if decode is None else decode(value)


def as_text(value: Any) -> str:
    """Returns a typed value as PostgreSQL prints it."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return as_text(value)


def _integer(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float | Decimal):
        if value != int(value):
            raise ValueError("not an integer")
        return int(value)
    return int(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _decimal_decoder(scale: int | None) -> Coerce:
    exponent = None if scale is None else _EXPONENTS.get(scale)

    def decode(value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            number = value if isinstance(value, Decimal) else Decimal(str(value))
            if not number.is_finite():
                raise ValueError("not a finite number")
            return number if exponent is None else _rounded(number, exponent)
        except InvalidOperation:
            raise ValueError("not a decimal") from None

    return decode


def _rounded(number: Decimal, exponent: Decimal) -> Decimal:
    rounded = number.quantize(exponent, ROUND_HALF_UP)
    # PostgreSQL's numeric knows no negative zero.
    return rounded if rounded else rounded.copy_abs()


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
    return date.fromisoformat(str(value).strip()[:10])


def _timestamp(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local by meaning
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    text = str(value).strip()
    if text.startswith("0000"):
        raise ValueError("a zero date")
    return datetime.fromisoformat(text)


def _timestamptz(value: Any) -> datetime | None:
    moment = _timestamp(value)
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment


def _uuid(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def _json(value: Any) -> Any:
    if isinstance(value, str | bytes):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("not JSON") from None
    return value


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
    text = value if isinstance(value, str) else as_text(value)
    return text if text and not text.isspace() else None


def _to_integer(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if value.strip() else None
    return _integer(value)


def _to_boolean(value: Any) -> bool | None:
    if isinstance(value, str) and not value.strip():
        return None
    return _boolean(value)


def _to_date(value: Any) -> date | None:
    if isinstance(value, str) and not value.strip():
        return None
    return _date(value)


def _decimal_converter(scale: int) -> Coerce:
    exponent = _EXPONENTS[scale]

    def convert(value: Any) -> Decimal | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            number = value if isinstance(value, Decimal) else Decimal(str(value))
            return _rounded(number, exponent)
        except InvalidOperation:
            raise ValueError("not a decimal") from None

    return convert


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
        if value is None or value == "":
            return None
        moment = value if type(value) is datetime else _timestamp(value)
        if moment is None:
            return None
        if moment.tzinfo is None:
            # fold=0 is the earlier of an ambiguous hour, and moves a missing one forward.
            moment = moment.replace(tzinfo=zone, fold=0)
        return moment.astimezone(UTC)

    return convert


def _zone(name: str) -> tzinfo:
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
        Kind.INTEGER: _to_integer,
        Kind.BIGINT: _to_integer,
        Kind.BOOLEAN: _to_boolean,
        Kind.DATE: _to_date,
        Kind.UUID: _uuid,
        Kind.JSON: _json,
        Kind.COUNTRY: _named(COUNTRIES),
        Kind.CURRENCY: _named(CURRENCIES),
        Kind.LANGUAGE: _named(LANGUAGES),
    }
)
