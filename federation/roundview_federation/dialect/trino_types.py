"""Decides which types Trino has for DuckDB's, and how what it cannot do is refused."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlglot import exp

from roundview_catalog.errors import RequestError

NOT_ON_TRINO: Final = "not on Trino"
"""What the extension `engine` of an error says if another engine may answer."""

_SAME = (
    exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.BOOLEAN, exp.DType.DATE,
    exp.DType.DECIMAL,
)  # fmt: skip
_OTHERS: Final = {
    exp.DType.INT128: "decimal(38, 0)",
    exp.DType.TEXT: "varchar",
    exp.DType.VARCHAR: "varchar",
    exp.DType.TIMESTAMP: "timestamp(6)",
    exp.DType.TIMESTAMPTZ: "timestamp(6) with time zone",
}
_ALIKE = (exp.Paren, exp.Neg)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.IntDiv)


def not_on_trino(why: str) -> RequestError:
    """Returns the error of a question that Trino is not asked."""
    return RequestError(
        f"the question cannot be asked of Trino: {why}",
        code="RV103",
        hint="let another engine finish it: --engine embedded",
        extensions={"engine": NOT_ON_TRINO},
    )


def trino_type(to: exp.DataType) -> exp.DataType:
    """Returns Trino's type; raises RequestError RV103 where there is none."""
    if to.this in _SAME:
        return to
    name = _OTHERS.get(to.this)
    if name is None:
        raise not_on_trino(f"it has no type {to.this.value.lower()} of ours")
    return exp.DataType.build(name, dialect="trino")


def is_huge(node: exp.Expr, variables: Collection[str]) -> bool:
    """Tells whether DuckDB computes a number as one of 128 bits.

    `variables` are those of lambdas that are such numbers; a part of a row is `row.0`, `row.1`.
    """
    if isinstance(node, exp.Cast):
        return bool(node.to.this is exp.DType.INT128)
    if isinstance(node, _ALIKE):
        return is_huge(node.this, variables)
    if isinstance(node, exp.Identifier):
        return node.name in variables
    if isinstance(node, _ARITHMETIC):
        return is_huge(node.this, variables) or is_huge(node.expression, variables)
    if isinstance(node, exp.Case):
        values = [arm.args["true"] for arm in node.args["ifs"]]
        default = node.args.get("default")
        return any(is_huge(one, variables) for one in (*values, default) if one is not None)
    if not isinstance(node, exp.Anonymous):
        return False
    name = str(node.this).lower()
    if name == "struct_extract":
        row, part = node.expressions
        return f"{row.name}.{part.name}" in variables
    if name == "list_extract":
        function = node.expressions[0].expressions[1]
        return is_huge(function.this, variables)
    return name in ("abs", "greatest", "least") and any(
        is_huge(one, variables) for one in node.expressions
    )
