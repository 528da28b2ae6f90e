"""Decides what FROM offers: relations, derived tables, and how joins merge their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.refusal import (
    AMBIGUOUS,
    COLUMN,
    RELATION,
    SYNTAX,
    refuse,
    unsupported,
)
from roundview_federation.dialect.scopes import (
    SCHEMA,
    Entry,
    Output,
    Scope,
    Source,
    column,
    folded,
    identifier,
    renamed,
)
from roundview_federation.dialect.table_functions import function

if TYPE_CHECKING:
    from roundview_federation.dialect.names import Queries, Resolver


class From:
    """Reads the FROM of one SELECT."""

    def __init__(self, resolver: Resolver, queries: Queries) -> None:
        self.resolver = resolver
        self.queries = queries

    def scope(self, node: exp.Select, outer: Scope | None) -> Scope:
        """Returns what the expressions of the SELECT can name; rewrites its FROM and joins."""
        scope = Scope(outer)
        clause = node.args.get("from_")
        if clause is None:
            if node.args.get("joins"):
                raise refuse(SYNTAX, "a join needs a FROM", node.args["joins"][0])
            return scope
        sources, entries = self._item(clause, outer, Scope(outer))
        scope.sources = {source.name: source for source in sources}
        scope.entries = entries
        # Conditions see what stands since the last comma only.
        local = Scope(outer, dict(scope.sources), list(scope.entries))
        has_comma = False
        for join in node.args.get("joins") or ():
            if join.args.get("side") in ("RIGHT", "FULL") and has_comma:
                raise unsupported("a comma before a RIGHT or FULL JOIN", join, "write CROSS JOIN")
            has_comma = self._join(join, scope, local, outer) or has_comma
        return scope

    def _join(self, join: exp.Expr, scope: Scope, local: Scope, outer: Scope | None) -> bool:
        """Adds one join; tells whether it was a comma."""
        args = join.args
        before = Scope(outer, dict(scope.sources), list(scope.entries))
        sources, right = self._item(join, outer, before)
        for source in sources:
            if source.name in scope.sources:
                raise refuse(
                    AMBIGUOUS, f"FROM has the name {source.name} twice", join.this,
                    sqlstate="42712",
                )  # fmt: skip
        side, kind, method = args.get("side"), args.get("kind"), args.get("method")
        using, on = args.get("using"), args.get("on")
        if method not in (None, "NATURAL") or kind not in (None, "INNER", "OUTER", "CROSS"):
            raise unsupported("this join", join.this)
        is_bare = not using and on is None and method is None
        is_comma = is_bare and side is None and kind is None
        if is_bare and not is_comma and kind != "CROSS":
            raise refuse(SYNTAX, "JOIN needs ON or USING", join.this)
        if kind == "CROSS" and not is_bare:
            raise refuse(SYNTAX, "CROSS JOIN has no condition", join.this)
        if kind == "OUTER":
            join.set("kind", None)
        if is_comma:
            join.set("kind", "CROSS")
            local.sources, local.entries = {}, []
        names = self._merged(join, local.entries, right)
        for source in sources:
            local.sources[source.name] = scope.sources[source.name] = source
        if names is None:
            local.entries += right
            scope.entries += right
        else:
            own = local.entries
            local.entries = _merge(join, own, right, names, side)
            # A comma before this group left other entries in front.
            scope.entries = scope.entries[: len(scope.entries) - len(own)] + local.entries
        if on is not None:
            join.set("on", self.resolver.expression(on, local, self.queries))
        return is_comma

    def _merged(self, join: exp.Expr, left: list[Entry], right: list[Entry]) -> list[str] | None:
        """Returns the columns that USING or NATURAL makes one of."""
        if join.args.get("method") == "NATURAL":
            theirs = {entry.name for entry in right}
            return [entry.name for entry in left if entry.name in theirs]
        using = join.args.get("using")
        return [folded(part) for part in using] if using else None

    def _item(
        self, holder: exp.Expr, outer: Scope | None, left: Scope
    ) -> tuple[list[Source], list[Entry]]:
        """Returns the sources and columns of one item: several of a join in parentheses.

        `left` is what LATERAL and functions can name: what stands before them in FROM.
        """
        node = holder.this
        if isinstance(node, exp.Subquery) and _first_joined(node) is not None:
            return self._bracket(node, outer)
        source = self._source(holder, outer, left)
        return [source], source.entries()

    def _bracket(self, node: exp.Subquery, outer: Scope | None) -> tuple[list[Source], list[Entry]]:
        """Makes (a JOIN b …) a derived table; its sources keep their names outside."""
        first = node.this
        inner = exp.Select(joins=first.args.pop("joins", None))
        inner.set("from_", exp.From(this=_plain(first)))
        scope = self.scope(inner, outer)
        alias = node.args.get("alias")
        real = self.resolver.unique(folded(alias.this) if alias is not None else "joined")
        taken: set[str] = set()
        placed: dict[tuple[str, str], str] = {}

        def project(made: exp.Expr, wanted: str) -> str:
            name = wanted
            while name in taken:
                name += "_"
            taken.add(name)
            inner.append("expressions", exp.Alias(this=made, alias=identifier(name)))
            return name

        for source in scope.sources.values():
            for output in source.outputs:
                part = (source.alias, output.alias)
                placed[part] = project(column(*part), output.alias)
        node.set("this", inner)
        node.set("alias", exp.TableAlias(this=identifier(real)))
        if alias is None:
            sources = [
                Source(
                    source.name,
                    real,
                    tuple(
                        Output(output.name, placed[source.alias, output.alias])
                        for output in source.outputs
                    ),
                )
                for source in scope.sources.values()
            ]
            return sources, [
                Entry(entry.name, tuple((real, placed[part]) for part in entry.parts))
                for entry in scope.entries
            ]
        outputs = tuple(
            Output(
                entry.name,
                placed[entry.parts[0]]
                if len(entry.parts) == 1
                else project(entry.node(), entry.name),
            )
            for entry in scope.entries
        )
        named = Source(folded(alias.this), real, _renamed(outputs, alias))
        return [named], named.entries()

    def _source(self, holder: exp.Expr, outer: Scope | None, left: Scope) -> Source:
        if isinstance(holder.this, exp.Lateral):
            holder.set("this", _unmarked(holder.this))
            outer = left
        node = holder.this
        alias = node.args.get("alias")
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Identifier):
                return self._relation(node, alias)
            return function(self.resolver, holder, alias, left, self.queries)
        if isinstance(node, exp.Unnest):
            return function(self.resolver, holder, alias, left, self.queries)
        if isinstance(node, (exp.Subquery, exp.Values)):
            if alias is None or not isinstance(alias.this, exp.Identifier):
                raise refuse(SYNTAX, "a query in FROM needs an alias", node)
            name = folded(alias.this)
            real = self.resolver.unique(name)
            outputs = (
                self._values(node, outer)
                if isinstance(node, exp.Values)
                else self._derived(node, outer)
            )
            made = exp.TableAlias(this=identifier(real))
            if isinstance(node, exp.Values):
                made.set("columns", [identifier(output.alias) for output in outputs])
            outputs = _renamed(outputs, alias)
            node.set("alias", made)
            return Source(name, real, outputs)
        raise unsupported("this in FROM", node)

    def _derived(self, node: exp.Subquery, outer: Scope | None) -> tuple[Output, ...]:
        if not isinstance(node.this, exp.Query):
            raise unsupported("a join in parentheses", node)
        inner, outputs = self.resolver.query(node.this, outer, self.queries)
        node.set("this", inner)
        return outputs

    def _values(self, node: exp.Values, outer: Scope | None) -> tuple[Output, ...]:
        rows = node.expressions
        width = len(rows[0].expressions)
        for row in rows:
            if len(row.expressions) != width:
                raise refuse(SYNTAX, "VALUES needs rows of equal length", row)
            self.resolver.expression(row, Scope(outer), self.queries)
        names = [f"column{at + 1}" for at in range(width)]
        return tuple(Output(name, name) for name in names)

    def _relation(self, node: exp.Table, alias: exp.Expr | None) -> Source:
        if node.args.get("joins"):
            raise unsupported("this join", node)
        name = folded(node.this)
        db = node.args.get("db")
        found = self.queries.get(name) if db is None else None
        if found is not None:
            real, outputs = found
        else:
            columns = self.resolver.schema.get(name)
            if columns is None or (db is not None and folded(db) != SCHEMA):
                raise refuse(RELATION, f"there is no relation {name}", node)
            real = name
            outputs = tuple(Output(one, one) for one in columns)
        called = folded(alias.this) if alias is not None else name
        node.this.args["this"], node.this.args["quoted"] = real, True
        node.args.pop("db", None)
        unique = self.resolver.unique(called) if called != real else self._own(real)
        node.set("alias", exp.TableAlias(this=identifier(unique)))
        return Source(called, unique, _renamed(outputs, alias))

    def _own(self, name: str) -> str:
        """Returns the relation's own name as its alias, the first time."""
        if f"{name} as itself" in self.resolver.taken:
            return self.resolver.unique(name)
        self.resolver.taken.add(f"{name} as itself")
        return name


def _unmarked(node: exp.Lateral) -> exp.Expr:
    """Returns what LATERAL stands before, with the alias behind it."""
    inner: exp.Expr = node.this
    if isinstance(inner, exp.Anonymous):
        inner = exp.Table(this=inner)
    if isinstance(inner, exp.Subquery) and isinstance(inner.this, exp.Values):
        inner = inner.this
    if not isinstance(inner, (exp.Subquery, exp.Values, exp.Unnest, exp.Table)):
        raise unsupported("this behind LATERAL", node)
    if node.args.get("ordinality"):
        if not isinstance(inner, exp.Unnest):
            raise unsupported("WITH ORDINALITY here", node)
        inner.set("offset", True)
    alias = node.args.get("alias") or inner.args.get("alias")
    inner.set("alias", alias)
    return inner


def _first_joined(node: exp.Subquery) -> exp.Expr | None:
    """Returns what stands first in (a JOIN b …), None where a query is in the parentheses."""
    inner = node.this
    is_query = isinstance(inner, exp.Subquery) and inner.args.get("joins")
    return inner if isinstance(inner, exp.Table) or is_query else None


def _plain(node: exp.Expr) -> exp.Expr:
    """Returns VALUES in the form that it has outside of parentheses."""
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Values):
        values = node.this
        values.set("alias", node.args.get("alias"))
        return values
    return node


def _renamed(outputs: tuple[Output, ...], alias: exp.Expr | None) -> tuple[Output, ...]:
    return renamed(outputs, alias.args.get("columns"), alias) if alias is not None else outputs


def _merge(
    join: exp.Expr, left: list[Entry], right: list[Entry], names: list[str], side: str | None
) -> list[Entry]:
    """Returns the columns of a join by equal names and gives the join its condition."""
    merged: list[Entry] = []
    conditions: list[exp.Expr] = []
    for name in names:
        ours = _one(left, name, join)
        theirs = _one(right, name, join)
        conditions.append(exp.EQ(this=ours.node(), expression=theirs.node()))
        if side == "RIGHT":
            merged.append(Entry(name, theirs.parts))
        elif side == "FULL":
            merged.append(Entry(name, ours.parts + theirs.parts))
        else:
            merged.append(Entry(name, ours.parts))
    condition: exp.Expr | None = None
    for part in conditions:
        condition = part if condition is None else exp.And(this=condition, expression=part)
    join.set("method", None)
    join.set("using", None)
    join.set("on", condition if condition is not None else exp.Boolean(this=True))
    used = set(names)
    rest = [entry for entry in (*left, *right) if entry.name not in used]
    return merged + rest


def _one(entries: list[Entry], name: str, join: exp.Expr) -> Entry:
    found = [entry for entry in entries if entry.name == name]
    if not found:
        raise refuse(COLUMN, f"there is no column {name} on both sides of the join", join.this)
    if len(found) > 1:
        raise refuse(AMBIGUOUS, f"the name {name} can mean several columns", join.this)
    return found[0]
