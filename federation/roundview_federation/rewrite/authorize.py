"""Puts the principal's row filters and masks at the leaf, below every user predicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from roundview_catalog.model import Entity
from roundview_federation.request import Decision
from roundview_federation.rewrite.consents import has_agreed, needs, needs_all
from roundview_federation.rewrite.context import RewriteContext


def authorize(tree: exp.Select, context: RewriteContext) -> exp.Select:
    """Replaces the relation by a derived table of what the principal may see of it.

    >>> # SELECT a FROM e WHERE b = 1
    >>> # -> SELECT a FROM (SELECT mask(a) AS a, b FROM e WHERE filter) AS e WHERE b = 1
    """
    name = context.section.entity
    # In SQL consent is a join of the question itself.
    decision = context.decision if not context.section.narrows else _without(context.decision)
    masks = _masks(context, decision)
    used = list(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))
    # What follows from a masked field follows from its mask, so the mask must be there too.
    inputs = (below for column in used for below in _inputs(context.entity, column))
    used += [one for one in dict.fromkeys(inputs) if one not in used and one in masks]
    leaf = exp.Select(
        expressions=[
            exp.alias_(masks[column], column) if column in masks else exp.column(column)
            for column in used
        ]
    ).from_(exp.Table(this=exp.to_identifier(name)), copy=False)
    filters = decision.row_filters.get(name, ())
    if filters:
        leaf = leaf.where(exp.or_(*(f.copy() for f in filters)), copy=False)
    if needs_all(decision, name):
        leaf = leaf.where(has_agreed(), copy=False)
    result = tree.copy()
    result.set(
        "from_",
        exp.From(this=exp.Subquery(this=leaf, alias=exp.TableAlias(this=exp.to_identifier(name)))),
    )
    return result


def _masks(context: RewriteContext, decision: Decision) -> dict[str, exp.Expr]:
    """Returns what is shown instead of fields: their masks, or nothing without consent."""
    name = context.section.entity
    masks = {}
    for field in context.entity.types:
        mask = decision.masks.get((name, field))
        if needs(decision, name, field):
            shown = exp.column(field) if mask is None else mask
            mask = exp.Case().when(has_agreed(), shown.copy()).else_(exp.Null())
        if mask is not None:
            masks[field] = mask
    return masks


def _without(decision: Decision) -> Decision:
    return decision if decision.consent is None else replace(decision, consent=None)


def _inputs(entity: Entity, name: str) -> Iterator[str]:
    """Yields the fields that a derived field follows from, at any depth."""
    field = entity.fields.get(name)
    if field is not None and field.derive is not None:
        for column in field.derive.find_all(exp.Column):
            yield column.name
            yield from _inputs(entity, column.name)
