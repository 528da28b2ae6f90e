"""Decides how functions over dates and times are said to DuckDB; sessions are in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import available_timezones

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.literals import interval_parts
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.signatures import Form, Render, form
from roundview_federation.dialect.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    PgType,
    numeric,
)
from roundview_federation.dialect.values import (
    Ref,
    Value,
    binary,
    call,
    cast,
    fail,
    guarded,
    let,
    let_all,
    number,
    string,
    when,
)

# Each field: the part that DuckDB is asked for, and how many of its last digits are a fraction.
FIELDS: Mapping[str, tuple[str, int]] = {
    "year": ("year", 0), "quarter": ("quarter", 0), "month": ("month", 0), "day": ("day", 0),
    "week": ("week", 0), "isoyear": ("isoyear", 0), "dow": ("dow", 0), "isodow": ("isodow", 0),
    "doy": ("doy", 0), "decade": ("decade", 0), "century": ("century", 0),
    "millennium": ("millennium", 0), "hour": ("hour", 0), "minute": ("minute", 0),
    "second": ("microsecond", 6), "milliseconds": ("microsecond", 3),
    "microseconds": ("microsecond", 0), "epoch": ("epoch_us", 6),
}  # fmt: skip
_OF_DAY = frozenset({"hour", "minute", "second", "milliseconds", "microseconds"})
_OF_INTERVAL = frozenset(
    [
        "year", "month", "day", "hour", "minute", "second", "milliseconds", "microseconds",
        "quarter", "epoch",
    ]
)  # fmt: skip
# What the parts of an interval count in its epoch, in microseconds: a year has 365.25 days.
_SPANS = (
    ("year", 31_557_600_000_000), ("month", 2_592_000_000_000), ("day", 86_400_000_000),
    ("hour", 3_600_000_000), ("minute", 60_000_000), ("microsecond", 1),
)  # fmt: skip
_TRUNCATED = frozenset(
    [
        "microseconds",
        "milliseconds",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ]
)
_SPELLED = {
    "years": "year", "months": "month", "days": "day", "hours": "hour", "minutes": "minute",
    "seconds": "second", "weeks": "week", "millisecond": "milliseconds",
    "microsecond": "microseconds", "y": "year", "mon": "month", "d": "day", "h": "hour",
    "min": "minute", "sec": "second",
}  # fmt: skip
# Patterns of to_char that mean the same to strftime, the longest first.
_MASKS: tuple[tuple[str, str], ...] = (
    ("HH24", "%H"), ("HH12", "%I"), ("FMMonth", "%B"), ("FMDay", "%A"), ("YYYY", "%Y"),
    ("IYYY", "%G"), ("DDD", "%j"), ("Mon", "%b"), ("MM", "%m"), ("DD", "%d"), ("MI", "%M"),
    ("SS", "%S"), ("US", "%f"), ("MS", "%g"), ("Dy", "%a"), ("IW", "%V"), ("ID", "%u"),
    ("HH", "%I"), ("AM", "%p"), ("PM", "%p"), ("YY", "%y"), ("Q", "Q"),
)  # fmt: skip
_STARTS = "0001-01-01"
_ENDS = "10000-01-01"


def extracted(field: str, value: Value, source: exp.Expr) -> Value:
    """Returns extract(field from x), a numeric."""
    name = field_of(field, source)
    value = coerce(value, TIMESTAMPTZ) if value.type is UNKNOWN else value
    own = value.type
    if own not in (DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL):
        raise refuse(FUNCTION, f"there is no function extract({own})", source)
    if (own == DATE and name in _OF_DAY) or (own == INTERVAL and name not in _OF_INTERVAL):
        raise unsupported(f"the field {name} of type {own}", source)
    part, digits = FIELDS[name]
    if own == INTERVAL:
        return _of_interval(name, part, digits, value, source)
    node = let("t", value.node, lambda t: _guarded(name, part, own, t))
    if own == DATE and name == "epoch":
        whole = numeric(19, 0)
        return Value(cast(binary(exp.IntDiv, node, number(10**6)), whole), whole, source)
    return Value(_shifted(node, digits), numeric(19, digits), source)


def field_of(text: str, source: exp.Expr) -> str:
    """Returns the known name of a field; raises RequestError for others."""
    name = text.lower()
    name = _SPELLED.get(name, name)
    if name not in FIELDS:
        raise unsupported("this field of a date", source)
    return name


def date_part(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns date_part(field, x), a double."""
    name, value = _word(values[0], source), values[1]
    if value.type == INTERVAL and field_of(name, source) == "epoch":
        return Value(let("v", value.node, _seconds), DOUBLE, source)
    return coerce(extracted(name, value, source), DOUBLE)


def truncated(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns date_trunc(field, x)."""
    name = field_of(_word(values[0], source), source)
    if name not in _TRUNCATED:
        raise unsupported("date_trunc to this field", source)
    value = values[1]
    node = let(
        "t", value.node,
        lambda t: when(
            call("isinf", t()), t(), cast(call("date_trunc", string(name), t()), value.type)
        ),
    )  # fmt: skip
    return Value(node, value.type, source)


def binned(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns date_bin(width, x, origin): where the interval begins in which x lies."""
    width, value, origin = values
    if width.text is None:
        raise unsupported("a width that is not a constant", source)
    months, days, micros = interval_parts(width.text, source)
    size = days * 86_400_000_000 + micros
    if months or size <= 0:
        raise unsupported("this width of date_bin", source)

    def body(of: Mapping[str, Ref]) -> exp.Expr:
        gone = binary(exp.Sub, call("epoch_us", of["x"]()), call("epoch_us", of["o"]()))
        rest = binary(exp.Mod, binary(exp.Add, binary(exp.Mod, gone, number(size)), number(size)),
                      number(size))  # fmt: skip
        begun = binary(exp.Sub, of["x"](), call("to_microseconds", rest))
        infinite = exp.Or(this=call("isinf", of["x"]()), expression=call("isinf", of["o"]()))
        return guarded(infinite, "0A000", cast(begun, value.type))

    return Value(let_all({"x": value.node, "o": origin.node}, body), value.type, source)


def not_answered(values: Sequence[Value], source: exp.Expr) -> Value:
    """Refuses a form that PostgreSQL has."""
    raise unsupported("this form of the function", source)


def to_char(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns to_char(x, mask) of a time; a mask with anything else than known is refused."""
    value, mask = values
    if not isinstance(mask.node, exp.Literal):
        raise unsupported("a mask that is not a constant", source)
    pieces = _pieces(mask.node.name, source)
    stamp = cast(value.node, TIMESTAMP) if value.type != TIMESTAMP else value.node

    def body(t: Callable[[], exp.Expr]) -> exp.Expr:
        parts: list[exp.Expr] = []
        for text, is_quarter in pieces:
            parts.append(
                cast(call("quarter", t()), TEXT)
                if is_quarter
                else call("strftime", t(), string(text))
            )
        node = parts[0] if len(parts) == 1 else call("concat", *parts)
        in_range = exp.And(
            this=binary(exp.GTE, t(), cast(string(_STARTS), TIMESTAMP)),
            expression=binary(exp.LT, t(), cast(string(_ENDS), TIMESTAMP)),
        )
        return exp.Case(
            ifs=[
                exp.If(this=exp.Is(this=t(), expression=exp.Null()), true=exp.Null()),
                exp.If(this=in_range, true=node),
            ],
            default=fail("0A000"),
        )

    return Value(let("t", stamp, body), TEXT, source)


def no_mask(values: Sequence[Value], source: exp.Expr) -> Value:
    """Refuses to_char of anything but a time."""
    raise unsupported(f"to_char of {values[0].type}", source)


def made_date(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns make_date(year, month, day)."""
    year = let("y", values[0].node, lambda y: guarded(binary(exp.LT, y(), number(1)), "0A000", y()))
    return Value(call("make_date", year, values[1].node, values[2].node), DATE, source)


def is_finite(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns isfinite(x)."""
    return Value(call("isfinite", values[0].node), BOOLEAN, source)


def at_zone(value: Value, zone: Value, source: exp.Expr) -> Value:
    """Returns x AT TIME ZONE 'Area/City'."""
    if not isinstance(zone.node, exp.Literal):
        raise unsupported("a time zone that is not a constant", source)
    name = zone.node.name
    if name.upper() == "UTC":
        name = "UTC"
    elif "/" not in name or name not in available_timezones():
        raise unsupported("this time zone", source, "write Area/City as Europe/Oslo")
    value = coerce(value, TIMESTAMPTZ) if value.type is UNKNOWN else value
    if value.type == DATE:
        value = coerce(value, TIMESTAMPTZ)
    if value.type not in (TIMESTAMP, TIMESTAMPTZ):
        raise refuse(FUNCTION, f"there is no function timezone(text, {value.type})", source)
    type_ = TIMESTAMP if value.type == TIMESTAMPTZ else TIMESTAMPTZ
    return Value(call("timezone", string(name), value.node), type_, source)


def _epoch(v: Callable[[], exp.Expr], spans: Sequence[tuple[str, int]]) -> exp.Expr:
    """Returns the microseconds of some parts of an interval."""
    found: exp.Expr = number(0)
    for name, size in spans:
        part = cast(call("date_part", string(name), v()), numeric(38, 0))
        found = binary(exp.Add, found, binary(exp.Mul, part, number(size)))
    return cast(found, numeric(38, 0))


def _seconds(v: Callable[[], exp.Expr]) -> exp.Expr:
    """Returns the seconds of an interval as PostgreSQL adds them up: as doubles, part by part."""
    found: exp.Expr = binary(
        exp.Div, cast(_epoch(v, _SPANS[3:]), DOUBLE), cast(string("1e6"), DOUBLE)
    )
    for name, size in _SPANS[:3]:
        part = cast(call("date_part", string(name), v()), DOUBLE)
        whole = cast(string(str(size // 10**6)), DOUBLE)
        found = binary(exp.Add, found, binary(exp.Mul, whole, part))
    return found


def _of_interval(name: str, part: str, digits: int, value: Value, source: exp.Expr) -> Value:
    if name == "epoch":
        micros = let("v", value.node, lambda v: _epoch(v, _SPANS))
        unit = cast(string("0.000001"), numeric(6, 6))
        made = binary(exp.Mul, cast(micros, numeric(22, 0)), unit)
        return Value(cast(made, numeric(22, 6)), numeric(22, 6), source)
    node = cast(call("date_part", string(part), value.node), PgType("bigint"))
    if name == "quarter":
        raise unsupported("the quarter of an interval", source)
    return Value(_shifted(node, digits), numeric(19, digits), source)


def _guarded(name: str, part: str, own: PgType, t: Callable[[], exp.Expr]) -> exp.Expr:
    node: exp.Expr
    if name == "epoch":
        node = call("epoch_us", t())
    else:
        node = cast(call("date_part", string(part), t()), PgType("bigint"))
    if name in ("year", "isoyear", "decade", "century", "millennium", "epoch"):
        # PostgreSQL counts years before 1 and infinite dates its own way.
        odd: exp.Expr = call("isinf", t())
        if name != "epoch":
            odd = exp.Or(this=odd, expression=binary(exp.LT, t(), cast(string(_STARTS), own)))
        node = guarded(odd, "0A000", node)
    return node


def _shifted(node: exp.Expr, digits: int) -> exp.Expr:
    """Returns a whole number with its last digits behind the point."""
    if not digits:
        return cast(node, numeric(19, 0))
    unit = cast(string("0." + "0" * (digits - 1) + "1"), numeric(digits, digits))
    wide = cast(node, numeric(19, 0))
    return cast(binary(exp.Mul, wide, unit), numeric(19, digits))


def _word(value: Value, source: exp.Expr) -> str:
    if not isinstance(value.node, exp.Literal):
        raise unsupported("a field that is not a constant", source)
    return str(value.node.name)


def _pieces(mask: str, source: exp.Expr) -> list[tuple[str, bool]]:
    """Returns formats for strftime; quarters, which it does not know, stand alone."""
    pieces: list[tuple[str, bool]] = []
    text = ""
    at = 0
    while at < len(mask):
        rest = mask[at:]
        quoted = re.match(r'"([^"\\]*)"', rest)
        if quoted:
            text += quoted.group(1).replace("%", "%%")
            at += quoted.end()
            continue
        for name, meaning in _MASKS:
            if rest.startswith(name):
                if meaning == "Q":
                    pieces += [(text, False)] if text else []
                    pieces.append(("", True))
                    text = ""
                else:
                    text += meaning
                at += len(name)
                break
        else:
            if rest[0].isalnum() or not rest[0].isascii() or rest[0] in '"\\':
                raise unsupported("this mask of to_char", source)
            text += "%%" if rest[0] == "%" else rest[0]
            at += 1
    if text or not pieces:
        pieces.append((text, False))
    return pieces


def _part(render: Render) -> tuple[Form, ...]:
    return tuple(form(f"text {name}", render) for name in ("timestamp", "timestamptz"))


TIME_FUNCTIONS: Mapping[str, tuple[Form, ...]] = {
    "date_trunc": (*_part(truncated), form("text timestamptz text", not_answered)),
    "date_bin": (
        form("interval timestamp timestamp", binned),
        form("interval timestamptz timestamptz", binned),
    ),
    "date_part": (
        form("text timestamp", date_part),
        form("text timestamptz", date_part),
        form("text date", date_part),
        form("text interval", date_part),
    ),
    "to_char": (
        form("timestamp text", to_char),
        form("timestamptz text", to_char),
        form("numeric text", no_mask),
        form("double text", no_mask),
        form("interval text", no_mask),
    ),
    "make_date": (form("int int int", made_date),),
    "isfinite": (
        form("date", is_finite),
        form("timestamp", is_finite),
        form("timestamptz", is_finite),
    ),
}
