"""Decides how aggregates, with FILTER, DISTINCT and ORDER BY, are said to DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.casts import coerce, settle
from roundview_federation.dialect.division import quotient, quotient_type
from roundview_federation.dialect.refusal import FUNCTION, TYPES, refuse, unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    INTERVAL,
    TEXT,
    UNKNOWN,
    PgType,
    array_of,
    numeric,
)
from roundview_federation.dialect.values import Value, binary, call, cast, string

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

# Of doubles only: PostgreSQL computes those of numerics to digits of its own choice.
_FLOATING = {
    "stddev": "stddev_samp", "stddev_samp": "stddev_samp", "stddev_pop": "stddev_pop",
    "variance": "var_samp", "var_samp": "var_samp", "var_pop": "var_pop",
}  # fmt: skip
_NO_EXTREME = frozenset({"boolean", "uuid", "json", "record"})
NAMED = frozenset({"every", *_FLOATING})

Use = Callable[[exp.Expr], exp.Expr]


@dataclass(slots=True)
class Call:
    """One aggregate as it is written: its arguments and what limits its rows."""

    node: exp.Expr
    arguments: list[exp.Expr]
    is_distinct: bool = False
    order: exp.Expr | None = None


def aggregate(translator: Translator, node: exp.Expr, use: Use) -> Value:
    """Returns the value of an aggregate; `use` puts FILTER or OVER around a call."""
    if isinstance(node, exp.WithinGroup):
        return _ordered_set(translator, node, use)
    if isinstance(node, exp.Count):
        return _count(translator, node, use)
    if isinstance(node, exp.Grouping):
        parts = [translator.value(part).node for part in node.expressions]
        return Value(cast(call("grouping", *parts), INTEGER), INTEGER, node)
    if isinstance(node, exp.GroupConcat):
        return _joined(translator, node, use)
    called = _read(node)
    if len(called.arguments) != 1:
        raise refuse(FUNCTION, "there is no such aggregate", node)
    value = translator.value(called.arguments[0])
    if isinstance(node, exp.Anonymous):
        if node.this == "every":
            return _truth(translator, called, value, "bool_and", use)
        return _floating(translator, called, value, use)
    if isinstance(node, exp.LogicalAnd):
        return _truth(translator, called, value, "bool_and", use)
    if isinstance(node, exp.LogicalOr):
        return _truth(translator, called, value, "bool_or", use)
    if isinstance(node, exp.ArrayAgg):
        if value.type is UNKNOWN:
            raise refuse(TYPES, "the type of a literal is not known here", node, hint="cast it")
        made = use(_call(translator, called, "array_agg", value.node))
        return Value(made, array_of(value.type), node)
    if isinstance(node, (exp.Min, exp.Max)):
        value = settle(value)
        if value.type.name in _NO_EXTREME or value.type.element is not None:
            raise refuse(FUNCTION, f"there is no function {node.key}({value.type})", node)
        return Value(use(_call(translator, called, node.key, value.node)), value.type, node)
    return _summed(translator, called, value, use)


def _read(node: exp.Expr) -> Call:
    inner = node.expressions if isinstance(node, exp.Anonymous) else [node.this]
    found = Call(node, list(inner))
    if len(inner) == 1:
        first = inner[0]
        if isinstance(first, exp.Order):
            found.order, first = first, first.this
        if isinstance(first, exp.Distinct):
            found.is_distinct = True
            found.arguments = list(first.expressions)
            last = found.arguments[-1]
            if isinstance(last, exp.Order):
                found.order, found.arguments[-1] = last, last.this
        else:
            found.arguments = [first]
    return found


def _call(translator: Translator, called: Call, name: str, *nodes: exp.Expr) -> exp.Expr:
    """Returns DuckDB's call with DISTINCT and ORDER BY."""
    parts = list(nodes)
    if called.is_distinct:
        parts[0] = exp.Distinct(expressions=[parts[0]])
    if called.order is not None:
        keys = translator.order_keys(called.order)
        if called.is_distinct and any(
            part.this != called.arguments[0] for part in called.order.expressions
        ):
            raise unsupported("an aggregate of DISTINCT ordered by something else", called.node)
        # Behind the last argument, where DuckDB's syntax has it.
        parts[-1] = exp.Order(this=parts[-1], expressions=keys)
    elif called.is_distinct and name in ("array_agg", "string_agg"):
        # PostgreSQL sorts to find what is equal.
        key = exp.Ordered(this=nodes[0].copy(), desc=False, nulls_first=False)
        parts[-1] = exp.Order(this=parts[-1], expressions=[key])
    return call(name, *parts)


def _count(translator: Translator, node: exp.Expr, use: Use) -> Value:
    called = _read(node)
    if len(called.arguments) != 1:
        raise unsupported("count of several columns", node)
    first = called.arguments[0]
    if isinstance(first, exp.Star):
        return Value(use(call("count", exp.Star())), BIGINT, node)
    value = settle(translator.value(first))
    return Value(use(_call(translator, called, "count", value.node)), BIGINT, node)


def _summed(translator: Translator, called: Call, value: Value, use: Use) -> Value:
    node, own = called.node, value.type
    is_average = isinstance(node, exp.Avg)
    if own is UNKNOWN:
        raise refuse(
            FUNCTION, f"function {node.key}(unknown) is not unique", node, sqlstate="42725"
        )
    if own == INTERVAL or (own.category != "N"):
        if own == INTERVAL:
            raise unsupported(f"{node.key} of intervals", node)
        raise refuse(FUNCTION, f"there is no function {node.key}({own})", node)
    if own == DOUBLE:
        return Value(
            use(_call(translator, called, "avg" if is_average else "sum", value.node)), DOUBLE, node
        )
    if own.name == "numeric":
        type_ = numeric(38, own.scale or 0, own.exact)
        raw: exp.Expr = cast(value.node, type_)
    else:
        type_, raw = numeric(38, 0), value.node
    total = use(_call(translator, called, "sum", raw))
    if own.is_integer:
        narrow = own != BIGINT
        if not is_average:
            type_ = BIGINT if narrow else type_
            return Value(cast(total, type_), type_, node)
        total = cast(total, type_)
    if not is_average:
        return Value(total, type_, node)
    if not own.exact:
        raise unsupported("the average of numbers without a fixed scale", node, "round them first")
    count = use(_call(translator, _copied(called), "count", value.node.copy()))
    return Value(quotient(total, type_, count, BIGINT), quotient_type(type_, BIGINT), node)


def _copied(called: Call) -> Call:
    order = called.order.copy() if called.order is not None else None
    return Call(called.node, [part.copy() for part in called.arguments], called.is_distinct, order)


def _floating(translator: Translator, called: Call, value: Value, use: Use) -> Value:
    name = _FLOATING.get(called.node.this)
    if name is None:
        raise refuse(FUNCTION, "there is no such aggregate", called.node)
    if value.type != DOUBLE:
        raise unsupported(f"{name} of {value.type}", called.node, "cast to double precision")
    return Value(use(_call(translator, called, name, value.node)), DOUBLE, called.node)


def _truth(translator: Translator, called: Call, value: Value, name: str, use: Use) -> Value:
    if value.type not in (BOOLEAN, UNKNOWN):
        raise refuse(FUNCTION, f"there is no function {name}({value.type})", called.node)
    inner = coerce(value, BOOLEAN).node
    return Value(use(_call(translator, called, name, inner)), BOOLEAN, called.node)


def _joined(translator: Translator, node: exp.Expr, use: Use) -> Value:
    separator = node.args.get("separator")
    called = _read(node)
    if len(called.arguments) != 1 or separator is None:
        raise refuse(FUNCTION, "string_agg takes a text and a separator", node)
    value = translator.value(called.arguments[0])
    between = translator.value(separator)
    if value.type.category not in "SX" or between.type.category not in "SX":
        raise refuse(
            FUNCTION, f"there is no function string_agg({value.type}, {between.type})", node
        )
    if not isinstance(between.node, exp.Literal):
        raise unsupported("a separator that is not a constant", node)
    made = _call(
        translator, called, "string_agg", coerce(value, TEXT).node, string(between.node.name)
    )
    return Value(use(made), TEXT, node)


def _ordered_set(translator: Translator, node: exp.Expr, use: Use) -> Value:
    function, order = node.this, node.args["expression"]
    if not isinstance(function, (exp.PercentileCont, exp.PercentileDisc)):
        raise unsupported("this aggregate", node)
    if len(order.expressions) != 1:
        raise refuse(FUNCTION, "there is no such aggregate", node)
    key = order.expressions[0]
    value = settle(translator.value(key.this))
    at = translator.value(function.this)
    share = float(at.text) if at.text is not None and at.type.category == "N" else -1.0
    if not 0 <= share <= 1:
        raise unsupported("a share that is not a constant between 0 and 1", node)
    if key.args.get("desc"):
        raise unsupported("a percentile in descending order", node, "use 1 - share")
    fraction = cast(string(at.text or ""), DOUBLE)
    if isinstance(function, exp.PercentileCont):
        if value.type.category != "N":
            raise unsupported(f"percentile_cont of {value.type}", node)
        inner = coerce(value, DOUBLE).node
        return Value(use(call("quantile_cont", inner, fraction)), DOUBLE, node)
    return Value(use(call("quantile_disc", value.node, fraction)), value.type, node)


__all__ = ["NAMED", "PgType", "aggregate", "binary"]
