"""Decides the DuckDB meaning and the type of every kind of expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.arithmetic import SIGNS, arithmetic, negative
from roundview_federation.dialect.casts import assign, coerce, settle
from roundview_federation.dialect.comparing import (
    any_of,
    between,
    compare,
    distinct,
    is_,
    is_in,
    matched,
    nullif,
    same_types,
)
from roundview_federation.dialect.functions import called
from roundview_federation.dialect.functions_text import substring, trim
from roundview_federation.dialect.functions_time import at_zone, extracted
from roundview_federation.dialect.grouping import bare
from roundview_federation.dialect.literals import number_type
from roundview_federation.dialect.patterns import first_match, searched
from roundview_federation.dialect.refusal import FUNCTION, TYPES, refuse, unsupported
from roundview_federation.dialect.series import series_rows, unnested
from roundview_federation.dialect.targets import target
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    ROW,
    TEXT,
    TIMESTAMP,
    UNKNOWN,
    PgType,
    array_of,
    common,
)
from roundview_federation.dialect.values import (
    Value,
    binary,
    call,
    cast,
    string,
)

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

Handler = Callable[["Translator", exp.Expr], Value]


def _column(translator: Translator, node: exp.Expr) -> Value:
    table, name = node.args["table"].args["this"], node.args["this"].args["this"]
    return Value(
        node.copy() if node.parent is None else node, translator.columns[table][name], node
    )


def _literal(translator: Translator, node: exp.Expr) -> Value:
    text = node.args["this"]
    if node.args.get("is_string"):
        return Value(string(text), UNKNOWN, node, text)
    return _number(text, node)


def _number(text: str, node: exp.Expr) -> Value:
    if text.lstrip("-").isdigit():
        size = int(text)
        for bits, type_ in ((31, INTEGER), (63, BIGINT)):
            if -(2**bits) <= size < 2**bits:
                literal = exp.Literal(this=str(size), is_string=size < 0)
                return Value(cast(literal, type_), type_, node, str(size))
    plain, type_ = number_type(text, node)
    return Value(cast(string(plain), type_), type_, node, plain)


def _boolean(translator: Translator, node: exp.Expr) -> Value:
    return Value(exp.Boolean(this=node.args["this"]), BOOLEAN, node)


def _null(translator: Translator, node: exp.Expr) -> Value:
    return Value(exp.Null(), UNKNOWN, node)


def _parameter(translator: Translator, node: exp.Expr) -> Value:
    return translator.parameter(node)


def _paren(translator: Translator, node: exp.Expr) -> Value:
    return translator.value(node.this)


def _tuple(translator: Translator, node: exp.Expr) -> Value:
    items = tuple(translator.value(part) for part in node.expressions)
    return Value(node, ROW, node, items=items)


def _operator(translator: Translator, node: exp.Expr) -> Value:
    left, right = translator.value(node.this), translator.value(node.args["expression"])
    return arithmetic(type(node), left, right, node)


def _negative(translator: Translator, node: exp.Expr) -> Value:
    inner = bare(node.this)
    if isinstance(inner, exp.Literal) and not inner.is_string:
        # The sign belongs to the constant: -2147483648 is an integer.
        return _number(f"-{inner.name}", node)
    return negative(translator.value(node.this), node)


def _piped(translator: Translator, node: exp.Expr) -> Value:
    left, right = translator.value(node.this), translator.value(node.args["expression"])
    if left.type.category not in "SX" and right.type.category not in "SX":
        raise refuse(FUNCTION, f"there is no operator {left.type} || {right.type}", node)
    parts = [assign(settle(value), TEXT).node for value in (left, right)]
    return Value(binary(exp.DPipe, *parts), TEXT, node)


def _connected(translator: Translator, node: exp.Expr) -> Value:
    kind = type(node)
    parts: list[exp.Expr] = []
    stack = [node]
    while stack:
        part = stack.pop()
        if type(part) is kind:
            stack.append(part.args["expression"])
            stack.append(part.this)
        else:
            parts.append(translator.condition(part, "AND" if kind is exp.And else "OR"))
    found = parts[0]
    for part in parts[1:]:
        found = kind(
            this=found if type(found) is kind else _grouped(found), expression=_grouped(part)
        )
    return Value(found, BOOLEAN, node)


def _grouped(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, (exp.And, exp.Or)) else node


def _not(translator: Translator, node: exp.Expr) -> Value:
    inner = translator.condition(node.this, "NOT")
    return Value(
        exp.Not(this=inner if isinstance(inner, exp.Paren) else exp.Paren(this=inner)),
        BOOLEAN,
        node,
    )


def _comparison(translator: Translator, node: exp.Expr) -> Value:
    right = node.args["expression"]
    if isinstance(right, (exp.Any, exp.All)) or (
        isinstance(right, exp.Anonymous) and right.this == "all"
    ):
        return any_of(translator, node)
    return compare(type(node), translator.value(node.this), translator.value(right), node)


def _distinct(translator: Translator, node: exp.Expr) -> Value:
    left, right = translator.value(node.this), translator.value(node.args["expression"])
    return distinct(type(node), left, right, node)


def _between(translator: Translator, node: exp.Expr) -> Value:
    values = [translator.value(node.args[name]) for name in ("this", "low", "high")]
    return between(values, node)


def _like(translator: Translator, node: exp.Expr) -> Value:
    escape: str | None = "\\"
    inner = node
    if isinstance(node, exp.Escape):
        given = node.args["expression"]
        if not (isinstance(given, exp.Literal) and given.is_string and len(given.name) <= 1):
            raise unsupported("an escape of more than one character", node)
        escape, inner = given.name or None, node.this
    left, right = translator.value(inner.this), translator.value(inner.args["expression"])
    return matched(inner, left, right, escape)


def _regexp(translator: Translator, node: exp.Expr) -> Value:
    left, right = translator.value(node.this), translator.value(node.args["expression"])
    return searched(left, right, node, ignores_case=isinstance(node, exp.RegexpILike))


def _case(translator: Translator, node: exp.Expr) -> Value:
    arms = node.args["ifs"]
    subject = node.args.get("this")
    results = [translator.value(arm.args["true"]) for arm in arms]
    default = node.args.get("default")
    last = translator.value(default) if default is not None else None
    every = same_types([*([last] if last is not None else []), *results], "CASE", node)
    if last is not None:
        last, results = every[0], every[1:]
    else:
        results = every
    if subject is None:
        conditions = [translator.condition(arm.this, "CASE") for arm in arms]
        head = None
    else:
        wanted = same_types(
            [translator.value(subject), *(translator.value(arm.this) for arm in arms)],
            "CASE", node,
        )  # fmt: skip
        head, conditions = wanted[0].node, [value.node for value in wanted[1:]]
    made = exp.Case(
        this=head,
        ifs=[
            exp.If(this=condition, true=result.node)
            for condition, result in zip(conditions, results, strict=True)
        ],
        default=last.node if last is not None else None,
    )
    type_ = _type_of(every)
    # Without ELSE there is NULL of no declared size.
    return Value(made, type_ if last is not None else replace(type_, modifier=-1), node)


def _type_of(values: Sequence[Value]) -> PgType:
    type_ = common(value.type for value in values)
    return type_ if type_ is not None else values[0].type


def _several(name: str) -> Handler:
    def handler(translator: Translator, node: exp.Expr) -> Value:
        values = same_types(
            [translator.value(part) for part in (node.this, *node.expressions)],
            name.upper(), node,
        )  # fmt: skip
        return Value(call(name, *(value.node for value in values)), _type_of(values), node)

    return handler


def _nullif(translator: Translator, node: exp.Expr) -> Value:
    left, right = translator.value(node.this), translator.value(node.args["expression"])
    return nullif(left, right, node)


def _cast(translator: Translator, node: exp.Expr) -> Value:
    type_, limit = target(node.args["to"])
    made = assign(translator.value(node.this), type_, limit)
    return Value(made.node, replace(made.type, modifier=type_.modifier), node, made.text)


def _extract(translator: Translator, node: exp.Expr) -> Value:
    return extracted(node.this.name, translator.value(node.args["expression"]), node)


def _at_zone(translator: Translator, node: exp.Expr) -> Value:
    return at_zone(translator.value(node.this), translator.value(node.args["zone"]), node)


def _substring(translator: Translator, node: exp.Expr) -> Value:
    parts = [node.this, node.args.get("start"), node.args.get("length")]
    values = [translator.value(part) for part in parts if part is not None]
    if len(values) < 2 or node.args.get("start") is None:
        raise unsupported("this form of substring", node)
    if len(values) == 2 and values[1].type in (UNKNOWN, TEXT):
        return first_match(values, node)
    if any(not value.type.is_integer for value in values[1:]):
        raise unsupported("substring with a pattern", node)
    return substring([coerce(values[0], TEXT), *values[1:]], node)


def _trim(translator: Translator, node: exp.Expr) -> Value:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")), "trim")
    parts = [node.this, node.args.get("expression")]
    values = [
        coerce(translator.value(part), TEXT) for part in parts if part is not None
    ]  # fmt: skip
    if any(value.type.category != "S" for value in values):
        raise refuse(FUNCTION, f"there is no function {name}({values[0].type})", node)
    return trim(name)(values, node)


def _position(translator: Translator, node: exp.Expr) -> Value:
    return called(
        "strpos", [translator.value(node.this), translator.value(node.args["substr"])], node
    )


def _called(translator: Translator, node: exp.Expr) -> Value:
    name = node.this
    if name == "row":
        return _tuple(translator, node)
    if name == "now":
        return translator.clock(node)
    if name in translator.aggregates:
        return translator.aggregate(node)
    return called(name, [translator.value(part) for part in node.expressions], node)


def _now(translator: Translator, node: exp.Expr) -> Value:
    return translator.clock(node)


def _today(translator: Translator, node: exp.Expr) -> Value:
    return Value(cast(translator.clock(node).node, DATE), DATE, node)


def _local_now(translator: Translator, node: exp.Expr) -> Value:
    return Value(cast(translator.clock(node).node, TIMESTAMP), TIMESTAMP, node)


def _subquery(translator: Translator, node: exp.Expr) -> Value:
    return translator.scalar(node)


def _exists(translator: Translator, node: exp.Expr) -> Value:
    inner, _ = translator.rows(node.this)
    return Value(exp.Exists(this=inner), BOOLEAN, node)


def _array(translator: Translator, node: exp.Expr) -> Value:
    values = same_types([translator.value(part) for part in node.expressions], "ARRAY", node)
    if not values:
        raise unsupported("an array without elements", node)
    return Value(
        call("list_value", *(value.node for value in values)), array_of(_type_of(values)), node
    )


def _aggregate(translator: Translator, node: exp.Expr) -> Value:
    return translator.aggregate(node)


def _refused(translator: Translator, node: exp.Expr) -> Value:
    raise refuse(TYPES, "this cannot stand here", node)


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Parameter: _parameter,
    exp.Paren: _paren,
    exp.Tuple: _tuple,
    **dict.fromkeys(SIGNS, _operator),
    exp.Neg: _negative,
    exp.DPipe: _piped,
    exp.And: _connected,
    exp.Or: _connected,
    exp.Not: _not,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _comparison),
    exp.NullSafeEQ: _distinct,
    exp.NullSafeNEQ: _distinct,
    exp.Is: is_,
    exp.Between: _between,
    exp.In: is_in,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _like,
    exp.RegexpLike: _regexp,
    exp.RegexpILike: _regexp,
    exp.Case: _case,
    exp.Coalesce: _several("coalesce"),
    exp.Greatest: _several("greatest"),
    exp.Least: _several("least"),
    exp.Nullif: _nullif,
    exp.Cast: _cast,
    exp.Extract: _extract,
    exp.AtTimeZone: _at_zone,
    exp.Substring: _substring,
    exp.Trim: _trim,
    exp.StrPosition: _position,
    exp.Anonymous: _called,
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: _today,
    exp.Localtimestamp: _local_now,
    exp.Subquery: _subquery,
    exp.Exists: _exists,
    exp.Array: _array,
    exp.ExplodingGenerateSeries: series_rows,
    exp.Unnest: unnested,
    exp.Any: _refused,
    exp.All: _refused,
    exp.Star: _refused,
    **dict.fromkeys(
        (
            exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr,
            exp.GroupConcat, exp.ArrayAgg, exp.WithinGroup, exp.Filter, exp.Grouping, exp.Window,
        ),
        _aggregate,
    ),
}  # fmt: skip
