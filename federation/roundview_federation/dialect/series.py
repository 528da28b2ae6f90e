"""Decides what rows generate_series and unnest give, one per row of what stands before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.literals import interval_parts
from roundview_federation.dialect.refusal import ARGUMENT, FUNCTION, refuse, unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    INTERVAL,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    PgType,
    common,
)
from roundview_federation.dialect.values import (
    Ref,
    Value,
    binary,
    call,
    cast,
    guarded,
    let_all,
    number,
    string,
)

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

MOST_ROWS = 1_000_000
"""More rows than this are not made of one row."""
_DAY = 86_400_000_000


def unnested(translator: Translator, node: exp.Expr) -> Value:
    """Returns the elements of an array as rows, or their places from 1 on."""
    value = translator.value(node.expressions[0])
    if value.type is UNKNOWN:
        raise refuse(FUNCTION, "unnest(unknown) is not unique", node, sqlstate="42725")
    if value.type.element is None:
        raise refuse(FUNCTION, f"there is no function unnest({value.type})", node)
    if node.args.get("offset"):
        return Value(call("generate_subscripts", value.node, number(1)), BIGINT, node)
    return Value(call("unnest", value.node), value.type.element, node)


def series_rows(translator: Translator, node: exp.Expr) -> Value:
    """Returns generate_series(first, last[, step]) as rows."""
    first, last = (translator.value(node.args[name]) for name in ("start", "end"))
    step = translator.value(node.args["step"]) if node.args.get("step") is not None else None
    if first.type.is_integer or last.type.is_integer:
        return _numbers(first, last, step, node)
    return _times(first, last, step, node)


def _numbers(first: Value, last: Value, step: Value | None, node: exp.Expr) -> Value:
    values = [first, last] if step is None else [first, last, step]
    type_ = common(value.type for value in values)
    if type_ is None or not type_.is_integer:
        raise unsupported("generate_series of these types", node)
    by = 1
    if step is not None:
        if step.text is None or not step.text.lstrip("-").isdigit():
            raise unsupported("generate_series with a step that is not a constant", node)
        by = int(step.text)
    if by == 0:
        raise refuse(ARGUMENT, "the step of generate_series is 0", node)
    ends = {
        "a": cast(coerce(first, type_).node, BIGINT), "b": cast(coerce(last, type_).node, BIGINT)
    }  # fmt: skip

    def body(a: Ref, b: Ref) -> exp.Expr:
        span = binary(exp.Sub, cast(b(), PgType("numeric", 38, 0)), a())
        is_long = (
            binary(exp.GT, span, number(by * MOST_ROWS))
            if by > 0
            else binary(exp.LT, span, number(by * MOST_ROWS))
        )
        return guarded(is_long, "54000", call("generate_series", a(), b(), number(by)))

    made = let_all(ends, lambda of: body(of["a"], of["b"]))
    return Value(cast(call("unnest", made), type_), type_, node)


def _times(first: Value, last: Value, step: Value | None, node: exp.Expr) -> Value:
    """Returns instants: PostgreSQL takes days as instants too."""
    known = [value.type for value in (first, last) if value.type is not UNKNOWN]
    type_ = TIMESTAMP if TIMESTAMP in known and TIMESTAMPTZ not in known else TIMESTAMPTZ
    fits = all(one.category == "D" for one in known)
    if step is None or not known or not fits or step.type not in (INTERVAL, UNKNOWN):
        raise unsupported("generate_series of these types", node)
    if step.text is None:
        raise unsupported("generate_series with a step that is not a constant", node)
    months, days, micros = interval_parts(step.text, node)
    if min(months, days, micros) < 0 or not months + days + micros:
        raise unsupported("generate_series back in time", node)
    size = (months * 28 + days) * _DAY + micros
    ends = {
        name: cast(coerce(value, type_).node, TIMESTAMP)
        for name, value in (("a", first), ("b", last))
    }

    def body(a: Ref, b: Ref) -> exp.Expr:
        span = binary(exp.Sub, call("epoch_us", b()), call("epoch_us", a()))
        is_long = binary(exp.GT, span, number(size * MOST_ROWS))
        by = cast(string(f"{months} months {days} days {micros} microseconds"), INTERVAL)
        return guarded(is_long, "54000", call("generate_series", a(), b(), by))

    made = let_all(ends, lambda of: body(of["a"], of["b"]))
    return Value(cast(call("unnest", made), type_), type_, node)
