"""Decides how window functions and their frames are said to DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from roundview_federation.dialect.aggregates import NAMED, aggregate
from roundview_federation.dialect.casts import coerce, settle
from roundview_federation.dialect.refusal import FUNCTION, SYNTAX, TYPES, refuse, unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTERVAL,
    UNKNOWN,
    PgType,
    common,
)
from roundview_federation.dialect.values import Value, call, cast

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

_RANKS: dict[type[exp.Expr], tuple[str, PgType]] = {
    exp.RowNumber: ("row_number", BIGINT), exp.Rank: ("rank", BIGINT),
    exp.DenseRank: ("dense_rank", BIGINT), exp.PercentRank: ("percent_rank", DOUBLE),
    exp.CumeDist: ("cume_dist", DOUBLE),
}  # fmt: skip
_AGGREGATES = (
    exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.ArrayAgg,
    exp.GroupConcat,
)  # fmt: skip
_EXCLUDED = ("CURRENT ROW", "GROUP", "TIES", "NO OTHERS")


def windowed(translator: Translator, node: exp.Expr) -> Value:
    """Returns the value of function(…) OVER (…)."""
    function = node.this
    condition: exp.Expr | None = None
    if isinstance(function, exp.Filter):
        condition = translator.condition(function.args["expression"].this, "FILTER")
        function = function.this
    parts = [settle(translator.value(part)).node for part in node.args.get("partition_by") or ()]
    order = node.args.get("order")
    keys = translator.order_keys(order) if order is not None else []
    spec = _frame(translator, node, order)

    def over(inner: exp.Expr) -> exp.Expr:
        if condition is not None:
            inner = exp.Filter(this=inner, expression=exp.Where(this=condition.copy()))
        return exp.Window(
            this=inner,
            partition_by=[part.copy() for part in parts],
            order=exp.Order(expressions=[key.copy() for key in keys]) if keys else None,
            spec=spec.copy() if spec is not None else None,
            over="OVER",
        )

    if isinstance(function, _AGGREGATES) or (
        isinstance(function, exp.Anonymous) and function.this in NAMED
    ):
        if _is_special(function):
            raise unsupported("DISTINCT or ORDER BY inside a window function", node)
        return aggregate(translator, function, over)
    if condition is not None:
        raise refuse(FUNCTION, "FILTER needs an aggregate", node, sqlstate="0A000")
    return _function(translator, function, over, node)


def _is_special(function: exp.Expr) -> bool:
    inner = function.expressions if isinstance(function, exp.Anonymous) else [function.this]
    return any(isinstance(part, (exp.Distinct, exp.Order)) for part in inner)


def _function(translator: Translator, function: exp.Expr, over: Any, node: exp.Expr) -> Value:
    rank = _RANKS.get(type(function))
    if rank is not None:
        return Value(over(call(rank[0])), rank[1], node)
    if isinstance(function, exp.Ntile):
        value = translator.value(function.this)
        if value.text is None or not value.text.isdigit() or not int(value.text):
            raise unsupported("ntile of anything but a positive constant", node)
        return Value(cast(over(call("ntile", value.node)), INTEGER), INTEGER, node)
    if isinstance(function, (exp.Lag, exp.Lead)):
        value = _known(translator, function)
        arguments = [value.node]
        offset, default = function.args.get("offset"), function.args.get("default")
        if offset is not None:
            arguments.append(_whole(translator, offset))
        type_ = value.type
        if default is not None:
            other = translator.value(default)
            found = common((value.type, other.type))
            if found is None:
                raise refuse(FUNCTION, f"there is no function {function.key}", node)
            arguments[0] = coerce(value, found).node
            arguments.append(coerce(other, found).node)
            type_ = found
        return Value(over(call(function.key, *arguments)), type_, node)
    if isinstance(function, (exp.FirstValue, exp.LastValue)):
        value = _known(translator, function)
        name = "first_value" if isinstance(function, exp.FirstValue) else "last_value"
        return Value(over(call(name, value.node)), value.type, node)
    if isinstance(function, exp.NthValue):
        value = _known(translator, function)
        at = translator.value(function.args["offset"])
        if at.text is None or not at.text.isdigit() or not int(at.text):
            raise unsupported("nth_value of anything but a positive constant", node)
        return Value(over(call("nth_value", value.node, at.node)), value.type, node)
    raise unsupported("this window function", node)


def _known(translator: Translator, function: exp.Expr) -> Value:
    """Returns the argument of a function of any type, which cannot be a bare literal."""
    value = translator.value(function.this)
    if value.type is UNKNOWN:
        raise refuse(TYPES, "the type of a literal is not known here", function, hint="cast it")
    return value


def _whole(translator: Translator, node: exp.Expr) -> exp.Expr:
    value = translator.value(node)
    if value.type is UNKNOWN or not value.type.is_integer:
        raise refuse(FUNCTION, "the offset must be a whole number", node)
    return value.node


def _frame(translator: Translator, node: exp.Expr, order: exp.Expr | None) -> exp.Expr | None:
    spec = node.args.get("spec")
    if spec is None:
        return None
    kind = str(spec.args.get("kind")).upper()
    if kind not in ("ROWS", "RANGE", "GROUPS"):
        raise unsupported("this frame", node)
    if kind == "GROUPS" and order is None:
        raise refuse(FUNCTION, "GROUPS needs ORDER BY", node, sqlstate="42P20")
    made = exp.WindowSpec(kind=kind)
    for name in ("start", "end"):
        bound = spec.args.get(name)
        side = spec.args.get(f"{name}_side")
        if bound is None:
            if name == "end":
                # Left out it is the current row; DuckDB is told.
                made.set("end", "CURRENT ROW")
            continue
        if isinstance(bound, exp.Expr):
            if side is None:
                raise refuse(SYNTAX, "a frame needs PRECEDING or FOLLOWING", node)
            bound = _bound(translator, bound, kind, order, node)
        made.set(name, bound)
        if side is not None:
            made.set(f"{name}_side", str(side).upper())
    exclude = spec.args.get("exclude")
    if exclude is not None:
        name = exclude.name.upper()
        if name not in _EXCLUDED:
            raise unsupported("this frame", node)
        if name != "NO OTHERS":
            made.set("exclude", exp.Var(this=name))
    return made


def _bound(
    translator: Translator, bound: exp.Expr, kind: str, order: exp.Expr | None, node: exp.Expr
) -> exp.Expr:
    value = translator.value(bound)
    if kind != "RANGE":
        if value.text is None or not value.text.isdigit():
            raise unsupported("a frame of anything but a constant", node)
        return value.node
    if order is None or len(order.expressions) != 1:
        raise refuse(FUNCTION, "RANGE with an offset needs one ORDER BY", node, sqlstate="42P20")
    if value.type == INTERVAL:
        return value.node
    key = translator.value(order.expressions[0].this.copy())
    if value.text is None or value.text.startswith("-") or key.type.category != "N":
        raise unsupported("this frame", node)
    if value.type.category != "N" or common((key.type, value.type)) != key.type:
        raise unsupported("this frame", node)
    return value.node


__all__ = ["windowed"]
