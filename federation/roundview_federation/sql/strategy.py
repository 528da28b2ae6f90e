"""Decides which reads wait for the keys of others, by what their sources are known to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.model import Branch, Catalog
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.query.conditions import Later, Plain, ValuesDecide
from roundview_federation.rewrite.query.sources import Bind, Read
from roundview_federation.rewrite.unfold import Unfolded

MOST_KEYS = 10_000
"""Above so many keys a read is not bound by them: a scan is cheaper than their lists."""

_UNKNOWN_ROWS = 10_000
_SELECTIVE = 0.5
_EQUAL, _RANGE, _PER_CUSTOMER, _PER_KEY = 0.01, 0.3, 20, 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many rows a read brings on its own, and how many it has without any condition."""

    rows: float
    total: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What a read waits for; `why` says it with the numbers that decided."""

    bind: Bind | None
    estimate: float
    why: str


def estimate(read: Read, conditions: Plain, catalog: Catalog, limited_to: int | None) -> Estimate:
    """Estimates a read; `limited_to` counts the customers that it is asked for (None: all)."""
    branches = catalog.branches(read.relation)
    total = float(sum(_rows(branch, catalog) for branch in branches))
    if limited_to is not None:
        return Estimate(min(total, limited_to * _PER_CUSTOMER), total)
    rows = sum(_asked(branch, conditions, catalog) for branch in branches)
    return Estimate(max(1.0, rows), total)


def _asked(branch: Branch, conditions: Plain, catalog: Catalog) -> float:
    """Estimates what the conditions leave of one branch."""
    rows = float(_rows(branch, catalog))
    for tree in conditions.trees:
        named = catalog.sources[branch.source].names(tree.this.name)
        share = None if named is None else _share_of_source(tree, named, conditions)
        if share is not None:
            rows *= share
            continue
        keyset = keyset_of(tree)
        if keyset is not None:
            values = len(conditions.values[keyset[1]])
            share = _noted_share(tree, branch, catalog)
            each = _PER_KEY if share is None else rows * share
            rows = min(rows, values * (1 if _is_unique(tree, branch, catalog) else each))
        elif isinstance(tree, exp.EQ):
            share = _noted_share(tree, branch, catalog)
            share = _EQUAL if share is None else share
            rows = 1.0 if _is_unique(tree, branch, catalog) else rows * share
        elif not isinstance(tree, exp.NEQ):
            rows *= _RANGE
    return rows


def _share_of_source(tree: exp.Expr, named: str, conditions: Plain) -> float | None:
    """Returns what is left of a source that is `named` so: all or nothing.

    Raises ValuesDecide where that is for parameters to say.
    """
    keyset = keyset_of(tree)
    if keyset is not None:
        wanted = conditions.values[keyset[1]]
    elif isinstance(tree, exp.EQ | exp.NEQ):
        wanted = [conditions.values[tree.expression.name]]
    else:
        return None
    unknown = [one.number for one in wanted if isinstance(one, Later)]
    if unknown:
        raise ValuesDecide(*unknown)
    return float((named in wanted) is not isinstance(tree, exp.NEQ))


def _is_unique(tree: exp.Expr, branch: Branch, catalog: Catalog) -> bool:
    """Tells whether at most one row has the value of a condition's column."""
    if tree.this.name == "source_key":
        return True
    for fields in branch.slots.values():
        mapping = fields.get(tree.this.name)
        column = mapping.expr if mapping is not None else None
        if not isinstance(column, exp.Column) or column.table not in branch.aliases:
            return False
        table = catalog.sources[branch.source].tables[branch.aliases[column.table]]
        if not table.is_unique(frozenset({column.name})):
            return False
    return True


def _noted_share(tree: exp.Expr, branch: Branch, catalog: Catalog) -> float | None:
    """Returns the share of rows that one value of a column has, where its source notes that."""
    shares = []
    for fields in branch.slots.values():
        mapping = fields.get(tree.this.name)
        column = mapping.expr if mapping is not None else None
        if not isinstance(column, exp.Column) or column.table not in branch.aliases:
            return None
        table = catalog.sources[branch.source].tables[branch.aliases[column.table]]
        noted = table.distinct.get(column.name)
        if noted is None:
            return None
        shares.append(1 / max(1, noted))
    return max(shares, default=None)


def choose(
    reads: Mapping[str, Read],
    estimates: Mapping[str, Estimate],
    bindable: Mapping[str, frozenset[str]],
) -> dict[str, Choice]:
    """Returns for each read what it waits for, in an order in which nobody waits in a circle.

    `bindable` has the columns of each read by whose values its sources can be asked.
    """
    order = sorted(reads, key=lambda name: (estimates[name].rows, name))
    chosen: dict[str, Choice] = {}
    for name in order:
        own = estimates[name]
        best: Bind | None = None
        fewest = min(own.rows / 2, MOST_KEYS)
        for bind in reads[name].binds:
            if bind.column not in bindable[name] or any(n not in chosen for n, _ in bind.of):
                continue
            few = (
                # All that a lookup has is the one who was found.
                bool(reads[n].arguments) or chosen[n].estimate <= _SELECTIVE * estimates[n].total
                for n, _ in bind.of
            )
            if not all(few):
                # Keys of a whole relation leave nothing out.
                continue
            keys = sum(chosen[n].estimate for n, _ in bind.of)
            if keys <= fewest and (best is None or keys < fewest):
                best, fewest = bind, keys
        if best is None:
            chosen[name] = Choice(None, own.rows, f"about {own.rows:.0f} of {own.total:.0f} rows")
            continue
        whole = sum(estimates[n].total for n, _ in best.of if not reads[n].arguments)
        # As many rows fall to each key as to any other; a customer that was looked up has some.
        rows = min(own.rows, own.rows * fewest / whole if whole else _PER_CUSTOMER)
        others = " and ".join(f"{n}.{column}" for n, column in best.of)
        why = f"about {own.rows:.0f} rows, {rows:.0f} by the {fewest:.0f} keys of {others}"
        chosen[name] = Choice(best, rows, why)
    return chosen


def table_rows(branch: Branch, catalog: Catalog) -> float:
    """Estimates the rows of the table that a branch is made of."""
    return _rows(branch, catalog) / max(1, len(branch.slots))


def selectivity(condition: exp.Expr, unfolded: Unfolded) -> float:
    """Estimates the share of rows that a condition over a source's own columns leaves."""
    if not isinstance(condition, exp.EQ):
        return _RANGE
    column = condition.this
    if not isinstance(column, exp.Column) or column.table not in unfolded.aliases:
        return _EQUAL
    table = unfolded.source.tables[unfolded.aliases[column.table]]
    is_unique = table.is_unique(frozenset({column.name}))
    if is_unique:
        return 1 / max(1, table.rows_estimate or _UNKNOWN_ROWS)
    noted = table.distinct.get(column.name)
    return _EQUAL if noted is None else 1 / max(1, noted)


def _rows(branch: Branch, catalog: Catalog) -> int:
    source = catalog.sources[branch.source]
    table = branch.scan.args["from_"].this.name
    known = source.tables[table].rows_estimate if table in source.tables else None
    return (_UNKNOWN_ROWS if known is None else known) * len(branch.slots)
