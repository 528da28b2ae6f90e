"""Decides how SQLite finds the first rows of each key: a bar for each, of times it can order."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.types import Kind
from roundview_federation.connectors.statement import Scope
from roundview_federation.top_rows import (
    BAR,
    KEYS,
    Top,
    bar_of,
    is_below_column,
    joined_first,
)


def is_possible(top: Top, scope: Scope) -> bool:
    """Tells whether the rows of a key can be counted where they are found."""
    declared = scope.column(top.key)
    if declared is None or any(table.view is not None for table in scope.tables.values()):
        return False
    return declared.collation == "exact"


def is_key(column: exp.Expr) -> exp.Expr:
    """Returns a comparison with the key of a row, within a bar or beside it."""
    name, table = ("value", KEYS) if is_below_column(column) else ("k", BAR)
    return exp.EQ(this=column, expression=exp.column(name, table=table))


def raise_bar(tree: exp.Select, top: Top, scope: Scope, keys: exp.Placeholder) -> None:
    """Joins the keys, each with its bar; in place.

    Times are text of any form: only those that SQLite writes itself, to the second, are
    ordered here and count; all others come.
    """
    bar = bar_of(tree)
    compared = bar.parent
    if compared is None:
        return
    declared = scope.column(top.by)
    is_date = declared is not None and declared.type.kind is Kind.DATE
    function = "date" if is_date else "datetime"
    time = bar.this.expressions[0]
    bar.this.where(_is_written(time.this, function), copy=False)
    if top.is_loose:
        day = exp.Literal.string("-1 day" if top.is_descending else "+1 day")
        time.set("this", exp.Anonymous(this=function, expressions=[time.this, day]))
    cut, reached = compared.this, exp.column(BAR, table=BAR)
    compared.set("expression", reached)
    alike = [
        exp.Is(this=reached.copy(), expression=exp.Null()),
        compared.copy(),
        exp.Not(this=exp.paren(_is_written(cut, function))),
    ]
    compared.replace(exp.paren(exp.or_(*alike)))
    each = exp.alias_(
        exp.Table(this=exp.Anonymous(this="json_each", expressions=[keys])), KEYS, table=True
    )
    key = exp.alias_(exp.column("value", table=KEYS), "k")
    derived = exp.select(key, exp.alias_(bar, BAR)).from_(each)
    # Without a LIMIT the bar would be computed anew for each row that is compared with it.
    derived = derived.limit(exp.Literal.number(-1), copy=False)
    joined_first(tree, exp.alias_(exp.Subquery(this=derived), BAR, table=True))


def _is_written(time: exp.Expr, function: str) -> exp.Expr:
    # Without a modifier SQLite would give February 31 back as it is.
    same_day = exp.Literal.string("+0 days")
    own = exp.Anonymous(this=function, expressions=[time.copy(), same_day])
    return exp.Is(this=own, expression=time.copy())
