"""Decides how functions over text are said to DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from roundview_federation.dialect.casts import settle, text_of
from roundview_federation.dialect.patterns import first_match, replaced
from roundview_federation.dialect.refusal import unsupported
from roundview_federation.dialect.signatures import Form, Render, form
from roundview_federation.dialect.types import BIGINT, BOOLEAN, INTEGER, TEXT, UNKNOWN, PgType
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

# Longer results of repeat and padding end the statement: they are built before any limit counts.
MAX_TEXT = 1_000_000


def simple(name: str, type_: PgType) -> Render:
    """Returns a rendering that is the call of one of DuckDB's functions."""
    is_number = type_ == INTEGER

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        node: exp.Expr = call(name, *(value.node for value in values))
        return Value(cast(node, type_) if is_number else node, type_, source)

    return render


def upper(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns upper(x): ß stays what it is in PostgreSQL and becomes ẞ in DuckDB."""
    node = let(
        "t", values[0].node,
        lambda t: exp.Case(
            ifs=[
                exp.If(
                    this=exp.Not(this=call("contains", t(), string("ß"))), true=call("upper", t())
                ),
                exp.If(this=call("contains", t(), string("ẞ")), true=fail("0A000")),
            ],
            default=call("replace", call("upper", t()), string("ẞ"), string("ß")),
        ),
    )  # fmt: skip
    # NULL is not without ß: the last branch gives NULL for it.
    return Value(node, TEXT, source)


def substring(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns substring(x, from, length): positions before the first count into the length."""
    text, start = values[0], values[1]
    first = _constant(start)
    if len(values) == 2:
        if first is not None:
            return Value(call("substring", text.node, number(max(first, 1))), TEXT, source)
        made = call("substring", text.node, call("greatest", start.node, number(1)))
        # greatest leaves NULL out.
        return Value(_unless_null(made, start.node), TEXT, source)
    size = _constant(values[2])
    if first is not None and size is not None and size >= 0:
        end = first + size
        begin = max(first, 1)
        made = call("substring", text.node, number(begin), number(max(end - begin, 0)))
        return Value(made, TEXT, source)

    def body(t: exp.Expr, s: exp.Expr, n: exp.Expr) -> exp.Expr:
        wide = exp.Cast(this=s, to=exp.DataType(this=exp.DType.BIGINT))
        end = binary(exp.Add, wide, n)
        begin = call("greatest", wide.copy(), number(1))
        length = call("greatest", binary(exp.Sub, end, begin.copy()), number(0))
        part = call("substring", t.copy(), begin, length)
        is_null = exp.Or(
            this=exp.Is(this=t, expression=exp.Null()),
            expression=exp.Or(
                this=exp.Is(this=s.copy(), expression=exp.Null()),
                expression=exp.Is(this=n.copy(), expression=exp.Null()),
            ),
        )
        return exp.Case(
            ifs=[
                exp.If(this=is_null, true=exp.Null()),
                exp.If(this=binary(exp.LT, n.copy(), number(0)), true=fail("22011")),
            ],
            default=part,
        )

    node = let_all(
        {"t": text.node, "s": start.node, "n": values[2].node},
        lambda of: body(of["t"](), of["s"](), of["n"]()),
    )
    return Value(node, TEXT, source)


def reversed_text(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns reverse(x): of characters, where DuckDB's own keeps combined ones together."""
    parts = call("list_reverse", call("string_split", values[0].node, string("")))
    return Value(call("array_to_string", parts, string("")), TEXT, source)


def trim(name: str) -> Render:
    """Returns a rendering of ltrim, rtrim or trim with or without the characters."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        characters = values[1].node if len(values) > 1 else string(" ")
        return Value(call(name, values[0].node, characters), TEXT, source)

    return render


def pad(name: str) -> Render:
    """Returns a rendering of lpad or rpad; an empty filling pads nothing."""

    def render(values: Sequence[Value], source: exp.Expr) -> Value:
        text, size = values[0].node, values[1]
        fill = values[2].node if len(values) > 2 else string(" ")
        length = _constant(size)
        if length is not None and length > MAX_TEXT:
            raise unsupported(f"a text longer than {MAX_TEXT} characters", source)
        wanted = size.node if length is not None else _capped(size.node)
        if isinstance(fill, exp.Literal) and fill.name:
            return Value(call(name, text, wanted, fill), TEXT, source)
        node = let_all(
            {"t": text, "n": wanted, "f": fill},
            lambda of: when(
                binary(exp.EQ, of["f"](), string("")),
                call("left", of["t"](), call("greatest", of["n"](), number(0))),
                call(name, of["t"](), of["n"](), of["f"]()),
            ),
        )
        # A NULL length is none: left of greatest would give an empty text.
        return Value(_unless_null(node, size.node), TEXT, source)

    return render


def repeat(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns repeat(x, n) for what stays below a limit."""
    text, times = values
    count = _constant(times)
    if count is not None and count > MAX_TEXT:
        raise unsupported(f"a text longer than {MAX_TEXT} characters", source)

    def body(t: Ref, n: Ref) -> exp.Expr:
        size = binary(exp.Mul, cast(call("strlen", t()), BIGINT), n())
        is_long = binary(exp.GT, size, number(MAX_TEXT))
        return guarded(is_long, "54000", call("repeat", t(), n()))

    node = let_all({"t": text.node, "n": times.node}, lambda of: body(of["t"], of["n"]))
    return Value(node, TEXT, source)


def split_part(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns split_part(x, by, n): an empty delimiter splits nothing, part 0 is an error."""
    text, by, at = values
    place = _constant(at)
    if isinstance(by.node, exp.Literal) and by.node.name and place:
        return Value(call("split_part", text.node, by.node, number(place)), TEXT, source)

    def body(t: exp.Expr, d: exp.Expr, n: exp.Expr) -> exp.Expr:
        is_whole = exp.In(this=n.copy(), expressions=[number(1), number(-1)])
        nulls = [exp.Is(this=part.copy(), expression=exp.Null()) for part in (t, d, n)]
        has_null = exp.Or(this=exp.Or(this=nulls[0], expression=nulls[1]), expression=nulls[2])
        return exp.Case(
            ifs=[
                exp.If(this=has_null, true=exp.Null()),
                exp.If(this=binary(exp.EQ, n.copy(), number(0)), true=fail("22023")),
                exp.If(
                    this=binary(exp.EQ, d.copy(), string("")),
                    true=when(is_whole, t.copy(), string("")),
                ),
            ],
            default=call("split_part", t, d, n),
        )

    node = let_all(
        {"t": text.node, "d": by.node, "n": at.node},
        lambda of: body(of["t"](), of["d"](), of["n"]()),
    )
    return Value(node, TEXT, source)


def to_hex(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns to_hex(x): a negative 32-bit number has 8 digits."""
    value = values[0]
    node = value.node
    if value.type == INTEGER:
        wide = exp.Cast(this=node, to=exp.DataType(this=exp.DType.BIGINT))
        node = let(
            "x", wide,
            lambda x: when(
                binary(exp.LT, x(), number(0)), binary(exp.Add, x(), number(2**32)), x()
            ),
        )  # fmt: skip
    return Value(call("lower", call("to_hex", node)), TEXT, source)


def character(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns chr(n): 0 and what is no character are errors."""
    node = let(
        "c", values[0].node,
        lambda c: guarded(
            exp.Or(
                this=binary(exp.LT, c(), number(1)),
                expression=exp.Or(
                    this=binary(exp.GT, c(), number(0x10FFFF)),
                    expression=exp.Between(this=c(), low=number(0xD800), high=number(0xDFFF)),
                ),
            ),
            "54000", call("chr", c()),
        ),
    )  # fmt: skip
    return Value(node, TEXT, source)


def concatenated(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns concat(…): NULL is left out, booleans are t and f."""
    parts = [shown(value) for value in values]
    return Value(call("concat", *parts), TEXT, source)


def joined(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns concat_ws(separator, …)."""
    return Value(
        call("concat_ws", settle(values[0]).node, *(shown(value) for value in values[1:])),
        TEXT, source,
    )  # fmt: skip


def shown(value: Value) -> exp.Expr:
    """Returns a value as its output text, which differs from its cast for booleans only."""
    value = settle(value)
    if value.type == BOOLEAN:
        return let(
            "b", value.node,
            lambda b: exp.Case(
                ifs=[
                    exp.If(this=b(), true=string("t")),
                    exp.If(this=exp.Not(this=b()), true=string("f")),
                ]
            ),
        )  # fmt: skip
    return text_of(value)


def _constant(value: Value) -> int | None:
    """Returns the whole number that a constant argument is."""
    if value.text is not None and value.text.lstrip("-").isdigit():
        return int(value.text)
    return None


def _unless_null(node: exp.Expr, other: exp.Expr) -> exp.Expr:
    if isinstance(other, exp.Cast) and isinstance(other.this, exp.Literal):
        return node
    return when(exp.Is(this=exp.Paren(this=other.copy()), expression=exp.Null()), exp.Null(), node)


def _capped(size: exp.Expr) -> exp.Expr:
    return let("m", size, lambda m: guarded(binary(exp.GT, m(), number(MAX_TEXT)), "54000", m()))


_LENGTH = (form("text", simple("length", INTEGER)),)
_SUBSTRING = (
    form("text int", substring),
    form("text int int", substring),
    form("text text", first_match),
)

TEXT_FUNCTIONS: Mapping[str, tuple[Form, ...]] = {
    "lower": (form("text", simple("lower", TEXT)),),
    "upper": (form("text", upper),),
    "length": _LENGTH,
    "char_length": _LENGTH,
    "character_length": _LENGTH,
    "octet_length": (form("text", simple("strlen", INTEGER)),),
    "bit_length": (form("text", simple("bit_length", INTEGER)),),
    "substring": _SUBSTRING,
    "substr": _SUBSTRING,
    "left": (form("text int", simple("left", TEXT)),),
    "right": (form("text int", simple("right", TEXT)),),
    "btrim": (form("text", trim("trim")), form("text text", trim("trim"))),
    "trim": (form("text", trim("trim")), form("text text", trim("trim"))),
    "ltrim": (form("text", trim("ltrim")), form("text text", trim("ltrim"))),
    "rtrim": (form("text", trim("rtrim")), form("text text", trim("rtrim"))),
    "lpad": (form("text int", pad("lpad")), form("text int text", pad("lpad"))),
    "rpad": (form("text int", pad("rpad")), form("text int text", pad("rpad"))),
    "strpos": (form("text text", simple("instr", INTEGER)),),
    "regexp_replace": (
        form("text text text", replaced),
        form("text text text text", replaced),
    ),
    "replace": (form("text text text", simple("replace", TEXT)),),
    "translate": (form("text text text", simple("translate", TEXT)),),
    "split_part": (form("text text int", split_part),),
    "repeat": (form("text int", repeat),),
    "starts_with": (form("text text", simple("starts_with", BOOLEAN)),),
    "ascii": (form("text", simple("ascii", INTEGER)),),
    "chr": (form("int", character),),
    "reverse": (form("text", reversed_text),),
    "md5": (form("text", simple("md5", TEXT)),),
    "to_hex": (form("int", to_hex), form("bigint", to_hex)),
}
# Functions of any number of arguments of any type.
ANY_FUNCTIONS: Mapping[str, Render] = {"concat": concatenated, "concat_ws": joined}

__all__ = ["ANY_FUNCTIONS", "TEXT_FUNCTIONS", "UNKNOWN", "simple", "substring", "trim"]
