"""Decides what every name of a question means: relations, columns, stars, ordinals, windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.dialect.grouping import bare, check_grouping
from roundview_federation.dialect.joins import From
from roundview_federation.dialect.labels import label
from roundview_federation.dialect.ordering import (
    CONSTANTS,
    distinct_on,
    only,
    ordered,
    outer_order,
    positions,
    projection,
)
from roundview_federation.dialect.recursion import is_recursive, start_and_step
from roundview_federation.dialect.refusal import (
    AMBIGUOUS,
    COLUMN,
    SYNTAX,
    refuse,
    unsupported,
)
from roundview_federation.dialect.scopes import Output, Scope, folded, identifier, renamed
from roundview_federation.dialect.table_functions import LOOKUP, OF_ROWS

NAMES = "names"
Schema = Mapping[str, Mapping[str, Type]]


def resolve(tree: exp.Query, schema: Schema) -> exp.Query:
    """Makes every name mean one thing; works on the tree it is given and returns its root.

    Afterwards every column has an alias of a source around it, aliases are unique in the
    statement, stars and NATURAL and USING are written out, windows are in place, every
    projection has an alias unique in its query, ORDER BY has ordinals or expressions over
    sources. `meta["names"]` of the root has the names that PostgreSQL would show.
    Raises RequestError for names that are unknown, hidden or ambiguous.
    """
    resolver = Resolver(schema)
    root, outputs = resolver.query(tree, None, {})
    root.meta[NAMES] = tuple(output.name for output in outputs)
    made: exp.Query = root
    return made


Queries = dict[str, tuple[str, tuple[Output, ...]]]
_LEAVES = (exp.Identifier, exp.Literal, exp.DataType)


class Resolver:
    """Walks one statement; `schema` is what the asker may see."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        # For an engine T is t.
        self.taken: set[str] = {name.lower() for name in schema}
        self.taken.add(LOOKUP)

    def unique(self, name: str) -> str:
        """Returns an alias that nothing else in the statement has."""
        found, count = name, 1
        while found.lower() in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found.lower())
        return found

    def query(
        self, node: exp.Expr, outer: Scope | None, queries: Queries
    ) -> tuple[Any, tuple[Output, ...]]:
        """Resolves a query; returns what stands in its place, and its columns."""
        if isinstance(node, exp.Values):
            node = _selected(node)
        clause = node.args.get("with_")
        if clause is not None:
            queries = self._named_queries(clause, outer, queries)
        if isinstance(node, exp.Select):
            return node, self._select(node, outer, queries)
        if isinstance(node, exp.Subquery):
            if node.args.get("joins"):
                raise refuse(SYNTAX, "a query that is joined stands in FROM", node)
            inner, outputs = self.query(node.this, outer, queries)
            node.set("this", inner)
            outer_order(node, outputs)
            return node, outputs
        if isinstance(node, exp.SetOperation):
            left, outputs = self.query(node.this, outer, queries)
            right, others = self.query(node.args["expression"], outer, queries)
            node.set("this", left)
            node.set("expression", right)
            if len(outputs) != len(others):
                raise refuse(
                    SYNTAX, "both sides of a set operation need equally many columns", right
                )
            outer_order(node, outputs)
            return node, outputs
        raise unsupported("this query", node)

    def expression(self, root: exp.Expr, scope: Scope, queries: Queries) -> exp.Expr:
        """Binds all names below a node and returns what stands in its place."""
        if isinstance(root, exp.Column):
            return _bound(root, scope)
        stack = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Query):
                inner, _ = self.query(node, scope, queries)
                if inner is not node:
                    node.replace(inner)
                continue
            if isinstance(node, OF_ROWS):
                raise unsupported("a function of many rows outside of FROM", node)
            for name, value in node.args.items():
                if isinstance(value, list):
                    for at, part in enumerate(value):
                        if isinstance(part, exp.Column):
                            _bind(node, name, part, scope, at)
                        elif isinstance(part, exp.Expr):
                            stack.append(part)
                elif isinstance(value, exp.Column):
                    _bind(node, name, value, scope)
                elif isinstance(value, exp.Expr) and not isinstance(value, _LEAVES):
                    stack.append(value)
        return root

    def _named_queries(self, clause: exp.Expr, outer: Scope | None, queries: Queries) -> Queries:
        queries = dict(queries)
        own: set[str] = set()
        for part in clause.expressions:
            alias = part.args["alias"]
            name = folded(alias.this)
            if name in own:
                raise refuse(AMBIGUOUS, f"WITH has {name} twice", alias, sqlstate="42712")
            own.add(name)
            real = self.unique(name)
            columns = alias.args.get("columns")
            if is_recursive(clause, part, name):
                outputs = self._recursive(part, name, real, outer, queries)
            else:
                inner, outputs = self.query(part.this, outer, queries)
                part.set("this", inner)
                outputs = renamed(outputs, columns, alias)
            part.set("alias", exp.TableAlias(this=identifier(real)))
            # [NOT] MATERIALIZED is about time, not rows.
            part.args.pop("materialized", None)
            queries[name] = (real, outputs)
        return queries

    def _recursive(
        self, part: exp.Expr, name: str, real: str, outer: Scope | None, queries: Queries
    ) -> tuple[Output, ...]:
        """Resolves a query that names itself: its columns are those that it starts with."""
        start, step = start_and_step(part, name)
        first, outputs = self.query(start, outer, queries)
        alias = part.args["alias"]
        outputs = renamed(outputs, alias.args.get("columns"), alias)
        second, others = self.query(step, outer, {**queries, name: (real, outputs)})
        if len(outputs) != len(others):
            raise refuse(SYNTAX, "both sides of a set operation need equally many columns", second)
        part.this.set("this", first)
        part.this.set("expression", second)
        return outputs

    def _select(
        self, node: exp.Select, outer: Scope | None, queries: Queries
    ) -> tuple[Output, ...]:
        scope = From(self, queries).scope(node, outer)
        self._windows(node)
        where = node.args.get("where")
        if where is not None:
            where.set("this", self.expression(where.this, scope, queries))
        outputs = self._projections(node, scope, queries)
        if not outputs:
            raise unsupported("a SELECT without columns", node)
        group = node.args.get("group")
        if group is not None:
            self._group(group, node, outputs, scope, queries)
        having = node.args.get("having")
        if having is not None:
            having.set("this", self.expression(having.this, scope, queries))
        order = ordered(self, node, outputs, scope, queries)
        distinct_on(self, node, outputs, scope, queries)
        check_grouping(node, scope, order)
        return outputs

    def _projections(self, node: exp.Select, scope: Scope, queries: Queries) -> tuple[Output, ...]:
        made: list[exp.Expr] = []
        names: list[str] = []
        for part in node.expressions:
            if isinstance(part, exp.Star) or (
                isinstance(part, exp.Column) and isinstance(part.this, exp.Star)
            ):
                for entry in _starred(part, scope):
                    names.append(entry.name)
                    made.append(entry.node())
                continue
            names.append(label(part))
            inner = part.this if isinstance(part, exp.Alias) else part
            made.append(self.expression(inner, scope, queries))
        outputs: list[Output] = []
        taken: set[str] = set()
        for name in names:
            alias, count = name, 1
            while alias.lower() in taken:
                count += 1
                alias = f"{name}_{count}"
            taken.add(alias.lower())
            outputs.append(Output(name, alias))
        node.set(
            "expressions",
            [
                exp.Alias(this=inner, alias=identifier(output.alias))
                for inner, output in zip(made, outputs, strict=True)
            ],
        )
        return tuple(outputs)

    def _windows(self, node: exp.Select) -> None:
        """Writes the definitions of WINDOW where they are used."""
        known: dict[str, exp.Expr] = {}
        for definition in node.args.get("windows") or ():
            known[folded(definition.this)] = definition
        for name, definition in known.items():
            if definition.args.get("alias") is not None:
                raise unsupported(f"the window {name} upon another window", definition)
        node.args.pop("windows", None)
        parts = [*node.expressions, *([node.args["order"]] if node.args.get("order") else ())]
        for part in parts:
            for window in list(part.find_all(exp.Window)):
                alias = window.args.get("alias")
                if alias is None or window.parent_select is not node:
                    continue
                definition = known.get(folded(alias))
                if definition is None:
                    raise refuse(
                        COLUMN, f"there is no window {folded(alias)}", alias, sqlstate="42704"
                    )
                window.set("alias", None)
                for name in ("partition_by", "order", "spec"):
                    value = definition.args.get(name)
                    if value and not window.args.get(name):
                        copies = (
                            [item.copy() for item in value]
                            if isinstance(value, list)
                            else value.copy()
                        )
                        window.set(name, copies)

    def _group(
        self,
        group: exp.Expr,
        node: exp.Select,
        outputs: tuple[Output, ...],
        scope: Scope,
        queries: Queries,
    ) -> None:
        made: list[exp.Expr] = []
        for part in group.expressions:
            if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)):
                self._group(part, node, outputs, scope, queries)
                made.append(part)
                continue
            key = bare(part)
            if isinstance(key, CONSTANTS):
                made.append(projection(node, key, "GROUP BY").copy())
                continue
            if isinstance(key, exp.Column) and key.args.get("table") is None:
                name = folded(key.this)
                at = positions(outputs, name)
                if not scope.local(name) and at:
                    made.append(only(node, at, key).copy())
                    continue
            made.append(self.expression(key, scope, queries))
        group.set("expressions", made)


def _selected(values: exp.Expr) -> exp.Select:
    select = exp.Select(expressions=[exp.Star()])
    for name in ("order", "limit", "offset", "with_"):
        if values.args.get(name) is not None:
            select.set(name, values.args.pop(name))
    values.replace(select)
    values.set("alias", exp.TableAlias(this=identifier("values")))
    select.set("from_", exp.From(this=values))
    return select


def _bind(
    node: exp.Expr, name: str, column: exp.Column, scope: Scope, at: int | None = None
) -> None:
    """Puts what a column means in its place below a node."""
    found = _bound(column, scope)
    if found is not column:
        node.set(name, found, index=at)


def _bound(node: exp.Column, scope: Scope) -> exp.Expr:
    if isinstance(node.this, exp.Star):
        raise unsupported("a star inside an expression", node)
    return scope.bind(node)


def _starred(node: exp.Expr, scope: Scope) -> list[Any]:
    if isinstance(node, exp.Star):
        if not scope.sources:
            raise refuse(SYNTAX, "SELECT * needs a FROM", node)
        return scope.entries
    name = folded(node.args["table"])
    for at in scope.chain():
        if name in at.sources:
            return at.sources[name].entries()
    raise refuse("RV121", f"there is no relation {name} here", node)
