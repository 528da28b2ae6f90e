"""Decides how a value of a source becomes the canonical type inside Trino.

The usual spellings of a value are converted as they would be on arrival. Any other ends the
statement: the catalog says something else than the source holds, or another engine must answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from roundview_catalog.places import COUNTRIES, CURRENCIES, LANGUAGES
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.trino_types import not_on_trino, trino_type
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    PgType,
    duck,
    numeric,
)
from roundview_federation.dialect.values import call, is_null, number, string, when

_NOT_BLANK = r"[^[:space:]\x1C-\x1F]"
_WHOLE = r"\A[ \t]*[+-]?[0-9]{1,18}[ \t]*\z"
_NUMBER = r"\A[ \t]*[+-]?[0-9]{1,18}(\.[0-9]{1,18})?[ \t]*\z"
_DAY = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\z"
_CLOCK = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\z"
_TRUE, _FALSE = ("1", "t", "true", "y", "yes", "on"), ("0", "f", "false", "n", "no", "off")
_OFFSET = re.compile(r"[+-]")
_NAMED: Mapping[Kind, Mapping[str, str]] = MappingProxyType(
    {Kind.COUNTRY: COUNTRIES, Kind.CURRENCY: CURRENCIES, Kind.LANGUAGE: LANGUAGES}
)
_MONEY = (18, 4)


def converted(node: exp.Expr, own: PgType, target: Type, zone: str) -> exp.Expr:
    """Returns a value as the canonical type, blank text as NULL; raises RequestError RV103.

    `zone` is that of times without one.
    """
    way = _WAYS.get(target.kind)
    if target.is_time:
        return _instant(node, own, zone)
    if target.kind in _NAMED:
        return _named(node, own, _NAMED[target.kind])
    if target.kind is Kind.ENUM:
        return _enum(node, own, target.values)
    if target.kind is Kind.DECIMAL:
        return _decimal(node, own, canonical_type(target))
    if way is None:
        raise not_on_trino(f"fields of type {target.kind}")
    return way(node, own)


def canonical_type(target: Type) -> PgType:
    """Returns the type that the column of a canonical field has in the statement."""
    if target.kind is Kind.DECIMAL:
        if target.precision is None:
            return numeric(_MONEY[0], _MONEY[1] if target.scale is None else target.scale)
        return numeric(target.precision, target.scale or 0)
    if target.is_time:
        return TIMESTAMPTZ
    return {
        Kind.INTEGER: INTEGER, Kind.BIGINT: BIGINT, Kind.BOOLEAN: BOOLEAN, Kind.DATE: DATE,
    }.get(target.kind, TEXT)  # fmt: skip


def wrong() -> exp.Expr:
    """Returns what ends the statement: a value is not what the catalog says."""
    return call("fail", string("roundview:RV105"))


def elsewhere() -> exp.Expr:
    """Returns what ends the statement: a value is read by other engines only."""
    return call("fail", string("roundview:0A000"))


def cast_to(node: exp.Expr, type_: PgType) -> exp.Expr:
    """Returns Trino's cast."""
    return exp.Cast(this=node, to=trino_type(duck(type_)))


def utc(node: exp.Expr) -> exp.Expr:
    """Returns an instant that shows itself in UTC, whatever zone it was told in."""
    return call("at_timezone", node, string("UTC"))


def not_blank(text: exp.Expr) -> exp.Expr:
    """Tells whether a text has more than white space."""
    return call("regexp_like", text.copy(), string(_NOT_BLANK))


def is_blank(text: exp.Expr) -> exp.Expr:
    """Tells whether a text has nothing but white space."""
    return exp.Not(this=not_blank(text))


def literal(value: Any, type_: PgType) -> exp.Expr:
    """Returns a constant of a type."""
    if value is None:
        return cast_to(exp.Null(), type_)
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, str):
        return string(value)
    return cast_to(string(literal_text(value)), type_)


def literal_text(value: Any) -> str:
    """Returns what the text of a constant says."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo is not None else value
        zone = " UTC" if value.tzinfo is not None else ""
        return f"{moment:%Y-%m-%d %H:%M:%S.%f}{zone}"
    return str(value)


def text_of(node: exp.Expr, own: PgType) -> exp.Expr:
    """Returns the text of a value as a source key or a code has it."""
    if own.category == "S":
        return node
    if own.is_integer or own in (BOOLEAN, DATE):
        return cast_to(node, TEXT)
    raise not_on_trino(f"the text of type {own}")


def _to_text(node: exp.Expr, own: PgType) -> exp.Expr:
    text = text_of(node, own)
    if own.category != "S":
        return text
    return exp.Case(ifs=[exp.If(this=not_blank(text), true=text)])


def _whole(type_: PgType) -> Callable[[exp.Expr, PgType], exp.Expr]:
    def made(node: exp.Expr, own: PgType) -> exp.Expr:
        if own.is_integer:
            return cast_to(node, type_)
        if own.name == "numeric":
            floor = call("floor", node.copy())
            is_whole = exp.EQ(this=floor, expression=node.copy())
            return exp.Case(
                ifs=[
                    exp.If(this=is_whole, true=cast_to(node, type_)),
                    exp.If(this=is_null(node), true=exp.Null()),
                ],
                default=wrong(),
            )
        return _from_text(node, own, _WHOLE, type_)

    return made


def _decimal(node: exp.Expr, own: PgType, type_: PgType) -> exp.Expr:
    if own.is_integer or own.name == "numeric":
        return cast_to(node, type_)
    # Rounded once: a cast of text to fewer digits would not say that it cut some.
    exact = cast_to(call("trim", node.copy()), numeric(37, 18))
    return _from_text(node, own, _NUMBER, type_, cast_to(exact, type_))


def _boolean(node: exp.Expr, own: PgType) -> exp.Expr:
    if own == BOOLEAN:
        return node
    if own.is_integer:
        text: exp.Expr = cast_to(node, TEXT)
    elif own.category == "S":
        text = call("lower", call("trim", node))
    else:
        raise not_on_trino(f"a truth from {own}")
    return exp.Case(
        ifs=[
            exp.If(this=_is_one_of(text, _TRUE), true=exp.true()),
            exp.If(this=_is_one_of(text, _FALSE), true=exp.false()),
            exp.If(this=exp.Or(this=is_null(text), expression=_is_empty(text)), true=exp.Null()),
        ],
        default=wrong(),
    )


def _date(node: exp.Expr, own: PgType) -> exp.Expr:
    if own == DATE:
        return node
    if own == TIMESTAMP:
        return cast_to(node, DATE)
    return _from_text(node, own, _DAY, DATE)


def _instant(node: exp.Expr, own: PgType, zone: str) -> exp.Expr:
    if own == TIMESTAMPTZ:
        return utc(node)
    if own == DATE:
        node, own = cast_to(node, TIMESTAMP), TIMESTAMP
    if own.category == "S":
        node, own = _from_text(node, own, _CLOCK, TIMESTAMP), TIMESTAMP
    if own != TIMESTAMP:
        raise not_on_trino(f"a time from {own}")
    if _OFFSET.match(zone):
        raise not_on_trino("times of a fixed offset")
    if zone in ("", "UTC", "Z"):
        return call("with_timezone", node, string("UTC"))
    return _local(node, zone)


def _local(node: exp.Expr, zone: str) -> exp.Expr:
    """Returns the instant of a local time: of an ambiguous hour the earlier, Trino takes the later.

    Clocks are put back by an hour everywhere but on Lord Howe Island.
    """
    if zone.endswith("Lord_Howe"):
        raise not_on_trino("times of Lord Howe Island")

    def moved(hours: int) -> exp.Expr:
        late = call("with_timezone", node.copy(), string(zone))
        return call("date_add", string("hour"), number(hours), late) if hours else late

    earlier = cast_to(call("at_timezone", moved(-1), string(zone)), TIMESTAMP)
    is_twice = exp.EQ(this=earlier, expression=node.copy())
    return utc(exp.Case(ifs=[exp.If(this=is_twice, true=moved(-1))], default=moved(0)))


def _enum(node: exp.Expr, own: PgType, values: tuple[str, ...]) -> exp.Expr:
    text = call("trim", text_of(node, own))
    known = {value.upper(): value for value in reversed(values)}
    if len(known) < len(values):
        raise not_on_trino("an enum whose values differ by case only")
    return exp.Case(
        this=call("upper", text),
        ifs=[
            exp.If(this=string(upper), true=string(value)) for upper, value in sorted(known.items())
        ],
        default=_nothing_or_wrong(node, own),
    )


def _named(node: exp.Expr, own: PgType, table: Mapping[str, str]) -> exp.Expr:
    if own.category != "S":
        raise not_on_trino(f"a name from {own}")
    normal = call("upper", call("trim", call("normalize", node.copy(), exp.Var(this="NFKC"))))
    known = call(
        "map",
        exp.Array(expressions=[string(name) for name in table]),
        exp.Array(expressions=[string(value) for value in table.values()]),
    )
    found = call("element_at", known, normal)
    return exp.Coalesce(this=found, expressions=[_nothing_or_wrong(node, own)])


def _nothing_or_wrong(node: exp.Expr, own: PgType) -> exp.Expr:
    is_there: exp.Expr = exp.Not(this=exp.paren(is_null(node)))
    if own.category == "S":
        is_there = not_blank(node)
    return when(is_there, wrong(), None)


def _from_text(
    node: exp.Expr, own: PgType, pattern: str, type_: PgType, made: exp.Expr | None = None
) -> exp.Expr:
    if own.category != "S":
        raise not_on_trino(f"{type_} from {own}")
    value = made if made is not None else cast_to(call("trim", node.copy()), type_)
    return exp.Case(
        ifs=[
            exp.If(this=call("regexp_like", node.copy(), string(pattern)), true=value),
            exp.If(
                this=exp.Or(this=is_null(node), expression=is_blank(node)), true=exp.Null()
            ),
        ],
        default=elsewhere(),
    )  # fmt: skip


def _is_one_of(text: exp.Expr, values: tuple[str, ...]) -> exp.Expr:
    return exp.In(this=text.copy(), expressions=[string(value) for value in values])


def _is_empty(text: exp.Expr) -> exp.Expr:
    return exp.EQ(this=text.copy(), expression=string(""))


_WAYS: Mapping[Kind, Callable[[exp.Expr, PgType], exp.Expr]] = MappingProxyType(
    {
        Kind.TEXT: _to_text,
        Kind.INTEGER: _whole(INTEGER),
        Kind.BIGINT: _whole(BIGINT),
        Kind.BOOLEAN: _boolean,
        Kind.DATE: _date,
    }
)
