"""Decides how the rows below each row are asked for in one statement of a SQL server.

Bound: a sub-select per row, for few rows. Grouped: all rows below everything, grouped by their
link, for a scan; possible only where the link is a plain equality of columns of one kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.connectors.statement import Scope, tables_of
from roundview_federation.plan import ChildRows


@dataclass(frozen=True, slots=True)
class Link:
    """One equality that ties a child's rows to the row above."""

    inner: exp.Column
    outer: exp.Column


def links_of(child: ChildRows, scope: Scope) -> tuple[tuple[Link, ...], exp.Select] | None:
    """Returns the links of a child and its tree without them; None where it must be bound.

    The columns of a link must have one type and compare exactly: only then are rows that are
    grouped together the rows that the row above would find.
    """
    own = {table.alias_or_name for table in tables_of(child.tree)}
    tree = child.tree.copy()
    where = tree.args.get("where")
    links: list[Link] = []
    kept: list[exp.Expr] = []
    for conjunct in conjuncts(where.this) if where is not None else ():
        link = _link(conjunct, own, scope)
        if link is not None:
            links.append(link)
        elif any(column.table not in own for column in _own_columns(conjunct)):
            return None
        else:
            kept.append(conjunct.copy())
    joins = tree.args.get("joins") or ()
    outside = (c for join in joins for c in _own_columns(join) if c.table not in own)
    if not links or next(outside, None) is not None:
        return None
    tree.set("where", None)
    return tuple(links), tree.where(exp.and_(*kept), copy=False) if kept else tree


def _own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    inner = {t.alias_or_name for select in node.find_all(exp.Select) for t in tables_of(select)}
    return (column for column in node.find_all(exp.Column) if column.table not in inner)


def _link(node: exp.Expr, own: set[str], scope: Scope) -> Link | None:
    if not isinstance(node, exp.EQ):
        return None
    left, right = node.this, node.expression
    if not (isinstance(left, exp.Column) and isinstance(right, exp.Column)):
        return None
    if (left.table in own) == (right.table in own):
        return None
    link = Link(left, right) if left.table in own else Link(right, left)
    inner, outer = scope.column(link.inner), scope.column(link.outer)
    if inner is None or outer is None or "ci" in (inner.collation, outer.collation):
        return None
    return link if _kind(inner.native, inner.type.kind.value) == _kind(
        outer.native, outer.type.kind.value
    ) else None  # fmt: skip


def _kind(native: str, kind: str) -> str:
    if kind in ("integer", "bigint"):
        return "whole"
    base = native.partition(" COLLATE ")[0].partition("(")[0] or kind
    return "text" if base in ("character varying", "varchar") else base
