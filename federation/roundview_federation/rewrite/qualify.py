"""Refuses names that do not exist for this principal and qualifies the others."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_federation.rewrite.context import RewriteContext


def qualify(tree: exp.Select, context: RewriteContext) -> exp.Select:
    """Qualifies every column with its relation.

    A hidden column and one that does not exist give the same RV102.

    >>> # SELECT status FROM sales_order  ->  SELECT sales_order.status FROM sales_order
    """
    name = context.section.entity
    readable = context.decision.fields.get(name)
    if readable is None or name not in context.canonical.entities:
        raise RequestError(f"unknown relation {name}", code="RV102")
    result = tree.copy()
    for column in result.find_all(exp.Column):
        if column.name not in readable:
            raise RequestError(f"unknown column {column.name} of {name}", code="RV102")
        column.set("table", exp.to_identifier(name))
    return result
