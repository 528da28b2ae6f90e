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


def schema_of(columns: Mapping[str, Type]) -> pa.Schema:
    """Returns the schema of a table of canonical columns."""
    # A table without columns still has rows: they are counted by one that nobody names.
    fields = [pa.field(name, arrow_type(type_)) for name, type_ in columns.items()]
    return pa.schema(fields or [pa.field("_", pa.bool_())])


def table(
    rows: Sequence[tuple[Any, ...]],
    columns: Mapping[str, Type],
    offset: int,
    schema: pa.Schema | None = None,
) -> pa.Table:
    """Returns the columns of row tuples that stand from `offset` on; `schema`: theirs, if known."""
    schema = schema_of(columns) if schema is None else schema
    values = list(zip(*rows, strict=True))[offset:] if rows else [()] * len(columns)
    arrays = [
        pa.array(_plain(column, type_), wanted)
        for column, type_, wanted in zip(
            values, columns.values(), schema.types, strict=bool(columns)
        )
    ]
    return pa.Table.from_arrays(arrays or [pa.nulls(len(rows), pa.bool_())], schema=schema)


def _plain(column: Sequence[Any], type_: Type) -> Sequence[Any]:
    if type_.kind is not Kind.JSON:
        return column
    return list(map(as_json, column))
