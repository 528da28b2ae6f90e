"""Decides which call of Trino means what a call of DuckDB means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlglot import exp

from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.dialect.values import call, number, string, when

Nodes = Sequence[exp.Expr]
Way = Callable[[Nodes], exp.Expr]

AGGREGATES = frozenset({"count", "sum", "min", "max", "bool_and", "bool_or", "string_agg"})
WINDOWS = frozenset(
    {
        "row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value",
        "nth_value",
    }
)  # fmt: skip

_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])
_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "year": "year", "quarter": "quarter", "month": "month", "day": "day", "week": "week",
        "isoyear": "year_of_week", "isodow": "day_of_week", "doy": "day_of_year", "hour": "hour",
        "minute": "minute", "dow": "day_of_week",
    }
)  # fmt: skip


def _same(name: str) -> Way:
    return lambda nodes: call(name, *nodes)


def _fail(nodes: Nodes) -> exp.Expr:
    return call("fail", *nodes)


def _never(nodes: Nodes) -> exp.Expr:
    """Answers isinf: Trino's dates and times are finite, and doubles are not asked of it."""
    return exp.Boolean(this=False)


def _extreme(name: str) -> Way:
    """Returns the largest or smallest that is not NULL."""

    def made(nodes: Nodes) -> exp.Expr:
        known = exp.Lambda(
            this=exp.Not(
                this=exp.Paren(
                    this=exp.Is(this=exp.to_identifier("one"), expression=exp.Null())
                )
            ),
            expressions=[exp.to_identifier("one")],
        )  # fmt: skip
        return call(name, call("filter", exp.Array(expressions=list(nodes)), known))

    return made


def _coalesced(nodes: Nodes) -> exp.Expr:
    return nodes[0] if len(nodes) == 1 else call("coalesce", *nodes)


def _left(nodes: Nodes) -> exp.Expr:
    text, size = nodes
    count = _constant(size)
    if count is not None and count >= 0:
        return call("substr", text, number(1), size)
    if not _is_cheap(text):
        raise not_on_trino("left of a length that is no constant")
    kept = exp.Add(this=call("length", text.copy()), expression=exp.Paren(this=size.copy()))
    length = when(exp.LT(this=exp.Paren(this=size.copy()), expression=number(0)), kept, size)
    return call("substr", text, number(1), length)


def _right(nodes: Nodes) -> exp.Expr:
    text, size = nodes
    count = _constant(size)
    if count is None or not _is_cheap(text):
        raise not_on_trino("right of a length that is no constant")
    if count < 0:
        return call("substr", text, number(1 - count))
    if count == 0:
        return call("substr", text, number(1), number(0))
    first = exp.Sub(this=call("length", text.copy()), expression=number(count - 1))
    begin = when(exp.LT(this=exp.Paren(this=first.copy()), expression=number(1)), number(1), first)
    return call("substr", text, begin)


def _trim(position: str) -> Way:
    def made(nodes: Nodes) -> exp.Expr:
        return exp.Trim(this=nodes[0], expression=nodes[1], position=position)

    return made


def _replaced(nodes: Nodes) -> exp.Expr:
    text, old, _ = nodes
    if isinstance(old, exp.Literal):
        return call("replace", *nodes) if old.name else text
    is_empty = exp.EQ(this=exp.Paren(this=old.copy()), expression=string(""))
    return when(is_empty, text.copy(), call("replace", *nodes))


def _split(nodes: Nodes) -> exp.Expr:
    text, by, at = nodes
    count = _constant(at)
    if not (isinstance(by, exp.Literal) and by.name and count is not None and count > 0):
        raise not_on_trino("split_part with anything but constants")
    # Beyond the last part Trino has NULL.
    part = exp.Coalesce(this=call("split_part", text, by, at), expressions=[string("")])
    return when(exp.Is(this=exp.Paren(this=text.copy()), expression=exp.Null()), exp.Null(), part)


def _substring(nodes: Nodes) -> exp.Expr:
    start = _constant(nodes[1])
    if start is None or start < 1:
        raise not_on_trino("substring from a place that is no constant")
    return call("substr", *nodes)


def _padded(name: str) -> Way:
    def made(nodes: Nodes) -> exp.Expr:
        text, size, fill = nodes
        count = _constant(size)
        if count is None:
            least = exp.LT(this=exp.Paren(this=size.copy()), expression=number(0))
            size = when(least, number(0), size)
        elif count < 0:
            size = number(0)
        return call(name, text, size, fill)

    return made


def _repeated(nodes: Nodes) -> exp.Expr:
    text, times = nodes
    least = exp.LT(this=exp.Paren(this=times.copy()), expression=number(0))
    count = exp.Cast(this=when(least, number(0), times), to=exp.DataType.build("int"))
    # NULL times anything is an array of NULLs, which joins to an empty text.
    joined = call("array_join", call("repeat", text, count), string(""))
    return when(exp.Is(this=exp.Paren(this=text.copy()), expression=exp.Null()), exp.Null(), joined)


def _concatenated(nodes: Nodes) -> exp.Expr:
    parts: list[exp.Expr] = [
        exp.Coalesce(
            this=exp.Cast(this=node, to=exp.DataType.build("varchar", dialect="trino")),
            expressions=[string("")],
        )
        for node in nodes
    ]
    return parts[0] if len(parts) == 1 else call("concat", *parts)


def _contains(nodes: Nodes) -> exp.Expr:
    return exp.GT(this=call("strpos", *nodes), expression=number(0))


def _bytes(nodes: Nodes) -> exp.Expr:
    return call("length", call("to_utf8", *nodes))


def _truncated(nodes: Nodes) -> exp.Expr:
    if nodes[0].name not in _UNITS:
        raise not_on_trino("it truncates times to seconds and more")
    return call("date_trunc", *nodes)


def _part(nodes: Nodes) -> exp.Expr:
    unit, value = nodes
    name = _PARTS.get(unit.name)
    if name is None:
        raise not_on_trino(f"the field {unit.name} of a time")
    made: exp.Expr = call(name, value)
    if unit.name == "dow":
        # Sunday is the last day of Trino's week, and the first of PostgreSQL's.
        made = exp.Paren(this=exp.Mod(this=made, expression=number(7)))
    return made


def _fits(nodes: Nodes) -> exp.Expr:
    text, pattern = nodes
    return call("regexp_like", text, string(rf"\A(?:{pattern.name})\z"))


def _constant(node: exp.Expr) -> int | None:
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    sign = -1 if isinstance(node, exp.Neg) else 1
    text = node.this.name if isinstance(node, exp.Neg) else node.name
    literal = node.this if isinstance(node, exp.Neg) else node
    if isinstance(literal, exp.Literal) and text.lstrip("-").isdigit():
        return sign * int(text)
    return None


def _is_cheap(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Identifier | exp.Literal)


CALLS: Mapping[str, Way] = MappingProxyType(
    {
        "error": _fail,
        "isinf": _never,
        "greatest": _extreme("array_max"),
        "least": _extreme("array_min"),
        "coalesce": _coalesced,
        "left": _left,
        "right": _right,
        "trim": _trim("BOTH"),
        "ltrim": _trim("LEADING"),
        "rtrim": _trim("TRAILING"),
        "replace": _replaced,
        "split_part": _split,
        "substring": _substring,
        "lpad": _padded("lpad"),
        "rpad": _padded("rpad"),
        "repeat": _repeated,
        "concat": _concatenated,
        "contains": _contains,
        "instr": _same("strpos"),
        "strlen": _bytes,
        "date_trunc": _truncated,
        "date_part": _part,
        "regexp_full_match": _fits,
        **{
            name: _same(name)
            for name in (
                "abs", "ceil", "concat_ws", "date_diff", "floor", "grouping", "length", "lower",
                "sign", "starts_with", "upper",
            )
        },
    }
)  # fmt: skip
