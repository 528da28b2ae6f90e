"""Decides how values are compared: types, rows, NULLs, lists, subqueries, patterns of LIKE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.casts import coerce, settle
from roundview_federation.dialect.refusal import FUNCTION, SYNTAX, TYPES, refuse, unsupported
from roundview_federation.dialect.types import (
    BOOLEAN,
    MAX_DIGITS,
    ROW,
    UNKNOWN,
    PgType,
    common,
    numeric,
)
from roundview_federation.dialect.types import TEXT as TEXT_TYPE
from roundview_federation.dialect.values import (
    Ref,
    Value,
    binary,
    call,
    cast,
    closed,
    is_cheap,
    let,
    let_all,
    string,
    when,
)

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_UNORDERED = frozenset({"json"})


def compare(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    """Returns the truth of an operator such as = or <, of rows too."""
    if left.type is ROW or right.type is ROW:
        return Value(_rows(kind, left, right, source), BOOLEAN, source)
    left, right = paired(left, right, _SIGNS[kind], source)
    return Value(binary(kind, left.node, right.node), BOOLEAN, source)


def paired(left: Value, right: Value, sign: str, source: exp.Expr) -> tuple[Value, Value]:
    """Returns both values as types that compare."""
    type_ = common((left.type, right.type))
    if type_ is None or type_.name in _UNORDERED:
        raise refuse(FUNCTION, f"there is no operator {left.type} {sign} {right.type}", source)
    left, right = comparable(left, type_), comparable(right, type_)
    return _held(left, right), _held(right, left)


def comparable(value: Value, type_: PgType) -> Value:
    """Returns a value as something to compare with the type: DuckDB widens numerics itself."""
    if type_.name == "numeric":
        if value.type is UNKNOWN:
            return coerce(value, PgType("numeric"))
        return value
    if value.type.is_integer and type_.is_integer:
        return value
    return coerce(value, type_)


def same_types(values: Sequence[Value], what: str, source: exp.Expr) -> list[Value]:
    """Returns values as their common type; raises RequestError 42804 if there is none."""
    type_ = common(value.type for value in values)
    if type_ is None:
        types = sorted({str(value.type) for value in values if value.type is not UNKNOWN})
        raise refuse(TYPES, f"{what} cannot have types {' and '.join(types)} together", source)
    if type_.name == "numeric":
        return [_as_decimal(value, type_) for value in values]
    return [coerce(value, type_) for value in values]


def distinct(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> Value:
    """Returns the truth of IS [NOT] DISTINCT FROM."""
    if left.type is ROW or right.type is ROW:
        raise unsupported("IS DISTINCT FROM of rows", source)
    left, right = paired(left, right, "=", source)
    return Value(binary(kind, left.node, right.node), BOOLEAN, source)


def is_(translator: Translator, node: exp.Expr) -> Value:
    """Returns the truth of IS [NOT] NULL, TRUE, FALSE, UNKNOWN."""
    value = translator.value(node.this)
    test = node.args["expression"]
    is_not = bool(node.args.get("negate"))
    if value.type is ROW:
        if not isinstance(test, exp.Null):
            raise refuse(TYPES, "a row is not a truth", node)
        parts = [
            exp.Is(this=closed(settle(item).node), expression=exp.Null(), negate=is_not or None)
            for item in value.items
        ]
        return Value(_all(parts), BOOLEAN, node)
    if isinstance(test, exp.Null):
        inner = settle(value).node
        made = exp.Is(this=closed(inner), expression=exp.Null(), negate=is_not or None)
        return Value(made, BOOLEAN, node)
    if not isinstance(test, exp.Boolean):
        raise unsupported("this test", node)
    if value.type not in (BOOLEAN, UNKNOWN):
        raise refuse(TYPES, f"IS TRUE needs a boolean, not {value.type}", node)
    inner = coerce(value, BOOLEAN).node
    same = binary(exp.NullSafeNEQ if is_not else exp.NullSafeEQ, inner, exp.Boolean(this=test.this))
    return Value(same, BOOLEAN, node)


def between(values: Sequence[Value], node: exp.Expr) -> Value:
    """Returns the truth of x BETWEEN low AND high."""
    value, low, high = values
    is_not = bool(node.args.get("negate"))
    type_ = common([value.type, low.type, high.type])
    if type_ is not None and ROW not in (value.type, low.type, high.type):
        one, two, three = (comparable(part, type_) for part in values)
        made: exp.Expr = exp.Between(
            this=closed(one.node), low=closed(two.node), high=closed(three.node)
        )
        if node.args.get("symmetric"):
            other = exp.Between(
                this=closed(one.node.copy()), low=closed(three.node.copy()),
                high=closed(two.node.copy()),
            )  # fmt: skip
            made = exp.Or(this=made, expression=other)
        if is_not:
            made = exp.Not(this=exp.Paren(this=made))
        return Value(made, BOOLEAN, node)
    raise refuse(FUNCTION, f"{value.type} is not compared with {low.type} and {high.type}", node)


def is_in(translator: Translator, node: exp.Expr) -> Value:
    """Returns the truth of x IN (…), of a list or a query."""
    value = translator.value(node.this)
    query = node.args.get("query")
    made: exp.Expr
    if query is not None:
        if value.type is ROW:
            raise unsupported("a row IN a query", node, "write EXISTS")
        left, right = _against_query(translator, value, query, node)
        if not isinstance(right, exp.Subquery):
            right = exp.Subquery(this=right)
        made = exp.In(this=closed(left), query=right)
    elif value.type is ROW:
        parts = [
            compare(exp.EQ, value, translator.value(one), node).node for one in node.expressions
        ]
        made = _any([parts[0], *parts[1:]])
    else:
        items = [translator.value(part) for part in node.expressions]
        type_ = common([value.type, *(item.type for item in items)])
        if type_ is None or any(item.type is ROW for item in items):
            other = next((i.type for i in items if common([value.type, i.type]) is None), ROW)
            raise refuse(FUNCTION, f"there is no operator {value.type} = {other}", node)
        made = exp.In(
            this=closed(comparable(value, type_).node),
            expressions=[comparable(item, type_).node for item in items],
        )
    if node.args.get("negate"):
        made = exp.Not(this=exp.Paren(this=made))
    return Value(made, BOOLEAN, node)


def any_of(translator: Translator, node: exp.Expr) -> Value:
    """Returns the truth of x = ANY (…) or x > ALL (…), of a query or an array."""
    quantifier = node.args["expression"]
    is_all = not isinstance(quantifier, exp.Any)
    inner = quantifier.expressions[0] if isinstance(quantifier, exp.Anonymous) else quantifier.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    value = translator.value(node.this)
    kind = type(node)
    if isinstance(inner, exp.Array):
        parts = [
            compare(kind, value, translator.value(part), node).node for part in inner.expressions
        ]
        if not parts:
            raise unsupported("an empty array", node)
        return Value(_all(parts) if is_all else _any(parts), BOOLEAN, node)
    if not isinstance(inner, exp.Query):
        raise unsupported("ANY and ALL of anything but a query or ARRAY[…]", node)
    if value.type is ROW:
        raise unsupported("a row against a query", node)
    left, right = _against_query(translator, value, inner, node)
    if not isinstance(right, exp.Subquery):
        right = exp.Subquery(this=right)
    made = kind(this=closed(left), expression=(exp.All if is_all else exp.Any)(this=right))
    return Value(made, BOOLEAN, node)


def matched(node: exp.Expr, left: Value, right: Value, escape: str | None) -> Value:
    """Returns the truth of LIKE and ILIKE; PostgreSQL's escape is the backslash."""
    for value in (left, right):
        if value.type.category not in "SX":
            raise refuse(FUNCTION, f"there is no operator {left.type} LIKE {right.type}", node)
    text, pattern = coerce(left, TEXT_TYPE), coerce(right, TEXT_TYPE)
    said = pattern.text
    if said is not None and escape is not None:
        tail = len(said) - len(said.rstrip(escape))
        if tail % 2:
            # An error in PostgreSQL only for texts that are compared this far.
            raise unsupported("a pattern that ends with its escape", node)
    inner, shape = text.node, pattern.node
    if isinstance(node, exp.ILike):
        inner, shape = call("lower", inner), call("lower", shape)
    made: exp.Expr = exp.Like(this=closed(inner), expression=closed(shape))
    if escape is not None and (said is None or escape in said):
        if isinstance(node, exp.ILike) and escape != escape.lower():
            raise unsupported("a capital letter as escape of ILIKE", node)
        made = exp.Escape(this=made, expression=string(escape))
    elif escape is None and (said is None or "\\" in said):
        raise unsupported("LIKE without an escape", node)
    if node.args.get("negate"):
        made = exp.Not(this=exp.Paren(this=made))
    return Value(made, BOOLEAN, node)


def nullif(left: Value, right: Value, node: exp.Expr) -> Value:
    """Returns NULL where both are equal, the left value elsewhere."""
    modifier = left.type.modifier
    left = settle(left, right.type if right.type is not UNKNOWN else TEXT_TYPE)
    wider = common((left.type, right.type))
    if wider is not None and wider.name in ("numeric", "double precision"):
        # PostgreSQL has no = of both types: the left side is converted for good.
        left = same_types([left, right], "NULLIF", node)[0]

    def body(x: Ref, y: Ref) -> exp.Expr:
        other = right if right.type is UNKNOWN else Value(y(), right.type, right.source)
        equal = compare(exp.EQ, Value(x(), left.type, left.source), other, node)
        return when(equal.node, exp.Null(), x())

    made = let_all({"x": left.node, "y": right.node}, lambda of: body(of["x"], of["y"]))
    return Value(made, replace(left.type, modifier=modifier), node)


def _held(value: Value, other: Value) -> Value:
    """Returns a number as one that fits beside a quotient, whose DECIMAL has few whole digits.

    What is larger than any quotient becomes the largest DECIMAL, which no quotient is: those with
    that many whole digits have fewer behind the point.
    """
    own, type_ = value.type, other.type
    if type_.name != "numeric" or type_.exact or not (own.is_integer or own.name == "numeric"):
        return value
    scale = type_.scale or 0
    if max(own.digits, type_.digits) + max(own.scale or 0, scale) <= MAX_DIGITS:
        # Not every number without a fixed scale is a quotient: COALESCE of two scales is none.
        return value
    if own.digits <= type_.digits or (own.scale or 0) > scale or not own.exact:
        return value
    wide = numeric(38, scale)
    limit = cast(string("1" + "0" * type_.digits), numeric(type_.digits + 1, 0))
    largest = "9" * type_.digits + "." + "9" * scale
    node = let(
        "h", value.node,
        lambda h: exp.Case(
            ifs=[
                exp.If(this=binary(exp.GTE, h(), limit), true=cast(string(largest), wide)),
                exp.If(
                    this=binary(exp.LTE, h(), exp.Neg(this=limit.copy())),
                    true=cast(string(f"-{largest}"), wide),
                ),
            ],
            default=cast(h(), wide),
        ),
    )  # fmt: skip
    return Value(node, wide, value.source)


def _as_decimal(value: Value, type_: PgType) -> Value:
    if value.type is UNKNOWN:
        inner = coerce(value, PgType("numeric"))
        return inner if inner.type.scale == type_.scale else Value(
            inner.node, inner.type, value.source
        )  # fmt: skip
    # The DECIMALs need not be one: DuckDB takes the widest, whose scale is that of the type.
    return coerce(value, type_)


def _against_query(
    translator: Translator, value: Value, query: exp.Expr, node: exp.Expr
) -> tuple[exp.Expr, exp.Expr]:
    """Returns a value and a query of one column whose types compare."""
    inner, columns = translator.one_column(query)
    type_ = common((value.type, columns[0]))
    if type_ is None:
        raise refuse(FUNCTION, f"there is no operator {value.type} = {columns[0]}", node)
    left = comparable(value, type_)
    scale = columns[0].scale or 0
    if left.type.name == columns[0].name == "numeric" and (left.type.scale or 0) < scale:
        # DuckDB cuts the query's values to the scale of a DECIMAL(38, …) on the left.
        left = Value(cast(left.node, numeric(MAX_DIGITS, scale)), numeric(MAX_DIGITS, scale), node)
    if columns[0] != type_ and not (type_.category == "N" and type_.name != "double precision"):
        inner = translator.retyped(inner, columns, [type_])
    return left.node, inner


def _rows(kind: type[exp.Expr], left: Value, right: Value, source: exp.Expr) -> exp.Expr:
    if left.type is not ROW or right.type is not ROW or len(left.items) != len(right.items):
        raise refuse(SYNTAX, "rows of different length are not compared", source)
    pairs = list(zip(left.items, right.items, strict=True))
    if kind is exp.EQ:
        return _all([compare(kind, one, two, source).node for one, two in pairs])
    if kind is exp.NEQ:
        return _any([compare(kind, one, two, source).node for one, two in pairs])
    strict = exp.LT if kind in (exp.LT, exp.LTE) else exp.GT
    found = compare(kind, *_copied(pairs[-1]), source).node
    for one, two in reversed(pairs[:-1]):
        if not (is_cheap(one.node) and is_cheap(two.node)):
            raise unsupported("comparing rows of expressions", source)
        first = compare(strict, *_copied((one, two)), source).node
        equal = compare(exp.EQ, *_copied((one, two)), source).node
        found = exp.Or(
            this=first,
            expression=exp.Paren(this=exp.And(this=equal, expression=exp.Paren(this=found))),
        )
    return found


def _copied(pair: tuple[Value, Value]) -> tuple[Value, Value]:
    one, two = pair
    return (
        Value(one.node.copy(), one.type, one.source, one.text),
        Value(two.node.copy(), two.type, two.source, two.text),
    )


def _all(parts: Sequence[exp.Expr]) -> exp.Expr:
    return _chained(exp.And, parts)


def _any(parts: Sequence[exp.Expr]) -> exp.Expr:
    return _chained(exp.Or, parts)


def _chained(kind: type[exp.Expr], parts: Sequence[exp.Expr]) -> exp.Expr:
    found = exp.Paren(this=parts[0]) if len(parts) > 1 else parts[0]
    for part in parts[1:]:
        found = kind(this=found, expression=exp.Paren(this=part))
    return found
