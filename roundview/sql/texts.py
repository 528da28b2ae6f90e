"""Decides how the values of an answer are written as text, whole columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from roundview_federation.dialect.translate import OutputColumn
from roundview_federation.dialect.types import PgType
from roundview_sql.encoding.text import decimal_texts, each, interval_text

_NUMBERS = ("smallint", "integer", "real", "double precision")


def text_columns(batch: pa.RecordBatch, columns: Sequence[OutputColumn]) -> list[pa.Array]:
    """Returns each column as text: instants in ISO 8601 with Z, arrays as JSON, NULL as NULL."""
    return [
        text_column(array, column.type)
        for array, column in zip(batch.columns, columns, strict=True)
    ]


def text_column(array: pa.Array, type_: PgType) -> pa.Array:
    """Returns one column as text."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return pc.cast(array, pa.string())
    if pa.types.is_decimal(kind):
        return decimal_texts(array, is_exact=type_.exact)
    if pa.types.is_floating(kind):
        return _floats(pc.cast(array, pa.string()))
    if pa.types.is_timestamp(kind):
        text = pc.replace_substring(pc.cast(array, pa.string()), " ", "T")
        return pc.replace_substring(text, ".000000", "")
    if pa.types.is_time(kind):
        return pc.replace_substring(pc.cast(array, pa.string()), ".000000", "")
    if pa.types.is_interval(kind):
        return each(array, interval_text)
    if pa.types.is_list(kind):
        values = (json_values(pa.array([one], kind), type_)[0] for one in array.to_pylist())
        return pa.array(
            [None if one is None else orjson.dumps(one).decode() for one in values], pa.string()
        )
    return pc.cast(array, pa.string())


def json_columns(batch: pa.RecordBatch, columns: Sequence[OutputColumn]) -> list[list[Any]]:
    """Returns each column as values for JSON.

    Decimals and 64-bit integers are text, whatever their size; so is a number that JSON has no
    word for. Values of type json are parts of the document.
    """
    return [
        json_values(array, column.type)
        for array, column in zip(batch.columns, columns, strict=True)
    ]


def json_values(array: pa.Array, type_: PgType) -> list[Any]:
    """Returns the values of one column as JSON can hold them."""
    values: list[Any]
    if type_.element is not None:
        element = type_.element
        values = [
            None if one is None else json_values(pa.array(one, array.type.value_type), element)
            for one in array.to_pylist()
        ]
    elif pa.types.is_boolean(array.type):
        values = array.to_pylist()
    elif type_.name in _NUMBERS and not pa.types.is_decimal(array.type):
        values = array.to_pylist()
        if pa.types.is_floating(array.type) and not pc.all(pc.is_finite(array)).as_py():
            texts = text_column(array, type_).to_pylist()
            finite = pc.is_finite(array).to_pylist()
            values = [
                text if is_finite is False else value
                for value, text, is_finite in zip(values, texts, finite, strict=True)
            ]
    elif type_.name == "json":
        texts = text_column(array, type_).to_pylist()
        values = [None if one is None else orjson.Fragment(one) for one in texts]
    else:
        values = text_column(array, type_).to_pylist()
    return values


def _floats(text: pa.Array) -> pa.Array:
    for arrow, postgres in (("nan", "NaN"), ("inf", "Infinity")):
        text = pc.replace_substring(text, arrow, postgres)
    return text
