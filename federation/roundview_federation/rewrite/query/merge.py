"""Joins reads that bring the same rows, so that a source is asked for them once.

A relation joined with itself by its whole key is one row twice: what one side demands of it holds
for the other too, and then both are one read.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.rewrite.query.reads import Reading
from roundview_federation.rewrite.query.sources import Bind, Read, joined, text_of

KEY = ("source", "source_key", "slot")
"""The primary key of every relation at record grain."""


def merge(reading: Reading) -> Reading:
    """Returns a reading without reads that repeat others; changes its residual in place."""
    for first, second in _same_rows(reading):
        for one, other in ((first, second), (second, first)):
            known = {text_of(tree) for tree in one.where}
            one.where += [t.copy() for t in other.where if text_of(t) not in known]
        pair = {first.name, second.name}
        binds = [b for b in (*first.binds, *second.binds) if all(n not in pair for n, _ in b.of)]
        first.binds = second.binds = list(dict.fromkeys(binds))
    kept: dict[str, Read] = {}
    renamed: dict[str, str] = {}
    for one in reading.reads.values():
        identity = _identity(one)
        same = kept.setdefault(identity, one)
        if same is not one:
            same.columns |= one.columns
            renamed[one.name] = same.name
    kept = {one.name: one for one in kept.values()}
    for one in list(kept.values()):
        whole = _whole(one, kept)
        if whole is not None:
            whole.columns |= one.columns
            renamed[one.name] = whole.name
            del kept[one.name]
    renamed = {name: renamed.get(other, other) for name, other in renamed.items()}
    if not renamed:
        return reading
    for table in reading.residual.find_all(exp.Table):
        if table.name in renamed:
            table.set("this", exp.to_identifier(renamed[table.name]))
    reads = kept
    for one in reads.values():
        one.binds = [
            Bind(bind.column, tuple((renamed.get(n, n), column) for n, column in bind.of))
            for bind in one.binds
        ]
        one.binds = [bind for bind in one.binds if all(n != one.name for n, _ in bind.of)]
    return Reading(reading.residual, reads)


def _identity(one: Read) -> str:
    where = sorted(text_of(tree) for tree in one.where)
    # What a read is bound by is no matter here: without it there are only more rows.
    binds = sorted(str(bind) for bind in one.binds)
    return f"{one.relation}|{one.arguments}|{where}|{binds}"


def _whole(one: Read, reads: dict[str, Read]) -> Read | None:
    """Returns a read that brings all rows of another one whatever happens, so that it serves both.

    It waits for nobody's keys and demands nothing that the other does not.
    """
    where = {text_of(tree) for tree in one.where}
    for other in reads.values():
        if other is one or other.binds or other.relation != one.relation:
            continue
        asked = {text_of(tree) for tree in other.where}
        if other.arguments == one.arguments and asked <= where:
            return other
    return None


def _same_rows(reading: Reading) -> Iterator[tuple[Read, Read]]:
    """Yields reads of one relation that an inner join by the whole key makes the same rows."""
    for select in reading.residual.find_all(exp.Select):
        source = select.args.get("from_")
        joins = select.args.get("joins") or []
        if source is None or any(join.side for join in joins):
            continue
        aliases = {}
        for place in (source.this, *(join.this for join in joins)):
            for one in joined(place):
                if isinstance(one, exp.Table) and one.name in reading.reads:
                    aliases[one.alias_or_name] = reading.reads[one.name]
        where = select.args.get("where")
        trees = [join.args["on"] for join in joins if join.args.get("on") is not None]
        trees += [where.this] if where is not None else []
        equal: dict[frozenset[str], set[str]] = {}
        for tree in trees:
            for conjunct in conjuncts(tree):
                if not isinstance(conjunct, exp.EQ):
                    continue
                left, right = conjunct.left, conjunct.right
                if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
                    continue
                if left.name == right.name and left.name in KEY:
                    equal.setdefault(frozenset({left.table, right.table}), set()).add(left.name)
        for pair, columns in equal.items():
            if len(pair) == 2 and columns == set(KEY) and pair <= aliases.keys():
                first, second = (aliases[alias] for alias in sorted(pair))
                if first.relation == second.relation and first is not second:
                    yield first, second
