"""Decides what PostgreSQL calls a column of a question about its catalog."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.dialect.labels import UNNAMED, Naming, figured, labelled
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
    return labelled(node, _NAMING)


def _called(node: exp.Expr) -> tuple[str, int]:
    if isinstance(node, exp.Dot):
        right = node.expression
        return figured(right, _NAMING) if isinstance(right, exp.Func) else (folded(right), 2)
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


_NAMING = Naming(
    (exp.Paren, exp.Window, exp.Filter, exp.Collate, exp.Bracket), folded, _type_name, _called
)
