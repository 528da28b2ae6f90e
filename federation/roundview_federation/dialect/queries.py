"""Decides the DuckDB meaning of whole queries: clauses, joins, set operations, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_federation.dialect import recursion
from roundview_federation.dialect.aggregates import NAMED, aggregate
from roundview_federation.dialect.casts import coerce, settle
from roundview_federation.dialect.expressions import HANDLERS
from roundview_federation.dialect.refusal import SYNTAX, TYPES, refuse, unsupported
from roundview_federation.dialect.table_functions import LOOKUP, LOOKUP_COLUMNS
from roundview_federation.dialect.tables import series, values_of
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    TEXT,
    TIMESTAMPTZ,
    UNKNOWN,
    PgType,
    common,
)
from roundview_federation.dialect.values import Value, cast, closed, number
from roundview_federation.dialect.windows import windowed

Columns = Mapping[str, PgType]
# What PostgreSQL knows the declared size of; anything else forgets it.
_SIZED = frozenset(
    {
        exp.Column, exp.Cast, exp.Paren, exp.Case, exp.Coalesce, exp.Greatest, exp.Least,
        exp.Nullif, exp.Subquery,
    }
)  # fmt: skip


class Translator:
    """Walks one resolved statement; `relations` are the types of what it reads."""

    aggregates = NAMED

    def __init__(self, relations: Mapping[str, Columns]) -> None:
        self.relations = relations
        # The columns of every alias in reach, and of every named query.
        self.columns: dict[str, Columns] = {}
        self.queries: dict[str, Columns] = {}
        # The aliases of the innermost SELECT.
        self.local: set[str] = set()
        self.parameters: dict[int, PgType] = {}
        self.uses_clock = False

    def value(self, node: exp.Expr) -> Value:
        """Returns the value of an expression."""
        handler = HANDLERS.get(type(node))
        if handler is None:
            raise unsupported("this syntax", node)
        made = handler(self, node)
        if made.type.modifier != -1 and type(node) not in _SIZED:
            return replace(made, type=replace(made.type, modifier=-1))
        return made

    def condition(self, node: exp.Expr, clause: str) -> exp.Expr:
        """Returns a truth; raises RequestError 42804 for anything else."""
        value = self.value(node)
        if value.type is UNKNOWN:
            return coerce(value, BOOLEAN).node
        if value.type != BOOLEAN:
            raise refuse(TYPES, f"{clause} needs a boolean, not {value.type}", node)
        return value.node

    def rows(self, node: exp.Expr) -> tuple[Any, list[PgType]]:
        """Returns a query in DuckDB's meaning and the types of its columns, all known."""
        made, values = self.query(node)
        types = [value.type for value in values]
        if UNKNOWN in types:
            known = [TEXT if type_ is UNKNOWN else type_ for type_ in types]
            made = self.retyped(made, types, known, values)
            types = known
        return made, types

    def query(self, node: exp.Expr) -> tuple[Any, list[Value]]:
        """Returns a query in DuckDB's meaning and its columns, literals still unknown."""
        columns, queries, local = self.columns, self.queries, self.local
        self.columns = dict(columns)
        clause = node.args.get("with_")
        if clause is not None:
            self.queries = dict(queries)
            for part in clause.expressions:
                if recursion.is_recursive(clause, part, part.alias):
                    recursion.translated(self, part)
                    continue
                inner, types = self.rows(part.this)
                part.set("this", inner)
                self.queries[part.alias] = dict(zip(_names(inner), types, strict=True))
        try:
            if isinstance(node, exp.Select):
                return node, self._select(node)
            if isinstance(node, exp.Subquery):
                inner, values = self.query(node.this)
                node.set("this", inner)
                self._order(node, values)
                self._limit(node)
                return node, values
            if isinstance(node, exp.SetOperation):
                return node, self._combined(node)
        finally:
            self.columns, self.queries, self.local = columns, queries, local
        raise unsupported("this query", node)

    def retyped(
        self,
        node: Any,
        types: Sequence[PgType],
        wanted: Sequence[PgType],
        values: Sequence[Value] | None = None,
    ) -> Any:
        """Returns a query whose columns are converted to the wanted types."""
        if list(types) == list(wanted):
            return node
        is_plain = isinstance(node, exp.Select) and not (
            node.args.get("distinct") or node.args.get("order") or node.args.get("group")
        )
        unknown = all(one == two or one is UNKNOWN for one, two in zip(types, wanted, strict=True))
        if isinstance(node, exp.Select) and (is_plain or unknown):
            for at, projection in enumerate(node.expressions):
                if types[at] != wanted[at]:
                    old = (
                        values[at]
                        if values is not None
                        else Value(projection.this, types[at], projection)
                    )
                    projection.set("this", coerce(old, wanted[at]).node)
            return node
        names = _names(node)
        alias = "converted"
        made = exp.Select(
            expressions=[
                exp.Alias(
                    this=coerce(
                        Value(_reference(alias, name), TEXT if one is UNKNOWN else one, node), two
                    ).node,
                    alias=exp.Identifier(this=name, quoted=True),
                )
                for name, one, two in zip(names, types, wanted, strict=True)
            ]
        )
        inner = node.this if isinstance(node, exp.Subquery) and not node.args.get("order") else node
        made.set(
            "from_",
            exp.From(
                this=exp.Subquery(
                    this=inner,
                    alias=exp.TableAlias(this=exp.Identifier(this=alias, quoted=True)),
                )
            ),
        )
        return made

    def scalar(self, node: exp.Expr) -> Value:
        """Returns the value of a subquery with one column."""
        inner, types = self.one_column(node)
        if not isinstance(inner, exp.Subquery):
            inner = exp.Subquery(this=inner)
        return Value(inner, types[0], node)

    def one_column(self, node: exp.Expr) -> tuple[Any, list[PgType]]:
        """Does what `rows` does where only one column may be."""
        select = node
        while not isinstance(select, exp.Select):
            select = select.this
        if len(select.expressions) != 1:
            raise refuse(SYNTAX, "the subquery must have one column", node)
        return self.rows(node)

    def parameter(self, node: exp.Expr) -> Value:
        """Returns the value of $n: its type is that of the other side."""
        at = int(node.this.name)
        if not 1 <= at <= 65_535:
            raise refuse(SYNTAX, "there is no such parameter", node, sqlstate="42P02")
        self.parameters.setdefault(at, UNKNOWN)
        return Value(exp.Placeholder(this=f"p{at}"), UNKNOWN, node, parameters=self.parameters)

    def clock(self, node: exp.Expr) -> Value:
        """Returns the time of the statement, given once as the parameter `now`."""
        self.uses_clock = True
        return Value(cast(exp.Placeholder(this="now"), TIMESTAMPTZ), TIMESTAMPTZ, node)

    def aggregate(self, node: exp.Expr) -> Value:
        """Returns the value of an aggregate or window function in any use."""
        columns = [part.table for part in node.find_all(exp.Column)]
        if columns and not any(table in self.local for table in columns):
            # PostgreSQL computes it in the query that the columns are of.
            raise unsupported("an aggregate of outer columns", node)
        if isinstance(node, exp.Window):
            return windowed(self, node)
        if isinstance(node, exp.Filter):
            condition = self.condition(node.args["expression"].this, "FILTER")
            return aggregate(self, node.this, lambda inner: filtered(inner, condition.copy()))
        return aggregate(self, node, lambda inner: inner)

    def order_keys(self, order: exp.Expr, values: Sequence[Value] | None = None) -> list[exp.Expr]:
        """Returns the items of ORDER BY; with `values` whole numbers are ordinals."""
        made: list[exp.Expr] = []
        for part in order.expressions:
            key = part.this
            if values is not None and isinstance(key, exp.Literal):
                inner: exp.Expr = number(int(key.name))
                type_ = values[int(key.name) - 1].type
            else:
                value = settle(self.value(key))
                inner, type_ = value.node, value.type
                if isinstance(inner, (exp.Literal, exp.Boolean)):
                    # Bare it would be a column's number, or refused.
                    inner = cast(inner, type_)
            if type_.name in ("json", "record"):
                raise refuse(TYPES, f"values of type {type_} have no order", part, sqlstate="42883")
            made.append(
                exp.Ordered(
                    this=inner, desc=part.args.get("desc"),
                    nulls_first=bool(part.args.get("nulls_first")),
                )
            )  # fmt: skip
        return made

    def _select(self, node: exp.Select) -> list[Value]:
        before = set(self.columns)
        self._from(node)
        self.local = {alias for alias in self.columns if alias not in before}
        where = node.args.get("where")
        if where is not None:
            where.set("this", self.condition(where.this, "WHERE"))
        values = [self.value(projection.this) for projection in node.expressions]
        for value in values:
            if value.items or value.type.name == "record":
                raise unsupported("a row as a value", value.source)
        group = node.args.get("group")
        if group is not None:
            self._group(group)
        having = node.args.get("having")
        if having is not None:
            having.set("this", self.condition(having.this, "HAVING"))
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            # Cast, or a constant would be refused.
            keys = [
                cast(value.node, value.type) if isinstance(value.node, exp.Literal) else value.node
                for value in (settle(self.value(part)) for part in distinct.args["on"].expressions)
            ]
            distinct.set("on", exp.Tuple(expressions=keys))
        self._order(node, values)
        self._limit(node)
        for projection, value in zip(node.expressions, values, strict=True):
            projection.set("this", value.node)
        return values

    def _from(self, node: exp.Select) -> None:
        clause = node.args.get("from_")
        if clause is None:
            return
        self._source(clause)
        for join in node.args.get("joins") or ():
            self._source(join)
            on = join.args.get("on")
            if on is not None:
                join.set("on", self.condition(on, "JOIN"))

    def _source(self, holder: exp.Expr) -> None:
        node = holder.this
        alias = node.alias_or_name
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Identifier):
                name = node.name
                found = self.queries.get(name)
                self.columns[alias] = self.relations[name] if found is None else found
                return
            if isinstance(node.this, exp.ExplodingGenerateSeries):
                self.columns[alias] = {"value": series(self, node)}
                return
            names = self.relations.get(LOOKUP) or dict.fromkeys(LOOKUP_COLUMNS, TEXT)
            self.columns[alias] = names
            return
        if isinstance(node, exp.Values):
            values_of(self, node)
            return
        inner, types = self.rows(node.this)
        node.set("this", inner)
        self.columns[alias] = dict(zip(_names(inner), types, strict=True))

    def _group(self, group: exp.Expr) -> None:
        made: list[exp.Expr] = []
        for part in group.expressions:
            if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)):
                self._group(part)
                made.append(part)
            else:
                value = settle(self.value(part))
                is_set = isinstance(group, exp.GroupingSets)
                made.append(exp.Paren(this=value.node) if is_set else value.node)
        group.set("expressions", made)

    def _combined(self, node: exp.Expr) -> list[Value]:
        left, first = self.query(node.this)
        right, second = self.query(node.args["expression"])
        types: list[PgType] = []
        for one, two in zip(first, second, strict=True):
            type_ = common((one.type, two.type))
            if type_ is None:
                raise refuse(
                    TYPES, f"a set operation cannot have {one.type} and {two.type}", two.source
                )
            types.append(type_)
        left = self.retyped(left, [value.type for value in first], types, first)
        right = self.retyped(right, [value.type for value in second], types, second)
        # Read from the left without parentheses; INTERSECT binds tighter than the others.
        is_chain = isinstance(node, exp.Intersect) <= isinstance(left, exp.Intersect)
        node.set("this", _operand(left, is_chain))
        node.set("expression", _operand(right))
        values = [
            Value(one.node, type_, one.source) for one, type_ in zip(first, types, strict=True)
        ]
        self._order(node, values)
        self._limit(node)
        return values

    def _order(self, node: exp.Expr, values: Sequence[Value]) -> None:
        order = node.args.get("order")
        if order is not None:
            node.set("order", exp.Order(expressions=self.order_keys(order, values)))

    def _limit(self, node: exp.Expr) -> None:
        limit = node.args.get("limit")
        if limit is not None:
            found = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
            if isinstance(limit, exp.Fetch) and found is None:
                found = exp.Literal(this="1", is_string=False)
            count = self._count(found) if found is not None else None
            node.set("limit", exp.Limit(expression=count) if count is not None else None)
        offset = node.args.get("offset")
        if offset is not None:
            count = self._count(offset.expression)
            node.set("offset", exp.Offset(expression=count) if count is not None else None)

    def _count(self, node: exp.Expr) -> exp.Expr | None:
        if isinstance(node, exp.Null) or (isinstance(node, exp.Var) and node.name == "ALL"):
            return None
        if isinstance(node, exp.Parameter):
            return coerce(self.parameter(node), BIGINT).node
        if isinstance(node, exp.Literal) and node.name.isdigit() and int(node.name) < 2**63:
            return number(int(node.name))
        raise unsupported("LIMIT and OFFSET of anything but a whole number", node)


def filtered(node: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """Returns an aggregate over the rows that fulfil a condition."""
    return exp.Filter(this=node, expression=exp.Where(this=condition))


def _names(node: exp.Expr) -> list[str]:
    while not isinstance(node, exp.Select):
        node = node.this
    return [projection.alias for projection in node.expressions]


def _reference(alias: str, name: str) -> exp.Column:
    return exp.Column(
        this=exp.Identifier(this=name, quoted=True), table=exp.Identifier(this=alias, quoted=True)
    )


def _operand(node: exp.Expr, is_chain: bool = False) -> exp.Expr:
    has_more = any(node.args.get(name) for name in ("order", "limit", "offset", "with_"))
    is_set = isinstance(node, exp.SetOperation) and not is_chain
    if isinstance(node, exp.Subquery) or not (has_more or is_set):
        return node
    return exp.Subquery(this=node)


__all__ = ["Translator", "closed", "filtered"]
