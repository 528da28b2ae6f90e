"""Decides how PostgreSQL finds the first rows of each key: the keys as a table, a bar for each."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.connectors.postgres.keys import is_exact, typed_array
from roundview_federation.connectors.statement import Scope
from roundview_federation.key_sets import keyset_of
from roundview_federation.top_rows import BAR, KEYS, Top, bar_of, joined_first, loosened


def is_possible(top: Top, scope: Scope) -> bool:
    """Tells whether the keys can be a table of the column's own type that compares exactly."""
    has_view = any(table.view is not None for table in scope.tables.values())
    return not has_view and is_exact(scope.column(top.key))


def raise_bar(tree: exp.Select, top: Top, scope: Scope) -> None:
    """Joins the keys, each with its bar, in place of the comparison with a key set; in place.

    A join can search an index by key and time at once, and asks for each bar once.
    """
    bar = bar_of(tree)
    compared = bar.parent
    declared, cut = scope.column(top.key), scope.column(top.by)
    if compared is None or declared is None:
        return
    keyset = ""
    for node in list(tree.find_all(exp.EQ)):
        found = keyset_of(node)
        if found is not None:
            keyset = found[1]
            node.set("expression", exp.column("k", table=KEYS))
    time = bar.this.expressions[0]
    time.set("this", loosened(time.this, top))
    reached = exp.column(BAR, table=BAR)
    if top.is_present or (cut is not None and not cut.is_nullable):
        end = "-infinity" if top.is_descending else "infinity"
        far = exp.Coalesce(this=reached, expressions=[exp.Literal.string(end)])
        compared.set("expression", far)
    else:
        absent = exp.Is(this=reached, expression=exp.Null())
        compared.set("expression", reached.copy())
        compared.replace(exp.paren(exp.or_(absent, compared.copy())))
    keys = exp.Unnest(
        expressions=[typed_array(keyset, declared)],
        alias=exp.TableAlias(this=exp.to_identifier(KEYS), columns=[exp.to_identifier("k")]),
    )
    lateral = exp.Lateral(this=bar, alias=exp.TableAlias(this=exp.to_identifier(BAR)))
    joined_first(tree, keys, exp.Join(this=lateral, side="LEFT", on=exp.true()))
