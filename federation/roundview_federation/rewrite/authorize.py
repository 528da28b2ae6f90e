"""Puts the principal's row filters and masks at the leaf, below every user predicate."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from roundview_catalog.model import Entity
from roundview_federation.rewrite.context import RewriteContext


def authorize(tree: exp.Select, context: RewriteContext) -> exp.Select:
    """Replaces the relation by a derived table of what the principal may see of it.

    >>> # SELECT a FROM e WHERE b = 1
    >>> # -> SELECT a FROM (SELECT mask(a) AS a, b FROM e WHERE filter) AS e WHERE b = 1
    """
    name = context.section.entity
    decision = context.decision
    used = list(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))
    # What follows from a masked field follows from its mask, so the mask must be there too.
    inputs = (below for column in used for below in _inputs(context.entity, column))
    used += [
        one for one in dict.fromkeys(inputs) if one not in used and (name, one) in decision.masks
    ]
    leaf = exp.Select(
        expressions=[
            exp.alias_(decision.masks[(name, column)].copy(), column)
            if (name, column) in decision.masks
            else exp.column(column)
            for column in used
        ]
    ).from_(exp.to_table(name))
    filters = decision.row_filters.get(name, ())
    if filters:
        leaf = leaf.where(exp.or_(*(f.copy() for f in filters)), copy=False)
    result = tree.copy()
    result.set(
        "from_",
        exp.From(this=exp.Subquery(this=leaf, alias=exp.TableAlias(this=exp.to_identifier(name)))),
    )
    return result


def _inputs(entity: Entity, name: str) -> Iterator[str]:
    """Yields the fields that a derived field follows from, at any depth."""
    field = entity.fields.get(name)
    if field is not None and field.derive is not None:
        for column in field.derive.find_all(exp.Column):
            yield column.name
            yield from _inputs(entity, column.name)
