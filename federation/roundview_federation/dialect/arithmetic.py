"""Decides what + - * / % ^ and unary minus give: on numbers, on dates, on intervals."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.division import quotient, quotient_type
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    PgType,
    as_numeric,
    common,
    numeric,
)
from roundview_federation.dialect.values import (
    Ref,
    Value,
    binary,
    call,
    cast,
    closed,
    fail,
    guarded,
    let,
    let_all,
    number,
    when,
)

SIGNS: dict[type[exp.Expr], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.Pow: "^",
}  # fmt: skip
_STAMPS = (TIMESTAMP, TIMESTAMPTZ)


_MOST_OPEN_SCALE = 8
"""A scale that is not fixed decides a quotient's digits only where it is larger than theirs."""


def arithmetic(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    """Returns the value of an operator over two values."""
    left, right = _known(kind, left, right, source)
    if left.type.category == "N" == right.type.category:
        return numbers(kind, left, right, source)
    found = _dates(kind, left, right, source)
    if found is None:
        raise _no_operator(kind, left, right, source)
    return found


def numbers(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    """Returns the value of an operator over two numbers."""
    type_ = common((left.type, right.type)) or DOUBLE
    if kind is exp.Pow:
        return power(left, right, source)
    if type_.name == "numeric":
        return _decimals(kind, left, right, source)
    left, right = coerce(left, type_), coerce(right, type_)
    if type_ == DOUBLE:
        return _doubles(kind, left, right, source)
    if kind is exp.Div or kind is exp.Mod:
        made = exp.IntDiv if kind is exp.Div else exp.Mod
        return Value(divided(made, left, right), type_, source)
    return Value(binary(kind, left.node, right.node), type_, source)


def negative(value: Value, source: exp.Expr) -> Value:
    """Returns the value of unary minus."""
    type_ = value.type
    if type_ is UNKNOWN:
        value, type_ = coerce(value, DOUBLE), DOUBLE
    if type_.category == "N" or type_ == INTERVAL:
        text = None if value.text is None else f"-{value.text}"
        if value.text is not None and value.text.startswith("-"):
            text = value.text[1:]
        return Value(exp.Neg(this=closed(value.node)), type_, source, text)
    raise refuse(FUNCTION, f"there is no operator - {type_}", source)


def power(left: Value, right: Value, source: exp.Expr) -> Value:
    """Returns left ^ right: of doubles and whole numbers only."""
    if "numeric" in (left.type.name, right.type.name) and DOUBLE not in (left.type, right.type):
        raise unsupported("the power of numerics", source, "cast to double precision")
    left, right = coerce(left, DOUBLE), coerce(right, DOUBLE)

    def body(x: Ref, y: Ref) -> exp.Expr:
        of_zero = exp.And(
            this=binary(exp.EQ, x(), number(0)), expression=binary(exp.LT, y(), number(0))
        )
        of_negative = exp.And(
            this=binary(exp.LT, x(), number(0)),
            expression=binary(exp.NEQ, y(), call("floor", y())),
        )
        return exp.Case(
            ifs=[
                exp.If(this=of_zero, true=fail("2201F")),
                exp.If(this=of_negative, true=fail("2201F")),
            ],
            default=finite(call("pow", x(), y()), x(), y()),
        )

    node = let_all({"x": left.node, "y": right.node}, lambda of: body(of["x"], of["y"]))
    return Value(node, DOUBLE, source)


def divided(kind: type[exp.Expr], left: Value, right: Value) -> exp.Expr:
    """Returns a quotient or rest that raises where the divisor is zero and the other no NULL."""
    text = right.text
    if text is not None and text.strip("-").replace(".", "").strip("0").isdigit():
        return binary(kind, left.node, right.node)
    return let_all(
        {"c": left.node, "d": right.node},
        lambda of: binary(kind, of["c"](), nonzero(of["c"], of["d"])),
    )


def nonzero(c: Ref, d: Ref) -> exp.Expr:
    """Returns the divisor d of c, NULL or an error where it is zero."""
    is_null = exp.Is(this=c(), expression=exp.Null())
    return when(binary(exp.EQ, d(), number(0)), when(is_null, exp.Null(), fail("22012")), d())


def finite(node: exp.Expr, *operands: exp.Expr) -> exp.Expr:
    """Returns a double that raises where it overflowed: PostgreSQL has no silent infinity."""
    known: exp.Expr = exp.Boolean(this=True)
    for operand in operands:
        if (
            isinstance(operand, exp.Cast)
            and isinstance(operand.this, exp.Literal)
            and operand.this.name[-1:].isdigit()
        ):
            continue
        fits = call("isfinite", operand.copy())
        known = fits if isinstance(known, exp.Boolean) else exp.And(this=known, expression=fits)
    return let(
        "f", node,
        lambda f: guarded(
            exp.And(this=exp.Not(this=exp.Paren(this=call("isfinite", f()))), expression=known),
            "22003", f(),
        ),
    )  # fmt: skip


def _known(
    kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr
) -> tuple[Value, Value]:
    """Gives unknown literals the type that PostgreSQL gives them beside the other operand."""
    if left.type is UNKNOWN and right.type is UNKNOWN:
        raise refuse(
            FUNCTION, f"the types beside {SIGNS[kind]} are not known", source, sqlstate="42725",
            hint="cast one of them",
        )  # fmt: skip
    if left.type is UNKNOWN:
        return coerce(left, _beside(kind, right.type, source)), right
    if right.type is UNKNOWN:
        return left, coerce(right, _beside(kind, left.type, source))
    return left, right


def _beside(kind: type[exp.Expr], type_: PgType, source: exp.Expr) -> PgType:
    if type_.category == "N" or type_ == INTERVAL:
        if type_.name == "numeric":
            return PgType("numeric")
        return type_
    if kind is exp.Add and type_ in _STAMPS:
        return INTERVAL
    if kind is exp.Sub and (type_ in _STAMPS or type_ == DATE):
        return type_
    raise unsupported(f"a literal without a type beside {type_}", source, "cast it")


def _decimals(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    left, right = _decimal(left), _decimal(right)
    first, second = left.type, right.type
    exact = first.exact and second.exact
    scales = (first.scale or 0, second.scale or 0)
    if kind is exp.Div:
        if not exact and max(scales) > _MOST_OPEN_SCALE:
            raise unsupported(
                "dividing with a number without a fixed scale", source, "round it first"
            )
        return Value(
            quotient(left.node, first, right.node, second), quotient_type(first, second), source
        )
    if kind is exp.Mul:
        scale = sum(scales)
        if scale > 38:
            raise unsupported("a product of more than 38 digits", source, "round its factors")
        digits = (first.precision or 38) + (second.precision or 38)
        node = left.node
        if digits > 18 and (first.precision or 38) <= 18 and (second.precision or 38) <= 18:
            node = cast(node, numeric(19, scales[0]))
        return Value(binary(exp.Mul, node, right.node), numeric(digits, scale, exact), source)
    scale = max(scales)
    digits = max(first.digits, second.digits) + scale
    if kind is exp.Mod:
        node = divided(exp.Mod, left, right)
        return Value(node, numeric(digits, scale, exact), source)
    # One more digit than both, or DuckDB checks against fewer.
    wide = numeric(digits + 1, scale, exact)
    return Value(binary(kind, cast(left.node, wide), right.node), wide, source)


def _decimal(value: Value) -> Value:
    return value if value.type.name == "numeric" else coerce(value, as_numeric(value.type))


def _doubles(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    if kind is exp.Mod:
        raise refuse(FUNCTION, "there is no operator % for double precision", source)

    def body(a: exp.Expr, b: exp.Expr) -> exp.Expr:
        divisor = b
        if kind is exp.Div:
            # NaN / 0 is NaN.
            is_wrong = exp.And(
                this=binary(exp.EQ, b.copy(), number(0)),
                expression=exp.Not(this=exp.Paren(this=call("isnan", a.copy()))),
            )
            divisor = guarded(is_wrong, "22012", b)
        made = finite(binary(kind, a, divisor), a, b)
        if kind is exp.Add or kind is exp.Sub:
            return made
        # A product or quotient that vanishes is an error too.
        vanished = exp.And(
            this=exp.And(
                this=binary(exp.EQ, binary(kind, a.copy(), divisor.copy()), number(0)),
                expression=binary(exp.NEQ, a.copy(), number(0)),
            ),
            expression=(
                binary(exp.NEQ, b.copy(), number(0)) if kind is exp.Mul
                else call("isfinite", b.copy())
            ),
        )  # fmt: skip
        return guarded(vanished, "22003", made)

    node = let_all({"a": left.node, "b": right.node}, lambda of: body(of["a"](), of["b"]()))
    return Value(node, DOUBLE, source)


def _dates(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value | None:
    first, second = left.type, right.type
    if kind is exp.Add and (first == INTERVAL or first.is_integer) and second not in (INTERVAL,):
        left, right, first, second = right, left, second, first
    if first == DATE and second.name in ("smallint", "integer") and kind in (exp.Add, exp.Sub):
        node = binary(kind, left.node, cast(right.node, INTEGER))
        return Value(cast(node, DATE), DATE, source)
    if first == DATE and second == DATE and kind is exp.Sub:
        node = let_all(
            {"s": left.node, "t": right.node},
            lambda of: guarded(
                _either_infinite(of),
                "22008",
                cast(call("date_diff", _day(), of["t"](), of["s"]()), INTEGER),
            ),
        )
        return Value(node, INTEGER, source)
    if second == INTERVAL and kind in (exp.Add, exp.Sub):
        if first == INTERVAL:
            return Value(binary(kind, left.node, right.node), INTERVAL, source)
        if first == DATE:
            return Value(binary(kind, cast(left.node, TIMESTAMP), right.node), TIMESTAMP, source)
        if first in _STAMPS:
            return Value(binary(kind, left.node, right.node), first, source)
    if kind is exp.Sub and {first, second} <= {DATE, TIMESTAMP, TIMESTAMPTZ}:
        type_ = common((first, second)) or TIMESTAMPTZ
        return Value(_elapsed(coerce(left, type_), coerce(right, type_)), INTERVAL, source)
    if kind is exp.Mul and INTERVAL in (first, second):
        other, span = (left, right) if second == INTERVAL else (right, left)
        if other.type.is_integer:
            return Value(binary(exp.Mul, span.node, cast(other.node, BIGINT)), INTERVAL, source)
        raise unsupported("an interval times a fraction", source)
    if kind is exp.Div and first == INTERVAL:
        raise unsupported("dividing an interval", source)
    return None


def _day() -> exp.Expr:
    return exp.Literal(this="day", is_string=True)


def _either_infinite(of: Mapping[str, Ref]) -> exp.Expr:
    return exp.Or(this=call("isinf", of["s"]()), expression=call("isinf", of["t"]()))


def _elapsed(left: Value, right: Value) -> exp.Expr:
    """Returns days and the rest between two instants, as PostgreSQL splits them."""
    micros = let_all(
        {"s": left.node, "t": right.node},
        lambda of: guarded(
            _either_infinite(of),
            "22008",
            binary(exp.Sub, call("epoch_us", of["s"]()), call("epoch_us", of["t"]())),
        ),
    )
    day = 86_400_000_000
    return let(
        "m", micros,
        lambda m: binary(
            exp.Add,
            call("to_days", cast(binary(exp.IntDiv, m(), number(day)), INTEGER)),
            call("to_microseconds", binary(exp.Mod, m(), number(day))),
        ),
    )  # fmt: skip


def _no_operator(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Exception:
    return refuse(FUNCTION, f"there is no operator {left.type} {SIGNS[kind]} {right.type}", source)


__all__ = ["arithmetic", "divided", "finite", "negative", "numbers", "power"]
