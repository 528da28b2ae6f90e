"""Decides whether a source may make rows that are alike one, with counts and sums of them.

What it adds up must be what arrival would: rows that arrival drops, values that it changes, and
keys that the source takes for equal though they are not, forbid it.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from roundview_catalog.errors import InternalError
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.types import MOMENTS, Kind, Type
from roundview_federation.plan import Arrival, Fold, Partial
from roundview_federation.rewrite.arrive import needed
from roundview_federation.rewrite.field_code import FieldCode
from roundview_federation.rewrite.presence import TYPED, holds, is_borne, is_named
from roundview_federation.rewrite.push import Pushed
from roundview_federation.rewrite.row_code import LATE
from roundview_federation.rewrite.source_keys import INTEGERS
from roundview_federation.rewrite.unfold import Unfolded

WIDEST = 38
"""Digits of the sums of whole numbers and amounts."""

_PRESENT = frozenset({Kind.BOOLEAN, Kind.DECIMAL, *INTEGERS, *MOMENTS})
_ALIKE = _PRESENT | {Kind.TEXT, Kind.UUID}
_PLAIN_TEXT = ("", "text", "character varying")


def folded(unfolded: Unfolded, pushed: Pushed, fold: Fold) -> bool:
    """Makes the draft of a branch bring folded rows; returns False where it must not.

    The draft must be the branch's own.
    """
    draft = pushed.draft
    if not _counts_every_row(unfolded, pushed):
        return False
    trial = replace(draft, columns={}, children={}, is_folded=True)
    code = FieldCode(unfolded, trial)
    for name in fold.keys:
        for one in needed(unfolded, name):
            _register(code, one)
    if trial.children or not all(_is_alike(one, unfolded) for _, one, _ in trial.columns.values()):
        return False
    for partial in fold.partials:
        found = aggregate(partial, unfolded, draft.dialect)
        if found is None:
            return False
        trial.column(*found)
    draft.columns, draft.is_folded = trial.columns, True
    return True


def never_by_row(section: str, unfolded: Unfolded, pushed: Pushed) -> Arrival:
    """Returns the arrival of folded rows, which only batches have."""

    def convert(*_: object) -> None:
        raise InternalError(f"folded rows of {unfolded.branch.id} came one by one")

    return Arrival(section, unfolded.branch.id, unfolded.slot, convert, (unfolded, pushed))


def aggregate(partial: Partial, unfolded: Unfolded, dialect: str) -> tuple[exp.Expr, Type] | None:
    """Returns what a source computes for a partial, and its type; None where it is not the same."""
    if partial.kind == "rows":
        return exp.Count(this=exp.Star()), Type(Kind.BIGINT)
    mapping = unfolded.branch.slots[unfolded.slot].get(partial.column)
    column = _plain(mapping, unfolded)
    if mapping is None or column is None or unfolded.source.defaults.of(partial.column):
        return None
    own, target = unfolded.column_type(column), unfolded.entity.types[partial.column]
    if own.kind in MOMENTS and dialect == "mysql":
        # A date that is none, such as 2025-00-00, is no value of ours.
        return None
    if partial.kind == "count":
        is_same = (own.kind is target.kind and own.kind in _PRESENT) or holds(target, own)
        return (exp.Count(this=column.copy()), Type(Kind.BIGINT)) if is_same else None
    if partial.kind == "sum":
        if not holds(target, own):
            return None
        scale = own.scale if own.kind is Kind.DECIMAL else 0
        return exp.Sum(this=column.copy()), Type(Kind.DECIMAL, WIDEST, scale)
    is_instant = own.kind is target.kind and own.kind in (Kind.DATE, Kind.TIMESTAMPTZ)
    if not is_instant and not holds(target, own):
        return None
    way = exp.Min if partial.kind == "min" else exp.Max
    return way(this=column.copy()), own


def _counts_every_row(unfolded: Unfolded, pushed: Pushed) -> bool:
    """Tells whether every row that the source counts would arrive."""
    if pushed.residual or pushed.bound is not None or unfolded.above is not None:
        return False
    if unfolded.masks or unfolded.row_filter is not None or unfolded.branch.lists:
        return False
    dialect = pushed.draft.dialect
    return dialect in TYPED and is_named(unfolded, dialect) and is_borne(unfolded)


def _register(code: FieldCode, name: str) -> None:
    """Adds the columns that a key of the fold is made of to the draft."""
    unfolded = code.unfolded
    if name in ("customer_id", "link_state"):
        code.owner("owner", unfolded.person)
    elif name == "source_key":
        for column in unfolded.branch.key:
            code.column(column)
    elif name not in LATE:
        code.field(name)


def _is_alike(expr: exp.Expr, unfolded: Unfolded) -> bool:
    """Tells whether a source takes values of a column for equal only where they are."""
    if not isinstance(expr, exp.Column) or unfolded.is_late(expr):
        return False
    table = unfolded.source.tables[unfolded.aliases[expr.table]]
    declared = table.columns[expr.name]
    if declared.type.kind not in _ALIKE:
        return False
    if declared.type.kind is not Kind.TEXT:
        return True
    if unfolded.source.connector == "mysql":
        # Its connector groups text by bytes; JSON has an equality of its own.
        return "json" not in declared.native
    base = declared.native.partition(" COLLATE")[0].partition("(")[0]
    return declared.collation == "exact" and base in _PLAIN_TEXT


def _plain(mapping: FieldMapping | None, unfolded: Unfolded) -> exp.Column | None:
    if mapping is None or mapping.codes is not None:
        return None
    column = mapping.expr
    if not isinstance(column, exp.Column) or unfolded.is_late(column):
        return None
    return column
