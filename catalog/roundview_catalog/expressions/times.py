"""Computes with dates, times and intervals as PostgreSQL does in a session in UTC."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_PART = re.compile(r"\s*([+-]?)\s*([0-9]+)(?:\.([0-9]+))?\s*([a-zA-Z]+)")
_CLOCK = re.compile(r"\s*([+-]?)([0-9]+):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?\s*")
_MONTHS = {"year": 12, "yr": 12, "y": 12, "month": 1, "mon": 1}
_DAYS = {"week": 7, "w": 7, "day": 1, "d": 1}
_SECONDS = {"hour": 3600, "hr": 3600, "h": 3600, "minute": 60, "min": 60, "m": 60}
_SECONDS |= {"second": 1, "sec": 1, "s": 1}


def parse_interval(text: str) -> tuple[int, int, int]:
    """Returns months, days and microseconds.

    >>> parse_interval("1 year -2 days"), parse_interval("90 minutes")
    ((12, -2, 0), (0, 0, 5400000000))

    Raises ValueError for what is not one, and for fractions of months and days.
    """
    months = days = micros = at = 0
    found = False
    while at < len(text.rstrip()):
        clock = _CLOCK.match(text, at)
        if clock is not None:
            sign = -1 if clock[1] == "-" else 1
            seconds = int(clock[2]) * 3600 + int(clock[3]) * 60 + int(clock[4] or 0)
            micros += sign * (seconds * 1_000_000 + int((clock[5] or "").ljust(6, "0")))
            at, found = clock.end(), True
            continue
        part = _PART.match(text, at)
        if part is None:
            raise ValueError("not an interval")
        amount = int(part[2]) * (-1 if part[1] == "-" else 1)
        unit = part[4].lower()
        unit = (
            unit if unit in _MONTHS or unit in _DAYS or unit in _SECONDS else unit.removesuffix("s")
        )
        unit = unit.removesuffix("s") if unit in ("months",) else unit
        if unit in _SECONDS:
            fraction = Decimal(f"0.{part[3] or 0}") * (-1 if part[1] == "-" else 1)
            micros += int((amount + fraction) * _SECONDS[unit] * 1_000_000)
        elif part[3] is not None:
            raise ValueError("a fraction of a day or month")
        elif unit in _MONTHS:
            months += amount * _MONTHS[unit]
        elif unit in _DAYS:
            days += amount * _DAYS[unit]
        else:
            raise ValueError("unknown unit of an interval")
        at, found = part.end(), True
    if not found:
        raise ValueError("not an interval")
    return months, days, micros


def shift(moment: Any, months: int, days: int, micros: int) -> datetime:
    """Returns a time moved by an interval; the day is cut to the length of the month."""
    if not isinstance(moment, datetime):
        moment = midnight(moment)
    try:
        if months:
            index = moment.year * 12 + moment.month - 1 + months
            year, month = divmod(index, 12)
            day = min(moment.day, calendar.monthrange(year, month + 1)[1])
            moment = moment.replace(year=year, month=month + 1, day=day)
        result: datetime = moment + timedelta(days=days, microseconds=micros)
    except (OverflowError, ValueError, IndexError):
        raise ValueError("date out of range") from None
    return result


def add_days(day: date, days: int) -> date:
    """Returns the day that many days later."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise ValueError("date out of range") from None


def days_between(a: date, b: date) -> int:
    """Returns how many days `a` is after `b`."""
    return (a - b).days


def midnight(day: date) -> datetime:
    """Returns the beginning of a day as a time without zone."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local by meaning


def midnight_utc(day: date) -> datetime:
    """Returns the beginning of a day in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def date_trunc(unit: str, value: Any) -> Any:
    """Returns the beginning of the unit that a day or time lies in; a day stays a day."""
    if not isinstance(value, datetime):
        return _day_trunc(unit, value)
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    if unit == "SECOND":
        return value.replace(microsecond=0)
    if unit == "MINUTE":
        return value.replace(second=0, microsecond=0)
    if unit == "HOUR":
        return value.replace(minute=0, second=0, microsecond=0)
    first = _day_trunc(unit, value.date())
    return datetime(first.year, first.month, first.day, tzinfo=value.tzinfo)


def extract(unit: str, value: Any) -> Decimal:
    """Returns one part of a day or time as an exact number."""
    is_time = isinstance(value, datetime)
    if is_time and value.tzinfo is not None:
        value = value.astimezone(UTC)
    if unit == "SECOND":
        return Decimal(value.second * 1_000_000 + value.microsecond).scaleb(-6)
    if unit == "EPOCH":
        moment = value if is_time else midnight(value)
        gone = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        micros = (gone.days * 86400 + gone.seconds) * 1_000_000 + gone.microseconds
        return Decimal(micros).scaleb(-6) if is_time else Decimal(gone.days * 86400)
    if unit in ("DOW", "ISODOW"):
        return Decimal(value.isoweekday() % 7 if unit == "DOW" else value.isoweekday())
    if unit == "DOY":
        return Decimal(value.timetuple().tm_yday)
    if unit == "WEEK":
        return Decimal(value.isocalendar().week)
    if unit == "QUARTER":
        return Decimal((value.month - 1) // 3 + 1)
    return Decimal(getattr(value, unit.lower()))


def from_epoch(seconds: Any) -> datetime:
    """Returns the instant that many seconds after 1970."""
    try:
        micros = round(Decimal(str(seconds)) * 1_000_000)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except (OverflowError, ArithmeticError):
        raise ValueError("time out of range") from None


def local_to_instant(moment: Any, zone: str) -> datetime:
    """Returns the instant of a local time; an ambiguous hour is the earlier one."""
    if not isinstance(moment, datetime):
        moment = midnight(moment)
    try:
        result: datetime = moment.replace(tzinfo=time_zone(zone), fold=0).astimezone(UTC)
    except OverflowError:
        raise ValueError("time out of range") from None
    return result


def instant_to_local(moment: datetime, zone: str) -> datetime:
    """Returns the local time of an instant."""
    try:
        return moment.astimezone(time_zone(zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise ValueError("time out of range") from None


@lru_cache(maxsize=1024)
def time_zone(name: str) -> ZoneInfo:
    """Returns a zone of the IANA database; raises ValueError for anything else."""
    try:
        return ZoneInfo(name)
    except Exception:  # noqa: BLE001 - missing files, odd names and directories differ by platform
        raise ValueError("unknown time zone") from None


def _day_trunc(unit: str, day: date) -> date:
    if unit == "YEAR":
        return day.replace(month=1, day=1)
    if unit == "QUARTER":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if unit == "MONTH":
        return day.replace(day=1)
    if unit == "WEEK":
        return add_days(day, -day.weekday())
    return day
