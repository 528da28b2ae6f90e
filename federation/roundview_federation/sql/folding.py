"""Decides how rows that sources made one, and rows that they did not, become the same columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from roundview_catalog.errors import InternalError
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import Fold, Partial
from roundview_federation.rewrite.fold import WIDEST, aggregate
from roundview_federation.rewrite.push import Pushed
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.sql.columns import Batch, ColumnArrival, Made, columns_of
from roundview_federation.sql.tables import arrow_type


@dataclass(frozen=True, slots=True)
class FoldArrival:
    """Makes the columns of rows that a source has folded."""

    fold: Fold
    keys: tuple[Made, ...]
    places: tuple[int, ...]
    types: tuple[pa.DataType, ...]

    def convert(self, batch: Batch) -> pa.RecordBatch:
        """Returns the folded rows of a batch; one that stands for no row does not arrive."""
        arrays = [made(batch) for made in self.keys]
        for at, type_ in zip(self.places, self.types, strict=True):
            column = batch.rows.column(at)
            arrays.append(column if column.type == type_ else pc.cast(column, type_))
        made = pa.RecordBatch.from_arrays(arrays, names=list(self.fold.names))
        return made.filter(pc.greater(made.column(self.fold.rows), 0))

    def rows_read(self, made: pa.RecordBatch) -> int:
        """Counts the rows that folded ones stand for."""
        return int(pc.sum(made.column(self.fold.rows)).as_py() or 0)


@dataclass(frozen=True, slots=True)
class UnfoldedArrival:
    """Makes the columns of a fold of rows that arrive as they are."""

    rows: ColumnArrival
    inputs: Mapping[str, Type]
    fold: Fold

    def convert(self, batch: Batch) -> pa.RecordBatch:
        """Returns the rows of a batch, each folded alone."""
        made = as_folded(self.rows.convert(batch), self.inputs, self.fold)
        if not isinstance(made, pa.RecordBatch):
            raise InternalError("a batch became a table")
        return made


def fold_arrival(
    unfolded: Unfolded, pushed: Pushed, inputs: Mapping[str, Type], fold: Fold
) -> FoldArrival:
    """Returns how the folded rows of a branch arrive."""
    draft = pushed.draft
    keys = {name: inputs[name] for name in fold.keys}
    places = []
    for partial in fold.partials:
        found = aggregate(partial, unfolded, draft.dialect)
        at = draft.sent(found[0]) if found is not None else None
        if at is None:
            raise InternalError(f"{unfolded.branch.id} was not asked for all of a fold")
        places.append(at)
    types = tuple(arrow_type(partial_type(one, inputs)) for one in fold.partials)
    return FoldArrival(fold, columns_of(unfolded, pushed, keys), tuple(places), types)


def as_folded(
    rows: pa.RecordBatch | pa.Table, inputs: Mapping[str, Type], fold: Fold
) -> pa.RecordBatch | pa.Table:
    """Returns rows as if each were folded alone: it counts one, and is its own sum."""
    arrays = [rows.column(name) for name in fold.keys]
    for partial in fold.partials:
        type_ = arrow_type(partial_type(partial, inputs))
        if partial.kind == "rows":
            arrays.append(pa.repeat(pa.scalar(1, type_), rows.num_rows))
            continue
        column = rows.column(partial.column)
        if partial.kind == "count":
            column = pc.is_valid(column)
        arrays.append(column if column.type == type_ else pc.cast(column, type_))
    make = pa.Table if isinstance(rows, pa.Table) else pa.RecordBatch
    return make.from_arrays(arrays, names=list(fold.names))


def partial_type(partial: Partial, inputs: Mapping[str, Type]) -> Type:
    """Returns the type of a partial: sums as PostgreSQL has them, wide enough for any."""
    if partial.kind in ("rows", "count"):
        return Type(Kind.BIGINT)
    own = inputs[partial.column]
    if partial.kind != "sum":
        return own
    if own.kind is Kind.INTEGER:
        return Type(Kind.BIGINT)
    return Type(Kind.DECIMAL, WIDEST, own.digits[1] if own.kind is Kind.DECIMAL else 0)
