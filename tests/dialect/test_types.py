"""Decides what columns of the canonical schema are to SQL: what Arrow has, under other names."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roundview_catalog.types import parse_type
from roundview_federation.dialect.types import numeric, of_column
from roundview_federation.sql.tables import arrow_type


@pytest.mark.parametrize(
    ("declared", "digits"),
    [("decimal", (18, 4)), ("decimal(12,3)", (12, 3)), ("decimal(9)", (9, 0))],
)
def test_a_decimal_has_the_same_digits_in_sql_and_in_arrow(
    declared: str, digits: tuple[int, int]
) -> None:
    type_ = parse_type(declared)

    assert of_column(type_) == numeric(*digits)
    assert arrow_type(type_) == pa.decimal128(*digits)
