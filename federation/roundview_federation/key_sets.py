"""Decides how `column IN keys` stands in the trees that reach connectors."""

from __future__ import annotations

from sqlglot import exp


def in_keys(column: exp.Expr, keyset: str) -> exp.Expr:
    """Returns `column = ANY(:keyset)`, the form in which key sets reach connectors.

    For a key of several columns it is `(a, b) = ANY(:keyset)`, with a tuple for each key.
    """
    return exp.EQ(this=column, expression=exp.Any(this=exp.Placeholder(this=keyset)))


def keyset_of(node: exp.Expr) -> tuple[exp.Expr, str] | None:
    """Returns (column, keyset name) if the node is `column = ANY(:keyset)`."""
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        placeholder = node.expression.this
        if isinstance(placeholder, exp.Placeholder):
            return node.this, placeholder.name
    return None


def part_of_keyset(keyset: str, at: int) -> str:
    """Returns the parameter that holds one part of every key of a key set of several columns."""
    return f"{keyset}__{at}"
