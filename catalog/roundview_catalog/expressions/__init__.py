"""Decides what an expression of a catalog is and means: gate, types, Python, rendering."""

from __future__ import annotations

from roundview_catalog.expressions.compile import cast_type, infer, pushable, python, render
from roundview_catalog.expressions.gate import (
    AGGREGATES,
    ExpressionError,
    offset_of,
    parse,
    parse_from,
)
from roundview_catalog.expressions.runtime import RUNTIME

__all__ = [
    "AGGREGATES",
    "RUNTIME",
    "ExpressionError",
    "cast_type",
    "infer",
    "offset_of",
    "parse",
    "parse_from",
    "pushable",
    "python",
    "render",
]
