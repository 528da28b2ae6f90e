"""Decides how a PostgreSQL column is compared and shown, by its own type and collation.

A column is compared as it is wherever its index can serve: parameters then take exactly its
type. Text types with rules of their own are shown, and compared by anything else, as plain text.
"""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.connectors.statement import Scope

_BY_CODE_POINT: Final = ' COLLATE "C"'
_VARYING: Final = re.compile(r"character varying(?:\(\d+\))?")
_PLAIN_KINDS: Final = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.BOOLEAN})
_TEXT: Final = exp.DataType(this=exp.DType.TEXT)
_CASE_BLIND: Final = "citext"
_UNBOUNDED: Final = frozenset({"text", "character varying", _CASE_BLIND})
_LARGEST_VALUE: Final = 1 << 30


def base_of(column: SourceColumn) -> str:
    """Returns the column's own type without its collation; a schema file need not say it."""
    return column.native.removesuffix(_BY_CODE_POINT) or column.type.kind.value


def has_own_rules(column: SourceColumn) -> bool:
    """Tells whether a text is not simply text: enum, interval, array, citext, character(36) …"""
    return column.type.is_text and not (
        column.type.kind is not Kind.ENUM and _is_varying(base_of(column))
    )


def is_blind(column: SourceColumn | None) -> bool:
    """Tells whether equality of the column ignores case or accents."""
    return column is not None and column.type.is_text and column.collation != "exact"


def is_known_text(column: SourceColumn) -> bool:
    """Tells whether the column can be compared with any text, with its own index."""
    base = base_of(column)
    return _is_varying(base) or base.startswith("character(") or base.endswith(_CASE_BLIND)


def orders_by_code_point(column: SourceColumn) -> bool:
    """Tells whether the column's own order is that of its code points."""
    return column.native.endswith(_BY_CODE_POINT)


def native_type(base: str, *, by_code_point: bool) -> str:
    """Returns what a schema file says of a column's own type."""
    return base + _BY_CODE_POINT if by_code_point else base


def as_text(node: exp.Expr) -> exp.Expr:
    """Returns a value as plain text: `character(n)` without blanks, an enum's label …"""
    return exp.Cast(this=node.copy(), to=_TEXT.copy())


def by_code_point(node: exp.Expr) -> exp.Expr:
    """Returns a text that compares and orders by code point."""
    inner = node.copy()
    inner = inner if isinstance(inner, exp.Column | exp.Cast) else exp.paren(inner, copy=False)
    return exp.Collate(this=inner, expression=exp.to_identifier("C", quoted=True))


def shown(node: exp.Expr, scope: Scope) -> exp.Expr:
    """Returns a projection so that every value can be told exactly.

    Times travel as text: a driver has no value for infinity and for years before Christ.
    """
    declared = scope.column(node) if isinstance(node, exp.Column) else None
    if declared is None or declared.type.kind in _PLAIN_KINDS:
        return node.copy()
    kind = declared.type.kind
    if kind is Kind.DECIMAL:
        return exp.Cast(this=node.copy(), to=exp.DataType(this=exp.DType.DECIMAL))
    if kind is Kind.FLOAT:
        # A real has its shortest digits only as text.
        return exp.Cast(this=as_text(node), to=exp.DataType.build("double precision", "postgres"))
    if declared.type.is_text and _is_varying(declared.native):
        return node.copy()
    return as_text(node)


def guard(node: exp.Expr, scope: Scope, largest: int) -> None:
    """Makes a shown text of any length fail where it has more than `largest` bytes.

    Its length is known without reading it. PostgreSQL has no function that only raises; nothing
    else that we ask it divides.
    """
    column = node.this if isinstance(node, exp.Cast) else node
    declared = scope.column(column) if isinstance(column, exp.Column) else None
    if declared is None or not _is_unbounded(declared) or largest >= _LARGEST_VALUE:
        return
    length = exp.Anonymous(this="octet_length", expressions=[as_text(node)])
    nothing = exp.Sub(this=length.copy(), expression=length.copy())
    failing = exp.Div(this=exp.Literal.number(1), expression=exp.paren(nothing), typed=True)
    is_huge = exp.GT(this=length, expression=exp.Literal.number(largest))
    node.replace(exp.Case(ifs=[exp.If(this=is_huge, true=as_text(failing))], default=node.copy()))


def _is_unbounded(column: SourceColumn) -> bool:
    return column.type.kind is Kind.TEXT and base_of(column) in _UNBOUNDED


def _is_varying(native: str) -> bool:
    base = native.removesuffix(_BY_CODE_POINT)
    return base == "text" or _VARYING.fullmatch(base) is not None
