"""Decides the text form of each type: what PostgreSQL's output functions write."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roundview_sql import type_codes as codes
from roundview_sql.encoding.pieces import numbers_of

_PLAIN_SCALE = 6
"""Up to so many places Arrow writes a decimal without an exponent."""
_QUOTED = re.compile(r'[\s{}",\\]|^$|^null$', re.IGNORECASE)


def text_column(array: pa.Array, oid: int, *, is_exact: bool = True) -> pa.Array:
    """Returns a column as texts; NULL stays NULL.

    Without `is_exact` numbers show no zeros behind their last digit.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return text_column(array.dictionary_decode(), oid, is_exact=is_exact)
    if pa.types.is_struct(kind):
        # What is known by a number and shown by its name: regclass and its like.
        return text_column(array.flatten()[1], codes.TEXT)
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return pc.cast(array, pa.string())
    if pa.types.is_decimal(kind):
        return decimal_texts(array, is_exact=is_exact)
    if pa.types.is_list(kind):
        return _arrays(array, codes.element_of(oid) or codes.TEXT)
    encode = _ENCODERS.get(oid)
    return encode(array) if encode is not None else _other(array)


def decimal_texts(array: pa.Array, *, is_exact: bool = True) -> pa.Array:
    """Returns decimals with all their places, or without the zeros at their end."""
    if array.type.scale <= _PLAIN_SCALE:
        texts = pc.cast(array, pa.string())
    else:
        texts = each(array, lambda value: format(value, "f"))
    if is_exact or array.type.scale <= 0:
        return texts
    return pc.replace_substring_regex(texts, r"\.?0+$", "")


def interval_text(value: pa.MonthDayNano) -> str:
    """Returns an interval as PostgreSQL writes it: `1 year 2 mons -3 days 04:05:06.5`."""
    return " ".join(_interval_parts(*value)) or "00:00:00"


def each(array: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    """Returns what is written of each value that is not NULL."""
    values = (None if value is None else write(value) for value in array.to_pylist())
    return pa.array(values, pa.string())


def float_text(value: float, short: str) -> str:
    """Returns a number as PostgreSQL writes it; `short` is Python's shortest text of it.

    >>> float_text(1e15, "1e+15"), float_text(0.0001, "0.0001"), float_text(-0.0, "-0.0")
    ('1e+15', '0.0001', '-0')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = short.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = fraction.rstrip("0") if fraction.strip("0") else ""
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0") or "0"
    if digits == "0":
        return f"{sign}0"
    if -4 < point <= 15:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if len(digits) <= point:
            return f"{sign}{digits}{'0' * (point - len(digits))}"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+03d}"


def _bools(array: pa.Array) -> pa.Array:
    return pc.if_else(array, "t", "f")


def _floats(array: pa.Array) -> pa.Array:
    is_single = pa.types.is_float32(array.type)
    numbers = numbers_of(array, "<f4" if is_single else "<f8")
    texts = pc.cast(array, pa.string())
    size = np.abs(numbers)
    # Arrow writes numbers of these sizes as PostgreSQL does; 6 digits are all that a float4 shows
    # before the exponent.
    with np.errstate(invalid="ignore"):
        plain = (size >= 1e-4) & (size < (1e5 if is_single else 1e9))
    if plain.all():
        return texts
    made = texts.to_pylist()
    for at in np.flatnonzero(~plain).tolist():
        if made[at] is not None:
            value = float(numbers[at])
            short = repr(value) if not is_single else str(np.float32(value))
            made[at] = float_text(value, short)
            if is_single:
                made[at] = _single(value, short)
    return pa.array(made, pa.string())


def _single(value: float, short: str) -> str:
    """Returns a float4: its exponent begins at a million."""
    text = float_text(value, short)
    digits = text.lstrip("-")
    if math.isfinite(value) and "e" not in digits and abs(value) >= 1e6:
        sign = "-" if value < 0 else ""
        whole, _, fraction = digits.partition(".")
        exponent = len(whole) - 1
        significant = (whole + fraction).rstrip("0")
        rest = f".{significant[1:]}" if len(significant) > 1 else ""
        return f"{sign}{significant[0]}{rest}e+{exponent:02d}"
    return text


def _dates(array: pa.Array) -> pa.Array:
    days = numbers_of(pc.cast(array, pa.date32()), "<i4")
    # The days 0001-01-01 to 9999-12-31, which Arrow writes as PostgreSQL does.
    if ((days >= -719_162) & (days <= 2_932_896)).all():
        return pc.cast(array, pa.string())
    return _odd_days(array, days.astype(np.int64), lambda day: "")


def _timestamps(array: pa.Array) -> pa.Array:
    micros = numbers_of(pc.cast(array, pa.timestamp("us", array.type.tz)), "<i8")
    zone = "+00" if array.type.tz is not None else ""
    day = 86_400_000_000
    if not ((micros >= -719_162 * day) & (micros < 2_932_897 * day)).all():
        return _odd_days(array, micros // day, lambda at: f" {_clock(int(micros[at]) % day)}{zone}")
    local = pa.Array.from_buffers(
        pa.timestamp("us"), len(array), array.buffers(), array.null_count, array.offset
    )
    return _suffixed(_trimmed(pc.cast(local, pa.string()), micros), zone)


def _times(array: pa.Array) -> pa.Array:
    array = pc.cast(array, pa.time64("us"))
    return _trimmed(pc.cast(array, pa.string()), numbers_of(array, "<i8"))


def _trimmed(texts: pa.Array, micros: np.ndarray[Any, Any]) -> pa.Array:
    """Takes the zeros at the end of the fraction away."""
    rest = micros % 1_000_000
    if not rest.any():
        return pc.utf8_slice_codeunits(texts, 0, -7)
    return pc.replace_substring_regex(texts, r"\.?0*$", "")


def _suffixed(texts: pa.Array, suffix: str) -> pa.Array:
    return pc.binary_join_element_wise(texts, suffix, "") if suffix else texts


def _odd_days(array: pa.Array, days: np.ndarray[Any, Any], rest: Callable[[int], str]) -> pa.Array:
    """Writes days of which some are before Christ, after 9999 or infinite."""
    made: list[str | None] = []
    micros = pa.types.is_timestamp(array.type)
    last = (2**63 - 1) // 86_400_000_000 if micros else 2**31 - 1
    for at, is_valid in enumerate(array.is_valid().to_pylist()):
        day = int(days[at])
        if not is_valid:
            made.append(None)
        elif day >= last:
            made.append("infinity")
        elif day <= -last - (1 if micros else 0):
            made.append("-infinity")
        else:
            year, month, number = _civil(day)
            era = " BC" if year < 1 else ""
            shown = 1 - year if year < 1 else year
            made.append(f"{shown:04d}-{month:02d}-{number:02d}{rest(at)}{era}")
    return pa.array(made, pa.string())


def _civil(day: int) -> tuple[int, int, int]:
    """Returns year, month and day of a day since 1970 in the Gregorian calendar.

    https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    """
    day += 719_468
    era, of_era = divmod(day, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    number = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, number


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    places = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{places}"


def _bytes(array: pa.Array) -> pa.Array:
    return each(array, lambda value: "\\x" + bytes(value).hex())


def _arrays(array: pa.Array, element: int) -> pa.Array:
    items = text_column(array.flatten(), element).to_pylist()
    made: list[str | None] = []
    at = 0
    for count in pc.list_value_length(array).to_pylist():
        if count is None:
            made.append(None)
            continue
        made.append("{" + ",".join(map(_item, items[at : at + count])) + "}")
        at += count
    return pa.array(made, pa.string())


def _item(text: str | None) -> str:
    if text is None:
        return "NULL"
    if _QUOTED.search(text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text


def _interval_parts(months: int, days: int, nanoseconds: int) -> Iterator[str]:
    # Years and months have one sign each, as division towards zero gives them.
    years, rest = divmod(abs(months), 12)
    sign = -1 if months < 0 else 1
    was_negative = False
    for count, name in ((sign * years, "year"), (sign * rest, "mon"), (days, "day")):
        if count:
            plus = "+" if was_negative and count > 0 else ""
            yield f"{plus}{count} {name}{'' if count == 1 else 's'}"
            was_negative = count < 0
    if nanoseconds:
        minutes, micros = divmod(abs(nanoseconds) // 1000, 60_000_000)
        hours, minutes = divmod(minutes, 60)
        seconds, micros = divmod(micros, 1_000_000)
        plus = "-" if nanoseconds < 0 else "+" if was_negative else ""
        places = f".{micros:06d}".rstrip("0") if micros else ""
        yield f"{plus}{hours:02d}:{minutes:02d}:{seconds:02d}{places}"


def _intervals(array: pa.Array) -> pa.Array:
    return each(array, interval_text)


def _other(array: pa.Array) -> pa.Array:
    kind = array.type
    for is_kind, encode in (
        (pa.types.is_boolean, _bools),
        (pa.types.is_floating, _floats),
        (pa.types.is_date, _dates),
        (pa.types.is_timestamp, _timestamps),
        (pa.types.is_time, _times),
        (pa.types.is_interval, _intervals),
        (pa.types.is_binary, _bytes),
    ):
        if is_kind(kind):
            return encode(array)
    return pc.cast(array, pa.string())


_ENCODERS: Mapping[int, Callable[[pa.Array], pa.Array]] = MappingProxyType(
    {
        codes.BOOL: _bools,
        codes.FLOAT4: _floats,
        codes.FLOAT8: _floats,
        codes.DATE: _dates,
        codes.TIME: _times,
        codes.TIMESTAMP: _timestamps,
        codes.TIMESTAMPTZ: _timestamps,
        codes.INTERVAL: _intervals,
        codes.BYTEA: _bytes,
    }
)
