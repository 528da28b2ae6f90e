"""Decides how a page of Trino's answer becomes Arrow: whole columns, exact types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.dialect.types import PgType

_TYPES = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
_LOCAL_LENGTH = len("2024-02-28 23:30:00.000000")


def schema_of(types: Sequence[PgType]) -> pa.Schema:
    """Returns the columns c0, c1 … of an answer; raises RequestError RV103."""
    return pa.schema([(f"c{at}", _arrow(type_)) for at, type_ in enumerate(types)])


def batch_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Returns a page of rows; what JSON does not carry exactly is text in them."""
    columns = zip(*rows, strict=True)
    arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _arrow(type_: PgType) -> pa.DataType:
    if type_.name == "numeric":
        return pa.decimal128(type_.precision or 38, type_.scale or 0)
    if type_.category == "S":
        return pa.string()
    found = _TYPES.get(type_.name)
    if found is None:
        raise not_on_trino(f"an answer with type {type_}")
    return found


def _array(column: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(type_):
        text = pa.array(column, pa.string())
        local = pc.utf8_slice_codeunits(text, 0, _LOCAL_LENGTH).cast(pa.timestamp("us"))
        # Every instant of a statement is told in UTC.
        return local if type_.tz is None else pc.assume_timezone(local, "UTC").cast(type_)
    if pa.types.is_decimal(type_) or pa.types.is_date(type_):
        return pa.array([None if one is None else str(one) for one in column]).cast(type_)
    return pa.array(column, type_)
