"""Decides how MySQL finds the first rows of each key: a bar for one, a table of bars for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from roundview_federation.connectors.mysql.terms import KEYS, Definition, json_table, own
from roundview_federation.connectors.mysql.values import Nature
from roundview_federation.connectors.statement import Scope
from roundview_federation.top_rows import (
    BAR,
    Top,
    bar_of,
    is_below_column,
    joined_first,
    loosened,
)

_ALL: Final = 2**63 - 1


def is_possible(top: Top, scope: Scope) -> bool:
    """Tells whether the rows of a key can be counted where they are found."""
    declared = scope.column(top.key)
    return declared is not None and all(table.view is None for table in scope.tables.values())


def key_table(column: exp.Expr) -> str:
    """Returns which table has the keys that a column is compared with: within a bar, or beside."""
    return KEYS if is_below_column(column) else BAR


def raise_bar(
    tree: exp.Select,
    top: Top,
    keys: exp.Placeholder | None,
    columns: Sequence[Definition],
    nature: Nature,
) -> None:
    """Finishes the comparison with a bar; in place.

    With `keys`, they and their bars become a derived table: MySQL makes it once, and searches
    by its keys. Zero dates do not count, and come.
    """
    bar = bar_of(tree)
    compared = bar.parent
    if compared is None:
        return
    if nature not in (Nature.NUMBER, Nature.TEXT):
        compared.replace(exp.true())
        return
    time = bar.this.expressions[0]
    for part in (exp.Month, exp.DayOfMonth):
        known = exp.GT(this=part(this=time.this.copy()), expression=exp.Literal.number(0))
        bar.this.where(known, copy=False)
    time.set("this", loosened(time.this, top))
    reached: exp.Expr = bar.copy() if keys is None else own(BAR, BAR)
    cut = compared.this
    compared.set("expression", exp.Coalesce(this=reached, expressions=[cut.copy()]))
    if not top.is_present:
        absent = exp.Is(this=cut.copy(), expression=exp.Null())
        compared.replace(exp.paren(exp.or_(compared.copy(), absent)))
    if keys is None:
        return
    shown = [own(KEYS, name) for name, _, _ in columns]
    derived = exp.select(*shown, exp.alias_(bar, BAR, quoted=True))
    # Without a LIMIT MariaDB would compute the bar anew for each row that is compared with it.
    derived = derived.from_(json_table(keys, columns)).limit(_ALL, copy=False)
    first = exp.alias_(exp.Subquery(this=derived), BAR, table=True, quoted=True)
    # Some keys have so many rows that the server would rather read the whole table.
    joined_first(tree, first, kind="STRAIGHT_JOIN")
