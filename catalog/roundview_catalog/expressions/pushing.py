"""Decides which expressions a source computes exactly as PostgreSQL does, and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.expressions.functions import NODES
from roundview_catalog.expressions.inference import ColumnType, infer
from roundview_catalog.expressions.meeting import (
    common_type,
    inside,
    is_null,
    is_text_constant,
    literal_value,
)
from roundview_catalog.types import Kind

_WHOLE = frozenset({Kind.INTEGER, Kind.BIGINT})
_TEXTS = frozenset({Kind.TEXT, Kind.ENUM})
_PLAIN = _TEXTS | _WHOLE | {Kind.BOOLEAN}
_DIALECTS = frozenset({"sqlite", "duckdb", "postgres", "mysql", "trino"})
_LOGIC = (exp.Paren, exp.And, exp.Or, exp.Not, exp.If, exp.Boolean, exp.Null)
_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_BY_BYTES = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
# Node class -> dialects beside PostgreSQL in which it means the same for text and integers.
# MySQL compares text by the column's collation and has no `||`, so little is left for it.
_NODES: Mapping[type[exp.Expr], frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(_LOGIC, _DIALECTS),
        **dict.fromkeys(_COMPARED, _DIALECTS),
        exp.Is: _DIALECTS,
        exp.In: _DIALECTS,
        exp.Between: _DIALECTS,
        exp.Case: _DIALECTS,
        exp.Coalesce: _DIALECTS,
        exp.Nullif: _DIALECTS,
        exp.DPipe: frozenset({"sqlite", "duckdb", "trino"}),
        exp.Like: frozenset({"duckdb", "trino"}),
        exp.Concat: frozenset({"duckdb"}),
    }
)
_SURE = (
    *_LOGIC,
    *_COMPARED,
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Case,
    exp.Coalesce,
    exp.Nullif,
    exp.Greatest,
    exp.Least,
    exp.DPipe,
    exp.Concat,
    exp.ConcatWs,
    exp.JSONExtract,
    exp.JSONExtractScalar,
    exp.JSONPath,
    exp.JSONPathRoot,
    exp.JSONPathKey,
    exp.JSONPathSubscript,
)


def pushable(tree: exp.Expr, dialect: str, column_type: ColumnType) -> bool:
    """Tells whether a source computes the expression exactly as PostgreSQL would.

    Text and integers go where the table says so; times, casts and case folding differ between
    systems and are computed on arrival, decimals where `exact_number` does not give them away.
    MySQL's text compares by collation, so it is asked for integers, and for text columns only
    beside constants.
    """
    if dialect not in _DIALECTS:
        return False
    return _is_exact(tree, dialect, column_type)


def render(tree: exp.Expr, dialect: str, column_type: ColumnType) -> exp.Expr:
    """Returns a pushable expression as the dialect takes it.

    On SQLite text columns compare byte by byte, whatever collation they were declared with.
    """
    result = exp.Paren(this=tree.copy())
    for node in list(result.find_all(*_COMPARED, exp.In, exp.Between, exp.Nullif, exp.Case)):
        for operands in _compared(node):
            _adapt(operands, dialect, column_type)
    rendered: exp.Expr = result.this
    rendered.pop()
    return rendered


def cannot_fail(tree: exp.Expr, column_type: ColumnType) -> bool:
    """Tells whether no value makes the expression raise an error.

    Such a predicate may run before a row filter without telling about hidden rows.
    """
    for node in tree.walk():
        if isinstance(node, exp.Like | exp.ILike):
            pattern = inside(node.expression)
            if not isinstance(pattern, exp.Literal) or str(pattern.this).endswith("\\"):
                return False
        elif isinstance(node, exp.Cast):
            if not isinstance(node, exp.TryCast) and node.to.this.value not in ("TEXT", "VARCHAR"):
                return False
        elif isinstance(node, exp.DataType | exp.DataTypeParam):
            continue
        elif type(node) in NODES:
            if NODES[type(node)].can_fail:
                return False
        elif not isinstance(node, _SURE):
            return False
    return True


def _is_exact(node: exp.Expr, dialect: str, column_type: ColumnType) -> bool:
    if dialect == "mysql" and _is_text_column_with_constants(node, column_type):
        return True
    if isinstance(node, exp.Column):
        kind = column_type(node).kind
        return kind in _WHOLE if dialect == "mysql" else kind in _PLAIN - {Kind.BOOLEAN}
    if isinstance(node, exp.Literal):
        # SQLite makes larger numbers doubles.
        return bool(node.is_string) or (str(node.this).isdigit() and int(node.this) < 1 << 63)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        inner = inside(node.this)
        return isinstance(inner, exp.Column) or _is_exact(inner, dialect, column_type)
    if isinstance(node, exp.Neg):
        return isinstance(node.this, exp.Literal) and _is_exact(node.this, dialect, column_type)
    if not _knows(node, dialect):
        return False
    operands = [
        child
        for child in node.iter_expressions()
        if not isinstance(child, exp.Var | exp.Identifier)
    ]
    if not all(_is_exact(child, dialect, column_type) for child in operands):
        return False
    plain = _WHOLE if dialect == "mysql" else _PLAIN
    return all(_meet_in(nodes, column_type) in plain for nodes in _compared(node))


def _is_text_column_with_constants(node: exp.Expr, column_type: ColumnType) -> bool:
    """Tells whether a node compares one text column with constants.

    A connector makes these exact by comparing bytes too. A backslash in a constant means
    different things by the server's mode.
    """
    if not isinstance(node, _BY_BYTES) or node.args.get("query") is not None:
        return False
    column, *values = _compared(node)[0]
    if isinstance(node, exp.EQ | exp.NEQ) and isinstance(values[0], exp.Column):
        column, values = values[0], [column]
    if not isinstance(column, exp.Column) or column_type(column).kind not in _TEXTS:
        return False
    return all(isinstance(v, exp.Literal) and v.is_string and "\\" not in v.this for v in values)


def _knows(node: exp.Expr, dialect: str) -> bool:
    if isinstance(node, exp.Like):
        pattern = inside(node.expression)
        if not isinstance(pattern, exp.Literal) or "\\" in str(pattern.this):
            return False
    if isinstance(node, exp.In) and node.args.get("query") is not None:
        return False
    row = NODES.get(type(node))
    if row is not None:
        return dialect in row.exact
    return (dialect == "postgres" and type(node) in _NODES) or dialect in _NODES.get(
        type(node), frozenset()
    )


def _compared(node: exp.Expr) -> list[list[exp.Expr]]:
    """Returns the groups of operands that a node compares with each other."""
    if isinstance(node, exp.In):
        return [[node.this, *node.expressions]]
    if isinstance(node, exp.Between):
        return [[node.this, node.args["low"], node.args["high"]]]
    if isinstance(node, exp.Case):
        subject = node.this
        return [] if subject is None else [[subject, *(part.this for part in node.args["ifs"])]]
    if isinstance(node, (*_COMPARED, exp.Nullif)):
        return [[node.this, node.expression]]
    return []


def _meet_in(nodes: list[exp.Expr], column_type: ColumnType) -> Kind:
    return common_type(nodes, [infer(node, column_type) for node in nodes]).kind


def _adapt(nodes: list[exp.Expr], dialect: str, column_type: ColumnType) -> None:
    types = [infer(_bare(node), column_type) for node in nodes]
    kind = common_type(nodes, types)
    for node in nodes:
        if is_text_constant(node) and kind.kind in _WHOLE:
            inside(node).replace(exp.Literal.number(literal_value(node, kind)))
        elif dialect == "sqlite" and kind.is_text and not _is_fixed(node):
            node.replace(exp.Collate(this=_wrapped(node), expression=exp.Var(this="BINARY")))


def _is_fixed(node: exp.Expr) -> bool:
    return is_text_constant(node) or is_null(node) or isinstance(node, exp.Collate)


def _bare(node: exp.Expr) -> exp.Expr:
    """Returns a node without the collations that were already put around parts of it."""
    if not node.find(exp.Collate):
        return node
    bare: exp.Expr = exp.Paren(this=node.copy()).transform(
        lambda part: part.this if isinstance(part, exp.Collate) else part
    )
    return bare


def _wrapped(node: exp.Expr) -> exp.Expr:
    copy = node.copy()
    return copy if isinstance(copy, exp.Column | exp.Paren) else exp.Paren(this=copy)
