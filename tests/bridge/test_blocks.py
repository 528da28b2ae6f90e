"""Blocks written from buffers are what their values say, however the array lies in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog.types import parse_type
from roundview_federation.bridge import messages
from roundview_federation.bridge.blocks import page, page_bytes, values, wire_column
from roundview_federation.bridge.frames import decode
from roundview_federation.bridged import bridged_type
from roundview_federation.connectors.columns import arrow_type

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "decimal(18,6)": st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(f"{n}e-6")),
    "decimal(38,10)": st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}e-10")),
    "timestamp": TIMES,
    "timestamptz": TIMES.map(lambda one: one.replace(tzinfo=UTC)),
}


@pytest.mark.parametrize("kind", VALUES)
def test_blocks_have_the_values_of_their_array(kind: str) -> None:
    type_ = parse_type(kind)
    trino = bridged_type(type_).trino

    @given(
        st.lists(st.none() | VALUES[kind], max_size=20),
        st.integers(0, 20),
        st.integers(0, 20),
    )
    def check(found: list[Any], first: int, count: int) -> None:
        array = pa.array(found, arrow_type(type_)).slice(first, count)
        kept = found[first : first + count]
        columns = [(trino, wire_column(array))]
        encoded = page(columns, len(array), b"next")
        read = decode(encoded, messages.Page)
        assert (read.rows, read.next.id if read.next else None) == (len(kept), b"next")
        assert read.blocks is not None
        assert values(read.blocks[0]) == [_sent(one, type_.scale, trino) for one in kept]
        assert page_bytes(columns, len(array)) <= len(encoded)
        assert len(encoded) <= page_bytes(columns, len(array)) + 64

    check()


def _sent(one: Any, scale: int | None, trino: str) -> Any:
    if isinstance(one, Decimal):
        whole = int(Fraction(one) * 10 ** (scale or 0))
        return whole if trino == "bigint" else str(whole)
    if isinstance(one, datetime):
        return (one.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    return one


@pytest.mark.parametrize(
    "wrong",
    [
        messages.Block(),
        messages.Block(varchar=messages.Texts(sizes=[3], bytes=b"ab")),
        messages.Block(varchar=messages.Texts(sizes=[1], bytes=b"ab")),
        messages.Block(varchar=messages.Texts(sizes=[-1, 3], bytes=b"ab")),
        messages.Block(varchar=messages.Texts(sizes=[1], bytes=b"\xff")),
        messages.Block(bigint=messages.Bigints(nulls=[True], values=[1, 2])),
        messages.Block(date=messages.Integers(values=[2**31 - 1])),
        messages.Block(timestamp=messages.Bigints(values=[1])),
    ],
    ids=lambda block: str(next(iter(block.__dict__), "nothing")),
)
def test_blocks_that_contradict_themselves_are_refused(wrong: messages.Block) -> None:
    with pytest.raises((ValueError, OverflowError)):
        values(wrong)


def test_values_are_read_with_their_nulls() -> None:
    block = messages.Block(date=messages.Integers(nulls=[False, True], values=[1, 0]))
    assert values(block) == [date(1970, 1, 2), None]
    assert values(messages.Block(varchar=messages.Texts(nulls=[True]))) == [None]
