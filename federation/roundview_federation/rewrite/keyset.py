"""Binds a section to the customers of its lookup by a named key set."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.key_sets import in_keys
from roundview_federation.rewrite.context import RewriteContext


def keyset(tree: exp.Select, context: RewriteContext) -> exp.Select:
    """Adds `customer_id = ANY(:lookup)` where the section has a lookup.

    The key set is filled per source through the xref, so this predicate never reaches a
    source as it stands here.
    """
    if not context.section.lookup:
        return tree
    column = exp.column("customer_id", table=context.section.entity)
    return tree.where(in_keys(column, context.section.lookup))
