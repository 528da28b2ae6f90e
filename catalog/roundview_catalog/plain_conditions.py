"""Decides which conditions of a mapping a source takes that only Trino reaches: comparisons."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from roundview_catalog.model import Source
from roundview_catalog.report import Report

_TAKEN: Final = (
    exp.Where, exp.And, exp.Or, exp.Not, exp.Paren, exp.Is, exp.Null, exp.Boolean, exp.EQ, exp.NEQ,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Column, exp.Identifier, exp.Literal,
    exp.Neg,
)  # fmt: skip


def check_conditions(source: Source, report: Report) -> None:
    """Reports what stands under `where` and ON and is more than comparing columns with values."""
    if source.connector != "trino":
        return
    # Mappings that `also` makes share the rows of the one around them.
    first = {id(branch.scan): branch for branch in reversed(source.branches)}
    for branch in reversed(first.values()):
        joined = (join.args.get("on") for join in branch.scan.args.get("joins") or ())
        for tree in (branch.scan.args.get("where"), *joined):
            if tree is not None and any(not isinstance(one, _TAKEN) for one in tree.walk()):
                report.add(
                    branch.position, "RV209", "conditions of a Trino source compare columns only",
                    "compute it in a view of Trino's",
                )  # fmt: skip
