"""Decides between which bounds a column lies where what is computed from it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.types import Kind, Type
from roundview_federation.rewrite.source_keys import INTEGERS

Bound = Fraction | None
"""One end of a span; None where it has none."""

Span = tuple[Bound, Bound]
_Step = Callable[[Span], Span]

_BITS: Final = {Kind.INTEGER: 31, Kind.BIGINT: 63}
_DIGITS: Final = 12
# PostgreSQL computes a quotient to 16 digits or more.
_INEXACT: Final = Fraction(1, 10**12)


@dataclass(frozen=True, slots=True)
class Solved:
    """A column from which a number is computed by arithmetic with constants.

    `back` turns a span of the number into one of the column that is no narrower.
    """

    column: exp.Column
    type: Type
    back: _Step
    target: Type

    @property
    def is_falling(self) -> bool:
        """Tells whether a larger value of the column makes a smaller number."""
        return self.back((Fraction(0), None))[0] is None

    def span(self, low: Any, high: Any) -> Span | None:
        """Returns within which values of the column the field is from `low` to `high`.

        Either may be None, for no end. None is returned for what is no number.
        """
        ends = [_fraction(low), _fraction(high)]
        if (low is not None and ends[0] is None) or (high is not None and ends[1] is None):
            return None
        half = Fraction(0)
        if self.target.kind is Kind.DECIMAL:
            # An amount is rounded once, at the field.
            half = Fraction(1, 2 * 10 ** coerce.scale_of(self.target))
        return self.back(_widened((ends[0], ends[1]), half))

    def at_least(self, bound: Fraction) -> Any:
        """Returns the smallest value of the column's type that is no smaller, nor too small."""
        return self._native(bound, math.floor, math.ceil)

    def at_most(self, bound: Fraction) -> Any:
        """Returns the largest value of the column's type that is no larger, nor too large."""
        return self._native(bound, math.ceil, math.floor)

    def _native(
        self, bound: Fraction, outwards: Callable[[Any], int], inwards: Callable[[Any], int]
    ) -> Any:
        if self.type.kind in INTEGERS:
            whole = inwards(bound)
            return (
                whole
                if -(1 << _BITS[self.type.kind]) < whole < 1 << _BITS[self.type.kind]
                else None
            )
        digits = _DIGITS if self.type.scale is None else self.type.scale
        return Decimal(outwards(bound * 10**digits)).scaleb(-digits)


def solved(
    tree: exp.Expr, target: Type, column_type: Callable[[exp.Column], Type]
) -> Solved | None:
    """Returns how a field's number is turned back into its column, None where it cannot be.

    It is arithmetic on one column, each step of which rises or falls throughout.
    """
    try:
        type_ = expressions.infer(tree, column_type)
        found = _back(tree, column_type)
    except ExpressionError:
        return None
    if found is None or isinstance(tree.unnest(), exp.Column):
        return None
    is_whole = target.kind in INTEGERS and type_.kind in INTEGERS
    if target.kind is not Kind.DECIMAL and not is_whole:
        return None
    column, back = found
    return Solved(column, column_type(column), back, target)


def _back(
    node: exp.Expr, column_type: Callable[[exp.Column], Type]
) -> tuple[exp.Column, _Step] | None:
    node = node.unnest()
    if not _is_number(expressions.infer(node, column_type)):
        return None
    if isinstance(node, exp.Column):
        return node, lambda span: span
    step: _Step | None = None
    inner = node.this
    if isinstance(node, exp.Neg):
        step = _negated
    elif type(node) is exp.Cast:
        step = _rounded(expressions.infer(node, column_type))
    elif isinstance(node, exp.Round):
        step = _rounded_to(node)
    elif isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
        left, right = _constant(node.left), _constant(node.right)
        inner = node.left if right is not None else node.right
        is_whole = expressions.infer(node, column_type).kind in INTEGERS
        step = _calculated(node, left, right, is_whole=is_whole)
    if step is None:
        return None
    found = _back(inner, column_type)
    if found is None:
        return None
    column, further = found
    here = step
    return column, lambda span: further(here(span))


def _calculated(
    node: exp.Binary, left: Fraction | None, right: Fraction | None, *, is_whole: bool
) -> _Step | None:
    """Returns the way back from `column ? constant` or `constant ? column`."""
    constant = right if right is not None else left
    if constant is None or (left is not None and right is not None):
        return None
    known = constant
    if isinstance(node, exp.Add):
        return lambda span: _moved(span, -known)
    if isinstance(node, exp.Sub):
        if right is not None:
            return lambda span: _moved(span, known)
        return lambda span: _moved(_negated(span), known)
    if known == 0:
        return None
    if isinstance(node, exp.Mul):
        return lambda span: _times(span, 1 / known)
    if right is None:
        return None
    # Between integers what lies behind the point is cut off.
    by = Fraction(1) if is_whole else None
    return lambda span: _times(_widened(span, by) if by else _blurred(span), known)


def _rounded(type_: Type) -> _Step | None:
    if type_.kind in INTEGERS:
        return lambda span: _widened(span, Fraction(1, 2))
    if type_.kind is not Kind.DECIMAL:
        return None
    half = Fraction(0) if type_.scale is None else Fraction(1, 2 * 10**type_.scale)
    return lambda span: _widened(span, half)


def _rounded_to(node: exp.Round) -> _Step | None:
    digits = node.args.get("decimals")
    given = Fraction(0) if digits is None else _constant(digits)
    if given is None or given.denominator != 1 or not -_DIGITS <= given <= _DIGITS:
        return None
    half = Fraction(10) ** -int(given) / 2
    return lambda span: _widened(span, half)


def _constant(node: exp.Expr) -> Fraction | None:
    node = node.unnest()
    if isinstance(node, exp.Neg):
        inner = _constant(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string:
        return Fraction(str(node.this))
    return None


def _is_number(type_: Type) -> bool:
    return type_.kind in INTEGERS or type_.kind is Kind.DECIMAL


def _fraction(value: Any) -> Bound:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return Fraction(value)


def _negated(span: Span) -> Span:
    low, high = span
    return (None if high is None else -high), (None if low is None else -low)


def _moved(span: Span, by: Fraction) -> Span:
    low, high = span
    return (None if low is None else low + by), (None if high is None else high + by)


def _times(span: Span, factor: Fraction) -> Span:
    low, high = span if factor > 0 else (span[1], span[0])
    return (None if low is None else low * factor), (None if high is None else high * factor)


def _widened(span: Span, by: Fraction) -> Span:
    low, high = span
    return (None if low is None else low - by), (None if high is None else high + by)


def _blurred(span: Span) -> Span:
    largest = max((abs(end) for end in span if end is not None), default=Fraction(0))
    return _widened(span, _INEXACT * max(largest, Fraction(1)))
