"""Decides which questions need no engine: columns of one relation, filtered, ordered and cut.

The relation may be joined to `lookup`, which has one row at most: the join keeps that customer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.query.conditions import Plain, plain
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.rewrite.turn import COMPARE

_OTHER_PARTS = frozenset({"expressions", "from_", "where", "order", "limit", "offset", "kind"})
_JOIN = frozenset({"this", "on", "kind"})
MOST_ROWS = 10_000
"""Above so many rows an engine sorts faster."""

LATE_COLUMNS = frozenset({"customer_id", "link_state"})
"""Columns that are known when the rows are there: sources cannot be asked by them."""


@dataclass(frozen=True, slots=True)
class Direct:
    """What is done with the rows of `read`: filtered, sorted, cut.

    `conditions` are (column, comparison, value or values), `order` (column, descending, NULLs
    first). Sources may have sent more rows than were asked of them.
    """

    read: str
    columns: tuple[str, ...]
    conditions: tuple[tuple[str, Callable[[Any, Any], bool], Any], ...]
    order: tuple[tuple[str, bool, bool], ...]
    offset: int
    limit: int | None

    def finish(self, rows: pa.Table, names: list[str]) -> pa.Table:
        """Returns the answer, its columns under `names`."""
        for name, compare, wanted in self.conditions:
            values = rows.column(name).to_pylist()
            kept = [value is not None and compare(value, wanted) for value in values]
            # Sources leave out what they can: mostly nothing is left to do.
            if not all(kept):
                rows = rows.filter(pa.array(kept, pa.bool_()))
        if self.order and rows.num_rows > 1:
            rows = rows.take(self._sorted(rows))
        if self.offset or self.limit is not None:
            rows = rows.slice(self.offset, self.limit)
        arrays = [rows.column(name) for name in self.columns]
        return pa.Table.from_arrays(arrays, names=names)

    def _sorted(self, rows: pa.Table) -> list[int]:
        places = list(range(rows.num_rows))
        for name, is_descending, nulls_first in reversed(self.order):
            values: list[Any] = rows.column(name).to_pylist()
            known = [at for at in places if values[at] is not None]
            nulls = [at for at in places if values[at] is None]
            known.sort(key=values.__getitem__, reverse=is_descending)
            places = [*nulls, *known] if nulls_first else [*known, *nulls]
        return places


def direct(
    residual: exp.Query, reads: Mapping[str, Read], types: Mapping[str, Type]
) -> Direct | None:
    """Returns how a residual is finished without an engine, None where it needs one."""
    if not isinstance(residual, exp.Select) or len(reads) != 1:
        return None
    if any(value for part, value in residual.args.items() if part not in _OTHER_PARTS):
        return None
    (read,) = reads
    source = residual.args.get("from_")
    if source is None or not isinstance(source.this, exp.Table) or source.this.name != read:
        return None
    if source.this.args.get("joins"):
        return None
    values = [projection.unalias() for projection in residual.selects]
    if not values or not all(isinstance(value, exp.Column) for value in values):
        return None
    where = residual.args.get("where")
    conditions: list[tuple[str, Callable[[Any, Any], bool], Any]] = []
    if where is not None:
        bare = [_bare(conjunct) for conjunct in conjuncts(where.this)]
        if any(tree.find(exp.Query, exp.Anonymous) for tree in bare):
            return None
        found = plain(bare, types)
        if not found.is_whole or any(_is_late(tree) for tree in found.trees):
            return None
        conditions = [_comparison(tree, found) for tree in found.trees]
    order = _order(residual, types)
    limit, offset = (_count(residual, part) for part in ("limit", "offset"))
    if order is None or limit == -1 or offset == -1:
        return None
    columns = tuple(value.name for value in values)
    return Direct(read, columns, tuple(conditions), order, offset or 0, limit)


def _comparison(tree: exp.Expr, found: Plain) -> tuple[str, Callable[[Any, Any], bool], Any]:
    """Returns a plain condition as a column, what compares it, and with what."""
    keyset = keyset_of(tree)
    if keyset is not None:
        return tree.this.name, _is_in, frozenset(found.values[keyset[1]])
    return tree.this.name, COMPARE[type(tree)], found.values[tree.expression.name]


def _is_in(value: Any, wanted: frozenset[Any]) -> bool:
    return value in wanted


def without_lookup(
    residual: exp.Query, reads: Mapping[str, Read]
) -> tuple[exp.Query, Mapping[str, Read], str]:
    """Returns a residual and its reads without a join to `lookup`, and that read's name.

    The rest must be asked by the customer of that read. The name is "" where there is no such join.
    """
    as_it_is = residual, reads, ""
    found = [name for name, one in reads.items() if one.relation == LOOKUP]
    joins = residual.args.get("joins") or []
    if not isinstance(residual, exp.Select) or len(reads) != 2:
        return as_it_is
    if len(found) != 1 or len(joins) != 1:
        return as_it_is
    (lookup,), (join,) = found, joins
    if (
        join.side
        or join.kind not in ("", "INNER")
        or {k for k, v in join.args.items() if v} - _JOIN
    ):
        return as_it_is
    tables = (residual.args["from_"].this, join.this)
    if not all(isinstance(one, exp.Table) and not one.args.get("joins") for one in tables):
        return as_it_is
    aliases = {one.name: one.alias_or_name for one in tables}
    if aliases.keys() != reads.keys() or not _is_same_customer(join.args.get("on"), aliases):
        return as_it_is
    result = residual.copy()
    (other,) = (one for one in tables if one.name != lookup)
    for column in result.find_all(exp.Column):
        if column.table == aliases[lookup]:
            if column.name != "customer_id":
                return as_it_is
            column.set("table", exp.to_identifier(aliases[other.name], quoted=True))
    result.set("joins", None)
    result.set("from_", exp.From(this=other.copy()))
    return result, {other.name: reads[other.name]}, lookup


def _is_same_customer(on: exp.Expr | None, aliases: Mapping[str, str]) -> bool:
    sides = (on.this, on.expression) if isinstance(on, exp.EQ) else ()
    columns = [one for one in sides if isinstance(one, exp.Column) and one.name == "customer_id"]
    return len(columns) == 2 and {one.table for one in columns} == set(aliases.values())


def _order(
    residual: exp.Select, types: Mapping[str, Type]
) -> tuple[tuple[str, bool, bool], ...] | None:
    order = residual.args.get("order")
    outputs = {one.output_name: one.unalias() for one in residual.selects}
    found = []
    for term in order.expressions if order is not None else ():
        column = term.this
        if isinstance(column, exp.Literal) and not column.is_string:
            column = residual.selects[int(column.name) - 1].unalias()
        elif isinstance(column, exp.Column) and not column.table:
            column = outputs.get(column.name, column)
        if not isinstance(column, exp.Column) or types[column.name].kind is Kind.JSON:
            return None
        is_descending = bool(term.args.get("desc"))
        said = term.args.get("nulls_first")
        found.append((column.name, is_descending, is_descending if said is None else bool(said)))
    return tuple(found)


def _count(residual: exp.Select, part: str) -> int | None:
    """Returns LIMIT or OFFSET as a number; -1 for anything but a number."""
    node = residual.args.get(part)
    if node is None:
        return None
    value = node.expression
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return int(value.name)
    return -1


def _is_late(tree: exp.Expr) -> bool:
    is_asked = isinstance(tree, exp.EQ) and tree.this.name == "customer_id"
    return tree.this.name in LATE_COLUMNS and not is_asked


def _bare(tree: exp.Expr) -> exp.Expr:
    result = tree.copy()
    for column in result.find_all(exp.Column):
        column.set("table", None)
    return result
