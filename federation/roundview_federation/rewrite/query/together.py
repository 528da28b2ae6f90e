"""Finds reads of one SELECT that equal columns tie, and puts one read in the place of two.

Whether their sources can join them is not said here, only that the answer stays the same if so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.rewrite.query.reads import Reading
from roundview_federation.rewrite.query.sources import Bind, Read
from roundview_federation.rewrite.query.spare import drop_conjuncts, is_flat

_INNER = frozenset({"", "INNER", "CROSS"})


@dataclass(frozen=True, slots=True)
class Side:
    """One of two reads that are tied: its table in the SELECT, and the columns that tie it."""

    read: Read
    place: exp.Table
    ties: tuple[str, ...]

    @property
    def alias(self) -> str:
        """Returns what the SELECT calls it."""
        return self.place.alias_or_name


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reads of one SELECT, in its order, of whose rows all tied columns must be equal."""

    select: exp.Select
    sides: tuple[Side, Side]
    trees: frozenset[int]

    def needed(self, side: Side, reading: Reading) -> set[str]:
        """Returns the columns of a side that are needed when its rows are joined already."""
        names = {one.name for one in _columns(self.select, self.trees) if one.table == side.alias}
        pair = {one.read.name for one in self.sides}
        for tree in side.read.where:
            names |= {column.name for column in tree.find_all(exp.Column)}
        for one in reading.reads.values():
            for bind in one.binds:
                if one is side.read and pair.isdisjoint(name for name, _ in bind.of):
                    names.add(bind.column)
                if one.name not in pair:
                    names |= {column for name, column in bind.of if name == side.read.name}
        return names


def copied(reading: Reading) -> Reading:
    """Returns a reading that shares nothing which passes change."""
    reads = {
        name: Read(
            one.name, one.relation, dict(one.columns), [tree.copy() for tree in one.where],
            list(one.binds), one.arguments, set(one.spared),
        )
        for name, one in reading.reads.items()
    }  # fmt: skip
    return Reading(reading.residual.copy(), reads)


def pairs(reading: Reading) -> Iterator[Pair]:
    """Yields every two reads whose rows an inner join ties by equal columns."""
    counts = Counter(table.name for table in reading.residual.find_all(exp.Table))
    for select in reading.residual.find_all(exp.Select):
        if not _is_plain(select):
            continue
        places = [select.args["from_"].this, *(j.this for j in select.args.get("joins") or ())]
        tables = {
            one.alias_or_name: one
            for one in places
            if isinstance(one, exp.Table) and one.name in reading.reads and counts[one.name] == 1
        }
        tied: dict[tuple[str, str], list[tuple[exp.Expr, str, str]]] = {}
        order = {alias: at for at, alias in enumerate(tables)}
        for tree in _conditions(select):
            if not isinstance(tree, exp.EQ):
                continue
            left, right = tree.left, tree.right
            if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
                continue
            if left.table not in order or right.table not in order or left.table == right.table:
                continue
            if order[left.table] > order[right.table]:
                left, right = right, left
            tied.setdefault((left.table, right.table), []).append((tree, left.name, right.name))
        for (first, second), found in tied.items():
            sides = [
                Side(reading.reads[tables[alias].name], tables[alias], tuple(names))
                for alias, names in (
                    (first, [mine for _, mine, _ in found]),
                    (second, [other for _, _, other in found]),
                )
            ]
            if any(side.read.arguments for side in sides):
                continue
            trees = frozenset(id(tree) for tree, _, _ in found)
            yield Pair(select, (sides[0], sides[1]), trees)


def put_together(
    reading: Reading, pair: Pair, relation: str, names: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    """Makes one read of `relation` of a pair; in place.

    `names` say for each side what its columns are called in the relation.
    """
    select, (first, second) = pair.select, pair.sides
    called = {first.alias: names[0], second.alias: names[1]}
    for column in list(_columns(select, pair.trees)):
        known = called.get(column.table)
        if known is None:
            continue
        own = column.name
        column.set("table", exp.to_identifier(first.alias, quoted=True))
        column.set("this", exp.to_identifier(known[own], quoted=True))
        if isinstance(column.parent, exp.Select) and column.arg_key == "expressions":
            column.replace(exp.alias_(column.copy(), own, quoted=True))
    _without_join(select, second, pair.trees)
    by_read = {first.read.name: names[0], second.read.name: names[1]}
    one = Read(first.read.name, relation)
    for side, known in zip(pair.sides, names, strict=True):
        one.where += [_renamed(tree, known) for tree in side.read.where]
        one.binds += [
            Bind(known[bind.column], bind.of)
            for bind in side.read.binds
            if all(name not in by_read for name, _ in bind.of)
        ]
        one.columns |= dict.fromkeys(known.values())
    del reading.reads[second.read.name]
    reading.reads[one.name] = one
    for other in reading.reads.values():
        other.binds = [
            Bind(
                bind.column,
                tuple(
                    (one.name, by_read[name][column]) if name in by_read else (name, column)
                    for name, column in bind.of
                ),
            )
            for bind in other.binds
        ]


def _is_plain(select: exp.Select) -> bool:
    """Tells whether a SELECT only joins, inner, what stands in its FROM."""
    if not is_flat(select) or select.args.get("laterals") or select.find(exp.Lateral) is not None:
        return False
    joins = select.args.get("joins") or []
    if any(join.side or join.kind not in _INNER for join in joins):
        return False
    names = [select.args["from_"].this.alias_or_name, *(j.this.alias_or_name for j in joins)]
    if len(set(names)) < len(names):
        return False
    return all(part.find(exp.Query) is None for part in _parts(select))


def _parts(select: exp.Select) -> Iterator[exp.Expr]:
    """Yields what a SELECT says over the columns of its FROM."""
    for name, value in select.args.items():
        if name in ("from_", "with_", "joins"):
            continue
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, exp.Expr):
                yield one
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield join.args["on"]


def _conditions(select: exp.Select) -> Iterator[exp.Expr]:
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield from conjuncts(join.args["on"])
    where = select.args.get("where")
    if where is not None:
        yield from conjuncts(where.this)


def _columns(select: exp.Select, without: frozenset[int]) -> Iterator[exp.Column]:
    for part in _parts(select):
        for node in part.walk(prune=lambda one: id(one) in without):
            if isinstance(node, exp.Column):
                yield node


def _without_join(select: exp.Select, side: Side, trees: frozenset[int]) -> None:
    """Takes a table out of a SELECT, and the conditions that are met; its others stay."""
    kept: list[exp.Expr] = []
    for join in list(select.args.get("joins") or ()):
        if join.args.get("on") is None:
            continue
        if join.this is side.place:
            kept = [one for one in conjuncts(join.args["on"]) if id(one) not in trees]
        else:
            drop_conjuncts(join, set(trees))
    where = select.args.get("where")
    if where is not None:
        kept += [one for one in conjuncts(where.this) if id(one) not in trees]
    joins = [join for join in select.args.get("joins") or () if join.this is not side.place]
    select.set("joins", joins)
    select.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)


def _renamed(tree: exp.Expr, names: Mapping[str, str]) -> exp.Expr:
    result = tree.copy()
    for column in list(result.find_all(exp.Column)):
        made = exp.column(names[column.name])
        if column is result:
            return made
        column.replace(made)
    return result
