"""Decides how the first rows of each key are asked for instead of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

TOP: Final = "roundview_top"
"""The parameter that says how many rows of each key are shown: one more of each must come."""

MOST: Final = "roundview_most"
"""The parameter that says how many rows of all keys may come, None for all."""

BAR: Final = "roundview_bar"
"""Names the time that rows of a key must reach, and the table that has it."""

KEYS: Final = "roundview_keys"
_BELOW: Final = "roundview_below_"
_FIRST_DAY: Final = "0001-01-02"
_LAST_DAY: Final = "9999-12-30"


@dataclass(frozen=True, slots=True)
class Top:
    """Says by which time the rows of one key are cut; rows as late as the last one all come.

    `by` is a date or time of the row. With `is_loose` rows of one more day come: local times
    that the clock skipped are not in the order of their instants. With `is_present` rows
    without the time may be left out, because they do not arrive.
    """

    key: exp.Column
    by: exp.Column
    is_descending: bool
    is_loose: bool
    is_present: bool


def with_bar(tree: exp.Select, top: Top, *, nulls_are_large: bool) -> exp.Select:
    """Returns a tree that also demands that rows reach the bar of their key.

    The bar is the time of the last wanted row, or NULL where a key has fewer. What a source may
    hold and Python cannot read (infinity, years before Christ) does not count, and comes.
    """
    bar = tree.copy()
    for name in ("limit", "order", "offset"):
        bar.set(name, None)
    names = {table.alias_or_name for table in _tables(bar)}
    for table in _tables(bar):
        alias = exp.to_identifier(_BELOW + table.alias_or_name)
        table.set("alias", exp.TableAlias(this=alias))
    by = top.by.copy()
    bar.set("expressions", [by])
    for column in bar.find_all(exp.Column):
        if column.table in names:
            column.set("table", exp.to_identifier(_BELOW + column.table))
    bar.set("expressions", [exp.alias_(by.copy(), BAR)])
    bar = bar.where(
        exp.GTE(this=by.copy(), expression=exp.Literal.string(_FIRST_DAY)),
        exp.LT(this=by.copy(), expression=exp.Literal.string(_LAST_DAY)),
        copy=False,
    )
    is_first = top.is_descending is nulls_are_large
    term = exp.Ordered(this=by.copy(), desc=top.is_descending, nulls_first=is_first)
    bar = bar.order_by(term, copy=False).limit(1, copy=False)
    bar.set("offset", exp.Offset(expression=exp.Placeholder(this=TOP)))
    reaches = exp.GTE if top.is_descending else exp.LTE
    return tree.where(reaches(this=top.by.copy(), expression=exp.Subquery(this=bar)))


def with_most(tree: exp.Select) -> exp.Select:
    """Returns a tree that gives up after some rows, in any order."""
    return tree.limit(exp.Placeholder(this=MOST))


def bar_of(tree: exp.Select) -> exp.Subquery:
    """Returns the bar of a tree, which is the right side of a comparison."""
    for node in tree.find_all(exp.Subquery):
        if isinstance(node.this, exp.Select) and _is_bar(node.this):
            return node
    raise ValueError("the tree has no bar")


def is_below_column(column: exp.Expr) -> bool:
    """Tells whether a column is one of the rows that a bar is made of."""
    return isinstance(column, exp.Column) and column.table.startswith(_BELOW)


def loosened(by: exp.Expr, top: Top) -> exp.Expr:
    """Returns a time as the bar has it: a day further where the order is not exact."""
    if not top.is_loose:
        return by
    day = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="DAY"))
    further = exp.Sub if top.is_descending else exp.Add
    return further(this=by, expression=day)


def joined_first(tree: exp.Select, first: exp.Expr, *others: exp.Join, kind: str = "CROSS") -> None:
    """Puts a table, and what is joined to it, before the tables of a FROM; in place."""
    old = tree.args["from_"].this
    joins = tree.args.get("joins") or []
    tree.set("from_", exp.From(this=first))
    tree.set("joins", [*others, exp.Join(this=old, kind=kind), *joins])


def _is_bar(select: exp.Select) -> bool:
    return any(table.alias.startswith(_BELOW) for table in _tables(select))


def _tables(select: exp.Select) -> Iterator[exp.Table]:
    joined = [join.this for join in select.args.get("joins") or ()]
    for node in (select.args["from_"].this, *joined):
        if isinstance(node, exp.Table):
            yield node
