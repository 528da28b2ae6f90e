"""Decides which nodes an expression may have and which of their arguments may be set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.expressions.functions import (
    AGGREGATES,
    CAST_KINDS,
    EXTRACT_UNITS,
    NAMES,
    NODES,
    OWN,
    TRUNC_UNITS,
)
from roundview_catalog.report import did_you_mean

DEEPEST_TREE = 60
MOST_NODES = 500

_ANY: frozenset[str] = frozenset()
_THIS = frozenset({"this"})
_BOTH = frozenset({"this", "expression"})
_MANY = frozenset({"this", "expressions"})
# Node class -> the arguments that may be set. What an argument such as `negate` or
# `symmetric` means is lost on whoever does not know it, so unknown ones are refused.
ALLOWED: Mapping[type[exp.Expr], frozenset[str]] = MappingProxyType(
    {
        exp.Column: frozenset({"this", "table"}),
        exp.Identifier: frozenset({"this", "quoted"}),
        exp.Literal: frozenset({"this", "is_string"}),
        exp.Boolean: _THIS,
        exp.Null: _ANY,
        exp.Star: _ANY,
        exp.Paren: _THIS,
        exp.Not: _THIS,
        exp.Neg: _THIS,
        exp.Is: frozenset({"this", "expression", "negate"}),
        exp.In: frozenset({"this", "expressions", "query"}),
        exp.Between: frozenset({"this", "low", "high"}),
        exp.Like: frozenset({"this", "expression", "negate"}),
        exp.ILike: frozenset({"this", "expression", "negate"}),
        exp.Case: frozenset({"this", "ifs", "default"}),
        exp.If: frozenset({"this", "true"}),
        exp.Coalesce: _MANY,
        exp.Greatest: frozenset({"this", "expressions", "ignore_nulls"}),
        exp.Least: frozenset({"this", "expressions", "ignore_nulls"}),
        exp.Nullif: _BOTH,
        exp.DPipe: frozenset({"this", "expression", "safe"}),
        exp.Concat: frozenset({"expressions", "safe", "coalesce"}),
        exp.ConcatWs: frozenset({"expressions", "safe", "coalesce"}),
        exp.Div: frozenset({"this", "expression", "typed", "safe"}),
        exp.Cast: frozenset({"this", "to"}),
        exp.TryCast: frozenset({"this", "to", "safe"}),
        exp.DataType: frozenset({"this", "expressions", "nested"}),
        exp.DataTypeParam: _THIS,
        exp.TimestampTrunc: frozenset({"this", "unit"}),
        exp.Extract: _BOTH,
        exp.Var: _THIS,
        exp.AtTimeZone: frozenset({"this", "zone"}),
        exp.Interval: frozenset({"this", "unit", "fraction_in_string"}),
        exp.UnixToTime: _THIS,
        exp.JSONExtract: frozenset({"this", "expression", "only_json_types"}),
        exp.JSONExtractScalar: frozenset({"this", "expression", "only_json_types"}),
        exp.JSONPath: frozenset({"expressions"}),
        exp.JSONPathRoot: _ANY,
        exp.JSONPathKey: _THIS,
        exp.JSONPathSubscript: _THIS,
        exp.Filter: _BOTH,
        exp.Where: _THIS,
        exp.Distinct: frozenset({"expressions"}),
        exp.Anonymous: _MANY,
        exp.Count: frozenset({"this", "big_int"}),
        exp.GroupConcat: frozenset({"this", "separator"}),
        exp.Trim: frozenset({"this", "expression", "position"}),
        exp.Pad: frozenset({"this", "expression", "fill_pattern", "is_left"}),
    }
    | dict.fromkeys(
        (
            exp.And,
            exp.Or,
            exp.EQ,
            exp.NEQ,
            exp.LT,
            exp.LTE,
            exp.GT,
            exp.GTE,
            exp.Add,
            exp.Sub,
            exp.Mul,
            exp.Mod,
            exp.NullSafeEQ,
            exp.NullSafeNEQ,
        ),
        _BOTH,
    )
    | dict.fromkeys((exp.Sum, exp.Min, exp.Max, exp.Avg, exp.LogicalOr, exp.LogicalAnd), _THIS)
    | {
        node: frozenset(key for key, _ in row.arguments)
        for node, row in NODES.items()
        if node not in (exp.Trim, exp.Pad)
    }
)
WITH_SUBQUERIES: Mapping[type[exp.Expr], frozenset[str]] = MappingProxyType(
    {
        exp.Exists: _THIS,
        exp.Subquery: _THIS,
        exp.Select: frozenset({"expressions", "from_", "joins", "where"}),
        exp.From: _THIS,
        exp.Table: frozenset({"this", "alias"}),
        exp.TableAlias: _THIS,
        exp.Join: frozenset({"this", "on", "kind", "side"}),
    }
)


class ExpressionError(ValueError):
    """An expression is not allowed or does not fit; `offset` counts characters of its text."""

    def __init__(self, message: str, hint: str = "", offset: int = 0, code: str = "RV211") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset
        self.code = code


def offset_of(node: exp.Expr, text: str = "") -> int:
    """Returns where a node of an expression starts in the text it was parsed from."""
    starts: list[int] = [found.meta["start"] for found in node.walk() if "start" in found.meta]
    return min(max(0, min(starts, default=0)), max(0, len(text) - 1) if text else 1 << 30)


def check_nodes(root: exp.Expr, allowed: Mapping[type[exp.Expr], frozenset[str]]) -> None:
    """Refuses the first node that is not allowed; raises ExpressionError."""
    for count, node in enumerate(root.walk()):
        if count > MOST_NODES:
            raise ExpressionError("too large", "", 0, "RV204")
        known = allowed.get(type(node))
        if known is None:
            _refuse(node)
            continue
        unknown = [key for key, value in node.args.items() if value and key not in known]
        if unknown:
            raise ExpressionError(
                f"{called(node)} with {unknown[0]} is not allowed", "", offset_of(node)
            )
        check = _CHECKS.get(type(node))
        if check is not None:
            check(node)


def _refuse(node: exp.Expr) -> None:
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary):
        name = called(node)
        raise ExpressionError(
            f"unknown function {name}", did_you_mean(name, NAMES), offset_of(node), "RV212"
        )
    raise ExpressionError(f"{called(node)} is not allowed here", "", offset_of(node))


def called(node: exp.Expr) -> str:
    """Returns what a node is called in a message."""
    if isinstance(node, exp.Anonymous):
        return str(node.name or node.this).lower()
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary):
        return node.sql_name().lower()
    return {"Select": "a sub-select", "Subquery": "a sub-select", "Tuple": "a list"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def check_depth(root: exp.Expr) -> None:
    """Refuses trees that recursive work over them would not survive."""
    level: list[exp.Expr] = [root]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST_TREE:
            raise ExpressionError("nested too deeply", "", offset_of(level[0]), "RV204")
        level = [child for node in level for child in node.iter_expressions()]


def _check_anonymous(node: exp.Expr) -> None:
    name = node.this if isinstance(node.this, str) else ""
    row = OWN.get(name.lower())
    if row is None:
        _refuse(node)
        return
    least = sum("?" not in family for _, family in row.arguments)
    if not least <= len(node.expressions) <= len(row.arguments):
        raise ExpressionError(
            f"{row.name} takes {len(row.arguments)} arguments", "", offset_of(node), "RV215"
        )
    node.set("this", name.lower())


def _check_type(node: exp.Expr) -> None:
    name = str(getattr(node.this, "value", node.this))
    if name not in CAST_KINDS or any(not p.this.is_int for p in node.expressions):
        raise ExpressionError(f"{node.sql('postgres').lower()} is not a type here", code="RV215")


def _check_in(node: exp.Expr) -> None:
    if not node.expressions and node.args.get("query") is None:
        raise ExpressionError("IN needs values", "IN ('a', 'b')", offset_of(node), "RV210")


def _check_if(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.Case):
        raise ExpressionError("unknown function if", "write CASE", offset_of(node), "RV212")


def _check_star(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.Count):
        raise ExpressionError("* stands only in count(*)", "", offset_of(node))


def _check_unit(node: exp.Expr) -> None:
    is_trunc = isinstance(node, exp.TimestampTrunc)
    unit = node.args["unit"] if is_trunc else node.this
    known = TRUNC_UNITS if is_trunc else EXTRACT_UNITS
    name = unit.name.upper()
    if name not in known:
        hint = did_you_mean(name.lower(), [one.lower() for one in known])
        raise ExpressionError(f"unknown unit {name.lower()}", hint, offset_of(node), "RV215")
    node.set("unit" if is_trunc else "this", exp.Var(this=name))


def _check_path(node: exp.Expr) -> None:
    if not isinstance(node.expression, exp.JSONPath):
        raise ExpressionError("a JSON path is a constant", "x ->> 'name'", offset_of(node))


def _check_is(node: exp.Expr) -> None:
    if not isinstance(node.expression, exp.Null | exp.Boolean):
        raise ExpressionError("IS takes NULL, TRUE or FALSE", "", offset_of(node))


def _check_where(node: exp.Expr) -> None:
    if isinstance(node.parent, exp.Filter) and not isinstance(node.parent.this, tuple(AGGREGATES)):
        raise ExpressionError("FILTER follows an aggregate", "", offset_of(node))


_CHECKS: Mapping[type[exp.Expr], Callable[[exp.Expr], None]] = MappingProxyType(
    {
        exp.Anonymous: _check_anonymous,
        exp.DataType: _check_type,
        exp.In: _check_in,
        exp.If: _check_if,
        exp.Star: _check_star,
        exp.TimestampTrunc: _check_unit,
        exp.Extract: _check_unit,
        exp.JSONExtract: _check_path,
        exp.JSONExtractScalar: _check_path,
        exp.Is: _check_is,
        exp.Where: _check_where,
    }
)


def conjuncts(node: exp.Expr | None) -> Iterator[exp.Expr]:
    """Yields the conditions that AND holds together, in order."""
    if isinstance(node, exp.Paren):
        yield from conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    elif node is not None:
        yield node
