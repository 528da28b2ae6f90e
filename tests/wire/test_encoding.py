"""Proves that columns encoded at once are the messages that values make one by one."""

from __future__ import annotations

import struct
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundview_sql import type_codes as codes
from roundview_sql.encoding import BINARY, TEXT, encode_rows
from roundview_sql.encoding.numeric import numeric_bytes, numeric_piece
from roundview_sql.encoding.pieces import Varying
from roundview_sql.encoding.text import float_text, text_column
from roundview_sql.messages import data_row
from roundview_sql.parameters import array_items, said
from roundview_sql.type_codes import Column

WHOLE = st.none() | st.integers(-(2**63), 2**63 - 1)
WORDS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
COLUMNS = (Column("a", codes.INT8), Column("b", codes.TEXT), Column("c", codes.BOOL))
TYPES = (pa.int64(), pa.string(), pa.bool_())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(WHOLE, WORDS, st.none() | st.booleans()), min_size=1, max_size=8),
    st.tuples(*[st.sampled_from([TEXT, BINARY])] * 3),
    st.integers(0, 3),
)
def test_messages_are_those_of_single_values(
    rows: list[tuple[int | None, str | None, bool | None]], formats: tuple[int, ...], start: int
) -> None:
    arrays = [
        pa.array(values, type_)
        for values, type_ in zip(zip(*rows, strict=True), TYPES, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(arrays, ["a", "b", "c"]).slice(start)
    expected = b"".join(
        data_row(
            [
                None if number is None else struct.pack(">q", number) if formats[0] else str(number).encode(),
                None if word is None else word.encode(),
                None if flag is None else bytes([flag]) if formats[2] else b"tf"[not flag :][:1],
            ]
        )
        for number, word, flag in rows[start:]
    )  # fmt: skip
    assert bytes(encode_rows(batch, COLUMNS, formats)) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.none() | st.integers(-(10**20), 10**20) | st.integers(-99, 99), min_size=1, max_size=6
    ),
    st.integers(0, 17),
)
def test_decimals_are_those_of_single_values(units: list[int | None], scale: int) -> None:
    values = [None if one is None else Decimal(one).scaleb(-scale) for one in units]
    piece = numeric_piece(pa.array(values, pa.decimal128(38, scale)))
    assert isinstance(piece, Varying)
    found = [
        None if length < 0 else value
        for value, length in zip(piece.values.to_pylist(), piece.lengths.tolist(), strict=True)
    ]
    assert found == [None if one is None else numeric_bytes(one) for one in values]
    back = [None if raw is None else Decimal(str(said(raw, codes.NUMERIC, 1))) for raw in found]
    assert back == values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e15, "1e+15"), (123456789012345.0, "123456789012345"), (1e-5, "1e-05"),
        (0.0001, "0.0001"), (-0.0, "-0"), (1.0, "1"), (-1.5e300, "-1.5e+300"),
        (float("nan"), "NaN"), (float("-inf"), "-Infinity"),
    ],
)  # fmt: skip
def test_floats_are_written_as_postgresql_writes_them(value: float, text: str) -> None:
    assert text_column(pa.array([value]), codes.FLOAT8).to_pylist() == [text]
    assert float_text(value, repr(value)) == text


def test_arrays_are_read_and_written() -> None:
    words = ["a", None, "", "b,c", 'q"', "nu\\ll", "null", "{}"]
    (text,) = text_column(pa.array([words]), codes.array_of(codes.TEXT)).to_pylist()
    assert array_items(text) == tuple(words)
