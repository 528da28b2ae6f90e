"""Decides what stands in FROM: relations, joins, queries, functions of many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import unsupported
from roundview_sql.metadata.binding.calls import LISTS, Call, call_of
from roundview_sql.metadata.binding.typed import (
    Output,
    Scope,
    Source,
    call,
    folded,
    named,
    number,
    outputs_of,
    renamed,
    text,
)
from roundview_sql.metadata.engine import SCHEMAS
from roundview_sql.metadata.reference import CATALOG

if TYPE_CHECKING:
    from roundview_sql.metadata.binding.binder import Binder
    from roundview_sql.metadata.binding.queries import Made, Queries


class Relations:
    """Binds what stands in FROM."""

    def __init__(self, binder: Binder, queries: Queries) -> None:
        self._binder = binder
        self._queries = queries

    def join(self, node: exp.Expr, scope: Scope) -> exp.Join:
        """Returns a join; what stands on its right is in scope then."""
        right = self.relation(node.this, scope)
        made = exp.Join(this=right, side=node.args.get("side"), kind=node.args.get("kind"))
        using = [folded(one) for one in node.args.get("using") or ()]
        source = scope.sources[-1]
        if (node.args.get("method") or "").upper() == "NATURAL":
            before = {one.name for other in scope.sources[:-1] for one in other.columns}
            using = [one.name for one in source.columns if one.name in before]
        if using:
            source.merged = frozenset(using)
            made.set("using", [exp.to_identifier(one, quoted=True) for one in using])
        on = node.args.get("on")
        if on is not None:
            made.set("on", self._binder.expressions.truth(on, scope))
        elif not using and not made.args.get("kind"):
            made.set("kind", "CROSS")
        return made

    def relation(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Returns what FROM names, and puts it in scope."""
        if isinstance(node, exp.Table):
            made = self._table(node, scope)
        elif isinstance(node, exp.Lateral):
            made = self._lateral(node, scope)
        elif isinstance(node, exp.Unnest):
            arguments = tuple(node.expressions)
            made = self._function(Call("", "unnest", arguments), node, scope)
        elif is_joined(node):
            return self._joined(node, scope)
        elif isinstance(node, exp.Subquery | exp.Values):
            inner = node.this if isinstance(node, exp.Subquery) else node
            made = self._derived(inner, node, scope)
        else:
            raise unsupported("this relation in FROM")
        return made

    def _joined(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Returns relations that are joined in parentheses."""
        inner = self.relation(node.this, scope)
        joins = [
            self.join(one, scope)
            for one in (
                *(() if is_joined(node.this) else node.this.args.get("joins") or ()),
                *(node.args.get("joins") or ()),
            )
        ]
        if joins:
            inner.set("joins", joins)
            return exp.Subquery(this=inner)
        return inner

    def _lateral(self, node: exp.Lateral, scope: Scope) -> exp.Expr:
        inner = node.this
        if isinstance(inner, exp.Subquery):
            return exp.Lateral(this=self._derived(inner.this, node, scope))
        if isinstance(inner, exp.Unnest):
            called: Call | None = Call("", "unnest", tuple(inner.expressions))
        elif isinstance(inner, exp.Dot):
            called = call_of(inner.expression, folded(inner.this))
        else:
            called = call_of(inner)
        if called is None:
            raise unsupported("this LATERAL")
        return self._function(called, node, scope)

    def _derived(self, inner: exp.Expr, node: exp.Expr, scope: Scope) -> exp.Expr:
        # FROM sees what stands before it, as LATERAL lets it: PostgreSQL has refused the rest.
        query, outputs = self._queries.query(inner, scope)
        alias, names = _alias_of(node)
        outputs = renamed(outputs, names)
        return self._sourced(exp.Subquery(this=query), alias or "rv_unnamed", outputs, scope)

    def _sourced(
        self, made: exp.Expr, alias: str, outputs: tuple[Output, ...], scope: Scope
    ) -> exp.Expr:
        scope.sources.append(Source(alias, outputs))
        columns = [exp.to_identifier(one.name, quoted=True) for one in outputs]
        made.set(
            "alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=columns)
        )
        return made

    def _table(self, node: exp.Table, scope: Scope) -> exp.Expr:
        if isinstance(node.this, exp.Func):
            called = call_of(node.this, node.db.lower())
            if called is None:
                raise unsupported("this function in FROM")
            return self._function(called, node, scope)
        name, schema = folded(node.this), folded(node.args["db"]) if node.args.get("db") else ""
        alias, names = _alias_of(node)
        if not schema and name in scope.queries:
            outputs = renamed(scope.queries[name], names)
            made = exp.Table(this=exp.to_identifier(name, quoted=True))
            return self._sourced(made, alias or name, outputs, scope)
        relation = self._binder.relation(schema, name)
        outputs = renamed(outputs_of(relation), names)
        made = exp.table_(name, db=SCHEMAS[relation.schema], quoted=True)
        inner = self._sourced(made, alias or name, outputs, scope)
        if not names:
            inner.args["alias"].set("columns", None)
        scope.sources[-1].relation = relation
        return inner

    def _function(self, called: Call, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Returns what a function in FROM stands for: a query over the list of its rows."""
        alias, names = _alias_of(node)
        offset = node.args.get("offset")
        is_numbered = bool(node.args.get("ordinality")) or bool(offset)
        if isinstance(offset, exp.Identifier):
            names = [*names, folded(offset)]
        made, outputs = self._rows(called, scope, alias or called.name, is_numbered=is_numbered)
        outputs = renamed(outputs, names)
        return self._sourced(exp.Subquery(this=made), alias or called.name, outputs, scope)

    def _rows(self, called: Call, scope: Scope, alias: str, *, is_numbered: bool) -> Made:
        outputs: tuple[Output, ...]
        if called.name == "pg_get_keywords":
            query = exp.select("*").from_(exp.table_("keywords", db=SCHEMAS[CATALOG]))
            function, _, _ = self._binder.calls.choose(called.schema, called.name, [])
            return query, tuple(Output(name, oid) for name, oid in function.columns)
        if called.name not in LISTS:
            made, outputs = self._single(called, scope, alias)
            if is_numbered:
                # One row at most: its number is 1.
                made.set("expressions", [*made.expressions, named(number(1), "ordinality")])
                outputs = (*outputs, Output("ordinality", codes.INT8))
            return made, outputs
        if called.name == "unnest" and len(called.arguments) > 1:
            return self._beside(called, scope)
        values, oid, fields = self._queries.many(called, scope)
        expressions: list[exp.Expr] = []
        inner = call("unnest", values)
        outputs = ((Output(alias, oid)),)
        if fields:
            outputs = tuple(Output(name, one) for name, one in fields)
            expressions = [
                named(call("struct_extract", inner.copy(), text(name)), name) for name, _ in fields
            ]
        else:
            expressions = [named(inner, alias)]
        if is_numbered:
            size = exp.Add(this=call("len", values.copy()), expression=number(1))
            places = call("unnest", call("range", number(1), size))
            expressions.append(named(places, "ordinality"))
            outputs = (*outputs, Output("ordinality", codes.INT8))
        return exp.Select(expressions=expressions), outputs

    def _beside(self, called: Call, scope: Scope) -> Made:
        """Returns the elements of several arrays beside each other."""
        found = [
            self._queries.many(Call("", called.name, (one,)), scope) for one in called.arguments
        ]
        names = [f"{called.name}_{at}" for at in range(len(found))]
        expressions = [
            named(call("unnest", values), name)
            for (values, _, _), name in zip(found, names, strict=True)
        ]
        outputs = tuple(Output(name, oid) for (_, oid, _), name in zip(found, names, strict=True))
        return exp.Select(expressions=expressions), outputs

    def _single(self, called: Call, scope: Scope, alias: str) -> Made:
        """Returns a function of one row, or one whose rows are none here."""
        arguments = [self._binder.expressions.bind(one, scope) for one in called.arguments]
        if called.name in ("pg_show_all_settings", "pg_timezone_names", "pg_timezone_abbrevs"):
            view = {"pg_show_all_settings": "pg_settings"}.get(called.name, called.name)
            relation = self._binder.relation(CATALOG, view)
            return (
                exp.select("*").from_(exp.table_(view, db=SCHEMAS[CATALOG])),
                outputs_of(relation),
            )
        functions = self._binder.reference.functions.get(called.name, ())
        if any(one.is_set for one in functions):
            function, _, oid = self._binder.calls.choose(called.schema, called.name, arguments)
            outputs = tuple(Output(name, one) for name, one in function.columns)
            outputs = outputs or (Output(alias, oid),)
            nothing = exp.Select(
                expressions=[
                    named(
                        exp.Cast(this=exp.Null(), to=self._binder.casts.engine(one.oid)), one.name
                    )
                    for one in outputs
                ]
            ).where(exp.false())
            return nothing, outputs
        node = exp.Anonymous(this=called.name, expressions=list(called.arguments))
        value = self._binder.expressions.bind(
            exp.Dot(this=exp.to_identifier(called.schema), expression=node)
            if called.schema
            else node,
            scope,
        )
        return exp.Select(expressions=[named(value.node, alias)]), (Output(alias, value.oid),)


def is_joined(node: exp.Expr) -> bool:
    """Tells whether relations are joined in parentheses."""
    return isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery)


def _alias_of(node: exp.Expr) -> tuple[str, list[str]]:
    alias = node.args.get("alias")
    if alias is None:
        return "", []
    name = folded(alias.this) if alias.this is not None else ""
    columns = alias.args.get("columns") or ()
    return name, [folded(one.this if isinstance(one, exp.ColumnDef) else one) for one in columns]
