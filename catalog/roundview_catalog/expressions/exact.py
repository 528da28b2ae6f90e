"""Decides which exact numbers a server computes without loss, and writes them for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.expressions.casts import EXACT
from roundview_catalog.expressions.inference import ColumnType, infer
from roundview_catalog.expressions.meeting import inside
from roundview_catalog.expressions.pushing import pushable, render
from roundview_catalog.types import Kind

_UNBOUNDED = 100_000
_WHOLE: Mapping[Kind, int] = MappingProxyType({Kind.INTEGER: 10, Kind.BIGINT: 20})
# Digits of a decimal at most, and those after the point; PostgreSQL has more than anybody needs.
_LARGEST: Mapping[str, tuple[int, int]] = MappingProxyType({"mysql": (65, 30), "trino": (38, 38)})
# No group that is summed has a thousand milliards of rows.
_SUMMED_DIGITS = 12
# PostgreSQL keeps numeric in base 10,000 and gives a quotient 16 significant digits or more, and
# as many after the point as its operands have.
_GROUP, _SIGNIFICANT = 4, 16


@dataclass(frozen=True, slots=True)
class _Digits:
    """How many digits a value has at most, before the point and after it."""

    whole: int
    scale: int


class _Inexact(Exception):
    """The server may round, overflow or fail where PostgreSQL's numeric would not."""


def exact_number(
    tree: exp.Expr, dialect: str, column_type: ColumnType, scale: int
) -> exp.Expr | None:
    """Returns a decimal expression that a server computes and rounds as PostgreSQL does.

    The result has exactly `scale` digits after the point, rounded half away from zero. None where
    a server may lose digits on the way. Each aggregate is a bare SUM in it, FILTER being a CASE
    inside; whose rows it adds up is for the caller to say. Quotients by a constant are products
    for MySQL and Trino, whose own are rounded.

    >>> from roundview_catalog.expressions import parse
    >>> from roundview_catalog.types import Type
    >>> price = Type(Kind.DECIMAL, 15, 2)
    >>> exact_number(parse("a * (1 - a / 100)"), "mysql", lambda column: price, 4).sql("mysql")
    'CAST(a * (1 - a * 0.01) AS DECIMAL(65, 4))'
    """
    if dialect not in ("postgres", *_LARGEST) or infer(tree, column_type).kind is not Kind.DECIMAL:
        return None
    try:
        digits = _Measure(dialect, column_type).digits(tree)
    except _Inexact:
        return None
    result = exp.Paren(this=render(tree, dialect, column_type))
    for node in list(result.find_all(exp.Filter)):
        value = node.this.this
        case = exp.Case(ifs=[exp.If(this=node.expression.this.copy(), true=value.copy())])
        node.replace(exp.Sum(this=case))
    if dialect == "postgres":
        return exp.Round(this=result.this.pop(), decimals=exp.Literal.number(scale))
    most = _LARGEST[dialect][0]
    if digits.whole + scale > most:
        return None
    for quotient in list(result.find_all(exp.Div)):
        factor = exp.Literal.number(format(_reciprocal(quotient.expression), "f"))
        quotient.replace(exp.Mul(this=quotient.this.copy(), expression=factor))
    size = exp.DataType.build(f"decimal({most}, {scale})")
    return exp.Cast(this=result.this.pop(), to=size)


class _Measure:
    """Counts the digits of every part as declared types allow; raises _Inexact."""

    def __init__(self, dialect: str, column_type: ColumnType) -> None:
        self._dialect = dialect
        self._column_type = column_type
        self._rules: Mapping[type[exp.Expr], Callable[[exp.Expr], _Digits]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Null: lambda _: _Digits(0, 0),
            exp.Paren: lambda tree: self.digits(tree.this),
            exp.Neg: lambda tree: self.digits(tree.this),
            exp.Add: self._sum,
            exp.Sub: self._sum,
            exp.Mul: self._product,
            exp.Div: self._quotient,
            exp.Coalesce: lambda tree: self._widest([tree.this, *tree.expressions]),
            exp.Case: self._case,
            exp.Sum: self._aggregate,
            exp.Filter: self._filtered,
        }

    def digits(self, tree: exp.Expr) -> _Digits:
        rule = self._rules.get(type(tree))
        if rule is None:
            raise _Inexact
        found = rule(tree)
        largest = _LARGEST.get(self._dialect)
        if largest and (found.whole + found.scale > largest[0] or found.scale > largest[1]):
            raise _Inexact
        return found

    def _column(self, tree: exp.Expr) -> _Digits:
        type_ = self._column_type(tree) if isinstance(tree, exp.Column) else None
        if type_ is not None and type_.kind in _WHOLE:
            return _Digits(_WHOLE[type_.kind], 0)
        if type_ is None or type_.kind is not Kind.DECIMAL:
            raise _Inexact
        if type_.precision is None:
            return _Digits(_UNBOUNDED, _UNBOUNDED)
        scale = type_.scale or 0
        return _Digits(max(type_.precision - scale, 0), scale)

    def _literal(self, tree: exp.Expr) -> _Digits:
        text = str(tree.this)
        if tree.is_string or not text.replace(".", "", 1).isdigit():
            raise _Inexact
        whole, _, fraction = text.partition(".")
        return _Digits(len(whole), len(fraction))

    def _sum(self, tree: exp.Expr) -> _Digits:
        widest = self._widest(self._operands(tree))
        return _Digits(widest.whole + 1, widest.scale)

    def _product(self, tree: exp.Expr) -> _Digits:
        left, right = (self.digits(side) for side in self._operands(tree))
        return _Digits(left.whole + right.whole, left.scale + right.scale)

    def _quotient(self, tree: exp.Expr) -> _Digits:
        """Lets a constant divide, and for others only where PostgreSQL's quotient is all of it."""
        value, by = self._operands(tree)
        own = self.digits(value)
        literal = inside(by)
        if not isinstance(literal, exp.Literal) or literal.is_string:
            raise _Inexact
        divisor = Decimal(str(literal.this))
        if not divisor:
            raise _Inexact
        if self._dialect == "postgres":
            return _Digits(_UNBOUNDED, _UNBOUNDED)
        factor = _reciprocal(by)
        if EXACT.multiply(factor, divisor) != 1:
            raise _Inexact
        more = max(0, -int(factor.as_tuple().exponent))
        weight = (own.whole - 1) // _GROUP - divisor.adjusted() // _GROUP
        kept = max(_SIGNIFICANT - weight * _GROUP, own.scale, self._literal(literal).scale)
        if own.scale + more > kept:
            raise _Inexact
        return _Digits(max(1, own.whole + factor.adjusted() + 1), own.scale + more)

    def _case(self, tree: exp.Expr) -> _Digits:
        branches = tree.args["ifs"]
        conditions = [branch.this for branch in branches]
        if tree.this is not None or not all(map(self._is_pushable, conditions)):
            raise _Inexact
        default = tree.args.get("default")
        results = [branch.args["true"] for branch in branches]
        return self._widest([*results, *([] if default is None else [default])])

    def _aggregate(self, tree: exp.Expr) -> _Digits:
        own = self.digits(self._operands(tree)[0])
        return _Digits(own.whole + _SUMMED_DIGITS, own.scale)

    def _filtered(self, tree: exp.Expr) -> _Digits:
        if not self._is_pushable(tree.expression.this):
            raise _Inexact
        return self.digits(tree.this)

    def _operands(self, tree: exp.Expr) -> Sequence[exp.Expr]:
        """Returns the operands of exact arithmetic: whole numbers alone may overflow."""
        if infer(tree, self._column_type).kind is not Kind.DECIMAL:
            raise _Inexact
        return [tree.this] if isinstance(tree, exp.Sum) else [tree.this, tree.expression]

    def _widest(self, nodes: Sequence[exp.Expr]) -> _Digits:
        found = [self.digits(node) for node in nodes]
        return _Digits(max(one.whole for one in found), max(one.scale for one in found))

    def _is_pushable(self, condition: exp.Expr) -> bool:
        return pushable(condition, self._dialect, self._column_type)


def _reciprocal(node: exp.Expr) -> Decimal:
    return EXACT.divide(Decimal(1), Decimal(str(inside(node).this)))
