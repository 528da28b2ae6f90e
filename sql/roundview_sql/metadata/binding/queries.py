"""Decides what SELECT, set operations, VALUES, WITH and FROM are told to the engine as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.metadata.binding.calls import Call
from roundview_sql.metadata.binding.labels import label
from roundview_sql.metadata.binding.relations import Relations, is_joined
from roundview_sql.metadata.binding.typed import (
    Output,
    Scope,
    Source,
    Typed,
    call,
    folded,
    named,
    number,
    renamed,
    text,
)

if TYPE_CHECKING:
    from roundview_sql.metadata.binding.binder import Binder

Made = tuple[exp.Expr, tuple[Output, ...]]


class Queries:
    """Binds the queries of one statement."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._from = Relations(binder, self)

    def query(self, node: exp.Expr, outer: Scope) -> Made:
        """Returns a query for the engine, and its columns."""
        scope = outer.below()
        clause = node.args.get("with_")
        kept = None
        if clause is not None:
            kept, scope.queries = self._named_queries(clause, scope)
        made, outputs = self._body(node, scope)
        if kept is not None:
            made.set("with_", kept)
        return made, outputs

    def many(self, called: Call, scope: Scope) -> tuple[exp.Expr, int, tuple[tuple[str, int], ...]]:
        """Returns the list, type and fields of what a function of many rows gives."""
        arguments = [self._binder.expressions.bind(one, scope) for one in called.arguments]
        function, made, oid = self._binder.calls.choose(called.schema, called.name, arguments)
        values, fields = self._binder.calls.rows(function, made, oid)
        return values, oid, fields

    def _named_queries(
        self, clause: exp.Expr, scope: Scope
    ) -> tuple[exp.With, dict[str, tuple[Output, ...]]]:
        known = dict(scope.queries)
        made = []
        for one in clause.expressions:
            alias = one.args["alias"]
            name = folded(alias.this)
            columns = [folded(column) for column in alias.args.get("columns") or ()]
            below = Scope([], scope.outer, known)
            if clause.args.get("recursive") and isinstance(one.this, exp.Union):
                # What it starts with says which columns the step reads.
                _, first = self.query(one.this.this, below)
                below.queries = {**known, name: renamed(first, columns)}
            query, outputs = self.query(one.this, below)
            known[name] = renamed(outputs, columns)
            made.append(
                exp.CTE(
                    this=query,
                    alias=exp.TableAlias(
                        this=exp.to_identifier(name, quoted=True),
                        columns=[exp.to_identifier(one.name, quoted=True) for one in known[name]],
                    ),
                )
            )
        return exp.With(expressions=made, recursive=clause.args.get("recursive")), known

    def _body(self, node: exp.Expr, scope: Scope) -> Made:
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._set(node, scope)
        if isinstance(node, exp.Values):
            return self._values(node, scope)
        if isinstance(node, exp.Subquery):
            made, outputs = self.query(node.this, scope)
            wrapped = exp.select("*").from_(exp.Subquery(this=made, alias=_alias("rv_inner")))
            self._ordered(node, wrapped, outputs, scope)
            return wrapped, outputs
        if isinstance(node, exp.Table):
            return self._select(exp.select("*").from_(node.copy()), scope)
        raise unsupported(f"{type(node).__name__.upper()} in a question about the catalog")

    def _select(self, node: exp.Select, scope: Scope) -> Made:
        made = exp.Select()
        from_ = node.args.get("from_")
        if from_ is not None:
            made.set("from_", exp.From(this=self._from.relation(from_.this, scope)))
            own = [] if is_joined(from_.this) else from_.this.args.get("joins") or []
            joins = [*own, *(node.args.get("joins") or ())]
            made.set("joins", [self._from.join(one, scope) for one in joins])
        where = node.args.get("where")
        if where is not None:
            made.set("where", exp.Where(this=self._binder.expressions.truth(where.this, scope)))
        values, outputs = self._projections(node, scope)
        expressions = [
            named(value.node, one.name) for value, one in zip(values, outputs, strict=True)
        ]
        group = node.args.get("group")
        if group is not None:
            made.set("group", self._grouped(group, outputs, scope))
        having = node.args.get("having")
        if having is not None:
            made.set("having", exp.Having(this=self._binder.expressions.truth(having.this, scope)))
        distinct = node.args.get("distinct")
        if distinct is not None:
            made.set("distinct", self._distinct(distinct, outputs, scope))
        made.set("expressions", expressions)
        self._ordered(node, made, outputs, scope)
        return made, outputs

    def _projections(
        self, node: exp.Select, scope: Scope
    ) -> tuple[list[Typed], tuple[Output, ...]]:
        values: list[Typed] = []
        names: list[str] = []
        for one in node.expressions:
            inner = one.this if isinstance(one, exp.Alias) else one
            if isinstance(inner, exp.Star):
                for one_source in scope.sources:
                    self._starred(one_source, values, names, scope)
            elif isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
                source = scope.source(folded(inner.args["table"]))
                if source is None:
                    raise WireError("42P01", "missing FROM-clause entry for a table")
                self._starred(source, values, names, None)
            elif isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Star):
                record = self._binder.expressions.bind(inner.this, scope)
                for name, oid in record.fields:
                    values.append(Typed(call("struct_extract", record.node, text(name)), oid))
                    names.append(name)
            else:
                values.append(self._binder.expressions.bind(inner, scope))
                names.append(label(one))
        outputs = tuple(
            Output(name, one.oid, one.typmod, one.origin, one.fields)
            for name, one in zip(names, values, strict=True)
        )
        return values, outputs

    def _starred(
        self, source: Source, values: list[Typed], names: list[str], scope: Scope | None
    ) -> None:
        for one in source.columns:
            if scope is not None and one.name in source.merged:
                continue
            node = exp.column(
                exp.to_identifier(one.name, quoted=True),
                exp.to_identifier(source.alias, quoted=True),
            )
            values.append(Typed(node, one.oid, one.typmod, one.origin, one.fields))
            names.append(one.name)

    def _set(self, node: exp.SetOperation, scope: Scope) -> Made:
        left, left_outputs = self.query(node.this, scope)
        right, right_outputs = self.query(node.expression, scope)
        if len(left_outputs) != len(right_outputs):
            raise WireError("42601", "each query of a set operation must have as many columns")
        outputs = []
        for one, other in zip(left_outputs, right_outputs, strict=True):
            oid = self._binder.casts.common([_as_value(one), _as_value(other)])
            typmod = one.typmod if one.typmod == other.typmod and one.oid == other.oid else -1
            outputs.append(Output(one.name, oid, typmod))
        made = type(node)(
            this=self._as(left, left_outputs, outputs),
            expression=self._as(right, right_outputs, outputs),
            distinct=node.args.get("distinct"),
        )
        self._ordered(node, made, tuple(outputs), scope)
        return made, tuple(outputs)

    def _as(self, query: exp.Expr, found: tuple[Output, ...], wanted: list[Output]) -> exp.Expr:
        """Returns a query whose columns have the types of the whole."""
        columns = [exp.to_identifier(f"c{at}") for at in range(len(found))]
        expressions = [
            named(
                self._binder.casts.cast(
                    Typed(exp.Column(this=column.copy()), one.oid), other.oid
                ).node,
                other.name,
            )
            for column, one, other in zip(columns, found, wanted, strict=True)
        ]
        alias = exp.TableAlias(this=exp.to_identifier("rv_side"), columns=columns)
        made = exp.Select(expressions=expressions)
        made.set("from_", exp.From(this=exp.Subquery(this=query, alias=alias)))
        return made

    def _values(self, node: exp.Values, scope: Scope) -> Made:
        rows = [
            [self._binder.expressions.bind(one, scope) for one in row.expressions]
            for row in node.expressions
        ]
        oids = [self._binder.casts.common(column) for column in zip(*rows, strict=True)]
        made = [
            exp.Tuple(
                expressions=[
                    self._binder.coerced(one, oid).node for one, oid in zip(row, oids, strict=True)
                ]
            )
            for row in rows
        ]
        outputs = tuple(Output(f"column{at}", oid) for at, oid in enumerate(oids, 1))
        alias = exp.TableAlias(
            this=exp.to_identifier("rv_values"),
            columns=[exp.to_identifier(one.name, quoted=True) for one in outputs],
        )
        query = exp.select("*").from_(exp.Values(expressions=made, alias=alias))
        self._ordered(node, query, outputs, scope)
        return query, outputs

    def _grouped(self, group: exp.Group, outputs: tuple[Output, ...], scope: Scope) -> exp.Group:
        made: list[exp.Expr] = []
        for one in group.expressions:
            if isinstance(one, exp.Literal) and not one.is_string:
                made.append(one.copy())
                continue
            if isinstance(one, exp.Column) and not one.args.get("table"):
                name = folded(one.this)
                at = next((n for n, out in enumerate(outputs, 1) if out.name == name), 0)
                if at and not any(source.column(name) for source in scope.sources):
                    made.append(number(at))
                    continue
            made.append(self._binder.expressions.bind(one, scope).node)
        return exp.Group(expressions=made)

    def _distinct(
        self, distinct: exp.Distinct, outputs: tuple[Output, ...], scope: Scope
    ) -> exp.Distinct:
        on = distinct.args.get("on")
        if on is None:
            return exp.Distinct()
        parts = on.expressions if isinstance(on, exp.Tuple) else [on]
        made = [self._binder.expressions.bind(one, scope).node for one in parts]
        return exp.Distinct(on=exp.Tuple(expressions=made))

    def _ordered(
        self, node: exp.Expr, made: exp.Expr, outputs: tuple[Output, ...], scope: Scope
    ) -> None:
        order = node.args.get("order")
        if order is not None:
            made.set(
                "order",
                exp.Order(
                    expressions=[self._order(one, outputs, scope) for one in order.expressions]
                ),
            )
        for name, kind in (("limit", exp.Limit), ("offset", exp.Offset)):
            part = node.args.get(name)
            if part is not None:
                said = part.args.get("count") if isinstance(part, exp.Fetch) else part.expression
                value = self._binder.expressions.bind(said or exp.Null(), scope)
                if not isinstance(value.node, exp.Null):
                    bound = self._binder.coerced(value, codes.INT8).node
                    made.set(name, kind(expression=bound))

    def _order(self, one: exp.Expr, outputs: tuple[Output, ...], scope: Scope) -> exp.Ordered:
        node = one.this
        made: exp.Expr | None = None
        if isinstance(node, exp.Literal) and not node.is_string:
            made = node.copy()
        elif isinstance(node, exp.Column) and not node.args.get("table"):
            name = folded(node.this)
            at = next((n for n, out in enumerate(outputs, 1) if out.name == name), 0)
            made = number(at) if at else None
        if made is None:
            made = self._binder.settled(self._binder.expressions.bind(node, scope)).node
        return exp.Ordered(
            this=made, desc=one.args.get("desc"), nulls_first=one.args.get("nulls_first")
        )


def _as_value(one: Output) -> Typed:
    return Typed(exp.Null(), one.oid)


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
