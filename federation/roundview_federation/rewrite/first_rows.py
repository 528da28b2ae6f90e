"""Decides whether a source may cut its rows where the asker cuts the answer: ORDER BY … LIMIT."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.types import Kind
from roundview_federation.plan import FirstRows
from roundview_federation.rewrite.narrow import Narrowed
from roundview_federation.rewrite.presence import TYPED, is_borne, is_present
from roundview_federation.rewrite.push import Pushed
from roundview_federation.rewrite.unfold import Unfolded

FIRST = "first"
"""The parameter that says how many rows are wanted of each branch."""

_ALIKE = (Kind.INTEGER, Kind.BIGINT, Kind.DATE, Kind.DECIMAL, Kind.TIMESTAMPTZ)


def first_rows(unfolded: Unfolded, pushed: Pushed, narrowed: Narrowed, wanted: FirstRows) -> bool:
    """Has a branch send only its first rows, and tells whether it could: each of them must count.

    Every row that the source counts must arrive, so nothing may drop rows afterwards: no
    condition that was only widened, no rule, no bearing field that may be absent. The order must
    be that of the canonical values; which of equal rows come is as open as in the answer.
    """
    if not narrowed.is_exact or narrowed.keys or pushed.residual or pushed.bound is not None:
        return False
    if unfolded.row_filter is not None or unfolded.branch.lists or unfolded.above is not None:
        return False
    branch = unfolded.branch
    same = [
        b for b in unfolded.source.branches if b.scan is branch.scan and b.entity == branch.entity
    ]
    if len(branch.slots) > 1 or len(same) > 1 or pushed.draft.dialect not in TYPED:
        return False
    keys = all(is_present(column, unfolded) for column in branch.key)
    if not keys or not is_borne(unfolded):
        return False
    terms = []
    for name, is_descending, nulls_first in wanted.order:
        column = _ordering(name, unfolded)
        if column is None:
            return False
        terms.append(exp.Ordered(this=column.copy(), desc=is_descending, nulls_first=nulls_first))
    base = pushed.draft.base.copy()
    if terms:
        base = base.order_by(*terms, copy=False)
    pushed.draft.base = base.limit(exp.Placeholder(this=FIRST), copy=False)
    pushed.draft.params = (*pushed.draft.params, FIRST)
    return True


def _ordering(name: str, unfolded: Unfolded) -> exp.Column | None:
    """Returns the column whose order is that of a field."""
    mapping = unfolded.branch.slots[unfolded.slot].get(name)
    if mapping is None or mapping.codes is not None or name in unfolded.masks:
        return None
    column = mapping.expr
    if not isinstance(column, exp.Column) or unfolded.is_late(column):
        return None
    source, target = unfolded.column_type(column), unfolded.entity.types[name]
    if source.kind is not target.kind or target.kind not in _ALIKE:
        return None
    if target.kind is Kind.DECIMAL and (source.scale is None or source.scale > (target.scale or 4)):
        # Rounded values may be equal where the source's are not.
        return None
    return column
