"""Decides which sums of a statement of Trino a source may add up itself.

Connectors hand on the sum of a column, not that of a converted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from roundview_catalog.types import Kind, Type
from roundview_federation.rewrite.trino.convert import canonical_type

_DIGITS: Final = 38
"""Trino's own sum of a decimal has as many, whatever the decimal has."""


def plain_sums(tree: exp.Query, types: Mapping[str, Mapping[str, Type]]) -> None:
    """Takes casts off what is added up where the sum has the same type without them, in place.

    `types` are those of the columns of the relations that the tree reads, by their names.
    """
    relations = _relations(tree)
    for called in list(tree.find_all(exp.Anonymous)):
        if str(called.this).lower() != "sum":
            continue
        (value,) = called.expressions
        held = value.expressions[0] if isinstance(value, exp.Distinct) else value
        column = held.this if isinstance(held, exp.Cast) else None
        if not isinstance(column, exp.Column):
            continue
        type_ = types.get(relations.get(column.table, ""), {}).get(column.name)
        if type_ is not None and _is_sum_of(type_, held.to):
            held.replace(column.copy())


def _relations(tree: exp.Query) -> dict[str, str]:
    """Returns the relation of each alias that stands for only one in the whole tree."""
    found: dict[str, str] = {}
    others = {one.alias for one in tree.find_all(exp.Subquery, exp.CTE, exp.Values, exp.Unnest)}
    for table in tree.find_all(exp.Table):
        alias = table.alias_or_name
        if found.setdefault(alias, table.name) != table.name:
            others.add(alias)
    return {alias: name for alias, name in found.items() if alias not in others}


def _is_sum_of(type_: Type, to: exp.DataType) -> bool:
    if type_.kind is not Kind.DECIMAL or to.this is not exp.DType.DECIMAL:
        return False
    sizes = [int(one.this.name) for one in to.expressions]
    return sizes == [_DIGITS, canonical_type(type_).scale or 0]
