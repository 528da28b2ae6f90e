"""Decides which rows of which relations a query reads, and puts tables of them in their place.

A read may bring more rows than the query needs, never fewer: the residual still has every
condition that the asker wrote, so whatever narrows a read changes no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from sqlglot import exp

from roundview_catalog.errors import InternalError
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.grouping import is_aggregate
from roundview_federation.dialect.recursion import is_recursive
from roundview_federation.rewrite.query.conditions import Later
from roundview_federation.rewrite.query.restrict import restrict
from roundview_federation.rewrite.query.sources import (
    Arm,
    Columns,
    Derived,
    Inner,
    Local,
    Read,
    sources_of,
)

LOOKUP = "lookup"
"""Name of the table function that finds a customer."""


@dataclass(slots=True)
class Reading:
    """The reads of a query and the residual: the query over tables of those names."""

    residual: exp.Query
    reads: dict[str, Read]


def read(tree: exp.Query, relations: Mapping[str, object]) -> Reading:
    """Returns what a resolved query reads; the tree becomes the residual.

    Every column of the tree has the alias of its source. `relations` are the names that are
    read; CTEs come before them.
    """
    walker = _Walker(relations, Counter(table.name for table in tree.find_all(exp.Table)))
    walker.query(tree, {}, ())
    return Reading(tree, walker.reads)


class _Walker:
    """Walks a query scope by scope."""

    def __init__(self, relations: Mapping[str, object], references: Counter[str]) -> None:
        self.reads: dict[str, Read] = {}
        self._relations = relations
        self._references = references
        self._inner: dict[int, Inner] = {}
        # CTEs keep their names, and for an engine R1 is r1.
        taken = {name.lower() for name in references}
        self._names = (name for at in count() if (name := f"r{at}") not in taken)

    def query(
        self, node: exp.Expr, ctes: Mapping[str, Derived], chain: tuple[Local, ...]
    ) -> Derived:
        """Reads one query and returns what its outputs are."""
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            if with_ is not None and is_recursive(with_, cte, cte.alias):
                # What it demands of its rows says nothing of those that it started with.
                ctes = {**ctes, cte.alias: Derived((), is_open=False)}
                self.query(cte.this, ctes, chain)
                continue
            inner = self.query(cte.this, ctes, chain)
            names = [one.name for one in cte.args["alias"].columns]
            # Read by several, it has the rows that all of them want.
            is_open = inner.is_open and self._references[cte.alias] == 1
            ctes = {**ctes, cte.alias: Derived(_renamed(inner.arms, names), is_open)}
        if isinstance(node, exp.Subquery):
            return _cut(node, self.query(node.this, ctes, chain))
        if isinstance(node, exp.SetOperation):
            left = self.query(node.left, ctes, chain)
            right = self.query(node.right, ctes, chain)
            names = [one.output_name for one in node.left.selects]
            others = [one.output_name for one in node.right.selects]
            same = dict(zip(others, names, strict=True))
            arms = tuple(
                {same[name]: at for name, at in arm.items()} for arm in right.arms or ({},)
            )
            return _cut(
                node, Derived((*(left.arms or ({},)), *arms), left.is_open and right.is_open)
            )
        if not isinstance(node, exp.Select):
            return Derived((), is_open=False)
        local: dict[str, Derived] = {}
        for source in sources_of(node):
            local[source.alias_or_name] = self._source(source, ctes, (local, *chain))
        inside = (local, *chain)
        for part in _parts(node):
            self._expressions(part, ctes, inside)
        restrict(node, local, chain, self._inner)
        outputs = self._outputs(node, local)
        self._inner[id(node)] = Inner(local, outputs)
        return outputs

    def _source(
        self, source: exp.Expr, ctes: Mapping[str, Derived], chain: tuple[Local, ...]
    ) -> Derived:
        if isinstance(source, exp.Subquery):
            names = [one.name for one in source.args["alias"].columns]
            inner = _cut(source, self.query(source.this, ctes, chain))
            return Derived(_renamed(inner.arms, names), inner.is_open)
        if isinstance(source, exp.Values):
            for row in source.expressions:
                self._expressions(row, ctes, chain)
        if not isinstance(source, exp.Table):
            return Derived((), is_open=False)
        if isinstance(source.this, exp.Anonymous) and source.this.name.lower() == LOOKUP:
            return self._table(source, LOOKUP, *map(_argument, source.this.expressions))
        if not isinstance(source.this, exp.Identifier):
            return Derived((), is_open=False)
        if source.name in ctes and not source.args.get("db"):
            return ctes[source.name]
        if source.name not in self._relations:
            raise InternalError(f"{source.name} passed the resolver and is no relation")
        return self._table(source, source.name)

    def _table(self, source: exp.Table, relation: str, *arguments: str | Later) -> Derived:
        one = Read(next(self._names), relation, arguments=arguments)
        self.reads[one.name] = one
        alias = source.alias_or_name if source.alias else relation
        source.set("this", exp.to_identifier(one.name))
        source.set("db", None)
        source.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
        return Derived((Columns(one),), is_open=True)

    def _expressions(
        self, node: exp.Expr, ctes: Mapping[str, Derived], chain: tuple[Local, ...]
    ) -> None:
        if isinstance(node, exp.Column):
            used(node, chain)
            return
        if isinstance(node, exp.Query):
            self.query(node, ctes, chain)
            return
        for child in node.iter_expressions():
            self._expressions(child, ctes, chain)

    def _outputs(self, node: exp.Select, local: Local) -> Derived:
        outputs: dict[str, list[tuple[Read, str]]] = {}
        for projection in node.selects:
            value = projection.unalias()
            if isinstance(value, exp.Column):
                found = _origins(value, local)
                if found:
                    outputs[projection.output_name] = found
        # What shows no column of a read is an arm all the same: its values are unknown.
        most = max((len(found) for found in outputs.values()), default=1)
        arms = tuple(
            {name: found[at] for name, found in outputs.items() if len(found) == most}
            for at in range(most)
        )
        group = node.args.get("group")
        apart = [] if group is None else [group.expressions]
        # Rows of one partition see nothing of another: a whole partition may be left out.
        apart += [
            window.args.get("partition_by") or []
            for projection in node.selects
            for window in projection.find_all(exp.Window)
        ]
        for keys in apart:
            grouped = {_name(one) for one in keys if isinstance(one, exp.Column)}
            kept = {one.output_name for one in node.selects if _name(one.unalias()) in grouped}
            arms = tuple({name: at for name, at in arm.items() if name in kept} for arm in arms)
        is_cut = any(node.args.get(part) for part in ("limit", "offset", "having", "qualify"))
        distinct = node.args.get("distinct")
        is_cut |= distinct is not None and distinct.args.get("on") is not None
        order = node.args.get("order")
        values = [*node.selects, *(order.expressions if order is not None else ())]
        is_lone = group is None and any(_aggregates(one) for one in values)
        return Derived(arms, is_open=not is_cut and not is_lone)


def used(column: exp.Column, chain: tuple[Local, ...]) -> None:
    """Notes that a column of a read is needed, whatever scope has its alias."""
    for local in chain:
        if column.table in local:
            derived = local[column.table]
            for arm in derived.arms:
                if isinstance(arm, Columns):
                    one, name = arm[column.name]
                    one.columns[name] = None
            return


def _cut(node: exp.Expr, inner: Derived) -> Derived:
    """Returns what a query in parentheses is with its own LIMIT and OFFSET."""
    is_cut = any(node.args.get(part) for part in ("limit", "offset"))
    return Derived(inner.arms, inner.is_open and not is_cut)


def _argument(node: exp.Expr) -> str | Later:
    return Later(node, Type(Kind.TEXT)) if isinstance(node, exp.Parameter) else node.name


def _name(node: exp.Expr) -> tuple[str, str]:
    return (node.table, node.name) if isinstance(node, exp.Column) else ("", "")


def _aggregates(projection: exp.Expr) -> bool:
    """Tells whether an expression makes one row of many: a window's function does not."""
    for one in filter(is_aggregate, projection.walk()):
        above = one.parent if isinstance(one.parent, exp.Filter) else one
        if not isinstance(above.parent, exp.Window) or above.parent.this is not above:
            return True
    return False


def _origins(column: exp.Column, local: Local) -> list[tuple[Read, str]]:
    derived = local.get(column.table)
    if derived is None:
        return []
    found = [arm.get(column.name) for arm in derived.arms]
    return [one for one in found if one is not None] if all(found) else []


def _parts(select: exp.Select) -> Iterator[exp.Expr]:
    """Yields every expression of a SELECT but its sources and CTEs."""
    for source in sources_of(select):
        for join in source.args.get("joins") or ():
            yield from _on(join)
    for name, value in select.args.items():
        if name in ("from_", "with_"):
            continue
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, exp.Join):
                yield from _on(one)
            elif isinstance(one, exp.Expr):
                yield one


def _on(join: exp.Join) -> Iterator[exp.Expr]:
    on = join.args.get("on")
    if on is not None:
        yield on


def _renamed(arms: tuple[Arm, ...], names: list[str]) -> tuple[Arm, ...]:
    """Returns the arms under the column names of an alias: `AS t(a, b)`; then nothing is known."""
    return () if names else arms
