"""Decides what every row of a branch surely has: values of a column, a key, what it must bear."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.types import Kind, Type
from roundview_federation.rewrite.source_keys import INTEGERS
from roundview_federation.rewrite.unfold import Unfolded

TYPED = frozenset({"postgres", "mysql"})
"""Dialects whose columns have the declared type; elsewhere dates may be text of any form."""

_DIGITS = {Kind.INTEGER: 10, Kind.BIGINT: 19}


def is_present(column: exp.Column, unfolded: Unfolded) -> bool:
    """Tells whether every row has a value in a column."""
    joins = unfolded.scan.args.get("joins") or ()
    if any(join.side and join.this.alias_or_name == column.table for join in joins):
        return False
    if column.table not in unfolded.aliases:
        return False
    table = unfolded.source.tables[unfolded.aliases[column.table]]
    return not table.columns[column.name].is_nullable or column.name in table.primary_key


def is_named(unfolded: Unfolded, dialect: str) -> bool:
    """Tells whether every row has a key, so that nobody needs to see it to know.

    Blank text is no value, and where columns have no types a key may be of another one.
    """
    return dialect in TYPED and all(
        type_.kind in INTEGERS and is_present(column, unfolded)
        for column, type_ in zip(unfolded.branch.key, unfolded.branch.key_types, strict=True)
    )


def is_borne(unfolded: Unfolded) -> bool:
    """Tells whether every row has what a row of its entity must bear."""
    bearing = unfolded.entity.bearing
    return not bearing or any(_bears(names, unfolded) for names in bearing)


def _bears(names: tuple[str, ...], unfolded: Unfolded) -> bool:
    fields = unfolded.branch.slots[unfolded.slot]
    for name in names:
        mapping = fields.get(name)
        if mapping is None or mapping.codes is not None:
            return False
        if not isinstance(mapping.expr, exp.Column) or not is_present(mapping.expr, unfolded):
            return False
        own, target = unfolded.column_type(mapping.expr), unfolded.entity.types[name]
        is_time = own.is_time and target.is_time
        if not is_time and (own.kind is not target.kind or own.kind is Kind.TEXT):
            # Blank text is no value.
            return False
    return True


def holds(target: Type, own: Type) -> bool:
    """Tells whether a field holds every number of a column, unrounded."""
    if target.kind in INTEGERS:
        return own.kind in (Kind.INTEGER, target.kind)
    if target.kind is not Kind.DECIMAL:
        return False
    digits, scale = target.digits
    whole = digits - scale
    if own.kind in INTEGERS:
        return whole >= _DIGITS[own.kind]
    if own.kind is not Kind.DECIMAL or own.precision is None or own.scale is None:
        return False
    return 0 <= own.scale <= scale and own.precision - own.scale <= whole
