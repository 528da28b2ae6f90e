"""Casts typed values as PostgreSQL's CAST does; ValueError where that would fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import orjson

from roundview_catalog.expressions.times import midnight

EXACT = Context(prec=1000, rounding=ROUND_HALF_UP)
"""Wide enough that sums and products are never rounded, as in PostgreSQL's numeric."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r" ?(Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.IGNORECASE,
)
_UUID = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?"
)
# Numbers that orjson would make a double.
_INEXACT = re.compile(r"[0-9](?:[.eE]|[0-9]{18})")
_WORDS = {True: ("true", "yes", "on", "1"), False: ("false", "no", "off", "0")}
_SMALL, _LARGE = 1 << 31, 1 << 63


def to_text(value: Any) -> str:
    """Returns a value as PostgreSQL prints it.

    >>> to_text(True), to_text(Decimal("1.50")), to_text(1e20), to_text(datetime(2024, 5, 1))
    ('true', '1.50', '1e+20', '2024-05-01 00:00:00')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value or value.copy_abs(), "f")
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, datetime):
        return _moment_text(value)
    if isinstance(value, dict | list):
        return _json_text(value)
    return str(value)


def to_integer(value: Any) -> int:
    """Returns a 32-bit integer."""
    number = _whole(value)
    if not -_SMALL <= number < _SMALL:
        raise ValueError("out of range for integer")
    return number


def to_bigint(value: Any) -> int:
    """Returns a 64-bit integer."""
    number = _whole(value)
    if not -_LARGE <= number < _LARGE:
        raise ValueError("out of range for bigint")
    return number


def to_decimal(value: Any, precision: int | None = None, scale: int | None = None) -> Decimal:
    """Returns an exact number, rounded half away from zero to `scale` digits."""
    if isinstance(value, str):
        text = value.strip(" \t\n\r\f\v")
        if not _NUMBER.fullmatch(text):
            raise ValueError("not a number")
        number = Decimal(text)
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent > 0:
            # PostgreSQL keeps no exponent: 1e2 is 100.
            number = EXACT.quantize(number, Decimal(1))
    elif isinstance(value, float):
        number = Decimal(format(value, ".15g"))
    else:
        number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not a finite number")
    if precision is None:
        return number
    rounded = rescaled(number, scale or 0)
    if rounded.adjusted() >= precision - (scale or 0) and rounded:
        raise ValueError("numeric field overflow")
    return rounded


def rescaled(number: Decimal, scale: int) -> Decimal:
    """Returns a number with that many digits after the point, rounded half away from zero."""
    try:
        if scale < 0:
            return EXACT.quantize(EXACT.quantize(number, Decimal(1).scaleb(-scale)), Decimal(1))
        return EXACT.quantize(number, Decimal(1).scaleb(-scale))
    except InvalidOperation:
        raise ValueError("number out of range") from None


def to_float(value: Any) -> float:
    """Returns a double."""
    if isinstance(value, str):
        text = value.strip(" \t\n\r\f\v")
        if not _NUMBER.fullmatch(text):
            raise ValueError("not a number")
        value = text
    try:
        return float(value)
    except OverflowError:
        raise ValueError("number out of range") from None


def to_boolean(value: Any) -> bool:
    """Returns a truth value; texts may be cut: `t`, `fal`, `of`."""
    if isinstance(value, bool | int):
        return bool(value)
    text = str(value).strip(" \t\n\r\f\v").lower()
    found = {truth for truth, words in _WORDS.items() for w in words if text and w.startswith(text)}
    if len(found) != 1 or text == "o":
        raise ValueError("not a boolean")
    return found.pop()


def to_date(value: Any) -> date:
    """Returns a day; instants give their day in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).date() if value.tzinfo else value.date()
    if isinstance(value, date):
        return value
    return _parsed_moment(value)[0].date()


def to_timestamp(value: Any) -> datetime:
    """Returns a time without zone; instants give their time in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return midnight(value)
    return _parsed_moment(value)[0]


def to_timestamptz(value: Any) -> datetime:
    """Returns an instant; what says no zone is UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment, offset = _parsed_moment(value)
    return moment.replace(tzinfo=UTC) - offset


def to_uuid(value: Any) -> str:
    """Returns a UUID in lower case with hyphens."""
    match = _UUID.fullmatch(str(value).strip().lower())
    if match is None:
        raise ValueError("not a uuid")
    return "-".join(match.groups())


def to_json(value: Any) -> Any:
    """Returns the value that JSON text stands for; numbers with a fraction stay exact."""
    try:
        text = value.decode() if isinstance(value, bytes) else value
        found = orjson.loads(text)
        if not _INEXACT.search(text):
            return found
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, TypeError):
        raise ValueError("not JSON") from None


def attempt(cast: Callable[..., Any], value: Any, *arguments: Any) -> Any:
    """Returns the cast value, NULL where the cast fails."""
    try:
        return cast(value, *arguments)
    except ValueError:
        return None


def cut(value: Any, length: int) -> str:
    """Returns the value as varchar(length)."""
    return to_text(value)[:length]


def _whole(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip(" \t\n\r\f\v")
        if not _INTEGER.fullmatch(text):
            raise ValueError("not an integer")
        return int(text)
    if isinstance(value, Decimal):
        return int(value.to_integral_value(ROUND_HALF_UP))
    if isinstance(value, float):
        try:
            return int(Decimal(value).to_integral_value(ROUND_HALF_EVEN))
        except (InvalidOperation, ValueError, OverflowError):
            raise ValueError("out of range") from None
    return int(value)


def _parsed_moment(text: str) -> tuple[datetime, timedelta]:
    match = _MOMENT.fullmatch(text.strip())
    day = _DATE.match(text.strip())
    if match is None or day is None:
        raise ValueError("not a date")
    hour, minute, second, fraction, zone = match.groups()[1:]
    year, month, dom = (int(part) for part in day.groups())
    moment = datetime(year, month, dom, int(hour or 0), int(minute or 0), int(second or 0))  # noqa: DTZ001 - local by meaning
    if fraction:
        moment += timedelta(microseconds=round(Decimal("0." + fraction) * 1_000_000))
    offset = timedelta()
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        offset = -offset if zone[0] == "-" else offset
    return moment, offset


def _json_text(value: Any) -> str:
    """Returns JSON as PostgreSQL prints it, members in their order."""
    if isinstance(value, dict):
        members = (f"{_json_text(str(name))}: {_json_text(part)}" for name, part in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_json_text(part) for part in value)}]"
    return to_text(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _float_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {True: "NaN"}.get(value != value, "Infinity" if value > 0 else "-Infinity")
    text = repr(value)
    if "e" not in text:
        number = text.removesuffix(".0")
        # PostgreSQL writes an exponent from 1e15 on, Python from 1e16 on.
        if len(number.lstrip("-").partition(".")[0]) > 15:
            digits = number.lstrip("-").rstrip("0")
            mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
            return f"{'-' if value < 0 else ''}{mantissa}e+{len(number.lstrip('-')) - 1}"
        return number
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}"


def _moment_text(value: datetime) -> str:
    moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    text = moment.isoformat(sep=" ")
    if moment.microsecond:
        text = text.rstrip("0")
    return text + "+00" if value.tzinfo else text
