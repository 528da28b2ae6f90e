"""Decides in which type expressions meet and what a constant means in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from roundview_catalog.expressions.casts import (
    to_bigint,
    to_boolean,
    to_date,
    to_decimal,
    to_float,
    to_integer,
    to_timestamp,
    to_timestamptz,
    to_uuid,
)
from roundview_catalog.expressions.functions import CAST_KINDS, TEXT
from roundview_catalog.expressions.nodes import ExpressionError, offset_of
from roundview_catalog.expressions.times import parse_interval
from roundview_catalog.types import Kind, Type

TIMESTAMP, TIMESTAMPTZ, DATE = Type(Kind.TIMESTAMP), Type(Kind.TIMESTAMPTZ), Type(Kind.DATE)
NUMBERS = (Kind.FLOAT, Kind.DECIMAL, Kind.BIGINT, Kind.INTEGER)
"""Kinds of numbers; the first that occurs decides."""
DAYS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)

_TO_KIND: Mapping[Kind, Callable[[str], Any]] = MappingProxyType(
    {
        Kind.INTEGER: to_integer,
        Kind.BIGINT: to_bigint,
        Kind.DECIMAL: to_decimal,
        Kind.FLOAT: to_float,
        Kind.BOOLEAN: to_boolean,
        Kind.DATE: to_date,
        Kind.TIMESTAMP: to_timestamp,
        Kind.TIMESTAMPTZ: to_timestamptz,
        Kind.UUID: to_uuid,
    }
)


def cast_type(tree: exp.Expr) -> Type:
    """Returns the type that a CAST names."""
    to = tree.args["to"]
    kind = CAST_KINDS.get(str(getattr(to.this, "value", to.this)))
    if kind is None:
        raise ExpressionError("not a type here", "", offset_of(tree), "RV215")
    sizes = [int(part.name) for part in to.expressions]
    if kind is Kind.DECIMAL and sizes:
        return Type(kind, sizes[0], sizes[1] if len(sizes) > 1 else 0)
    return Type(kind, sizes[0]) if kind is Kind.TEXT and sizes else Type(kind)


def literal_value(node: exp.Expr, type_: Type) -> Any:
    """Returns a text constant as a value of the type that it takes; raises ExpressionError."""
    text = str(inside(node).this)
    convert = _TO_KIND.get(type_.kind)
    if convert is None:
        return text
    try:
        return convert(text)
    except ValueError:
        raise ExpressionError(
            f"{text[:40]!r} is not of type {type_.kind}", "", offset_of(node), "RV215"
        ) from None


def inside(node: exp.Expr) -> exp.Expr:
    """Returns what stands inside parentheses."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def is_text_constant(node: exp.Expr) -> bool:
    """Tells whether a node is a text constant, which takes the type it meets."""
    inner = inside(node)
    return isinstance(inner, exp.Literal) and bool(inner.is_string)


def is_null(node: exp.Expr) -> bool:
    """Tells whether a node is the constant NULL."""
    return isinstance(inside(node), exp.Null)


def common_type(nodes: Sequence[exp.Expr], types: Sequence[Type]) -> Type:
    """Returns the type in which values of several expressions meet."""
    known = [
        (node, type_)
        for node, type_ in zip(nodes, types, strict=True)
        if not is_null(node) and not is_text_constant(node)
    ]
    if not known:
        return TEXT
    result = known[0][1]
    for node, type_ in known[1:]:
        met = _meet(result, type_)
        if met is None:
            raise ExpressionError(
                f"{result} and {type_} do not go together", "cast one", offset_of(node), "RV215"
            )
        result = met
    for node in nodes:
        if is_text_constant(node):
            literal_value(node, result)
    return result


def _meet(a: Type, b: Type) -> Type | None:
    if a == b:
        return a
    if a.kind in NUMBERS and b.kind in NUMBERS:
        kind = NUMBERS[min(NUMBERS.index(a.kind), NUMBERS.index(b.kind))]
        return Type(kind)
    if a.is_text and b.is_text:
        return TEXT
    if {a.kind, b.kind} == {Kind.DATE, Kind.TIMESTAMP}:
        return TIMESTAMP
    if {a.kind, b.kind} == {Kind.DATE, Kind.TIMESTAMPTZ}:
        return TIMESTAMPTZ
    return Type(a.kind) if a.kind is b.kind else None


def interval_of(node: exp.Expr) -> tuple[int, int, int]:
    """Returns months, days and microseconds of an interval constant."""
    unit = node.args.get("unit")
    text = f"{node.this.name} {unit.name if unit is not None else ''}"
    try:
        return parse_interval(text)
    except ValueError as error:
        raise ExpressionError(str(error), "interval '1 day'", offset_of(node), "RV215") from None


def castable(source: Kind, target: Kind) -> bool:
    """Tells whether PostgreSQL has a cast between two kinds."""
    if source is target:
        return True
    if source is Kind.JSON:
        # PostgreSQL prints members in an order of its own; ->> takes texts out as they are.
        return False
    if target is Kind.TEXT:
        return True
    if Type(source).is_text:
        return True
    if source in NUMBERS:
        return target in NUMBERS or (source is Kind.INTEGER and target is Kind.BOOLEAN)
    if source is Kind.BOOLEAN:
        return target is Kind.INTEGER
    return source in DAYS and target in DAYS
