"""Computes with numbers as PostgreSQL does: exact ones are never rounded silently."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException
from functools import reduce
from typing import Any

from roundview_catalog.expressions.casts import EXACT, rescaled

_SMALL, _LARGE = 1 << 31, 1 << 63
_DIGITS = 4  # PostgreSQL keeps numeric in base 10,000 and derives scales from that.
_SIGNIFICANT = 16


def fits_integer(number: int) -> int:
    """Returns a result of 32-bit integers; ValueError where PostgreSQL's would overflow."""
    if not -_SMALL <= number < _SMALL:
        raise ValueError("out of range for integer")
    return number


def fits_bigint(number: int) -> int:
    """Returns a result of 64-bit integers; ValueError where PostgreSQL's would overflow."""
    if not -_LARGE <= number < _LARGE:
        raise ValueError("out of range for bigint")
    return number


def fits_float(number: float) -> float:
    """Returns a result of doubles; ValueError where it is none: overflow, infinity, NaN."""
    if not math.isfinite(number):
        raise ValueError("out of range for double precision")
    return number


def exact_divide(a: Any, b: Any) -> Decimal:
    """Returns a / b with at least 16 significant digits and the scale that PostgreSQL chooses."""
    return divided_by(Decimal(b))(a)


def divided_by(divisor: Decimal) -> Callable[[Any], Decimal]:
    """Returns what divides by a number as `exact_divide` does."""
    if not divisor:
        return _division_by_zero
    # PostgreSQL estimates the quotient's weight from the first digit groups of both numbers.
    weight, first = _weight(divisor)
    digits = divisor.adjusted() & 3
    least = max(_scale(divisor), 0)

    def divide(value: Any) -> Decimal:
        number = value if value.__class__ is Decimal else Decimal(value)
        if number:
            adjusted = number.adjusted()
            own_weight, own_digits = adjusted >> 2, adjusted & 3
            if own_digits == digits:
                is_smaller = _weight(number)[1] <= first
            else:
                is_smaller = own_digits < digits
        else:
            own_weight, is_smaller = 0, True
        places = _SIGNIFICANT - (own_weight - weight - is_smaller) * _DIGITS
        scale = max(places, _scale(number), least)
        return rescaled(EXACT.divide(number, divisor), min(scale, 1000))

    return divide


def exact_modulo(a: Any, b: Any) -> Decimal:
    """Returns the rest of a / b with the sign of a."""
    if not b:
        raise ValueError("division by zero")
    try:
        return EXACT.remainder(Decimal(a), Decimal(b))
    except DecimalException:
        raise ValueError("number out of range") from None


def whole_divide(a: int, b: int) -> int:
    """Returns a / b of integers, cut towards zero."""
    if not b:
        raise ValueError("division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def whole_modulo(a: int, b: int) -> int:
    """Returns the rest of a / b of integers, with the sign of a."""
    return a - b * whole_divide(a, b)


def float_divide(a: float, b: float) -> float:
    """Returns a / b of doubles."""
    if not b:
        raise ValueError("division by zero")
    return a / b


def negative(value: Any) -> Any:
    """Returns -value."""
    return EXACT.minus(value) if isinstance(value, Decimal) else -value


def absolute(value: Any) -> Any:
    """Returns the value without its sign."""
    return value.copy_abs() if isinstance(value, Decimal) else abs(value)


def rounded(value: Any, digits: int = 0) -> Any:
    """Returns a number rounded half away from zero; doubles half to even."""
    if isinstance(value, float):
        return round(value, 0)
    return rescaled(Decimal(value), max(-1000, min(digits, 1000)))


def floor(value: Any) -> Any:
    """Returns the nearest whole number below."""
    if isinstance(value, float):
        return float(Decimal(value).to_integral_value(ROUND_FLOOR))
    return value.to_integral_value(ROUND_FLOOR) + 0


def ceil(value: Any) -> Any:
    """Returns the nearest whole number above."""
    if isinstance(value, float):
        return float(Decimal(value).to_integral_value(ROUND_CEILING))
    return value.to_integral_value(ROUND_CEILING) + 0


def aggregate_sum(values: list[Any]) -> Any:
    """Returns the sum of the values that are not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return reduce(EXACT.add, known) if type(known[0]) is Decimal else sum(known)


def aggregate_avg(values: list[Any]) -> Any:
    """Returns the mean of the values that are not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    total = aggregate_sum(known)
    return total / len(known) if type(total) is float else exact_divide(total, len(known))


def _division_by_zero(_: Any) -> Decimal:
    raise ValueError("division by zero")


def _scale(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _weight(number: Decimal) -> tuple[int, int]:
    """Returns the base-10,000 weight of the first digit group and that group."""
    if not number:
        return 0, 0
    weight = number.adjusted() // _DIGITS
    first = int(abs(number).scaleb(-weight * _DIGITS, EXACT))
    return weight, first
