"""Decides how functions over arrays are said to DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.signatures import Render
from roundview_federation.dialect.types import INTEGER, TEXT, array_of
from roundview_federation.dialect.values import Value, binary, call, cast, let, number, string, when

_TEXTS = array_of(TEXT)


def split(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns string_to_array(x, delimiter): an empty text has no parts."""
    if len(values) != 2 or any(value.type.category not in "SX" for value in values):
        raise unsupported("this form of string_to_array", source)
    text, by = (coerce(value, TEXT) for value in values)
    if not by.text:
        raise unsupported("a delimiter that is not a constant", source)
    none = exp.Cast(this=call("list_value"), to=exp.DataType.build("text[]", dialect="duckdb"))
    node = let(
        "t", text.node,
        lambda t: when(
            binary(exp.EQ, t(), string("")), none, call("string_split", t(), by.node)
        ),
    )  # fmt: skip
    return Value(node, _TEXTS, source)


def joined(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns array_to_string(x, delimiter) of texts: NULL elements are left out."""
    if len(values) != 2 or values[0].type != _TEXTS or not values[1].text:
        raise unsupported("this form of array_to_string", source)
    return Value(call("array_to_string", values[0].node, string(values[1].text)), TEXT, source)


def size(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns cardinality(x)."""
    if len(values) != 1 or values[0].type.element is None:
        raise refuse(FUNCTION, "cardinality takes an array", source)
    return Value(cast(call("len", values[0].node), INTEGER), INTEGER, source)


def length(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns array_length(x, 1): an empty array has none."""
    if len(values) != 2 or values[0].type.element is None:
        raise refuse(FUNCTION, "array_length takes an array and a dimension", source)
    if values[1].text != "1":
        raise unsupported("arrays of several dimensions", source)
    made = call("nullif", call("len", values[0].node), number(0))
    return Value(cast(made, INTEGER), INTEGER, source)


ARRAY_FUNCTIONS: Mapping[str, Render] = {
    "array_length": length,
    "array_to_string": joined,
    "cardinality": size,
    "string_to_array": split,
}
