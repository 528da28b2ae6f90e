"""Decides how rows that arrived become an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.columns import arrow_type as sent_type


def arrow_type(type_: Type) -> pa.DataType:
    """Returns the Arrow type of a canonical column: every time is an instant, every text a string.

    Decimals that declare no digits have those of money.
    """
    if type_.kind is Kind.DECIMAL:
        return pa.decimal128(*type_.digits)
    return sent_type(Type(Kind.TIMESTAMPTZ) if type_.is_time else type_)


def as_json(value: Any) -> str | None:
    """Returns a value of a JSON column as its text; what is absent is NULL."""
    return None if value is None else orjson.dumps(value).decode()


def table(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, Type], offset: int) -> pa.Table:
    """Returns the columns of row tuples that stand from `offset` on."""
    fields = [pa.field(name, arrow_type(type_)) for name, type_ in columns.items()]
    values = list(zip(*rows, strict=True))[offset:] if rows else [()] * len(fields)
    arrays = [
        pa.array(_plain(column, type_), field.type)
        for column, type_, field in zip(values, columns.values(), fields, strict=True)
    ]
    if not fields:
        # A table without columns still has rows: they are counted by one that nobody names.
        fields, arrays = [pa.field("_", pa.bool_())], [pa.nulls(len(rows), pa.bool_())]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _plain(column: Sequence[Any], type_: Type) -> Sequence[Any]:
    if type_.kind is not Kind.JSON:
        return column
    return list(map(as_json, column))
