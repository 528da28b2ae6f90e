"""Decides how a driver's value becomes a canonical one in one step, where most values are usual."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from roundview_catalog.coerce import Coerce, converter, decoder, scale_of, zone
from roundview_catalog.expressions.casts import EXACT
from roundview_catalog.places import COUNTRIES, CURRENCIES, LANGUAGES
from roundview_catalog.types import Kind, Type

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_NONE: Final = timedelta()
_ROUNDED: Final = 18
_NAMES: Final[Mapping[Kind, Mapping[str, str]]] = MappingProxyType(
    {Kind.COUNTRY: COUNTRIES, Kind.CURRENCY: CURRENCIES, Kind.LANGUAGE: LANGUAGES}
)


def reader(own: Type, source: Type, target: Type, time_zone: str) -> Coerce:
    """Returns what makes of a driver's value what `converter` makes of what `decoder` gives.

    `own` is the type of the column, `source` that of its values. Values as drivers usually bring
    them take a shorter way.
    """
    decode, convert = decoder(own) or _same, converter(source, target, time_zone) or _same

    def both(value: Any) -> Any:
        return convert(decode(value))

    if target.is_time and own.is_time and source.is_time:
        is_instant = own.kind is Kind.TIMESTAMPTZ
        return _moments(zone("UTC" if is_instant else time_zone), both)
    if own.kind is source.kind is target.kind is Kind.DECIMAL:
        return _decimals(own.scale, scale_of(target), both)
    return both


def known_texts(target: Type) -> Mapping[str, str]:
    """Returns values of a type by texts that `converter` makes them of, those of one spelling.

    >>> known_texts(Type(Kind.ENUM, values=("open", "closed")))["open"]
    'open'
    """
    if target.kind is Kind.ENUM:
        return {value: value for value in target.values}
    return _NAMES.get(target.kind, {})


def _same(value: Any) -> Any:
    return value


def _moments(local: tzinfo, both: Coerce) -> Coerce:
    """Reads datetimes and ISO 8601, naive ones in `local`."""
    parse, offset_at = datetime.fromisoformat, local.utcoffset

    def read(value: Any) -> Any:
        # ISO weeks are dates for Python, not for PostgreSQL.
        if value.__class__ is str and "W" not in value:
            try:
                moment = parse(value)
            except ValueError:
                return both(value)
        elif value.__class__ is datetime:
            moment = value
        else:
            return both(value)
        if moment.tzinfo is UTC:
            return moment
        if moment.tzinfo is not None or moment.fold:
            return both(moment)
        try:
            # A difference of naive times, added to one in UTC: replace() takes ten times as long.
            return _EPOCH + (moment - _NAIVE_EPOCH - (offset_at(moment) or _NONE))
        except OverflowError:
            raise ValueError("time out of range") from None

    return read


def _decimals(own: int | None, scale: int, both: Coerce) -> Coerce:
    """Reads decimals, rounded to the source's scale first."""
    quantize = EXACT.quantize
    exponent = Decimal(1).scaleb(-scale)
    first = None if own is None or own == scale or own > _ROUNDED else Decimal(1).scaleb(-own)

    def read(value: Any) -> Any:
        if value.__class__ is Decimal:
            try:
                number = quantize(value if first is None else quantize(value, first), exponent)
            except InvalidOperation:
                raise ValueError("number out of range") from None
            if not number.is_nan():
                # PostgreSQL's numeric knows no negative zero.
                return number or number.copy_abs()
        return both(value)

    return read
