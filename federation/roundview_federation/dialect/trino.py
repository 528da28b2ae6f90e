"""Decides what a question that was written for DuckDB is to Trino.

`translate` leaves few kinds of trees. Each of them either has one meaning in both, is written
otherwise here, or is refused: then another engine answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from roundview_federation.dialect.trino_functions import AGGREGATES, CALLS, WINDOWS
from roundview_federation.dialect.trino_types import is_huge, not_on_trino, trino_type
from roundview_federation.dialect.values import call

_SAME: tuple[type[exp.Expr], ...] = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered,
    exp.Limit, exp.Offset, exp.With, exp.CTE, exp.Subquery, exp.Union, exp.Intersect, exp.Except,
    exp.Alias, exp.TableAlias, exp.Table, exp.Values, exp.Tuple, exp.Identifier, exp.Star,
    exp.Column, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ,
    exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is,
    exp.Between, exp.In, exp.Like, exp.Escape, exp.If, exp.Neg, exp.Mul, exp.DPipe, exp.Exists,
    exp.Any, exp.All, exp.WindowSpec, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Placeholder,
    exp.Add, exp.Sub, exp.Mod, exp.Var,
)  # fmt: skip
_SPAN = re.compile(r"(-?\d+) months (-?\d+) days (-?\d+) microseconds")
_FIRST_DAY = "0001-01-01"
_DOUBLES = (exp.DType.FLOAT, exp.DType.DOUBLE)


def for_trino(tree: exp.Query) -> exp.Query:
    """Returns what a translated question is in Trino's SQL; the tree is not changed.

    Raises RequestError RV103 for what Trino would compute otherwise or not at all.
    """
    made = _Rewriter().made(tree.copy())
    assert isinstance(made, exp.Query)  # noqa: S101  a query is rewritten to a query
    return made


def value_for_trino(tree: exp.Expr) -> exp.Expr:
    """Returns what one translated value is in Trino's SQL; raises like `for_trino`."""
    return _Rewriter().made(tree.copy())


class _Rewriter:
    """Rewrites one statement; `huge` are variables of lambdas with whole numbers of 128 bits."""

    def __init__(self) -> None:
        self.huge: set[str] = set()
        self._ways: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
            exp.Cast: self._cast,
            exp.Anonymous: self._call,
            exp.Case: self._case,
            exp.IntDiv: self._quotient,
            exp.Add: self._moved,
            exp.Sub: self._moved,
            exp.Filter: self._filter,
            exp.Window: self._window,
            exp.Distinct: self._distinct,
            exp.In: self._in,
            exp.EQ: self._compared,
            exp.All: self._all,
            exp.From: self._source,
            exp.Join: self._source,
        }

    def made(self, node: exp.Expr) -> exp.Expr:
        """Returns the rewritten node; raises RequestError RV103."""
        way = self._ways.get(type(node))
        return self.same(node) if way is None else way(node)

    def same(self, node: exp.Expr) -> exp.Expr:
        """Returns a node of the same kind over rewritten parts."""
        if not isinstance(node, (*_SAME, exp.Case, exp.Distinct)):
            raise not_on_trino(f"{node.key.upper()} is not written for Trino")
        for key, value in list(node.args.items()):
            if isinstance(value, exp.Expr):
                node.set(key, self.made(value))
            elif isinstance(value, list):
                parts = [self.made(p) if isinstance(p, exp.Expr) else p for p in value]
                node.set(key, parts)
        return node

    def arguments(self, node: exp.Expr) -> list[exp.Expr]:
        """Returns the rewritten arguments of a call."""
        return [self.made(part) for part in node.expressions]

    # -- values ------------------------------------------------------------------------------

    def _cast(self, node: exp.Expr) -> exp.Expr:
        to = node.args["to"]
        if to.this in _DOUBLES:
            raise not_on_trino("doubles are not computed alike everywhere")
        if to.this is exp.DType.INTERVAL:
            raise not_on_trino("an interval is no value of its own on Trino")
        inner = node.this
        if to.this is exp.DType.DATE and isinstance(inner, exp.Add | exp.Sub):
            days = self.made(inner.expression)
            count = exp.Neg(this=exp.Paren(this=days)) if isinstance(inner, exp.Sub) else days
            return call("date_add", exp.Literal.string("day"), count, self.made(inner.this))
        return exp.Cast(this=self.made(inner), to=trino_type(to))

    def _case(self, node: exp.Expr) -> exp.Expr:
        default = node.args.get("default")
        if _is_to_text(default):
            for literal in node.find_all(exp.Literal):
                cast = literal.parent
                is_stamp = isinstance(cast, exp.Cast) and cast.to.this in (
                    exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ,
                )  # fmt: skip
                if literal.name == _FIRST_DAY and is_stamp:
                    raise not_on_trino("the text of a time is written otherwise on Trino")
        return self.same(node)

    def _quotient(self, node: exp.Expr) -> exp.Expr:
        """Returns a whole quotient: that of decimals would be rounded."""
        left, right = self.made(node.this), self.made(node.expression)
        if not is_huge(node, self.huge):
            return exp.Paren(this=_divided(left, right))
        rest = exp.Mod(this=_closed(left.copy()), expression=_closed(right.copy()))
        whole = exp.Sub(this=_closed(left), expression=_closed(rest))
        return exp.Paren(this=_divided(exp.Paren(this=whole), right))

    def _moved(self, node: exp.Expr) -> exp.Expr:
        """Returns a sum; that of a time and an interval is the time moved by its parts."""
        span = _span(node.expression)
        if span is None:
            if _span(node.this) is not None:
                raise not_on_trino("an interval is no value of its own on Trino")
            return self.same(node)
        months, days, micros = span
        if micros % 1000:
            raise not_on_trino("Trino moves a time by milliseconds, not by less")
        sign = -1 if isinstance(node, exp.Sub) else 1
        made = self.made(node.this)
        for unit, count in (("month", months), ("day", days), ("millisecond", micros // 1000)):
            if count:
                number = exp.Literal.number(sign * count)
                made = call("date_add", exp.Literal.string(unit), number, made)
        return made

    def _in(self, node: exp.Expr) -> exp.Expr:
        if node.args.get("query") is not None and isinstance(node.this, exp.Tuple):
            raise not_on_trino("a row is not looked for in a query on Trino")
        if all(_is_known(one) for one in node.expressions):
            return self.same(node)
        value = _closed(self.made(node.this))
        known = [self.made(one) for one in node.expressions if _is_known(one)]
        found = [
            _equal(value.copy(), self.made(one)) for one in node.expressions if not _is_known(one)
        ]
        if known:
            found.append(exp.In(this=value, expressions=known))
        return exp.paren(exp.or_(*found, copy=False))

    def _compared(self, node: exp.Expr) -> exp.Expr:
        left, right = node.this, node.expression
        if _is_nothing(left) or _is_nothing(right):
            return _unknown()
        if isinstance(right, exp.Any | exp.All):
            return self.same(node)
        if not isinstance(node.parent, exp.Or | exp.Paren) or all(
            isinstance(side, exp.Column) or _is_known(side) for side in (left, right)
        ):
            return self.same(node)
        return _equal(self.made(left), self.made(right))

    def _all(self, node: exp.Expr) -> exp.Expr:
        inner = node.this
        # In brackets of its own it would be written with two pairs, as a function's argument.
        return exp.All(this=self.made(inner.this if isinstance(inner, exp.Subquery) else inner))

    def _source(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node.this, exp.Subquery) and _looks_outside(node.this):
            raise not_on_trino("a derived table that depends on those beside it")
        return self.same(node)

    # -- calls -------------------------------------------------------------------------------

    def _call(self, node: exp.Expr) -> exp.Expr:
        name = str(node.this).lower()
        if name == "list_extract":
            return self._let(node)
        if name == "struct_extract":
            return self._part(node)
        if name in AGGREGATES or name in WINDOWS:
            return self._aggregate(node, None)
        way = CALLS.get(name)
        if way is None:
            raise not_on_trino(f"{name} is not computed on Trino")
        return way(self.arguments(node))

    def _let(self, node: exp.Expr) -> exp.Expr:
        """Returns `list_extract(list_transform(list_value(x), f), 1)` with Trino's functions."""
        transform = node.expressions[0]
        values, function = transform.expressions
        (value,) = values.expressions
        variable = function.expressions[0].name
        before = set(self.huge)
        if str(getattr(value, "this", "")).lower() == "struct_pack":
            fields = value.expressions
            for at, field in enumerate(fields):
                self.huge.discard(f"{variable}.{at}")
                if is_huge(field.expression, before):
                    self.huge.add(f"{variable}.{at}")
            names = {field.name: at for at, field in enumerate(fields)}
            made: exp.Expr = call("row", *(self.made(field.expression) for field in fields))
            _number_parts(function.this, variable, names)
        else:
            (self.huge.add if is_huge(value, before) else self.huge.discard)(variable)
            made = self.made(value)
        body = self.made(function.this)
        self.huge = before
        arrow = exp.Lambda(this=body, expressions=[exp.to_identifier(variable)])
        array = exp.Array(expressions=[made])
        return call("element_at", call("transform", array, arrow), exp.Literal.number(1))

    def _part(self, node: exp.Expr) -> exp.Expr:
        row, at = node.expressions
        place = exp.Literal.number(int(at.name) + 1)
        return exp.Bracket(this=row, expressions=[place], offset=1)

    # -- aggregates --------------------------------------------------------------------------

    def _filter(self, node: exp.Expr) -> exp.Expr:
        condition = self.made(node.args["expression"].this)
        return self._aggregate(node.this, condition)

    def _aggregate(self, node: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
        name = str(node.this).lower()
        if name == "string_agg":
            return self._joined(node, condition)
        if name in WINDOWS:
            if condition is not None:
                raise not_on_trino("FILTER belongs to aggregates")
            return call(name, *self.arguments(node))
        parts = [self._argument(part) for part in node.expressions]
        if name == "sum":
            parts = [_summed(parts[0])]
        return _filtered(call(name, *parts), condition)

    def _argument(self, part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Order) and part.this is not None:
            raise not_on_trino("an ordered aggregate is not written for Trino")
        return self.made(part)

    def _joined(self, node: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
        """Returns string_agg: NULLs left out, NULL of no text at all."""
        value, between = node.expressions
        order: list[exp.Expr] = []
        if isinstance(between, exp.Order):
            between, order = between.this, [self.made(key) for key in between.expressions]
        made = self.made(value)
        bare = made.expressions[0] if isinstance(made, exp.Distinct) else made
        known: exp.Expr = exp.Not(
            this=exp.Paren(this=exp.Is(this=_closed(bare.copy()), expression=exp.Null()))
        )
        if condition is not None:
            known = exp.And(this=known, expression=exp.Paren(this=condition))
        inner = exp.Order(this=made, expressions=order) if order else made
        gathered = _filtered(call("array_agg", inner), known)
        return call("array_join", gathered, self.made(between))

    def _window(self, node: exp.Expr) -> exp.Expr:
        inner = node.this
        called = inner.this if isinstance(inner, exp.Filter) else inner
        if str(called.this).lower() == "string_agg":
            raise not_on_trino("string_agg over a window is not written for Trino")
        spec = node.args.get("spec")
        if spec is not None and spec.args.get("exclude") is not None:
            raise not_on_trino("Trino's frames have no EXCLUDE")
        node.set("this", self.made(inner))
        node.set("partition_by", [self.made(p) for p in node.args.get("partition_by") or ()])
        for key in ("order", "spec"):
            if node.args.get(key) is not None:
                node.set(key, self.made(node.args[key]))
        return node

    def _distinct(self, node: exp.Expr) -> exp.Expr:
        if node.args.get("on") is not None:
            raise not_on_trino("DISTINCT ON is not written for Trino")
        return self.same(node)


def _span(node: exp.Expr | None) -> tuple[int, int, int] | None:
    """Returns months, days and microseconds of a constant interval."""
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Cast) or node.to.this is not exp.DType.INTERVAL:
        return None
    found = _SPAN.fullmatch(node.this.name) if isinstance(node.this, exp.Literal) else None
    if found is None:
        raise not_on_trino("an interval is no value of its own on Trino")
    return int(found[1]), int(found[2]), int(found[3])


def _looks_outside(derived: exp.Expr) -> bool:
    """Tells whether a derived table names columns of others than its own sources."""
    own = {
        node.alias_or_name
        for node in derived.find_all(exp.Table, exp.Subquery, exp.Values)
        if node is not derived
    }
    return any(column.table and column.table not in own for column in derived.find_all(exp.Column))


def _number_parts(body: exp.Expr, variable: str, names: Mapping[str, int]) -> None:
    """Writes the place of each part of a row where its name stood; in place."""
    for node in body.find_all(exp.Anonymous):
        if str(node.this).lower() == "struct_extract":
            row, part = node.expressions
            if row.name == variable and not part.name.isdigit():
                part.replace(exp.Literal.string(str(names[part.name])))


def _summed(value: exp.Expr) -> exp.Expr:
    """Returns what is added up: whole numbers as decimals, whose sums do not overflow."""
    inner = value.expressions[0] if isinstance(value, exp.Distinct) else value
    if isinstance(inner, exp.Cast) and inner.to.this is exp.DType.DECIMAL:
        return value
    wide = exp.Cast(this=inner.copy(), to=exp.DataType.build("decimal(38, 0)"))
    if isinstance(value, exp.Distinct):
        return exp.Distinct(expressions=[wide])
    return wide


def _filtered(node: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    if condition is None:
        return node
    return exp.Filter(this=node, expression=exp.Where(this=condition))


def _divided(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    # Typed and safe, or the generator would write a quotient of doubles.
    return exp.Div(this=_closed(left), expression=_closed(right), typed=True, safe=False)


def _equal(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Returns an equality that Trino leaves alone.

    Trino 476 makes a list of equalities between which OR stands, and finds NULL in a list that has
    one, though nothing equals it.
    """
    if _is_nothing(right):
        return _unknown()
    left, right = _closed(left), _closed(right)
    return exp.Case(
        ifs=[
            exp.If(this=exp.EQ(this=left, expression=right), true=exp.true()),
            exp.If(this=exp.NEQ(this=left.copy(), expression=right.copy()), true=exp.false()),
        ]
    )


def _unknown() -> exp.Expr:
    return exp.Cast(this=exp.Null(), to=exp.DataType.build("boolean"))


def _is_nothing(node: exp.Expr) -> bool:
    """Tells whether a value is the constant NULL."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return isinstance(node, exp.Null)


def _is_known(node: exp.Expr) -> bool:
    """Tells whether a value is a constant that is not NULL, known now or later."""
    while isinstance(node, exp.Cast | exp.Paren | exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal | exp.Boolean | exp.Placeholder)


def _closed(node: exp.Expr) -> exp.Expr:
    plain = (exp.Column, exp.Literal, exp.Paren, exp.Anonymous, exp.Identifier, exp.Cast)
    return node if isinstance(node, plain) else exp.Paren(this=node)


def _is_to_text(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Cast) and node.to.this in (exp.DType.TEXT, exp.DType.VARCHAR)
