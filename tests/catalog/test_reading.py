"""What is read in one step is what decoding and converting give, value by value."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from roundview_catalog import coerce
from roundview_catalog.reading import known_texts, reader
from roundview_catalog.types import Kind, Type

MOMENT = Type(Kind.TIMESTAMP)
MONEY = Type(Kind.DECIMAL, 18, 4)
ODD = [None, "", " ", "x", 5, True, 1e20, b"x", [], "infinity", date(2020, 1, 1)]
TEXTS = [
    "0000-00-00", "2020-W01", "2020-01-01", " 2020-01-01 ", "2020-01-01 00:00:00.5",
    "2020-01-01 00:00:00+00", "2020-01-01T00:00:00+02:00", "0001-01-01 00:00:00 BC",
    "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-03-31 02:30:00",
]  # fmt: skip


def outcome(convert: Callable[[Any], Any], value: Any) -> Any:
    """Returns what came of a value as one can see it, the error included."""
    try:
        made = convert(value)
    except ValueError:
        return ValueError
    return repr(made), getattr(made, "tzinfo", None)


def in_two_steps(own: Type, target: Type, zone: str) -> Callable[[Any], Any]:
    decode = coerce.decoder(own) or (lambda value: value)
    convert = coerce.converter(own, target, zone) or (lambda value: value)
    return lambda value: convert(decode(value))


def moments(chance: random.Random) -> Iterator[datetime]:
    """Yields naive times of two centuries, and every half hour around changes of the clock."""
    at = datetime.fromisoformat
    for _ in range(500):
        yield at("1900-01-01") + timedelta(minutes=chance.randrange(200 * 365 * 1440))
    for first in map(at, ("2023-03-24", "2023-10-26", "2023-11-03")):
        for half in range(5 * 48):
            yield first + timedelta(minutes=30 * half)
    yield from map(at, ("0001-01-01", "9999-12-31T23:59:59.999999", "2023-01-01T00:00Z"))
    yield at("2023-10-29T02:30").replace(fold=1)


@pytest.mark.parametrize("kind", [Kind.TIMESTAMP, Kind.TIMESTAMPTZ])
@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "+05:30"]
)
def test_times(kind: Kind, zone: str) -> None:
    own = Type(kind)
    read, wanted = reader(own, own, MOMENT, zone), in_two_steps(own, MOMENT, zone)
    for value in (*ODD, *TEXTS, *moments(random.Random(1))):
        assert outcome(read, value) == outcome(wanted, value), value


@pytest.mark.parametrize("sizes", [(None, None), (15, 2), (18, 4), (30, 9), (38, 25)])
def test_decimals(sizes: tuple[int | None, int | None]) -> None:
    own = Type(Kind.DECIMAL, *sizes)
    read, wanted = reader(own, own, MONEY, "UTC"), in_two_steps(own, MONEY, "UTC")
    chance = random.Random(1)
    texts = [
        "NaN",
        "Infinity",
        "-0",
        "0.00",
        "1E+5",
        "1e999",
        "1.00005",
        "-0.00004",
        "1.0000499999",
    ]
    numbers = [Decimal(chance.randrange(-(10**12), 10**12)).scaleb(-at % 12) for at in range(500)]
    for value in (*ODD, *map(Decimal, texts), *numbers):
        assert outcome(read, value) == outcome(wanted, value), value


@pytest.mark.parametrize(
    "target",
    [Type(Kind.ENUM, values=("open", "Closed")), *map(Type, (Kind.COUNTRY, Kind.CURRENCY))],
)
def test_known_texts_are_what_converting_gives(target: Type) -> None:
    convert = coerce.converter(Type(Kind.TEXT), target, "UTC")
    assert convert is not None
    known = known_texts(target)
    assert known
    assert {text: convert(text) for text in known} == known
