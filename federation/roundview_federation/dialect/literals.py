"""Decides what the text of a constant says when it becomes a date, a number, an interval …"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from roundview_federation.dialect.refusal import (
    RANGE,
    SYNTAX,
    TEXT,
    TIME_RANGE,
    refuse,
    unsupported,
)
from roundview_federation.dialect.types import BOOLEAN, INTERVAL, PgType, numeric
from roundview_federation.dialect.values import cast, number, string

_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_WHOLE = re.compile(r"[ \t\n\r\f\v]*([+-]?\d+)[ \t\n\r\f\v]*", re.ASCII)
_NUMBER = re.compile(
    r"[ \t\n\r\f\v]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[ \t\n\r\f\v]*", re.ASCII
)
_DATE = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*", re.ASCII)
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
_TIME = re.compile(rf"\s*{_CLOCK}\s*", re.ASCII)
_ZONE = r"(Z|z|UTC|[+-]\d{1,2}(?::?\d{2})?)?"
_STAMP = re.compile(
    rf"\s*(\d{{4}})-(\d{{1,2}})-(\d{{1,2}})(?:(?:[ T]+){_CLOCK}\s*{_ZONE})?\s*", re.ASCII
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PART = re.compile(
    rf"\s*([+-]?\s*\d+)\s*([a-z]+)|\s*([+-]?){_CLOCK}(?=\s|$)", re.ASCII | re.IGNORECASE
)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
# Months, days and microseconds of one unit.
_UNITS = {
    "microsecond": (0, 0, 1), "millisecond": (0, 0, 1_000), "second": (0, 0, 1_000_000),
    "minute": (0, 0, 60_000_000), "hour": (0, 0, 3_600_000_000), "day": (0, 1, 0),
    "week": (0, 7, 0), "month": (1, 0, 0), "year": (12, 0, 0), "decade": (120, 0, 0),
    "century": (1200, 0, 0), "millennium": (12_000, 0, 0),
}  # fmt: skip
_SPELLINGS = {
    "us": "microsecond", "usec": "microsecond", "usecs": "microsecond",
    "microseconds": "microsecond", "ms": "millisecond", "msec": "millisecond",
    "msecs": "millisecond", "milliseconds": "millisecond", "s": "second", "sec": "second",
    "secs": "second", "seconds": "second", "m": "minute", "min": "minute", "mins": "minute",
    "minutes": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "hours": "hour", "d": "day",
    "days": "day", "w": "week", "weeks": "week", "mon": "month", "mons": "month",
    "months": "month", "y": "year", "yr": "year", "yrs": "year", "years": "year",
    "dec": "decade", "decs": "decade", "decades": "decade", "cent": "century", "c": "century",
    "centuries": "century", "mil": "millennium", "mils": "millennium",
    "millennia": "millennium",
}  # fmt: skip


def constant(text: str, type_: PgType, source: exp.Expr) -> exp.Expr:
    """Returns a constant of a type from its text, as PostgreSQL reads unknown literals.

    Raises RequestError: 22P02 and its like where PostgreSQL would, 0A000 for spellings that are
    not read here. The text itself is never repeated.
    """
    return cast(string(constant_text(text, type_, source)), type_)


def constant_text(text: str, type_: PgType, source: exp.Expr) -> str:
    """Returns what a constant says as DuckDB reads it; raises as `constant` does."""
    name = type_.name
    if name in _LIMITS:
        match = _WHOLE.fullmatch(text)
        if match is None:
            raise refuse(TEXT, f"the text is not a value of type {type_}", source)
        value = int(match.group(1)) if len(text) < 60 else 2**64
        if not -_LIMITS[name] <= value < _LIMITS[name]:
            raise refuse(RANGE, f"the number is out of range for type {type_}", source)
        return str(value)
    reader = _READERS.get(name)
    if reader is None:
        raise unsupported(f"a constant of type {type_}", source)
    return reader(text, type_, source)


def number_type(text: str, source: exp.Expr) -> tuple[str, PgType]:
    """Returns the plain digits and the numeric of a literal number such as 1.50 or 1e3."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        # The tokenizer takes an exponent without digits.
        raise refuse(SYNTAX, "this is not a number", source) from None
    exponent = value.as_tuple().exponent
    scale = max(0, -exponent if isinstance(exponent, int) else 0)
    plain = f"{value:f}"
    digits = len(plain.lstrip("-").replace(".", "").lstrip("0")) or 1
    if max(digits, scale) > 38:
        raise unsupported("a number of more than 38 digits", source)
    return plain, numeric(max(digits, scale), scale)


def interval_parts(text: str, source: exp.Expr) -> tuple[int, int, int]:
    """Returns months, days and microseconds of an interval such as `1 day 02:30`."""
    total = [0, 0, 0]
    at, has_clock = 0, False
    if not text.strip():
        raise refuse(TEXT, "the text is not an interval", source, sqlstate="22007")
    while at < len(text.rstrip()):
        match = _PART.match(text, at)
        if match is None:
            raise unsupported("this spelling of an interval", source, "write '2 days 03:00:00'")
        at = match.end()
        if match.group(2):
            unit = match.group(2).lower()
            sizes = _UNITS.get(_SPELLINGS.get(unit, unit))
            if sizes is None:
                raise unsupported("this unit of an interval", source)
            count = int("".join(match.group(1).split()))
            total = [own + count * size for own, size in zip(total, sizes, strict=True)]
        else:
            if has_clock:
                raise refuse(TEXT, "the text is not an interval", source, sqlstate="22007")
            has_clock = True
            hours, minutes, seconds = (int(match.group(n) or 0) for n in (4, 5, 6))
            if minutes > 59 or seconds > 59:
                raise refuse(TIME_RANGE, "the interval is out of range", source)
            fraction = int((match.group(7) or "").ljust(6, "0"))
            micros = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction
            total[2] += -micros if match.group(3) == "-" else micros
    if any(abs(part) > 2**31 - 1 for part in total[:2]) or abs(total[2]) > 2**62:
        raise refuse(TIME_RANGE, "the interval is out of range", source)
    return total[0], total[1], total[2]


def interval_node(parts: tuple[int, int, int]) -> exp.Expr:
    """Returns the constant interval of months, days and microseconds."""
    months, days, micros = parts
    return cast(string(f"{months} months {days} days {micros} microseconds"), INTERVAL)


def _text(text: str, type_: PgType, source: exp.Expr) -> str:
    return text


def _decimal(text: str, type_: PgType, source: exp.Expr) -> str:
    match = _NUMBER.fullmatch(text)
    if match is None:
        if text.strip().lower() in ("nan", "infinity", "-infinity", "inf", "-inf"):
            raise unsupported("a numeric without digits", source)
        raise refuse(TEXT, f"the text is not a value of type {type_}", source)
    return number_type(match.group(1), source)[0]


def _float(text: str, type_: PgType, source: exp.Expr) -> str:
    match = _NUMBER.fullmatch(text)
    if match is not None:
        value = float(match.group(1))
        has_digits = re.search("[1-9]", re.split("[eE]", text)[0]) is not None
        if value in (float("inf"), float("-inf")) or (value == 0 and has_digits):
            raise refuse(RANGE, f"the number is out of range for type {type_}", source)
        return match.group(1)
    word = text.strip().lower()
    if word in ("nan", "infinity", "-infinity", "inf", "-inf", "+inf", "+infinity"):
        return word.lstrip("+")
    raise refuse(TEXT, f"the text is not a value of type {type_}", source)


def _boolean(text: str, type_: PgType, source: exp.Expr) -> str:
    word = text.strip(" \t\n\r\f\v").lower()
    # PostgreSQL takes every beginning that is only one of them: "o" is on and off.
    for names, said in ((_TRUE, "true"), (_FALSE, "false")):
        if word and word != "o" and any(name.startswith(word) for name in names):
            return said
    raise refuse(TEXT, f"the text is not a value of type {BOOLEAN}", source)


def _date(text: str, type_: PgType, source: exp.Expr) -> str:
    if text.strip().lower() in ("infinity", "-infinity"):
        return text.strip().lower()
    match = _DATE.fullmatch(text)
    if match is None:
        raise unsupported("this spelling of a date", source, "write YYYY-MM-DD")
    return _day(match.group(1, 2, 3), source)


def _day(parts: tuple[str, ...], source: exp.Expr) -> str:
    try:
        return date(*(int(part) for part in parts)).isoformat()
    except ValueError:
        raise refuse(TIME_RANGE, "there is no such day", source) from None


def _clock(parts: tuple[str | None, ...], source: exp.Expr) -> str:
    hour, minute, second, fraction = (part or "0" for part in parts)
    try:
        return time(int(hour), int(minute), int(second), int(fraction.ljust(6, "0"))).isoformat()
    except ValueError:
        raise refuse(TIME_RANGE, "there is no such time of day", source) from None


def _time(text: str, type_: PgType, source: exp.Expr) -> str:
    match = _TIME.fullmatch(text)
    if match is None:
        raise unsupported("this spelling of a time of day", source, "write HH:MM:SS")
    return _clock(match.group(1, 2, 3, 4), source)


def _timestamp(text: str, type_: PgType, source: exp.Expr) -> str:
    if text.strip().lower() in ("infinity", "-infinity"):
        return text.strip().lower()
    match = _STAMP.fullmatch(text)
    has_zone = type_.name == "timestamp with time zone"
    if match is None or (match.group(8) and not has_zone):
        raise unsupported("this spelling of a timestamp", source, "write YYYY-MM-DD HH:MM:SS")
    day = _day(match.group(1, 2, 3), source)
    clock = _clock(match.group(4, 5, 6, 7), source) if match.group(4) else "00:00:00"
    if not has_zone:
        return f"{day} {clock}"
    zone = match.group(8) or "Z"
    digits = zone.lstrip("+-").replace(":", "").rjust(2, "0").ljust(4, "0")
    offset = f"{zone[0]}{digits[:2]}:{digits[2:]}" if zone[0] in "+-" else "+00:00"
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset}").isoformat(sep=" ")
    except ValueError:
        raise refuse(TIME_RANGE, "there is no such time zone offset", source) from None


def _uuid(text: str, type_: PgType, source: exp.Expr) -> str:
    if _UUID.fullmatch(text):
        return text.lower()
    if re.fullmatch(r"\{?[0-9a-fA-F-]{32,}\}?", text):
        raise unsupported("this spelling of a UUID", source)
    raise refuse(TEXT, "the text is not a value of type uuid", source)


def _interval(text: str, type_: PgType, source: exp.Expr) -> str:
    months, days, micros = interval_parts(text, source)
    return f"{months} months {days} days {micros} microseconds"


_READERS = {
    "text": _text,
    "character varying": _text,
    "numeric": _decimal,
    "double precision": _float,
    "boolean": _boolean,
    "date": _date,
    "time without time zone": _time,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamp,
    "uuid": _uuid,
    "interval": _interval,
}

__all__ = ["constant", "constant_text", "interval_node", "interval_parts", "number", "number_type"]
