"""Decides how a fragment reads in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite

from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind
from roundview_federation.connectors.sqlite import top_rows
from roundview_federation.connectors.statement import (
    BoundNames,
    KeysetForm,
    Scope,
    bind_names,
    qualified,
    scope_of,
    with_exact_text,
    with_keysets,
    with_physical_names,
    with_views,
)
from roundview_federation.plan import ChildRows, Fragment
from roundview_federation.top_rows import Top, with_bar

_SQLITE = SQLite()
_WHOLE = (Kind.INTEGER, Kind.BIGINT)


@dataclass(frozen=True, slots=True)
class SqliteCall:
    """One statement, the same text for any number of keys; `children` JSON columns end a row."""

    text: str
    names: BoundNames
    children: int
    row_cap: int
    fragment: Fragment


def compile_call(fragment: Fragment, tables: Mapping[str, SourceTable]) -> SqliteCall:
    """Returns the statement of a fragment."""
    scope = scope_of(fragment, tables)
    if fragment.top is not None and top_rows.is_possible(fragment.top, scope):
        tree, scope = _with_top(fragment, fragment.top, tables)
    else:
        tree = _translated(fragment.tree, scope)
    for child in fragment.children:
        rows = exp.Subquery(this=_child(child, scope))
        tree.append("expressions", exp.alias_(rows, f"rows_{child.alias}", quoted=True, copy=False))
    limit = tree.args.get("limit")
    if limit is not None:
        # LIMIT NULL is an error here; a negative one is none.
        unlimited = exp.Coalesce(this=limit.expression.copy(), expressions=[exp.Literal.number(-1)])
        tree.set("limit", exp.Limit(expression=unlimited))
    names = bind_names(tree, fragment.keysets)
    text = tree.sql(dialect=_SQLITE, identify=True, copy=False)
    return SqliteCall(text, names, len(fragment.children), fragment.row_cap, fragment)


def _with_top(
    fragment: Fragment, top: Top, tables: Mapping[str, SourceTable]
) -> tuple[exp.Select, Scope]:
    raised = with_bar(fragment.tree, top, nulls_are_large=False)
    scope = scope_of(replace(fragment, tree=raised), tables)
    keys: list[exp.Placeholder] = []

    def is_key(column: exp.Expr, given: exp.Placeholder) -> exp.Expr:
        keys.append(given)
        return top_rows.is_key(column)

    tree = _translated(raised, scope, is_key)
    top_rows.raise_bar(tree, top, scope, keys[0])
    return tree, scope


def _translated(tree: exp.Select, scope: Scope, form: KeysetForm | None = None) -> exp.Select:
    result = with_physical_names(with_views(qualified(tree), scope), scope)
    return with_exact_text(with_keysets(result, form or _in_json), scope, "BINARY")


def _in_json(column: exp.Expr, keys: exp.Placeholder) -> exp.Expr:
    each = exp.alias_(
        exp.Table(this=exp.Anonymous(this="json_each", expressions=[keys])), "keys", table=True
    )
    value = exp.column("value", table="keys")
    parts: list[exp.Expr] = [value]
    if isinstance(column, exp.Tuple):
        parts = [_part(value, at) for at in range(len(column.expressions))]
    values = exp.select(*parts).from_(each)
    return exp.In(this=column, query=exp.Subquery(this=values))


def _part(value: exp.Expr, at: int) -> exp.Expr:
    """Returns a part of a key, which is an array here."""
    path = exp.Literal.string(f"$[{at}]")
    return exp.Anonymous(this="json_extract", expressions=[value.copy(), path])


def _child(child: ChildRows, scope: Scope) -> exp.Select:
    tree = _translated(child.tree, scope)
    cells = [_cell(one, scope) for one in tree.expressions]
    row = exp.Anonymous(this="json_array", expressions=cells)
    rows = exp.Anonymous(this="json_group_array", expressions=[row])
    if child.tree.args.get("limit") is None:
        tree.set("expressions", [rows])
        return tree
    tree.set("expressions", [exp.alias_(row, "cells", copy=False)])
    cells_ = exp.Anonymous(this="json", expressions=[exp.column("cells", table="first")])
    rows.set("expressions", [cells_])
    return exp.select(rows).from_(tree.subquery("first", copy=False))


def _cell(node: exp.Expr, scope: Scope) -> exp.Expr:
    """Returns a value as JSON can carry it.

    SQLite writes a REAL into JSON with 15 digits, which is not the number; 17 digits are.
    A BLOB would be an error; as text it is what a text column meant to hold.
    """
    declared = scope.column(node) if isinstance(node, exp.Column) else None
    if declared is not None and declared.type.kind in _WHOLE:
        return node
    kind = exp.Anonymous(this="typeof", expressions=[node.copy()])
    digits = exp.Anonymous(this="printf", expressions=[exp.Literal.string("%!.17g"), node.copy()])
    finite = exp.Between(
        this=node.copy(),
        low=exp.Literal.number("-1.7976931348623157e308"),
        high=exp.Literal.number("1.7976931348623157e308"),
    )
    number = exp.Case(
        ifs=[exp.If(this=finite, true=exp.Anonymous(this="json", expressions=[digits]))]
    )
    text = exp.Cast(this=node.copy(), to=exp.DataType.build("text"))
    return exp.Case(
        this=kind,
        ifs=[
            exp.If(this=exp.Literal.string("real"), true=number),
            exp.If(this=exp.Literal.string("blob"), true=text),
        ],
        default=node.copy(),
    )
