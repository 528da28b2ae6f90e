"""A driver's value becomes the value of a canonical field, or is refused; nothing in between."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog import coerce
from roundview_catalog.types import parse_type

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
GENDER = "enum(female, male)"
ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=20),
    st.binary(max_size=8), st.dates(), st.datetimes(), st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(("2026-07-01", "12:30", "1e999", "0000-00-00", "{}", "[NaN]", "NaN", "1_0")),
)  # fmt: skip
KINDS = (
    "text", "integer", "bigint", "decimal", "decimal(10,2)", "float", "boolean", "date",
    "timestamp", "timestamptz", "uuid", "json",
)  # fmt: skip
TARGETS = (*(kind for kind in KINDS if kind != "float"), GENDER, "country", "currency", "language")


local = datetime.fromisoformat


def converted(source: str, target: str, value: Any, zone: str = "UTC") -> Any:
    convert = coerce.converter(parse_type(source), parse_type(target), zone)
    return value if convert is None else convert(value)


def decoded(kind: str, value: Any) -> Any:
    decode = coerce.decoder(parse_type(kind))
    return value if decode is None else decode(value)


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("text", "text", "  x ", "  x "),
        ("bigint", "text", 17, "17"),
        ("decimal", "text", Decimal("1E+2"), "100"),
        ("float", "text", 1.0, "1"),
        ("boolean", "text", False, "false"),
        ("timestamptz", "text", NOON, "2026-07-01 12:00:00+00"),
        ("json", "text", {"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'),
        ("text", "integer", " 12 ", 12),
        ("text", "bigint", "-9223372036854775808", -(2**63)),
        ("decimal", "integer", Decimal("12.00"), 12),
        ("text", "decimal(18,4)", "1e3", Decimal("1000.0000")),
        ("text", "decimal", "-.00005", Decimal("-0.0001")),
        ("text", "decimal", "-0.00004", Decimal("0.0000")),
        ("float", "decimal(18,2)", 1.005, Decimal("1.01")),
        ("decimal", "decimal", Decimal("1E+40"), Decimal(f"1{'0' * 40}.0000")),
        ("text", "boolean", "Yes", True),
        ("integer", "boolean", 0, False),
        ("text", "date", "2026-07-01", date(2026, 7, 1)),
        ("text", "date", "2026-07-01 23:59:59", date(2026, 7, 1)),
        ("timestamp", "date", local("2026-07-01 23:00"), date(2026, 7, 1)),
        ("text", "uuid", "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("text", "json", '{"a": 1.50}', {"a": 1.5}),
        ("json", "json", "a text", "a text"),
        ("text", GENDER, " FEMALE ", "female"),
        ("text", "country", "Deutschland", "DE"),
        ("text", "currency", "eur", "EUR"),
    ],
)  # fmt: skip
def test_values_fit(source: str, target: str, value: Any, expected: Any) -> None:
    got = converted(source, target, value)
    assert (got, str(got), type(got)) == (expected, str(expected), type(expected))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("blank", [None, "", " ", "\t\n"])
def test_blank_is_null(target: str, blank: str | None) -> None:
    assert converted("text", target, blank) is None


@pytest.mark.parametrize(
    ("source", "target", "value"),
    [
        ("text", "integer", "1_000"),
        ("text", "integer", "\u0661\u0662"),
        ("text", "integer", "12.0"),
        ("text", "integer", "2147483648"),
        ("bigint", "integer", 2**31),
        ("text", "bigint", str(2**63)),
        ("decimal", "integer", Decimal("12.5")),
        ("float", "integer", math.inf),
        ("text", "decimal", "1_000"),
        ("text", "decimal", "1,50"),
        ("text", "decimal", "NaN"),
        ("float", "decimal", math.nan),
        ("text", "decimal", "Infinity"),
        ("integer", "boolean", 2),
        ("text", "date", "2026-02-30"),
        ("text", "date", "0000-00-00"),
        ("text", "date", "2026-W01-1"),
        ("text", "date", "2026-07-01 and more"),
        ("text", "timestamptz", "soon"),
        ("text", "uuid", "17"),
        ("text", "json", "{bad"),
        ("text", "json", '"\\ud800"'),
        ("text", GENDER, "robot"),
        ("text", "country", "Atlantis"),
    ],
)
def test_values_that_do_not_fit_are_refused(source: str, target: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        converted(source, target, value)


@pytest.mark.parametrize(
    ("zone", "value", "expected"),
    [
        ("Europe/Berlin", local("2026-07-01 14:00"), NOON),
        ("Europe/Berlin", "2026-07-01T14:00", NOON),
        ("Europe/Berlin", "2026-07-01T12:00:00Z", NOON),
        ("Europe/Berlin", NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), NOON),
        # The hour that comes twice is the earlier one; the one that never comes moves forward.
        ("Europe/Berlin", local("2025-10-26 02:30"), datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),
        ("Europe/Berlin", local("2026-03-29 02:30"), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 7, 1), datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("+05:30", local("2026-07-01 17:30"), NOON),
        ("", local("2026-07-01 12:00"), NOON),
    ],
)  # fmt: skip
def test_times_without_zone_are_local(zone: str, value: Any, expected: datetime) -> None:
    assert converted("timestamp", "timestamptz", value, zone) == expected


@pytest.mark.parametrize(
    ("zone", "value"),
    [("Europe/Berlin", local("0001-01-01 00:00")), ("America/New_York", local("9999-12-31 23:00")),
     ("UTC", 10**20), ("UTC", math.inf)],
)  # fmt: skip
def test_times_out_of_the_calendar_are_refused(zone: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        converted("timestamp", "timestamptz", value, zone)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("bigint", "17", 17),
        ("bigint", 2**70, 2**70),
        ("bigint", 3.0, 3),
        ("decimal(10,2)", 19.999, Decimal("20.00")),
        ("decimal", 0.1, Decimal("0.1")),
        ("text", b"caf\xc3\xa9", "café"),
        ("text", 17, "17"),
        ("json", '{"a": 2.50}', {"a": Decimal("2.50")}),
        ("json", {"a": 2.5}, {"a": 2.5}),
        ("boolean", 1, True),
        ("timestamptz", "2026-07-01 12:00:00", NOON),
        ("date", "2026-07-01", date(2026, 7, 1)),
        ("uuid", "AB", "ab"),
    ],
)
def test_drivers_values_are_read(kind: str, value: Any, expected: Any) -> None:
    assert decoded(kind, value) == expected


@given(st.sampled_from(KINDS), st.sampled_from(TARGETS), ANY)
def test_anything_becomes_a_value_or_a_value_error(kind: str, target: str, value: Any) -> None:
    try:
        got = converted(kind, target, decoded(kind, value), "Europe/Berlin")
    except ValueError:
        return
    assert got != ""
    if isinstance(got, datetime) and target in ("timestamp", "timestamptz"):
        assert got.utcoffset() == timedelta()
