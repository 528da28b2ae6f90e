"""Decides how functions over numbers are said to DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from roundview_federation.dialect.arithmetic import divided, finite, numbers, power
from roundview_federation.dialect.division import shifted
from roundview_federation.dialect.refusal import unsupported
from roundview_federation.dialect.signatures import Form, Render, form
from roundview_federation.dialect.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    SMALLINT,
    PgType,
    numeric,
)
from roundview_federation.dialect.values import (
    Value,
    binary,
    call,
    cast,
    closed,
    guarded,
    huge,
    let,
    number,
    string,
    when,
)

Check = Callable[[Callable[[], exp.Expr]], exp.Expr]


def of_double(name: str, *refused: tuple[Check, str]) -> Render:
    """Returns a rendering of a function of a double, with what its argument must not be."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        def body(x: Callable[[], exp.Expr]) -> exp.Expr:
            node: exp.Expr = finite(call(name, x()), x())
            for check, sqlstate in refused:
                node = guarded(check(x), sqlstate, node)
            return node

        return Value(let("x", values[0].node, body), DOUBLE, source)

    return render


def round_double(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns round(x) of a double: half to even."""
    node = let(
        "x", values[0].node,
        lambda x: when(call("isfinite", x()), call("round_even", x(), number(0)), x()),
    )  # fmt: skip
    return Value(node, DOUBLE, source)


def same(name: str) -> Render:
    """Returns a rendering whose result has the type of its argument."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        type_ = values[0].type
        return Value(cast(call(name, values[0].node), type_), type_, source)

    return render


def whole(name: str) -> Render:
    """Returns a rendering of floor or ceil of a numeric."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        type_ = numeric(values[0].type.digits + 1, 0)
        return Value(cast(call(name, values[0].node), type_), type_, source)

    return render


def plain(name: str, type_: PgType) -> Render:
    """Returns a rendering that is the call of one function, cast to the result."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        return Value(cast(call(name, *(v.node for v in values)), type_), type_, source)

    return render


def rounded(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns round(x, n) of a numeric: half away from zero, as DECIMAL casts do."""
    value, digits = values[0], _digits(values, source)
    if digits < 0:
        unit = cast(string("1" + "0" * -digits), numeric(1 - digits, 0))
        small = binary(exp.Mul, value.node, cast(_power(digits), numeric(-digits, -digits)))
        type_ = numeric(value.type.digits + 1, 0)
        scale = (value.type.scale or 0) - digits
        if scale > 38:
            raise unsupported("rounding this far", source)
        first = cast(small, numeric(value.type.digits + 1, 0))
        return Value(cast(binary(exp.Mul, first, unit), type_), type_, source)
    type_ = numeric(value.type.digits + digits + 1, digits)
    return Value(cast(value.node, type_), type_, source)


def cut(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns trunc(x, n) of a numeric."""
    value, digits = values[0], _digits(values, source)
    if digits < 0:
        raise unsupported("trunc to tens and more", source)
    type_ = numeric(value.type.digits + digits, digits)
    if digits >= (value.type.scale or 0):
        return Value(cast(value.node, type_), type_, source)
    unit = cast(_power(digits), numeric(max(digits, 1), digits))
    node = let(
        "x", value.node,
        lambda x: cast(binary(exp.Sub, x(), binary(exp.Mod, x(), unit)), type_),
    )  # fmt: skip
    return Value(node, type_, source)


def sign(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns sign(x) of a numeric."""
    type_ = numeric(1, 0)
    return Value(cast(call("sign", values[0].node), type_), type_, source)


def sign_of_double(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns sign(x) of a double; that of NaN is NaN."""
    node = let(
        "x", values[0].node,
        lambda x: when(call("isnan", x()), x(), cast(call("sign", x()), DOUBLE)),
    )  # fmt: skip
    return Value(node, DOUBLE, source)


def modulo(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns mod(x, y)."""
    return numbers(exp.Mod, values[0], values[1], source)


def whole_quotient(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns div(x, y): the quotient of numerics without its fraction."""
    left, right = values
    scale = max(left.type.scale or 0, right.type.scale or 0)
    if scale > 18:
        raise unsupported("div of numbers with that many digits", source)
    first, second = (
        Value(huge(shifted(value.node, value.type, scale)), value.type, source, value.text)
        for value in (left, right)
    )
    type_ = numeric(min(38, left.type.digits + scale + 1), 0)
    return Value(cast(divided(exp.IntDiv, first, second), type_), type_, source)


def powered(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns power(x, y)."""
    return power(values[0], values[1], source)


def no_power(values: Sequence[Value], source: exp.Expr) -> Value:
    """Refuses what PostgreSQL computes to digits of its own choice."""
    raise unsupported("this function of a numeric", source, "cast to double precision")


def no_arguments(name: str) -> Render:
    """Returns a rendering of a constant function."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        return Value(call(name), DOUBLE, source)

    return render


def absolute(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns abs(x); the least whole number has none."""
    type_ = values[0].type
    node = let(
        "x", values[0].node,
        lambda x: when(
            binary(exp.LT, x(), number(0)), cast(exp.Neg(this=closed(x())), type_), x()
        ),
    )  # fmt: skip
    return Value(node, type_, source)


def _digits(values: Sequence[Value], source: exp.Expr) -> int:
    if len(values) == 1:
        return 0
    text = values[1].text
    if text is None or not text.lstrip("-").isdigit():
        raise unsupported("a number of digits that is not a constant", source)
    digits = int(text)
    if abs(digits) > 30:
        raise unsupported("more than 30 digits", source)
    return digits


def _power(digits: int) -> exp.Expr:
    """Returns 10^-digits as text."""
    size = abs(digits)
    return string("0." + "0" * (size - 1) + "1" if size else "1")


def _negative(x: Callable[[], exp.Expr]) -> exp.Expr:
    return binary(exp.LT, x(), number(0))


def _zero(x: Callable[[], exp.Expr]) -> exp.Expr:
    return binary(exp.EQ, x(), number(0))


def _beyond_one(x: Callable[[], exp.Expr]) -> exp.Expr:
    return binary(exp.GT, call("abs", x()), number(1))


def _infinite(x: Callable[[], exp.Expr]) -> exp.Expr:
    return call("isinf", x())


def _vanishing(x: Callable[[], exp.Expr]) -> exp.Expr:
    """Tells where exp(x) would be too small for a double."""
    return exp.And(this=binary(exp.LT, x(), number(-745)), expression=call("isfinite", x()))


_LOGARITHM = ((_negative, "2201E"), (_zero, "2201E"))
_FLOOR = (form("double", of_double("floor")), form("numeric", whole("floor")))
_CEIL = (form("double", of_double("ceil")), form("numeric", whole("ceil")))
_POWER = (form("double double", powered), form("numeric numeric", no_power))
_WAVES = ((_infinite, "22003"),)

NUMBER_FUNCTIONS: Mapping[str, tuple[Form, ...]] = {
    "abs": tuple(
        form(name, absolute) for name in ("smallint", "int", "bigint", "numeric", "double")
    ),
    "floor": _FLOOR,
    "ceil": _CEIL,
    "ceiling": _CEIL,
    "round": (
        form("double", round_double),
        form("numeric", rounded),
        form("numeric int", rounded),
    ),
    "trunc": (
        form("double", of_double("trunc")),
        form("numeric", cut),
        form("numeric int", cut),
    ),
    "sign": (form("double", sign_of_double), form("numeric", sign)),
    "mod": tuple(
        form(f"{name} {name}", modulo) for name in ("smallint", "int", "bigint", "numeric")
    ),
    "div": (form("numeric numeric", whole_quotient),),
    "power": _POWER,
    "pow": _POWER,
    "sqrt": (form("double", of_double("sqrt", (_negative, "2201F"))), form("numeric", no_power)),
    "cbrt": (form("double", of_double("cbrt")),),
    "exp": (form("double", of_double("exp", (_vanishing, "22003"))), form("numeric", no_power)),
    "ln": (form("double", of_double("ln", *_LOGARITHM)), form("numeric", no_power)),
    "log": (
        form("double", of_double("log10", *_LOGARITHM)),
        form("numeric", no_power),
        form("numeric numeric", no_power),
    ),
    "log10": (form("double", of_double("log10", *_LOGARITHM)), form("numeric", no_power)),
    "degrees": (form("double", of_double("degrees")),),
    "radians": (form("double", of_double("radians")),),
    "sin": (form("double", of_double("sin", *_WAVES)),),
    "cos": (form("double", of_double("cos", *_WAVES)),),
    "tan": (form("double", of_double("tan", *_WAVES)),),
    "asin": (form("double", of_double("asin", (_beyond_one, "22003"))),),
    "acos": (form("double", of_double("acos", (_beyond_one, "22003"))),),
    "atan": (form("double", of_double("atan")),),
    "atan2": (form("double double", plain("atan2", DOUBLE)),),
    "pi": (form("", no_arguments("pi")),),
    "gcd": (form("int int", plain("gcd", INTEGER)), form("bigint bigint", plain("gcd", BIGINT))),
}

__all__ = ["NUMBER_FUNCTIONS", "SMALLINT"]
