"""Decides which rows that arrived fulfil what was asked, where a source sent others too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.query.conditions import Plain

_COMPARED: Mapping[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.EQ: pc.equal,
    exp.NEQ: pc.not_equal,
    exp.LT: pc.less,
    exp.LTE: pc.less_equal,
    exp.GT: pc.greater,
    exp.GTE: pc.greater_equal,
}

_Rows = TypeVar("_Rows", pa.RecordBatch, pa.Table)


def matching(rows: _Rows, conditions: Plain) -> _Rows:
    """Returns the rows for which no condition is known to be anything but TRUE.

    Conditions on columns that did not come hold already.
    """
    for tree in conditions.trees:
        if tree.this.name not in rows.schema.names:
            continue
        keyset = keyset_of(tree)
        column = rows.column(tree.this.name)
        try:
            if keyset is not None:
                values = pa.array(list(conditions.values[keyset[1]]), column.type)
                mask = pc.is_in(column, value_set=values)
            else:
                value = pa.scalar(conditions.values[tree.expression.name], column.type)
                mask = _COMPARED[type(tree)](column, value)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            # A value that the column's type cannot hold: the residual judges it.
            continue
        rows = rows.filter(mask)
    return rows
