"""Decides the type of each expression, and how the engine is told it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.metadata.binding import session_calls
from roundview_sql.metadata.binding.calls import AGGREGATES, LISTS, Call, call_of
from roundview_sql.metadata.binding.casts import REGISTERED, VECTORS, constant
from roundview_sql.metadata.binding.operators import Operators
from roundview_sql.metadata.binding.typed import (
    Output,
    Scope,
    Typed,
    call,
    folded,
    macro,
    number,
    text,
)

if TYPE_CHECKING:
    from roundview_sql.metadata.binding.binder import Binder

_PLACE: Final = re.compile(r"((?:[^%]|%%)*)(?:%([sIL]))?")
_KEYWORDS: Final = ("user", "current_role", "current_catalog", "session_user", "current_schema")
_TABLE_ARGUMENT: Final[Mapping[str, tuple[int, int]]] = {
    "has_table_privilege": (codes.REGCLASS, 2), "has_any_column_privilege": (codes.REGCLASS, 2),
    "has_sequence_privilege": (codes.REGCLASS, 2), "has_column_privilege": (codes.REGCLASS, 3),
    "has_schema_privilege": (codes.REGNAMESPACE, 2), "has_type_privilege": (codes.REGTYPE, 2),
    "has_function_privilege": (2202, 2),
}  # fmt: skip
_SYSTEM: Final[Mapping[str, int]] = {
    "tableoid": codes.OID, "xmin": codes.XID, "xmax": codes.XID, "cmin": codes.CID,
    "cmax": codes.CID, "ctid": 27,
}  # fmt: skip


class Expressions:
    """Binds expressions of one statement."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._casts = binder.casts
        self._operators = Operators(self, binder.casts)
        self._readers: Mapping[type[exp.Expr], Callable[[exp.Expr, Scope], Typed]] = {
            exp.Column: self._column, exp.Literal: _literal, exp.ByteString: _escaped,
            exp.RawString: _escaped, exp.National: _escaped,
            exp.Boolean: _boolean, exp.Null: _null, exp.Paren: self._paren, exp.Cast: self._cast,
            exp.TryCast: self._cast, exp.Dot: self._dot, exp.Case: self._case,
            exp.Bracket: self._bracket, exp.Array: self._array, exp.Subquery: self._subquery,
            exp.Exists: self._exists, exp.Collate: self._collate, exp.Parameter: self._parameter,
            exp.Placeholder: self._parameter, exp.Coalesce: self._several,
            exp.Greatest: self._several, exp.Least: self._several, exp.Nullif: self._nullif,
            exp.Filter: self._filter, exp.Window: self._window, exp.Tuple: self._tuple,
            exp.Interval: self._interval, exp.Select: self._select, exp.Union: self._select,
            exp.If: self._case,
        }  # fmt: skip

    def bind(self, node: exp.Expr, scope: Scope) -> Typed:
        """Returns an expression for the engine; raises WireError for what cannot be."""
        read = self._readers.get(type(node))
        if read is not None:
            return read(node, scope)
        found = self._operators.bind(node, scope)
        if found is not None:
            return found
        called = call_of(node)
        if called is not None:
            return self._call(called, scope)
        raise unsupported(f"{type(node).__name__.lower()} in a question about the catalog")

    def query(self, node: exp.Expr, scope: Scope) -> tuple[exp.Expr, tuple[Output, ...]]:
        """Returns a query inside of an expression."""
        return self._binder.queries.query(node, scope)

    def truth(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Returns a condition."""
        return self._casts.meet(self.bind(node, scope), codes.BOOL).node

    def _column(self, node: exp.Expr, scope: Scope) -> Typed:
        name = folded(node.this)
        table = node.args.get("table")
        if table is None:
            return self._bare(node, name, scope)
        alias = folded(table)
        source = scope.source(alias)
        if source is None:
            raise WireError("42P01", f'missing FROM-clause entry for table "{alias}"')
        found = source.column(name)
        if found is None:
            system = self._system(source.relation, name)
            if system is not None:
                return system
            raise WireError("42703", f"column {alias}.{name} does not exist")
        made = exp.column(
            exp.to_identifier(name, quoted=True), exp.to_identifier(source.alias, quoted=True)
        )
        return Typed(made, found.oid, found.typmod, found.origin, found.fields)

    def _bare(self, node: exp.Expr, name: str, scope: Scope) -> Typed:
        found = scope.find(name)
        if found is not None:
            source, output = found
            is_merged = scope.is_merged(name)
            made = exp.column(
                exp.to_identifier(name, quoted=True),
                None if is_merged else exp.to_identifier(source.alias, quoted=True),
            )
            return Typed(made, output.oid, output.typmod, output.origin, output.fields)
        if name in _KEYWORDS and not node.this.args.get("quoted"):
            return self._call(Call("", name, ()), scope)
        whole = scope.source(name)
        if whole is not None and len(whole.columns) == 1:
            # A function in FROM of one column is that column.
            only = whole.columns[0]
            made = exp.column(
                exp.to_identifier(only.name, quoted=True), exp.to_identifier(name, quoted=True)
            )
            return Typed(made, only.oid, only.typmod, only.origin, only.fields)
        for one in scope.sources:
            system = self._system(one.relation, name)
            if system is not None:
                return system
        raise WireError("42703", f'column "{name}" does not exist')

    def _system(self, relation: object, name: str) -> Typed | None:
        if relation is None or name not in _SYSTEM:
            return None
        oid: int = relation.oid  # type: ignore[attr-defined]
        if name == "ctid":
            return Typed(text("(0,1)"), _SYSTEM[name])
        return Typed(number({"tableoid": oid, "xmin": 1}.get(name, 0)), _SYSTEM[name])

    def _parameter(self, node: exp.Expr, scope: Scope) -> Typed:
        if not isinstance(node.this, exp.Literal):
            raise WireError("42601", "parameters are $1, $2 …")
        return self._binder.parameter(int(node.this.name))

    def _paren(self, node: exp.Expr, scope: Scope) -> Typed:
        inner = self.bind(node.this, scope)
        if isinstance(inner.node, exp.Literal | exp.Null) or inner.parameter:
            return inner
        return Typed(
            exp.Paren(this=inner.node), inner.oid, inner.typmod, inner.origin, inner.fields
        )

    def _collate(self, node: exp.Expr, scope: Scope) -> Typed:
        return self.bind(node.this, scope)

    def _cast(self, node: exp.Expr, scope: Scope) -> Typed:
        target, typmod = self._binder.target(node.args["to"])
        value = self.bind(node.this, scope)
        if isinstance(node.this, exp.Array) and not node.this.expressions:
            value = Typed(value.node, target)
        made = self._binder.coerced(value, target, typmod)
        if target in (codes.VARCHAR, codes.BPCHAR) and typmod > 0:
            return Typed(call("left", made.node, number(typmod - 4)), target, typmod)
        return made

    def _dot(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = node.this, node.expression
        if isinstance(left, exp.Identifier) and isinstance(right, exp.Func):
            called = call_of(right, folded(left))
            assert called is not None  # noqa: S101  every Func is a call
            return self._call(called, scope)
        record = self.bind(left, scope)
        name = folded(right)
        known = dict(record.fields)
        if name not in known:
            raise WireError("42703", f'column "{name}" not found in data type')
        return Typed(call("struct_extract", record.node, text(name)), known[name])

    def _case(self, node: exp.Expr, scope: Scope) -> Typed:
        subject = node.this if isinstance(node, exp.Case) else None
        against = self.bind(subject, scope) if subject is not None else None
        conditions: list[exp.Expr] = []
        values = []
        for one in node.args["ifs"]:
            if against is None:
                conditions.append(self.truth(one.this, scope))
            else:
                left, right = self._operators.alike(against, self.bind(one.this, scope))
                conditions.append(exp.EQ(this=left.node.copy(), expression=right.node))
            values.append(self.bind(one.args["true"], scope))
        default = node.args.get("default")
        last = self.bind(default, scope) if default is not None else _null(exp.Null(), scope)
        oid = self._casts.common([last, *values])
        made = [self._binder.coerced(one, oid) for one in (*values, last)]
        branches = [
            exp.If(this=condition, true=value.node)
            for condition, value in zip(conditions, made, strict=False)
        ]
        return Typed(exp.Case(ifs=branches, default=made[-1].node), oid)

    def _several(self, node: exp.Expr, scope: Scope) -> Typed:
        values = [self.bind(one, scope) for one in (node.this, *node.expressions)]
        oid = self._casts.common(values)
        made = [self._binder.coerced(one, oid).node for one in values]
        return Typed(call(type(node).__name__.lower(), *made), oid)

    def _nullif(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = self._operators.alike(
            self.bind(node.this, scope), self.bind(node.expression, scope)
        )
        return Typed(call("nullif", left.node, right.node), left.oid)

    def _array(self, node: exp.Expr, scope: Scope) -> Typed:
        parts = node.expressions
        if len(parts) == 1 and isinstance(parts[0], exp.Query):
            query, outputs = self._binder.queries.query(parts[0], scope)
            return Typed(exp.Array(expressions=[query]), self._casts.array(
                self._binder.reference.base(outputs[0].oid)))  # fmt: skip
        values = [self.bind(one, scope) for one in parts]
        oid = self._casts.common(values)
        made: list[exp.Expr] = [self._binder.coerced(one, oid).node for one in values]
        type_ = exp.DataType(
            this=exp.DType.ARRAY, expressions=[self._casts.engine(oid)], nested=True
        )
        return Typed(exp.Cast(this=exp.Array(expressions=made), to=type_), self._casts.array(oid))

    def _bracket(self, node: exp.Expr, scope: Scope) -> Typed:
        value = self.bind(node.this, scope)
        place = node.expressions[0]
        if isinstance(place, exp.Slice):
            raise unsupported("a slice of an array")
        element = self._casts.element(value.oid)
        if not element:
            raise WireError("42804", "only arrays have elements")
        # The parser has taken one from a place that it knows to be a number; vectors begin at 0.
        first = (value.oid in VECTORS) + _is_moved(place)
        at = self.bind(place, scope).node
        index = exp.Add(this=exp.Paren(this=at), expression=number(first))
        return Typed(call("list_extract", value.node, index), element)

    def _subquery(self, node: exp.Expr, scope: Scope) -> Typed:
        return self._select(node.this, scope)

    def _select(self, node: exp.Expr, scope: Scope) -> Typed:
        query, outputs = self._binder.queries.query(node, scope)
        if len(outputs) != 1:
            raise WireError("42601", "subquery must return only one column")
        one = outputs[0]
        oid = codes.TEXT if one.oid == codes.UNKNOWN else one.oid
        return Typed(exp.Subquery(this=query), oid, one.typmod, (0, 0), one.fields)

    def _exists(self, node: exp.Expr, scope: Scope) -> Typed:
        inner = node.this.unnest() if isinstance(node.this, exp.Subquery) else node.this
        query, _ = self._binder.queries.query(inner, scope)
        return Typed(exp.Exists(this=query), codes.BOOL)

    def _tuple(self, node: exp.Expr, scope: Scope) -> Typed:
        values = [self._binder.settled(self.bind(one, scope)).node for one in node.expressions]
        return Typed(exp.Tuple(expressions=values), codes.RECORD)

    def _interval(self, node: exp.Expr, scope: Scope) -> Typed:
        return Typed(node.copy(), codes.INTERVAL)

    def _filter(self, node: exp.Expr, scope: Scope) -> Typed:
        inner = self.bind(node.this, scope)
        condition = self.truth(node.expression.this, scope)
        made = exp.Filter(this=inner.node, expression=exp.Where(this=condition))
        return Typed(made, inner.oid)

    def _window(self, node: exp.Expr, scope: Scope) -> Typed:
        inner = self.bind(node.this, scope)
        made = exp.Window(this=inner.node, spec=node.args.get("spec"))
        made.set("partition_by", [self.bind(one, scope).node for one in node.args["partition_by"]])
        if node.args.get("order") is not None:
            made.set("order", self.ordered(node.args["order"], scope))
        return Typed(made, inner.oid)

    def ordered(self, node: exp.Expr, scope: Scope) -> exp.Order:
        """Returns an ORDER BY inside of a call or window."""
        return exp.Order(
            expressions=[
                exp.Ordered(
                    this=self._binder.settled(self.bind(one.this, scope)).node,
                    desc=one.args.get("desc"),
                    nulls_first=one.args.get("nulls_first"),
                )
                for one in node.expressions
            ]
        )

    def _call(self, called: Call, scope: Scope) -> Typed:
        special = session_calls.bound(self._binder, called, scope)
        if special is not None:
            return special
        if called.name in LISTS:
            made, oid, fields = self._binder.queries.many(called, scope)
            return Typed(call("unnest", made), oid, fields=fields)
        if called.name == "row":
            return self._tuple(exp.Tuple(expressions=list(called.arguments)), scope)
        arguments = [self.bind(one, scope) for one in called.arguments]
        if called.name == "format" and arguments and constant(arguments[0]) is not None:
            return self._formatted(str(constant(arguments[0])), arguments[1:])
        arguments = self._by_name(called.name, arguments)
        function, made_arguments, oid = self._binder.calls.choose(
            called.schema, called.name, arguments
        )
        if called.name == "array_lower" and arguments[0].oid in VECTORS:
            return Typed(number(0), codes.INT4)
        if called.name == "array_upper" and arguments[0].oid in VECTORS:
            size = exp.Sub(this=call("len", made_arguments[0].node), expression=number(1))
            return Typed(size, codes.INT4)
        if function.is_set:
            # Of what it lists there is nothing here.
            none = exp.DataType(
                this=exp.DType.ARRAY, expressions=[self._casts.engine(oid)], nested=True
            )
            return Typed(call("unnest", exp.Cast(this=exp.Array(), to=none)), oid)
        node = self._binder.calls.rendered(function, made_arguments)
        if called.name in AGGREGATES:
            node = self._aggregated(node, called, scope)
        return Typed(node, oid)

    def _formatted(self, pattern: str, arguments: Sequence[Typed]) -> Typed:
        """Returns a text with values in the places of %s, %I and %L."""
        left = list(arguments)
        made: list[exp.Expr] = []
        for literal, sign in _PLACE.findall(pattern):
            if literal:
                made.append(text(literal.replace("%%", "%")))
            if sign:
                if not left:
                    raise WireError("22023", "too few arguments for format()")
                value = self._binder.coerced(left.pop(0), codes.TEXT).node
                quotes = {"I": "quote_ident", "L": "quote_nullable"}.get(sign)
                made.append(macro(quotes, value) if quotes else value)
        return Typed(call("concat", *made), codes.TEXT)

    def _by_name(self, name: str, arguments: Sequence[Typed]) -> list[Typed]:
        """Makes OIDs of names that a function about privileges takes instead."""
        made = list(arguments)
        known = _TABLE_ARGUMENT.get(name)
        if known is None:
            return made
        target, least = known
        at = 0 if len(made) == least else 1
        base = self._binder.reference.base(made[at].oid)
        if base in (codes.TEXT, codes.VARCHAR, codes.NAME, codes.UNKNOWN):
            found = self._binder.coerced(made[at], target)
            made[at] = Typed(found.node, codes.OID)
        elif base in REGISTERED:
            made[at] = Typed(made[at].node, codes.OID)
        return made

    def _aggregated(self, node: exp.Expr, called: Call, scope: Scope) -> exp.Expr:
        if called.name == "count" and not called.arguments:
            return exp.Count(this=exp.Star())
        if not isinstance(node, exp.Anonymous):
            return node
        if called.is_distinct:
            node.set("expressions", [exp.Distinct(expressions=node.expressions[:1]),
                                     *node.expressions[1:]])  # fmt: skip
        if called.order is not None:
            order = self.ordered(called.order, scope)
            last = node.expressions[-1]
            order.set("this", last.copy())
            node.set("expressions", [*node.expressions[:-1], order])
        return node


def _is_moved(place: exp.Expr) -> bool:
    if isinstance(place, exp.Column):
        return False
    return all(isinstance(one.parent, exp.Cast) for one in place.find_all(exp.Column))


def _literal(node: exp.Expr, scope: Scope) -> Typed:
    if node.is_string:
        return Typed(text(node.this), codes.UNKNOWN, is_constant=True)
    said = str(node.this)
    if said.isdigit():
        value = int(said)
        oid = codes.INT4 if value < 2**31 else codes.INT8 if value < 2**63 else codes.NUMERIC
    else:
        oid = codes.NUMERIC
    return Typed(exp.Literal(this=said, is_string=False), oid, is_constant=True)


def _escaped(node: exp.Expr, scope: Scope) -> Typed:
    return Typed(text(node.this), codes.UNKNOWN, is_constant=True)


def _boolean(node: exp.Expr, scope: Scope) -> Typed:
    return Typed(exp.Boolean(this=node.this), codes.BOOL, is_constant=True)


def _null(node: exp.Expr, scope: Scope) -> Typed:
    return Typed(exp.Null(), codes.UNKNOWN)
