"""Decides what ORDER BY and DISTINCT ON name: outputs by name or number, or expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.grouping import bare
from roundview_federation.dialect.refusal import (
    AMBIGUOUS,
    COLUMN,
    GROUPING,
    SYNTAX,
    refuse,
    unsupported,
)
from roundview_federation.dialect.scopes import Output, Scope, folded

if TYPE_CHECKING:
    from roundview_federation.dialect.names import Queries, Resolver


# A constant in ORDER BY and its like can only be a number of a column.
CONSTANTS = (exp.Literal, exp.Boolean, exp.Null)


def ordered(
    resolver: Resolver,
    node: exp.Select,
    outputs: tuple[Output, ...],
    scope: Scope,
    queries: Queries,
) -> list[exp.Expr]:
    """Resolves ORDER BY; returns the expressions of it that are no ordinals."""
    order = node.args.get("order")
    found: list[exp.Expr] = []
    is_distinct = node.args.get("distinct") is not None
    for part in order.expressions if order is not None else ():
        key = bare(part.this)
        if isinstance(key, CONSTANTS):
            projection(node, key, "ORDER BY")
            part.set("this", key)
            continue
        if isinstance(key, exp.Column) and key.args.get("table") is None:
            at = positions(outputs, folded(key.this))
            if at:
                only(node, at, key)
                part.set("this", _ordinal(at[0], key))
                continue
        made = resolver.expression(key, scope, queries)
        if is_distinct and node.args["distinct"].args.get("on") is None:
            at = [n for n, own in enumerate(node.expressions) if own.this == made]
            if not at:
                raise refuse(
                    GROUPING, "with DISTINCT, ORDER BY can only have what is selected", key,
                    sqlstate="42P10",
                )  # fmt: skip
            part.set("this", _ordinal(at[0], key))
            continue
        part.set("this", made)
        found.append(made)
    return found


def distinct_on(
    resolver: Resolver,
    node: exp.Select,
    outputs: tuple[Output, ...],
    scope: Scope,
    queries: Queries,
) -> None:
    distinct = node.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    if on is None:
        return
    made: list[exp.Expr] = []
    for part in on.expressions if isinstance(on, exp.Tuple) else [on]:
        key = bare(part)
        at = (
            positions(outputs, folded(key.this))
            if isinstance(key, exp.Column) and key.args.get("table") is None
            else []
        )
        if isinstance(key, CONSTANTS):
            made.append(projection(node, key, "DISTINCT ON").copy())
        elif at:
            made.append(only(node, at, key).copy())
        else:
            made.append(resolver.expression(key, scope, queries))
    node.args["distinct"].set("on", exp.Tuple(expressions=made))
    order = node.args.get("order")
    for part in order.expressions[: len(made)] if order is not None else ():
        key = part.this
        if isinstance(key, CONSTANTS):
            key = node.expressions[int(key.name) - 1].this
        if key not in made:
            raise refuse(
                GROUPING, "DISTINCT ON must have what ORDER BY starts with", part,
                sqlstate="42P10",
            )  # fmt: skip


def outer_order(node: exp.Expr, outputs: tuple[Output, ...]) -> None:
    """Resolves ORDER BY behind a set operation: ordinals and names of columns only."""
    order = node.args.get("order")
    for part in order.expressions if order is not None else ():
        key = bare(part.this)
        if isinstance(key, CONSTANTS):
            _ordinal_of(key, len(outputs), "ORDER BY")
            part.set("this", key)
            continue
        if not isinstance(key, exp.Column) or key.args.get("table") is not None:
            raise unsupported(
                "an expression in ORDER BY behind a set operation", key,
                hint="name a column of the result",
            )  # fmt: skip
        name = folded(key.this)
        at = positions(outputs, name)
        if not at:
            raise refuse(COLUMN, f"there is no column {name} in the result", key)
        if len(at) > 1:
            raise refuse(AMBIGUOUS, f"the name {name} can mean several columns", key)
        part.set("this", _ordinal(at[0], key))


def positions(outputs: tuple[Output, ...], name: str) -> list[int]:
    return [at for at, output in enumerate(outputs) if output.name == name]


def only(node: exp.Select, at: list[int], key: exp.Expr) -> exp.Expr:
    """Returns the one expression behind several outputs of a name."""
    first: exp.Expr = node.expressions[at[0]].this
    if any(node.expressions[other].this != first for other in at[1:]):
        raise refuse(AMBIGUOUS, "the name can mean several columns of the result", key)
    return first


def _ordinal_of(literal: exp.Expr, count: int, clause: str) -> int:
    if not isinstance(literal, exp.Literal) or literal.is_string or not literal.name.isdigit():
        raise refuse(SYNTAX, f"a constant in {clause} must be a column's number", literal)
    at = int(literal.name)
    if not 1 <= at <= count:
        raise refuse(GROUPING, f"{clause} has no column {at}", literal, sqlstate="42P10")
    return at - 1


def projection(node: exp.Select, literal: exp.Expr, clause: str) -> exp.Expr:
    at = _ordinal_of(literal, len(node.expressions), clause)
    found: exp.Expr = node.expressions[at].this
    return found


def _ordinal(at: int, key: exp.Expr) -> exp.Literal:
    literal = exp.Literal(this=str(at + 1), is_string=False)
    literal.meta.update(key.this.meta if isinstance(key, exp.Column) else key.meta)
    return literal
