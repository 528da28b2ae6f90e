"""Decides whether the first page of a list needs only the first rows of each person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from roundview_catalog.mapped import FieldMapping
from roundview_catalog.types import MOMENTS, Kind
from roundview_federation.plan import Section
from roundview_federation.rewrite.push import Pushed
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.top_rows import Top


def top_rows(
    unfolded: Unfolded, pushed: Pushed, section: Section, order: Sequence[tuple[str, bool]]
) -> Top | None:
    """Returns how the source may cut the rows of each person, None where it may not.

    Everything that drops rows on arrival forbids it, and so does any order but that of a plain
    column with times: only then is what the source leaves out behind the page. Rows are cut by
    the first term alone, ties included, so that the others stay ours.
    """
    bound = pushed.bound
    if section.page is None or section.parent or not order or bound is None:
        return None
    if bound.through is not None or len(bound.columns) != 1 or unfolded.branch.lists:
        return None
    if pushed.residual or unfolded.row_filter is not None or unfolded.where is not None:
        return None
    name, is_descending = order[0]
    mapping = unfolded.branch.slots[unfolded.slot].get(name)
    column = _ordering(mapping, unfolded, name)
    if mapping is None or column is None or name in unfolded.masks:
        return None
    bearing = unfolded.entity.bearing
    if bearing and (name,) not in bearing:
        return None
    if not _is_never_null(unfolded):
        return None
    zone = mapping.time_zone or unfolded.source.defaults.time_zone
    return Top(
        key=bound.columns[0],
        by=column,
        is_descending=is_descending,
        is_loose=zone not in ("", "UTC", "Z") and zone[0] not in "+-",
        is_present=bearing == ((name,),),
    )


def _ordering(mapping: FieldMapping | None, unfolded: Unfolded, name: str) -> exp.Column | None:
    """Returns the source's column whose order is that of the field."""
    column = mapping.expr if mapping is not None and mapping.codes is None else None
    if not isinstance(column, exp.Column) or column.table not in unfolded.aliases:
        return None
    kind, target = unfolded.column_type(column).kind, unfolded.entity.types[name].kind
    if target is Kind.TIMESTAMPTZ:
        return column if kind in MOMENTS else None
    return column if kind is target is Kind.DATE else None


def _is_never_null(unfolded: Unfolded) -> bool:
    """Tells whether every row has a key: one without does not arrive."""
    joins = unfolded.scan.args.get("joins") or ()
    optional = {join.this.alias_or_name for join in joins if join.side}
    for column in unfolded.branch.key:
        if column.table not in unfolded.aliases or column.table in optional:
            return False
        table = unfolded.source.tables[unfolded.aliases[column.table]]
        declared = table.columns[column.name]
        if declared.is_nullable and column.name not in table.primary_key:
            return False
    return True
