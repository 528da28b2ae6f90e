"""Decides how numerics are divided: to the digits that PostgreSQL would compute, or not at all.

PostgreSQL chooses the scale of each quotient by the size of its operands, counted in digits of
base 10000, so that at least 16 digits are significant (select_div_scale in numeric.c). Here the
same is done with whole numbers of 128 bits; what does not fit ends the statement.
"""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.dialect.types import (
    INTEGER,
    MAX_DIGITS,
    TEXT,
    PgType,
    as_numeric,
    numeric,
)
from roundview_federation.dialect.values import (
    Ref,
    binary,
    call,
    cast,
    fail,
    guarded,
    huge,
    let,
    let_all,
    number,
    string,
    when,
)

# Digits behind the point that a quotient is kept with at most and at least; 38 less these remain
# before it.
_MOST, _LEAST = 24, 20


def quotient(left: exp.Expr, left_type: PgType, right: exp.Expr, right_type: PgType) -> exp.Expr:
    """Returns left / right as the DECIMAL of `quotient_type`.

    Both are whole numbers or numerics. Where a scale is only what it may be at most, quotients so
    large that it would decide their digits end the statement.
    """
    first, second = as_numeric(left_type), as_numeric(right_type)
    is_fixed = first.exact and second.exact
    least = max(first.scale or 0, second.scale or 0)
    kept = quotient_type(left_type, right_type).scale or 0
    shift = -(-least // 4) * 4
    return let_all(
        {"a": _whole(left, first, shift), "b": _whole(right, second, shift)},
        lambda of: _checked(of["a"], of["b"], least, kept, is_fixed=is_fixed),
    )


def quotient_type(left: PgType, right: PgType) -> PgType:
    """Returns the type of a quotient: its scale differs from row to row."""
    first, second = as_numeric(left), as_numeric(right)
    digits = first.digits + (second.scale or 0)
    # Sums have room for far more digits than they use.
    is_open = first.precision == MAX_DIGITS
    scale = _MOST if is_open else max(_LEAST, min(_MOST, MAX_DIGITS - digits))
    return numeric(MAX_DIGITS, scale, exact=False)


def _whole(node: exp.Expr, type_: PgType, shift: int) -> exp.Expr:
    """Returns a number times 10^shift as a whole number."""
    return huge(shifted(node, type_, shift)) if shift else huge(node)


def shifted(node: exp.Expr, type_: PgType, shift: int) -> exp.Expr:
    """Returns a numeric times 10^shift, in a DECIMAL that is large enough."""
    digits = (type_.precision or 38) + shift + 1
    wide = numeric(min(38, digits), type_.scale or 0) if digits > 18 else type_
    power = cast(string("1" + "0" * shift), numeric(shift + 1, 0))
    return binary(exp.Mul, node if wide == type_ else cast(node, wide), power)


def _checked(a: Ref, b: Ref, least: int, kept: int, *, is_fixed: bool) -> exp.Expr:
    is_zero = binary(exp.EQ, b(), number(0))
    body = let(
        "x", cast(call("abs", a()), TEXT),
        lambda x: let(
            "y", cast(call("abs", b()), TEXT),
            lambda y: let(
                "r", _scale(x, y, least, is_fixed=is_fixed), lambda r: _divided(a, b, r, kept)
            ),
        ),
    )  # fmt: skip
    return exp.Case(
        ifs=[
            exp.If(this=exp.Is(this=a(), expression=exp.Null()), true=exp.Null()),
            exp.If(this=is_zero, true=fail("22012")),
            exp.If(
                this=binary(exp.EQ, a(), number(0)),
                true=cast(number(0), numeric(MAX_DIGITS, kept)),
            ),
        ],
        default=body,
    )


def _scale(x: Ref, y: Ref, least: int, *, is_fixed: bool) -> exp.Expr:
    """Returns how many digits behind the point PostgreSQL computes, from both texts of digits."""

    def weight(ref: Ref) -> exp.Expr:
        shorter = binary(exp.Sub, call("length", ref()), number(1))
        return binary(exp.IntDiv, shorter, number(4))

    def leading(ref: Ref) -> exp.Expr:
        size = binary(exp.Sub, call("length", ref()), binary(exp.Mul, weight(ref), number(4)))
        return cast(call("left", ref(), size), INTEGER)

    smaller = when(binary(exp.LTE, leading(x), leading(y)), number(1), number(0))
    weights = binary(exp.Sub, binary(exp.Sub, weight(x), weight(y)), smaller)
    wanted = binary(exp.Sub, number(16), binary(exp.Mul, number(4), weights))
    if is_fixed:
        return call("greatest", wanted, number(least))
    return guarded(binary(exp.LT, wanted.copy(), number(least)), "0A000", wanted)


def _divided(a: Ref, b: Ref, r: Ref, kept: int) -> exp.Expr:
    """Returns the quotient rounded to r digits, half away from zero."""
    digits = cast(binary(exp.Add, r(), number(1)), INTEGER)
    power = guarded(
        binary(exp.GT, r(), number(kept)), "0A000",
        huge(call("rpad", string("1"), digits, string("0"))),
    )  # fmt: skip

    def size(ref: Ref) -> exp.Expr:
        return call("abs", ref())

    def rounded(p: Ref) -> exp.Expr:
        whole = binary(exp.IntDiv, size(a), size(b))
        rest = binary(exp.Mod, size(a), size(b))
        twice = binary(exp.Mul, number(2), binary(exp.Mul, rest, p()))
        part = binary(
            exp.IntDiv, binary(exp.Add, twice, size(b)), binary(exp.Mul, number(2), size(b))
        )
        return binary(exp.Add, binary(exp.Mul, whole, p()), part)

    def placed(p: Ref) -> exp.Expr:
        # The same digits at the scale of the column.
        up = binary(exp.IntDiv, huge(string("1" + "0" * kept)), p())
        digits = binary(exp.Mul, rounded(p), up)
        is_negative = binary(
            exp.NEQ, binary(exp.LT, a(), number(0)), binary(exp.LT, b(), number(0))
        )
        signed = let("q", digits, lambda q: when(is_negative, exp.Neg(this=q()), q()))
        unit = cast(string("0." + "0" * (kept - 1) + "1"), numeric(kept, kept))
        return binary(exp.Mul, cast(signed, numeric(38, 0)), unit)

    return let("p", power, placed)
