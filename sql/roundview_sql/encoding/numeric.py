"""Decides the binary form of decimals: digits in base 10,000, as PostgreSQL keeps them."""

from __future__ import annotations

import struct
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roundview_sql.encoding.pieces import (
    Bytes,
    Piece,
    big_endian,
    masked,
    numbers_of,
    valid_of,
    varying,
)

_HEAD = 8
_WHOLE_GROUPS = 5
_MOST_SCALE = 16
"""With more places the fraction does not fit into 64 bits."""
_NEGATIVE = 0x4000
_NAN = struct.pack(">hhHh", 0, 0, 0xC000, 0)


def numeric_piece(array: pa.Array, *, is_exact: bool = True) -> Piece:
    """Returns decimals in binary; without `is_exact` they show no zeros behind their last digit."""
    if not pa.types.is_decimal(array.type):
        array = pc.cast(array, pa.decimal128(38, 0)) if pa.types.is_integer(array.type) else array
    if not pa.types.is_decimal128(array.type):
        return _slowly(array, is_exact=is_exact)
    scale = array.type.scale
    halves = numbers_of(array, np.dtype([("low", "<u8"), ("high", "<i8")]))
    low = halves["low"].astype(np.int64)
    fits = halves["high"] == low >> 63
    if array.null_count:
        fits |= ~valid_of(array)
    if not 0 <= scale <= _MOST_SCALE or not fits.all() or (low == np.iinfo(np.int64).min).any():
        return _slowly(array, is_exact=is_exact)
    return masked(*_groups(low, scale, is_exact=is_exact), array)


def numeric_bytes(value: Decimal) -> bytes:
    """Returns one number in binary.

    >>> numeric_bytes(Decimal("12.5")).hex()
    '0002000000000001000c1388'
    """
    if not value.is_finite():
        return _NAN
    sign, digits, exponent = value.as_tuple()
    places = int(exponent)
    scale = max(0, -places)
    text = "".join(map(str, digits)) + "0" * max(0, places)
    whole, fraction = (text[:-scale], text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = whole.rjust((len(whole) + 3) // 4 * 4, "0")
    fraction = fraction.ljust((len(fraction) + 3) // 4 * 4, "0")
    groups = [int((whole + fraction)[at : at + 4]) for at in range(0, len(whole + fraction), 4)]
    weight = len(whole) // 4 - 1
    while groups and not groups[0]:
        del groups[0]
        weight -= 1
    while groups and not groups[-1]:
        groups.pop()
    head = struct.pack(
        ">hhHh", len(groups), weight if groups else 0, _NEGATIVE if sign and groups else 0, scale
    )
    return head + struct.pack(f">{len(groups)}h", *groups)


def _groups(
    values: npt.NDArray[np.int64], scale: int, *, is_exact: bool
) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Returns all bytes that a number may have, and which of them it has."""
    count = len(values)
    size = np.abs(values)
    fraction_groups = (scale + 3) // 4
    whole, fraction = np.divmod(size, 10**scale) if scale else (size, np.zeros_like(size))
    shown = np.full(count, scale, np.int64)
    if not is_exact and scale:
        rest, is_zero = fraction.copy(), np.ones(count, np.bool_)
        for _ in range(scale):
            is_zero &= rest % 10 == 0
            shown -= is_zero
            rest //= 10
    fraction = fraction * 10 ** (fraction_groups * 4 - scale)
    groups = np.empty((count, _WHOLE_GROUPS + fraction_groups), np.int64)
    for rest, start, end in (
        (whole, 0, _WHOLE_GROUPS),
        (fraction, _WHOLE_GROUPS, _WHOLE_GROUPS + fraction_groups),
    ):
        left = rest
        for place in range(end - 1, start - 1, -1):
            left, groups[:, place] = np.divmod(left, 10_000)
    used = groups != 0
    some = used.any(axis=1)
    first = np.where(some, used.argmax(axis=1), 0)
    last = np.where(some, groups.shape[1] - 1 - used[:, ::-1].argmax(axis=1), -1)
    matrix = np.empty((count, _HEAD + 2 * groups.shape[1]), np.uint8)
    matrix[:, 0:2] = big_endian(last - first + 1, ">i2")
    matrix[:, 2:4] = big_endian(np.where(some, _WHOLE_GROUPS - 1 - first, 0), ">i2")
    matrix[:, 4:6] = big_endian(np.where(values < 0, _NEGATIVE, 0), ">i2")
    matrix[:, 6:8] = big_endian(shown, ">i2")
    matrix[:, _HEAD:] = groups.astype(">i2").view(np.uint8)
    at = np.arange(groups.shape[1])
    kept = np.ones(matrix.shape, np.bool_)
    kept[:, _HEAD:] = np.repeat((at >= first[:, None]) & (at <= last[:, None]), 2, axis=1)
    return matrix, kept


def _slowly(array: pa.Array, *, is_exact: bool) -> Piece:
    made: list[bytes | None] = []
    for value in array.to_pylist():
        if value is None:
            made.append(None)
            continue
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not is_exact and number.is_finite():
            text = format(number, "f")
            number = Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
        made.append(numeric_bytes(number))
    return varying(pa.array(made, pa.binary()))
