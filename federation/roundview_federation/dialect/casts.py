"""Decides how a value of one type becomes one of another, asked for or not."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from roundview_federation.dialect.literals import constant, number_type
from roundview_federation.dialect.refusal import TYPES, refuse, unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    VARCHAR,
    PgType,
    as_numeric,
    implicit,
    numeric,
)
from roundview_federation.dialect.values import (
    Value,
    binary,
    call,
    cast,
    fail,
    guarded,
    let,
    number,
    string,
    when,
)

_WHOLE = r"[ \t\n\r\f\v]*[+-]?[0-9]+[ \t\n\r\f\v]*"
_DECIMAL = r"[ \t\n\r\f\v]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?[ \t\n\r\f\v]*"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_STAMP = _DAY + r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_BLANKS = " \t\n\r\f\v"
_NULLS_IN_TEXT = "22P02"


def coerce(value: Value, type_: PgType) -> Value:
    """Converts without having been asked; for values that `implicit` or `common` lets through."""
    own = value.type
    if own is UNKNOWN:
        return _of_unknown(value, type_)
    if own == type_ or (own.category == "S" == type_.category):
        return value
    if own.name == "numeric" == type_.name:
        if type_.scale == own.scale and type_.precision == own.precision:
            return Value(value.node, type_, value.source, value.text)
        return Value(cast(value.node, type_), type_, value.source, value.text)
    if type_.name == "numeric" and own.is_integer:
        if value.text is not None and value.text.lstrip("-").isdigit():
            # As few digits as it has: the results of arithmetic stay small.
            exact = numeric(len(value.text.lstrip("-")), 0)
            return Value(cast(value.node, exact), exact, value.source, value.text)
        wide = numeric(max(type_.precision or 0, own.digits + (type_.scale or 0)), type_.scale or 0)
        return Value(cast(value.node, wide), type_, value.source)
    if own.name == "numeric" and type_ == DOUBLE:
        return Value(_double(value.node, own), DOUBLE, value.source)
    return Value(cast(value.node, type_), type_, value.source)


def settle(value: Value, type_: PgType = TEXT) -> Value:
    """Gives a value of unknown type one: text unless said otherwise."""
    return _of_unknown(value, type_) if value.type is UNKNOWN else value


def assign(value: Value, type_: PgType, limit: int | None = None) -> Value:
    """Converts as CAST does; `limit` is that of varchar(n).

    Raises RequestError where PostgreSQL has no such cast (42846) or it is not supported.
    """
    own = value.type
    if type_ == VARCHAR and limit is not None:
        text = assign(value, TEXT)
        return Value(call("left", text.node, number(limit)), type_, value.source)
    if own is UNKNOWN:
        return _of_unknown(value, type_)
    if own.name == type_.name and own.name != "numeric":
        return Value(value.node, type_, value.source, value.text)
    if own.category == "S" == type_.category:
        return Value(value.node, type_, value.source, value.text)
    if type_.category == "S":
        return Value(text_of(value), type_, value.source)
    if type_.name == "numeric" and type_.precision is None:
        return _free_numeric(value)
    way = _WAYS.get((own.name, type_.name))
    if way is None:
        raise refuse(
            TYPES, f"there is no cast from {own} to {type_}", value.source, sqlstate="42846"
        )
    return Value(way(value, type_), type_, value.source)


def text_of(value: Value) -> exp.Expr:
    """Returns the text of a value as a cast to text gives it."""
    own, node = value.type, value.node
    if own.category == "S":
        return node
    if own.name in _PLAIN_TEXT:
        return cast(node, TEXT)
    if own.name == "numeric":
        if not own.exact:
            raise unsupported(
                "the text of a number without a fixed scale", value.source,
                "round it first: round(x, 2)",
            )  # fmt: skip
        return cast(node, TEXT)
    if own.name in _DATED:
        # Years before 1 are written differently.
        return let(
            "t", node,
            lambda t: guarded(
                binary(exp.LT, t(), cast(string("0001-01-01"), own)), "0A000", cast(t(), TEXT)
            ),
        )  # fmt: skip
    if own == DOUBLE:
        return let("d", node, _double_text)
    raise unsupported(f"the text of type {own}", value.source)


def _of_unknown(value: Value, type_: PgType) -> Value:
    if value.parameters is not None:
        return _of_parameter(value, value.parameters, type_)
    if isinstance(value.node, exp.Literal) and value.text is not None:
        if type_.category == "S":
            return Value(value.node, type_, value.source, value.text)
        if type_.name == "numeric" and type_.precision is None:
            node = constant(value.text, type_, value.source)
            plain = node.this.name
            exact = number_type(plain, value.source)[1]
            return Value(cast(string(plain), exact), exact, value.source)
        return Value(constant(value.text, type_, value.source), type_, value.source, value.text)
    if type_.name == "numeric" and type_.precision is None:
        type_ = numeric(1, 0)
    return Value(cast(value.node, type_), type_, value.source)


def _of_parameter(value: Value, parameters: dict[int, PgType], type_: PgType) -> Value:
    """Gives a parameter its type: the first use decides, others convert from it."""
    at = int(value.node.name[1:])
    known = parameters.get(at, UNKNOWN)
    if type_.name == "numeric" and type_.precision is None:
        type_ = numeric(38, 10, exact=False)
    if known is UNKNOWN:
        parameters[at] = type_
        return Value(cast(value.node, type_), type_, value.source)
    if known.name == type_.name:
        return Value(cast(value.node, known), known, value.source)
    if not implicit(known, type_):
        raise refuse(
            TYPES, f"parameter ${at} cannot be both {known} and {type_}", value.source,
            sqlstate="42P08",
        )  # fmt: skip
    return coerce(Value(cast(value.node, known), known, value.source), type_)


def _double(node: exp.Expr, own: PgType) -> exp.Expr:
    """Returns the nearest double of a DECIMAL: by its text where dividing would round twice."""
    if (own.precision or 38) <= 15:
        return cast(node, DOUBLE)
    return cast(cast(node, TEXT), DOUBLE)


def _double_text(d: Callable[[], exp.Expr]) -> exp.Expr:
    """Returns the shortest text that reads back as the number, spelled as PostgreSQL does."""
    text = cast(d(), TEXT)
    short = call("regexp_replace", text, string(r"\.0$"), string(""))
    size = call("abs", d())
    is_odd = exp.And(
        this=binary(exp.GTE, size, cast(string("1e15"), DOUBLE)),
        expression=binary(exp.LT, size.copy(), cast(string("1e17"), DOUBLE)),
    )
    return exp.Case(
        ifs=[
            exp.If(this=call("isnan", d()), true=string("NaN")),
            exp.If(
                this=call("isinf", d()),
                true=when(binary(exp.GT, d(), number(0)), string("Infinity"), string("-Infinity")),
            ),
            # Just where the two change to exponents differs.
            exp.If(this=is_odd, true=fail("0A000")),
        ],
        default=short,
    )


def _fifteen(node: exp.Expr) -> exp.Expr:
    """Returns a double with the 15 digits that PostgreSQL takes into a numeric."""
    return call("format", string("{:.15g}"), node)


def _free_numeric(value: Value) -> Value:
    own = value.type
    if own.name == "numeric":
        return value
    if own.is_integer:
        return coerce(value, as_numeric(own))
    if own == DOUBLE:
        wide = numeric(38, 20, exact=False)
        node = let(
            "d", value.node,
            lambda d: let(
                "n", cast(_fifteen(d()), wide),
                # A smaller number would lose digits.
                lambda n: guarded(
                    binary(exp.NEQ, cast(cast(n(), TEXT), DOUBLE), cast(_fifteen(d()), DOUBLE)),
                    "0A000", n(),
                ),
            ),
        )  # fmt: skip
        return Value(node, wide, value.source)
    raise unsupported(
        f"a cast from {own} to numeric without a scale", value.source, "write numeric(18, 4)"
    )


def _plain(value: Value, type_: PgType) -> exp.Expr:
    return cast(value.node, type_)


def _clock(value: Value, type_: PgType) -> exp.Expr:
    return cast(cast(value.node, TIMESTAMP), TIME)


def _from_double(value: Value, type_: PgType) -> exp.Expr:
    limit = cast(string(f"1e{type_.digits}"), DOUBLE)
    return let(
        "d", value.node,
        lambda d: exp.Case(
            ifs=[
                exp.If(this=call("isnan", d()), true=fail("0A000")),
                exp.If(this=binary(exp.GTE, call("abs", d()), limit), true=fail("22003")),
            ],
            default=cast(_fifteen(d()), type_),
        ),
    )  # fmt: skip


def _from_numeric(value: Value, type_: PgType) -> exp.Expr:
    return _double(value.node, value.type)


def _to_boolean(value: Value, type_: PgType) -> exp.Expr:
    return binary(exp.NEQ, value.node, number(0))


def _read(pattern: str, sqlstate: str) -> Callable[[Value, PgType], exp.Expr]:
    """Returns a cast from text that takes only what both engines read alike."""

    def made(value: Value, type_: PgType) -> exp.Expr:
        def body(t: Callable[[], exp.Expr]) -> exp.Expr:
            fits = call("regexp_full_match", t(), string(pattern))
            is_bad = exp.Not(this=fits)
            trimmed = call("trim", t(), string(_BLANKS))
            return guarded(is_bad, sqlstate, cast(trimmed, type_))

        return let("t", value.node, body)

    return made


def _read_boolean(value: Value, type_: PgType) -> exp.Expr:
    def body(t: Callable[[], exp.Expr]) -> exp.Expr:
        return exp.Case(
            ifs=[
                exp.If(
                    this=call(
                        "regexp_full_match", t(), string("(?i)(t|tr|tru|true|y|ye|yes|on|1)")
                    ),
                    true=exp.Boolean(this=True),
                ),
                exp.If(
                    this=call(
                        "regexp_full_match", t(), string("(?i)(f|fa|fal|fals|false|n|no|of|off|0)")
                    ),
                    true=exp.Boolean(this=False),
                ),
                exp.If(this=exp.Is(this=t(), expression=exp.Null()), true=exp.Null()),
            ],
            default=fail(_NULLS_IN_TEXT),
        )

    return let("t", call("trim", value.node, string(_BLANKS)), body)


_PLAIN_TEXT = frozenset({"smallint", "integer", "bigint", "boolean", "uuid", TIME.name})
_DATED = frozenset({DATE.name, TIMESTAMP.name, TIMESTAMPTZ.name})
_NUMBERS = (SMALLINT.name, INTEGER.name, BIGINT.name, "numeric", DOUBLE.name)
_WAYS: dict[tuple[str, str], Callable[[Value, PgType], exp.Expr]] = {
    **{(own, other): _plain for own in _NUMBERS for other in _NUMBERS},
    ("numeric", DOUBLE.name): _from_numeric,
    (DOUBLE.name, "numeric"): _from_double,
    (INTEGER.name, "boolean"): _to_boolean,
    ("boolean", INTEGER.name): _plain,
    (DATE.name, TIMESTAMP.name): _plain,
    (DATE.name, TIMESTAMPTZ.name): _plain,
    (TIMESTAMP.name, DATE.name): _plain,
    (TIMESTAMP.name, TIMESTAMPTZ.name): _plain,
    (TIMESTAMP.name, TIME.name): _plain,
    (TIMESTAMPTZ.name, DATE.name): _plain,
    (TIMESTAMPTZ.name, TIMESTAMP.name): _plain,
    (TIMESTAMPTZ.name, TIME.name): _clock,
    **{
        (text, whole): _read(_WHOLE, "22P02")
        for text in ("text", VARCHAR.name)
        for whole in (SMALLINT.name, INTEGER.name, BIGINT.name)
    },
    **{
        (text, other): _read(pattern, sqlstate)
        for text in ("text", VARCHAR.name)
        for other, pattern, sqlstate in (
            ("numeric", _DECIMAL, "22P02"),
            (DOUBLE.name, _DECIMAL, "22P02"),
            (DATE.name, _DAY, "0A000"),
            (TIMESTAMP.name, _STAMP, "0A000"),
            (TIMESTAMPTZ.name, _STAMP, "0A000"),
            ("uuid", _UUID, "0A000"),
        )
    },
    ("text", BOOLEAN.name): _read_boolean,
    (VARCHAR.name, BOOLEAN.name): _read_boolean,
}

__all__ = ["INTERVAL", "assign", "coerce", "implicit", "settle", "text_of"]
