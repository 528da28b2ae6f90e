"""Decides what an expression of a catalog is and means: gate, types, Python, rendering."""

from __future__ import annotations

from roundview_catalog.expressions.exact import exact_number
from roundview_catalog.expressions.functions import AGGREGATES as _AGGREGATES
from roundview_catalog.expressions.gate import is_list, parse, parse_from, parse_order, parse_view
from roundview_catalog.expressions.inference import check, infer
from roundview_catalog.expressions.meeting import cast_type
from roundview_catalog.expressions.nodes import ExpressionError, conjuncts, offset_of
from roundview_catalog.expressions.pushing import cannot_fail, pushable, render
from roundview_catalog.expressions.python import condition, python
from roundview_catalog.expressions.runtime import RUNTIME

AGGREGATES = tuple(_AGGREGATES)
"""Node classes of the aggregates over children."""

__all__ = [
    "AGGREGATES",
    "RUNTIME",
    "ExpressionError",
    "cannot_fail",
    "cast_type",
    "check",
    "condition",
    "conjuncts",
    "exact_number",
    "infer",
    "is_list",
    "offset_of",
    "parse",
    "parse_from",
    "parse_order",
    "parse_view",
    "pushable",
    "python",
    "render",
]
