"""Decides which conditions on one relation are plain enough to be asked of its sources.

`column op value` with a value of the column's own type, as a parameter. Everything else stays
in the residual, which has these too.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import in_keys

_FLIPPED: Mapping[type[exp.Expr], type[exp.Binary]] = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
}
_WHOLE = {Kind.INTEGER: 31, Kind.BIGINT: 63}
_MOMENTS = (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)
_MOST_VALUES = 10_000
_ONE_PART = re.compile(r"([+-]?[0-9]{1,6}) (YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?")


class ValuesDecide(Exception):
    """A plan cannot be made without the values of parameters of the asker: `numbers` from 1 on."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(numbers)
        self.numbers = frozenset(numbers)


@dataclass(frozen=True, slots=True)
class Later:
    """A constant of a column's type whose text the plan does not know: the asker's `$number`.

    `node` is that parameter, perhaps in a cast.
    """

    node: exp.Expr
    type: Type

    @property
    def number(self) -> int:
        """Returns the number of the parameter, from 1 on."""
        inner = self.node.this if isinstance(self.node, exp.Cast) else self.node
        return int(inner.this.name)

    def value(self, texts: Sequence[str]) -> Any:
        """Returns the value for the texts of all parameters, None where it is not of the type."""
        text = texts[self.number - 1]
        if not isinstance(self.node, exp.Cast):
            return _text(text, self.type)
        if self.node.to.this in _MOMENTS:
            return _value(exp.Cast(this=exp.Literal.string(text), to=self.node.to), self.type)
        return _number(text, self.type)


@dataclass(frozen=True, slots=True)
class Plain:
    """Conditions over parameters, and the parameters' values; lists where a column is in them.

    A value that is not known yet is a `Later`. `is_whole` tells whether they say all that was
    asked.
    """

    trees: tuple[exp.Expr, ...]
    values: Mapping[str, Any]
    is_whole: bool = True


def said(values: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any] | None:
    """Returns values of which some are known later; None where a text says none, or one twice.

    A text that is blank is no value of a source: it says none.
    """
    found = {}
    for name, value in values.items():
        found[name] = _said(value, texts)
        if found[name] is None:
            return None
    return found


def _said(value: Any, texts: Sequence[str]) -> Any:
    if isinstance(value, Later):
        known = value.value(texts)
        return None if isinstance(known, str) and not known.strip() else known
    if not isinstance(value, list | tuple | frozenset):
        return value
    several = [_said(one, texts) for one in value]
    return None if None in several or len(set(several)) < len(several) else type(value)(several)


def plain(where: list[exp.Expr], types: Mapping[str, Type]) -> Plain:
    """Returns what of the conjuncts is plain; parameters are `v0`, `v1` …"""
    trees: list[exp.Expr] = []
    values: dict[str, Any] = {}
    is_whole = True
    for conjunct in where:
        found = list(_plain(conjunct, types))
        is_whole = is_whole and len(found) == _parts(conjunct)
        for tree, value in found:
            name = f"v{len(values)}"
            column, way = tree
            if isinstance(value, list):
                trees.append(in_keys(exp.column(column), name))
            else:
                trees.append(way(this=exp.column(column), expression=exp.Placeholder(this=name)))
            values[name] = value
    return Plain(tuple(trees), values, is_whole)


def _parts(conjunct: exp.Expr) -> int:
    """Counts the comparisons that a conjunct stands for."""
    node = conjunct.unnest()
    if isinstance(node, exp.And):
        return _parts(node.left) + _parts(node.right)
    if isinstance(node, exp.Or):
        # Read as one list, or as nothing where an alternative says more than one thing.
        return max(_parts(part) for part in node.flatten())
    return 2 if isinstance(node, exp.Between) else 1


_Comparison = tuple[tuple[str, type[exp.Expr]], Any]


def _plain(node: exp.Expr, types: Mapping[str, Type]) -> Iterator[_Comparison]:
    node = node.unnest()
    if isinstance(node, exp.And):
        yield from _plain(node.left, types)
        yield from _plain(node.right, types)
    elif isinstance(node, exp.Between) and isinstance(node.this, exp.Column):
        if node.args.get("symmetric"):
            return
        for way, side in ((exp.GTE, node.args["low"]), (exp.LTE, node.args["high"])):
            yield from _compared(way, node.this, side, types)
    elif isinstance(node, exp.In) and isinstance(node.this, exp.Column):
        yield from _listed(node.this, node.expressions, types)
    elif isinstance(node, exp.Or):
        yield from _alternatives(node, types)
    elif type(node) in _FLIPPED:
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(left, exp.Column):
            yield from _compared(type(node), left, right, types)
        elif isinstance(right, exp.Column):
            yield from _compared(_FLIPPED[type(node)], right, left, types)


def _compared(
    way: type[exp.Expr], column: exp.Column, side: exp.Expr, types: Mapping[str, Type]
) -> Iterator[_Comparison]:
    value = _value(side, types[column.name])
    if value is not None:
        yield (column.name, way), value


def _listed(
    column: exp.Column, sides: list[exp.Expr], types: Mapping[str, Type]
) -> Iterator[_Comparison]:
    type_ = types[column.name]
    values = [_value(side, type_) for side in sides if not isinstance(side, exp.Null)]
    if values and None not in values and len(values) <= _MOST_VALUES:
        yield (column.name, exp.EQ), list(dict.fromkeys(values))


def _alternatives(node: exp.Or, types: Mapping[str, Type]) -> Iterator[_Comparison]:
    """Reads `a = 1 OR a = 2 OR a IN (3, 4)` as one list."""
    found: list[Any] = []
    names: set[str] = set()
    for part in node.flatten():
        inner = list(_plain(part, types))
        if len(inner) != 1:
            return
        ((name, way), value) = inner[0]
        if way is not exp.EQ:
            return
        names.add(name)
        found += value if isinstance(value, list) else [value]
    if len(names) == 1:
        yield (names.pop(), exp.EQ), list(dict.fromkeys(found))


def _value(node: exp.Expr, type_: Type) -> Any:
    """Returns a constant as a value of a column's type, None where it is none or another's."""
    node = node.unnest()
    if isinstance(node.this if isinstance(node, exp.Cast) else node, exp.Parameter):
        return Later(node, type_)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return _number("-" + node.this.name, type_)
    if isinstance(node, exp.Boolean):
        return bool(node.this) if type_.kind is Kind.BOOLEAN else None
    if isinstance(node, exp.Literal):
        return _text(node.name, type_) if node.is_string else _number(node.name, type_)
    if type_.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return _moment(node, type_.kind)
    return None


def _number(text: str, type_: Type) -> Any:
    if type_.kind in _WHOLE:
        try:
            number = int(text)
        except ValueError:
            return None
        return number if abs(number) < 1 << _WHOLE[type_.kind] else None
    if type_.kind is Kind.DECIMAL:
        try:
            return Decimal(text)
        except InvalidOperation:
            return None
    return None


def _text(text: str, type_: Type) -> Any:
    if type_.is_text:
        return text
    if type_.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return _moment(exp.Literal.string(text), type_.kind)
    return _number(text, type_) if type_.is_number else None


def _moment(node: exp.Expr, kind: Kind) -> date | datetime | None:
    """Returns a date or an instant, zoned as a session in UTC reads it."""
    found = _constant(node)
    if kind is Kind.DATE:
        # A time beside a date makes the date a time: at midnight they compare alike.
        if isinstance(found, datetime):
            return found.date() if found.tzinfo is None and found.time() == time.min else None
        return found
    if type(found) is date:
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    if isinstance(found, datetime):
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return None


def _constant(node: exp.Expr) -> date | datetime | None:
    node = node.unnest()
    if isinstance(node, exp.Literal) and node.is_string:
        return _parsed(node.name)
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        found = _parsed(node.this.name)
        if node.to.this is exp.DType.DATE and isinstance(found, datetime):
            return found.date()
        is_time = node.to.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)
        return found if is_time or node.to.this is exp.DType.DATE else None
    if isinstance(node, exp.Add | exp.Sub):
        start, step = _constant(node.this), node.expression.unnest()
        count, unit = _step(step)
        if start is not None and unit:
            return _moved(start, count if isinstance(node, exp.Add) else -count, unit)
    return None


def _parsed(text: str) -> date | datetime | None:
    if "W" in text:
        # ISO weeks are dates for Python, not for PostgreSQL.
        return None
    try:
        return date.fromisoformat(text) if len(text) == len("2025-01-31") else _iso(text)
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    moment: datetime | None = coerce.decoder(Type(Kind.TIMESTAMP))(text)  # type: ignore[misc]
    return moment


def _step(node: exp.Expr) -> tuple[int, str]:
    """Reads an interval of one part, such as 3 months; other intervals have no unit."""
    if isinstance(node, exp.Interval) and node.unit is not None:
        text = f"{node.this.name} {node.unit.name}"
    elif isinstance(node, exp.Cast) and node.to.is_type("interval"):
        text = node.this.name
    else:
        return 0, ""
    found = _ONE_PART.fullmatch(text.strip().upper())
    return (int(found[1]), found[2]) if found is not None else (0, "")


def _moved(start: date | datetime, count: int, unit: str) -> datetime | None:
    moment = start if isinstance(start, datetime) else datetime.combine(start, time.min)
    if moment.tzinfo is not None:
        # Days and months are those of the session, which is in UTC.
        moment = moment.astimezone(UTC)
    try:
        if unit in ("MONTH", "YEAR"):
            months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "YEAR" else 1)
            year, month = divmod(months, 12)
            last = calendar.monthrange(year, month + 1)[1]
            return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
        if unit in ("DAY", "WEEK", "HOUR", "MINUTE", "SECOND"):
            return moment + timedelta(**{f"{unit.lower()}s": count})
    except (OverflowError, ValueError, calendar.IllegalMonthError):
        return None
    return None
