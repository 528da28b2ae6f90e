"""Decides which reads are about a few rows that an index of every source finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from roundview_catalog.model import Branch, Catalog
from roundview_catalog.types import Kind, Type
from roundview_federation.rewrite.query.conditions import Plain
from roundview_federation.rewrite.query.sources import Read

_FEW_VALUES = frozenset({Kind.ENUM, Kind.BOOLEAN})


def is_point(read: Read, conditions: Plain, types: Mapping[str, Type], catalog: Catalog) -> bool:
    """Tells whether a read is asked by values of a column that is indexed wherever it is.

    Its rows are too few for what whole batches cost to begin with. Kinds of few values have many
    rows for each, whatever is indexed.
    """
    branches = catalog.branches(read.relation)
    names = {tree.this.name for tree in conditions.trees if isinstance(tree, exp.EQ)}
    return any(
        _is_indexed(name, branches, catalog)
        for name in names
        if name in types and types[name].kind not in _FEW_VALUES
    )


def _is_indexed(name: str, branches: Sequence[Branch], catalog: Catalog) -> bool:
    """Tells whether all branches that have a column find it by an index, and some have it."""
    found = []
    for branch in branches:
        if name == "source_key":
            found.append(_leads(branch.key[0], branch, catalog))
        for slot in branch.slots.values():
            # A branch without the column has no row with such a value.
            mapping = slot.get(name)
            if mapping is not None:
                is_plain = mapping.codes is None
                found.append(is_plain and _leads(mapping.expr, branch, catalog))
    return bool(found) and all(found)


def _leads(column: exp.Expr, branch: Branch, catalog: Catalog) -> bool:
    """Tells whether an index begins with what is a plain column."""
    if not isinstance(column, exp.Column):
        return False
    alias = column.table or next(iter(branch.aliases))
    table = catalog.sources[branch.source].tables.get(branch.aliases.get(alias, ""))
    if table is None:
        return False
    return any(
        key and key[0] == column.name for key in (table.primary_key, *table.unique, *table.indexes)
    )
