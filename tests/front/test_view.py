"""Proves that a view holds every value without loss when it becomes JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from roundview.view import plain


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_survive_json(number: Decimal, whole: int) -> None:
    data = orjson.loads(orjson.dumps(plain({"number": number, "whole": [whole]})))
    assert Decimal(data["number"]) == number
    assert int(data["whole"][0]) == whole
    assert isinstance(data["whole"][0], int) is (abs(whole) <= 2**53)


def test_instants_are_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    assert plain(datetime(2026, 7, 1, 12, tzinfo=berlin)) == "2026-07-01T10:00:00Z"
    assert plain(datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)) == "2026-07-01T12:00:00.000005Z"
    assert plain(date(2026, 7, 1)) == "2026-07-01"
