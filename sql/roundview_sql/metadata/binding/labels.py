"""Decides what PostgreSQL calls a column of a question about its catalog."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.dialect.labels import UNNAMED
from roundview_sql.metadata.binding.calls import call_of
from roundview_sql.metadata.binding.typed import folded

_SPELLED = {
    exp.DType.INT: "int4", exp.DType.BIGINT: "int8", exp.DType.SMALLINT: "int2",
    exp.DType.DECIMAL: "numeric", exp.DType.DOUBLE: "float8", exp.DType.FLOAT: "float4",
    exp.DType.BOOLEAN: "bool", exp.DType.CHAR: "bpchar",
}  # fmt: skip
_WRITTEN = {
    exp.CurrentTimestamp: "current_timestamp", exp.CurrentCatalog: "current_catalog",
    exp.StrPosition: "position", exp.Coalesce: "coalesce", exp.Nullif: "nullif",
    exp.Greatest: "greatest", exp.Least: "least", exp.Exists: "exists", exp.Array: "array",
    exp.Tuple: "row",
}  # fmt: skip


def label(node: exp.Expr) -> str:
    """Returns the name of a projection: `?column?`, `count`, `case`, `int4` …"""
    if isinstance(node, exp.Alias):
        return folded(node.args["alias"])
    return _figured(node)[0]


def _figured(node: exp.Expr) -> tuple[str, int]:
    """Returns a name and how good it is: 0 none, 1 that of a type or CASE, 2 a real one."""
    if isinstance(node, exp.Column):
        return folded(node.this), 2
    if isinstance(node, exp.Paren | exp.Window | exp.Filter | exp.Collate | exp.Bracket):
        return _figured(node.this)
    if isinstance(node, exp.Dot):
        right = node.expression
        return _figured(right) if isinstance(right, exp.Func) else (folded(right), 2)
    if isinstance(node, exp.Cast):
        name, strength = _figured(node.this)
        return (name, strength) if strength > 1 else (_type_name(node.args["to"]), 1)
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        name, strength = _figured(default) if default is not None else ("", 0)
        return (name, strength) if strength > 1 else ("case", 1)
    if isinstance(node, exp.Subquery):
        inner = node.this
        while isinstance(inner, exp.SetOperation | exp.Subquery):
            inner = inner.this
        if isinstance(inner, exp.Select) and inner.expressions:
            return label(inner.expressions[0]), 2
        return UNNAMED, 0
    written = _WRITTEN.get(type(node))
    if written:
        return written, 2
    if isinstance(node, exp.Func) and not isinstance(
        node, exp.Connector | exp.Binary | exp.Predicate
    ):
        called = call_of(node)
        if called is not None:
            return called.name, 2
    return UNNAMED, 0


def _type_name(to: exp.Expr) -> str:
    kind = to.args.get("this")
    if kind is exp.DType.ARRAY and to.expressions:
        return _type_name(to.expressions[0])
    if kind is exp.DType.USERDEFINED:
        named = to.args["kind"]
        return folded(named.expression if isinstance(named, exp.Dot) else named)
    known = _SPELLED.get(kind) if isinstance(kind, exp.DType) else None
    return known or str(getattr(kind, "value", kind)).lower()
