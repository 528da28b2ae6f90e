"""Computes each allowed operation over Python values as PostgreSQL does; None is NULL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from roundview_catalog import normalizers
from roundview_catalog.coerce import as_text, cast
from roundview_catalog.places import COUNTRIES
from roundview_catalog.types import parse_type

_DIVISION_SCALE = Decimal(1).scaleb(-20)


def and3(*values: bool | None) -> bool | None:
    """Returns three-valued AND."""
    if False in values:
        return False
    return None if None in values else True


def or3(*values: bool | None) -> bool | None:
    """Returns three-valued OR."""
    if True in values:
        return True
    return None if None in values else False


def not3(value: bool | None) -> bool | None:
    """Returns three-valued NOT."""
    return None if value is None else not value


def in3(value: Any, options: Iterable[Any]) -> bool | None:
    """Returns SQL's IN: NULL where a NULL leaves it open."""
    if value is None:
        return None
    unsure = False
    for option in options:
        if option is None:
            unsure = True
        elif option == value:
            return True
    return None if unsure else False


def _strict(compute: Callable[..., Any]) -> Callable[..., Any]:
    def strict(*values: Any) -> Any:
        return None if None in values else compute(*values)

    return strict


def _divide(a: Any, b: Any) -> Any:
    if not b:
        raise ValueError("division by zero")
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return (Decimal(a) / Decimal(b)).quantize(_DIVISION_SCALE, ROUND_HALF_UP)


def _modulo(a: Any, b: Any) -> Any:
    if not b:
        raise ValueError("division by zero")
    return a - b * (_divide(a, b) if isinstance(a, int) else Decimal(int(a / b)))


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start - 1 + length
    if length is not None and length < 0:
        raise ValueError("negative length")
    return text[max(0, start - 1) : max(0, end)]


def _split_part(text: str, delimiter: str, part: int) -> str:
    if part == 0:
        raise ValueError("field position must not be zero")
    parts = text.split(delimiter) if delimiter else [text]
    index = part - 1 if part > 0 else len(parts) + part
    return parts[index] if 0 <= index < len(parts) else ""


def _left(text: str, count: int) -> str:
    return text[:count]


def _right(text: str, count: int) -> str:
    if count < 0:
        return text[-count:]
    return text[-count:] if count else ""


def _round(value: Any, digits: int = 0) -> Any:
    if isinstance(value, int):
        return value
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _pad_left(text: str, length: int, fill: str = " ") -> str:
    if len(text) >= length:
        return text[: max(0, length)]
    if not fill:
        return text
    missing = length - len(text)
    return (fill * (missing // len(fill) + 1))[:missing] + text


def _floor(value: Any) -> Any:
    return value if isinstance(value, int) else Decimal(value).to_integral_value(ROUND_FLOOR)


def _ceil(value: Any) -> Any:
    return value if isinstance(value, int) else Decimal(value).to_integral_value(ROUND_CEILING)


@lru_cache(maxsize=1024)
def _like_pattern(pattern: str, is_insensitive: bool) -> re.Pattern[str]:
    result = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            result.append(re.escape(next(characters, "\\")))
        else:
            result.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    flags = re.DOTALL | (re.IGNORECASE if is_insensitive else 0)
    return re.compile("".join(result), flags)


def like(text: str | None, pattern: str | None, is_insensitive: bool = False) -> bool | None:
    """Returns SQL's LIKE with backslash escapes."""
    if text is None or pattern is None:
        return None
    return _like_pattern(pattern, is_insensitive).fullmatch(text) is not None


def concat(*values: Any) -> str:
    """Returns the texts of all values that are not NULL, joined."""
    return "".join(as_text(value) for value in values if value is not None)


def concat_ws(separator: str | None, *values: Any) -> str | None:
    """Returns the texts of all values that are not NULL, separated."""
    if separator is None:
        return None
    return separator.join(as_text(value) for value in values if value is not None)


def coalesce(*values: Any) -> Any:
    """Returns the first value that is not NULL."""
    return next((value for value in values if value is not None), None)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*values: Any) -> Any:
        known = [value for value in values if value is not None]
        return choose(known) if known else None

    return extreme


def cast_to(value: Any, type_: str) -> Any:
    """Returns PostgreSQL's CAST; raises ValueError where it fails."""
    return cast(value, parse_type(type_))


def try_cast_to(value: Any, type_: str) -> Any:
    """Returns CAST, NULL where it fails."""
    try:
        return cast(value, parse_type(type_))
    except (ValueError, InvalidOperation):
        return None


def date_trunc(unit: str, value: Any) -> Any:
    """Returns the beginning of the unit that a date or time lies in."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local by meaning
    month = {"YEAR": 1, "QUARTER": (value.month - 1) // 3 * 3 + 1}.get(unit, value.month)
    if unit in ("YEAR", "QUARTER", "MONTH"):
        return value.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    zeroed = {"DAY": "hour minute second", "HOUR": "minute second", "MINUTE": "second"}
    names = zeroed.get(unit, "").split()
    return value.replace(**dict.fromkeys(names, 0), microsecond=0)


def extract(unit: str, value: Any) -> Any:
    """Returns one part of a date or time."""
    if value is None:
        return None
    if unit == "QUARTER":
        return Decimal((value.month - 1) // 3 + 1)
    return Decimal(getattr(value, unit.lower(), 0))


def json_get(value: Any, *path: str | int) -> Any:
    """Returns what stands at a path of a JSON value."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if -len(value) <= part < len(value) else None
        else:
            return None
    return value


def json_text(value: Any, *path: str | int) -> str | None:
    """Returns what stands at a path of a JSON value, as text."""
    found = json_get(value, *path)
    return None if found is None else as_text(found)


def aggregate_sum(values: Iterable[Any]) -> Any:
    """Returns the sum of the values that are not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def aggregate_count(values: Iterable[Any]) -> int:
    """Returns how many values are not NULL."""
    return sum(value is not None for value in values)


def aggregate_avg(values: Iterable[Any]) -> Any:
    """Returns the mean of the values that are not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    return _divide(Decimal(sum(known)), len(known)) if known else None


def aggregate_text(separator: str, values: Iterable[Any]) -> str | None:
    """Returns the texts that are not NULL, joined in their order; NULL if there are none."""
    known = [as_text(value) for value in values if value is not None]
    return separator.join(known) if known else None


def distinct(values: Iterable[Any]) -> list[Any]:
    """Returns each value once."""
    return list(dict.fromkeys(values))


def country_code(value: str) -> str | None:
    """Returns the ISO 3166-1 code of a country's name."""
    return COUNTRIES.get(value.strip().upper())


def _normalizing(normalizer: str) -> Callable[..., str | None]:
    def normalized(value: str | None, region: str | None = None) -> str | None:
        if value is None:
            return None
        return normalizers.normalize(normalizer, value, region=region or "")

    return normalized


RUNTIME: Mapping[str, Any] = MappingProxyType(
    {
        "and3": and3, "or3": or3, "not3": not3, "in3": in3, "like": like, "concat": concat,
        "concat_ws": concat_ws, "coalesce": coalesce, "cast_to": cast_to,
        "try_cast_to": try_cast_to, "date_trunc": date_trunc, "extract": extract,
        "json_get": json_get, "json_text": json_text,
        "eq": _strict(lambda a, b: a == b), "ne": _strict(lambda a, b: a != b),
        "lt": _strict(lambda a, b: a < b), "le": _strict(lambda a, b: a <= b),
        "gt": _strict(lambda a, b: a > b), "ge": _strict(lambda a, b: a >= b),
        "add": _strict(lambda a, b: a + b), "sub": _strict(lambda a, b: a - b),
        "mul": _strict(lambda a, b: a * b), "div": _strict(_divide), "mod": _strict(_modulo),
        "neg": _strict(lambda a: -a), "join": _strict(lambda a, b: as_text(a) + as_text(b)),
        "lower": _strict(str.lower), "upper": _strict(str.upper),
        "strip": _strict(lambda t, c=" ": t.strip(c)),
        "lstrip": _strict(lambda t, c=" ": t.lstrip(c)),
        "rstrip": _strict(lambda t, c=" ": t.rstrip(c)), "left": _strict(_left),
        "right": _strict(_right), "substring": _strict(_substring), "length": _strict(len),
        "replace": _strict(lambda t, a, b: t.replace(a, b) if a else t),
        "split_part": _strict(_split_part), "strpos": _strict(lambda t, s: t.find(s) + 1),
        "lpad": _strict(_pad_left), "absolute": _strict(abs), "rounded": _strict(_round),
        "floor": _strict(_floor), "ceil": _strict(_ceil),
        "greatest": _extreme(max), "least": _extreme(min),
        "nullif": lambda a, b: None if a is not None and a == b else a,
        "aggregate_sum": aggregate_sum, "aggregate_count": aggregate_count,
        "aggregate_avg": aggregate_avg, "aggregate_text": aggregate_text,
        "aggregate_min": lambda v: _extreme(min)(*v), "aggregate_max": lambda v: _extreme(max)(*v),
        "aggregate_or": lambda v: _extreme(any)(*v), "aggregate_and": lambda v: _extreme(all)(*v),
        "distinct": distinct, "Decimal": Decimal,
        "normalize_email": _normalizing("email"), "normalize_phone": _normalizing("phone"),
        "normalize_code": _normalizing("code"), "normalize_handle": _normalizing("handle"),
        "normalize_name": _strict(normalizers.name_key), "country_code": _strict(country_code),
        "email_domain": _strict(lambda e: e.rpartition("@")[2].lower() or None),
        "phone_country": _strict(normalizers.phone_country),
        "is_mobile": _strict(normalizers.is_mobile),
    }
)  # fmt: skip
"""Names that generated text may use."""
