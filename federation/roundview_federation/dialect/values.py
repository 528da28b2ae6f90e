"""Decides how typed pieces of DuckDB's SQL are put together without changing what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_federation.dialect.types import PgType, duck

# What our own checks in a statement raise; `failure` reads it back.
FAILURE = "roundview:"

Ref = Callable[[], exp.Expr]

_CLOSED: tuple[type[exp.Expr], ...] = (
    exp.Column, exp.Literal, exp.Cast, exp.Anonymous, exp.Paren, exp.Case, exp.Null,
    exp.Boolean, exp.Identifier, exp.Coalesce, exp.Placeholder, exp.Subquery,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """One expression of DuckDB with its PostgreSQL type.

    `text` is what a constant says: the text of a literal, of a number as written; `source` is
    where it came from, for errors; `items` are those of a row; `parameters` are where a
    parameter tells its type.
    """

    node: exp.Expr
    type: PgType
    source: exp.Expr
    text: str | None = None
    items: tuple[Value, ...] = ()
    parameters: dict[int, PgType] | None = None


def call(name: str, *nodes: exp.Expr) -> exp.Anonymous:
    """Returns a call of one of DuckDB's functions."""
    return exp.Anonymous(this=name, expressions=list(nodes))


def cast(node: exp.Expr, type_: PgType) -> exp.Cast:
    """Returns DuckDB's cast."""
    return exp.Cast(this=node, to=duck(type_))


def huge(node: exp.Expr) -> exp.Cast:
    """Returns the cast to DuckDB's whole number of 128 bits."""
    return exp.Cast(this=node, to=exp.DataType(this=exp.DType.INT128))


def number(value: int) -> exp.Expr:
    """Returns a whole number as a literal."""
    literal = exp.Literal(this=str(abs(value)), is_string=False)
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def string(text: str) -> exp.Literal:
    """Returns a text as a literal."""
    return exp.Literal(this=text, is_string=True)


def closed(node: exp.Expr) -> exp.Expr:
    """Returns a node that may be an operand: operators get parentheses."""
    return node if isinstance(node, _CLOSED) else exp.Paren(this=node)


def binary(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Returns an operator over two operands."""
    return kind(this=closed(left), expression=closed(right))


def fail(sqlstate: str) -> exp.Anonymous:
    """Returns what ends the statement with an error when it is evaluated."""
    return call("error", string(FAILURE + sqlstate))


def when(condition: exp.Expr, then: exp.Expr, default: exp.Expr | None) -> exp.Case:
    """Returns CASE WHEN condition THEN then ELSE default END."""
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=default)


def is_null(node: exp.Expr) -> exp.Is:
    """Returns `node IS NULL` over a copy of the node."""
    return exp.Is(this=node.copy(), expression=exp.Null())


def guarded(condition: exp.Expr, sqlstate: str, value: exp.Expr) -> exp.Case:
    """Returns a value that raises where the condition holds."""
    return when(condition, fail(sqlstate), value)


def is_cheap(node: exp.Expr) -> bool:
    """Tells whether a tree may be written twice."""
    if isinstance(node, exp.Cast):
        node = node.this
    return isinstance(node, (exp.Column, exp.Literal, exp.Identifier, exp.Null, exp.Placeholder))


def let_all(
    nodes: Mapping[str, exp.Expr], body: Callable[[Mapping[str, Ref]], exp.Expr]
) -> exp.Expr:
    """Does what `let` does with several values at once.

    They are evaluated outside of any lambda, where subqueries may not stand.
    """
    dear = {name: node for name, node in nodes.items() if not is_cheap(node)}
    refs: dict[str, Ref] = {name: node.copy for name, node in nodes.items() if name not in dear}
    if not dear:
        return body(refs)
    if len(dear) == 1:
        (only,) = dear
        return let(only, dear[only], lambda ref: body({**refs, only: ref}))

    def made(ref: Ref) -> exp.Expr:
        def part(name: str) -> Ref:
            return lambda: call("struct_extract", ref(), string(name))

        return body({**refs, **{name: part(name) for name in dear}})

    packed = call(
        "struct_pack",
        *(
            exp.PropertyEQ(this=exp.Identifier(this=name, quoted=False), expression=node)
            for name, node in dear.items()
        ),
    )
    return let("".join(dear), packed, made)


def let(name: str, node: exp.Expr, body: Callable[[Callable[[], exp.Expr]], exp.Expr]) -> exp.Expr:
    """Returns `body` over a value that it may use many times but that is evaluated once.

    `body` gets what makes a new reference to the value; `name` differs from those around it.
    """
    if is_cheap(node):
        return body(node.copy)
    inner = body(lambda: exp.Identifier(this=name, quoted=False))
    function = exp.Lambda(
        this=inner, expressions=[exp.Identifier(this=name, quoted=False)], colon=True
    )
    return call(
        "list_extract", call("list_transform", call("list_value", node), function), number(1)
    )
