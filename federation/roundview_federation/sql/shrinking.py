"""Decides what sources leave out or add up before rows travel: spared columns, folded rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from roundview_catalog.model import SourceTable
from roundview_catalog.types import MOMENTS, Kind, Type
from roundview_federation.plan import Fold, Section
from roundview_federation.planner import Planner, unfoldings
from roundview_federation.request import Decision
from roundview_federation.rewrite.fold import folded
from roundview_federation.rewrite.mirrors import lent
from roundview_federation.rewrite.narrow import Narrowed
from roundview_federation.rewrite.presence import TYPED
from roundview_federation.rewrite.push import FragmentDraft, is_folding, push
from roundview_federation.rewrite.query.conditions import plain
from roundview_federation.rewrite.query.folds import Folding
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.rewrite.query.spare import IsExact
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.sql.direct import LATE_COLUMNS
from roundview_federation.sql.relations import is_ours
from roundview_federation.sql.strategy import selectivity, table_rows
from roundview_federation.sql.witness import Witness

ROWS_PER_GROUP = 20
"""Below so many rows of a group, a server takes longer to group than to send."""
_UNKNOWN_DISTINCT = 200
_SHARE_OF_NUMBERS, _SHARE_OF_INDEXED = 0.01, 0.1
_DAYS = 3_000


@dataclass(frozen=True, slots=True)
class Shrunk:
    """How a read is folded, and what that is expected to leave of it."""

    fold: Fold
    rows: float
    groups: float

    @property
    def why(self) -> str:
        """Says it with the numbers that decided."""
        keys = ", ".join(self.fold.keys)
        by = f"folded by {keys}" if keys else "folded into one row"
        return f"{by}: about {self.groups:.0f} of {self.rows:.0f} rows"


def exactness(
    types: Mapping[str, Mapping[str, Type]],
    planner: Planner,
    decision: Decision,
    witness: Witness,
) -> IsExact:
    """Returns what tells whether all sources of a read apply a condition as the asker means it.

    `types` are those of the relations' columns.
    """

    def is_exact(one: Read, tree: exp.Expr) -> bool:
        if is_ours(one.relation):
            return False
        late = LATE_COLUMNS | lent(one.relation, planner.catalog)
        found = plain([tree], types[one.relation])
        names = {column.name for column in tree.find_all(exp.Column)}
        if not found.is_whole or not found.trees or names & late:
            return False
        if any(
            isinstance(value, str) and not value.strip()
            for value in witness.said(found.values).values()
        ):
            # Blank text is no value, but may be one of the source.
            return False
        branches = planner.catalog.branches(one.relation)
        section = _section(one, tuple(names), ())
        for unfolded in unfoldings(section, decision, planner, branches, tuple(names)):
            capabilities = planner.connectors[unfolded.branch.source].capabilities
            for condition in found.trees:
                asked = replace(unfolded, where=condition)
                narrowed = witness.narrowing(asked, found.values, capabilities)
                if narrowed is None:
                    break
                if not _is_exact(narrowed, unfolded, capabilities.dialect):
                    return False
        return True

    return is_exact


def shrunk(
    folding: Folding,
    section: Section,
    waited_for: Collection[str],
    planner: Planner,
    decision: Decision,
    witness: Witness,
) -> Shrunk | None:
    """Returns how a read is folded where that leaves few rows, None where it does not.

    `section` asks for the read's rows; other reads wait for the values of `waited_for`.
    """
    keys = tuple(dict.fromkeys((*folding.keys, *waited_for)))
    fold = Fold(keys, folding.partials, folding.rows, frozenset())
    section = _section(folding.read, inputs_of(fold), (section.tree.args.get("where"),), section)
    branches = planner.catalog.branches(folding.read.relation)
    worth = set()
    rows = groups = 0.0
    for unfolded in unfoldings(section, decision, planner, branches, section.columns):
        capabilities = planner.connectors[unfolded.branch.source].capabilities
        narrowed = witness.narrowing(unfolded, section.values, capabilities)
        if narrowed is None:
            continue
        own = table_rows(unfolded.branch, planner.catalog)
        own *= math.prod(selectivity(one, unfolded) for one in narrowed.conditions)
        rows += own
        draft = _tried(unfolded, narrowed, fold, planner)
        alike = own if draft is None else min(own, _groups(draft, unfolded, keys, own))
        if draft is not None and alike * ROWS_PER_GROUP <= own:
            worth.add((unfolded.branch.id, unfolded.slot))
            groups += alike
        else:
            groups += own
    if not worth:
        return None
    return Shrunk(replace(fold, branches=frozenset(worth)), rows, groups)


def inputs_of(fold: Fold) -> tuple[str, ...]:
    """Returns the columns of the rows that are folded."""
    columns = (one.column for one in fold.partials if one.column)
    return tuple(dict.fromkeys((*fold.keys, *columns)))


def folded_section(section: Section, fold: Fold) -> Section:
    """Returns a section that asks for folded rows instead of rows."""
    tree = section.tree.copy()
    tree.set("expressions", [exp.column(name) for name in inputs_of(fold)])
    return replace(section, tree=tree, fold=fold)


def _section(
    one: Read,
    columns: tuple[str, ...],
    where: tuple[exp.Expr | None, ...],
    like: Section | None = None,
) -> Section:
    tree = exp.Select(expressions=[exp.column(name) for name in columns])
    tree = tree.from_(exp.Table(this=exp.to_identifier(one.relation)), copy=False)
    for condition in where:
        if condition is not None:
            tree.set("where", condition.copy())
    made = like or Section("", one.relation, tree, "")
    return replace(made, tree=tree)


def _is_exact(narrowed: Narrowed, unfolded: Unfolded, dialect: str) -> bool:
    if narrowed.keys or not narrowed.is_exact:
        return False
    if not narrowed.conditions:
        # Every row of the branch meets it.
        return True
    columns = [c for one in narrowed.conditions for c in one.find_all(exp.Column)]
    kinds = {unfolded.column_type(column).kind for column in columns}
    # For MySQL a date that is none, such as 2025-00-00, is less than others.
    return dialect in TYPED and not (dialect == "mysql" and kinds & MOMENTS)


def _tried(
    unfolded: Unfolded, narrowed: Narrowed, fold: Fold, planner: Planner
) -> FragmentDraft | None:
    capabilities = planner.connectors[unfolded.branch.source].capabilities
    if narrowed.keys or not capabilities.batches:
        return None
    pushed = push(
        unfolded, None, capabilities, {}, conditions=tuple(narrowed.conditions), row_cap=1
    )
    return pushed.draft if folded(unfolded, pushed, fold) else None


def _groups(draft: FragmentDraft, unfolded: Unfolded, keys: tuple[str, ...], rows: float) -> float:
    """Estimates how many rows of a branch differ in what they are grouped by."""
    known: dict[exp.Expr, float] = {}
    for name in keys:
        mapping = unfolded.branch.slots[unfolded.slot].get(name)
        values = unfolded.entity.types[name].values if name in unfolded.entity.types else ()
        if mapping is not None and (mapping.codes or values):
            known[mapping.expr] = len(mapping.codes or values) + 1.0
    columns = [expr for _, expr, _ in draft.columns.values() if not is_folding(expr)]
    return max(1.0, math.prod(known.get(one) or _distinct(one, unfolded, rows) for one in columns))


def _distinct(expr: exp.Expr, unfolded: Unfolded, rows: float) -> float:
    (column,) = expr.find_all(exp.Column)
    table = unfolded.source.tables[unfolded.aliases[column.table]]
    declared = table.columns[column.name]
    if table.is_unique(frozenset({column.name})):
        return float(table.rows_estimate or rows)
    noted = table.distinct.get(column.name)
    if noted is not None:
        # One more for NULL, which is not counted.
        return min(rows, noted + 1.0)
    if declared.domain:
        return len(declared.domain) + 1.0
    if declared.references:
        above = unfolded.source.tables.get(declared.references.partition(".")[0])
        if above is not None and above.rows_estimate:
            return float(above.rows_estimate)
    return _usual(table, column.name, rows)


def _usual(table: SourceTable, name: str, rows: float) -> float:
    """Guesses how many values a column has of which nothing is known but its type."""
    kind = table.columns[name].type.kind
    if kind is Kind.BOOLEAN:
        return 3.0
    if kind is Kind.DATE:
        return min(rows, _DAYS)
    if kind is Kind.TEXT:
        return min(rows, _UNKNOWN_DISTINCT)
    if kind in MOMENTS or kind is Kind.DECIMAL:
        return rows
    is_indexed = any(key and key[0] == name for key in table.indexes)
    share = _SHARE_OF_INDEXED if is_indexed else _SHARE_OF_NUMBERS
    return max(_UNKNOWN_DISTINCT, rows * share)
