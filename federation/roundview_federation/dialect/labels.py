"""Decides what PostgreSQL calls a column that was given no name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from roundview_federation.dialect.scopes import folded

UNNAMED = "?column?"

_CALLS: dict[type[exp.Expr], str] = {
    exp.Extract: "extract",
    exp.Substring: "substring",
    exp.StrPosition: "position",
    exp.CurrentTimestamp: "current_timestamp",
    exp.CurrentDate: "current_date",
    exp.Localtimestamp: "localtimestamp",
    exp.Coalesce: "coalesce",
    exp.Nullif: "nullif",
    exp.Greatest: "greatest",
    exp.Least: "least",
    exp.Array: "array",
    exp.AtTimeZone: "timezone",
    exp.ExplodingGenerateSeries: "generate_series",
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.GroupConcat: "string_agg",
    exp.ArrayAgg: "array_agg",
    exp.PercentileCont: "percentile_cont",
    exp.PercentileDisc: "percentile_disc",
    exp.Grouping: "grouping",
    exp.RowNumber: "row_number",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.PercentRank: "percent_rank",
    exp.CumeDist: "cume_dist",
    exp.Ntile: "ntile",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
    exp.NthValue: "nth_value",
    exp.Exists: "exists",
    exp.Tuple: "row",
}
_TRIMS = {"LEADING": "ltrim", "TRAILING": "rtrim"}
_TYPES = {
    exp.DType.INT: "int4",
    exp.DType.BIGINT: "int8",
    exp.DType.SMALLINT: "int2",
    exp.DType.DECIMAL: "numeric",
    exp.DType.DOUBLE: "float8",
    exp.DType.FLOAT: "float4",
    exp.DType.BOOLEAN: "bool",
    exp.DType.CHAR: "bpchar",
    exp.DType.TIMESTAMPTZ: "timestamptz",
    exp.DType.TIMESTAMP: "timestamp",
}


@dataclass(frozen=True, slots=True)
class Naming:
    """What a dialect names by itself: what it looks through, how names are folded, all others."""

    wrappers: tuple[type[exp.Expr], ...]
    folded: Callable[[exp.Expr], str]
    type_name: Callable[[exp.Expr], str]
    other: Callable[[exp.Expr], tuple[str, int]]


def label(node: exp.Expr) -> str:
    """Returns the name of a projection: `?column?`, `count`, `case`, `int4` …"""
    return labelled(node, _NAMING)


def labelled(node: exp.Expr, naming: Naming) -> str:
    """Returns the name of a projection as a dialect names it."""
    if isinstance(node, exp.Alias):
        return naming.folded(node.args["alias"])
    return figured(node, naming)[0]


def figured(node: exp.Expr, naming: Naming) -> tuple[str, int]:
    """Returns a name and how good it is: 0 none, 1 that of a type or CASE, 2 a real one."""
    if isinstance(node, exp.Column):
        return naming.folded(node.this), 2
    if isinstance(node, naming.wrappers):
        return figured(node.this, naming)
    if isinstance(node, exp.Cast):
        name, strength = figured(node.this, naming)
        return (name, strength) if strength > 1 else (naming.type_name(node.args["to"]), 1)
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        name, strength = figured(default, naming) if default is not None else ("", 0)
        return (name, strength) if strength > 1 else ("case", 1)
    if isinstance(node, exp.Subquery):
        inner = node.this
        while isinstance(inner, (exp.SetOperation, exp.Subquery)):
            inner = inner.this
        if isinstance(inner, exp.Select) and inner.expressions:
            return labelled(inner.expressions[0], naming), 2
        return UNNAMED, 0
    return naming.other(node)


def _called(node: exp.Expr) -> tuple[str, int]:
    if isinstance(node, exp.Anonymous):
        return "btrim" if node.this == "trim" else str(node.this), 2
    if isinstance(node, exp.Trim):
        return _TRIMS.get(str(node.args.get("position")), "btrim"), 2
    name = _CALLS.get(type(node), "")
    return (name, 2) if name else (UNNAMED, 0)


def _type_name(to: exp.Expr) -> str:
    kind = to.args.get("this")
    if kind is exp.DType.ARRAY and to.expressions:
        return _type_name(to.expressions[0])
    known = _TYPES.get(kind) if isinstance(kind, exp.DType) else None
    return known or str(getattr(kind, "value", kind)).lower()


_NAMING = Naming((exp.Paren, exp.Window, exp.Filter, exp.WithinGroup), folded, _type_name, _called)
