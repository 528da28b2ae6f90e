"""Decides how a long list of values stands in a statement of Trino.

Its planner looks at each value of `IN (…)`: of thousands it makes seconds. One text that is split
when the statement runs costs it nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from roundview_federation.dialect.values import call, string

MANY: Final = 32
"""Values from which on Trino plans longer than it searches."""
_BETWEEN: Final = (",", "\x1f", "\x1e")


def split_list(values: Sequence[str], type_: exp.DataType | None) -> exp.Subquery | None:
    """Returns the values as rows of a query; None where no sign can stand between them.

    `type_` is Trino's, None for text.
    """
    between = next((sign for sign in _BETWEEN if not any(sign in one for one in values)), None)
    if between is None:
        return None
    value: exp.Expr = exp.column("v", table="u")
    if type_ is not None:
        value = exp.Cast(this=value, to=type_)
    names = exp.TableAlias(this=exp.to_identifier("u"), columns=[exp.to_identifier("v")])
    parts = call("split", string(between.join(values)), string(between))
    rows = exp.Unnest(expressions=[parts], alias=names)
    return exp.Subquery(this=exp.Select(expressions=[value]).from_(rows, copy=False))


def shorten(tree: exp.Query) -> None:
    """Writes the long lists of WHERE as queries, in place; those of sources' columns are none."""
    for node in list(tree.find_all(exp.In)):
        if len(node.expressions) <= MANY or not _is_conjunct(node):
            continue
        to = _common_type(node.expressions)
        if to is _NONE:
            continue
        texts = [(one.this if isinstance(one, exp.Cast) else one).name for one in node.expressions]
        query = split_list(texts, to)
        if query is not None:
            node.replace(exp.In(this=node.this, query=query))


_NONE: Final = exp.DataType.build("unknown")


def _is_conjunct(node: exp.Expr) -> bool:
    above = node.parent
    while isinstance(above, exp.And | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Where)


def _common_type(values: Sequence[exp.Expr]) -> exp.DataType | None:
    """Returns the type that all values are cast to, None for plain texts, _NONE for others."""
    if all(isinstance(one, exp.Literal) and one.is_string for one in values):
        return None
    types = [one.to for one in values if isinstance(one, exp.Cast)]
    known = all(isinstance(one, exp.Cast) and isinstance(one.this, exp.Literal) for one in values)
    if not known or any(one != types[0] for one in types):
        return _NONE
    made: exp.DataType = types[0].copy()
    return made
