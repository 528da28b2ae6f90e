"""Decides which sub-selects a `where` may hold: plain ones that the source computes exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.model import SourceTable
from roundview_catalog.report import did_you_mean
from roundview_catalog.types import Type

ColumnType = Callable[[exp.Column], Type]


def check_subqueries(
    tree: exp.Expr, dialect: str, tables: Mapping[str, SourceTable], outer: ColumnType
) -> None:
    """Refuses what a sub-select may not be; its columns get their alias.

    A condition with a sub-select runs in the source alone, so all of it must mean the same
    there. Raises ExpressionError.
    """
    conditions = [tree]
    while conditions and isinstance(conditions[-1], exp.And | exp.Paren):
        node = conditions.pop()
        conditions += [node.this] if isinstance(node, exp.Paren) else [node.expression, node.this]
        if any(c.find(exp.Select) is None for c in conditions):
            conditions = [c for c in conditions if c.find(exp.Select) is not None]
    for condition in [c for c in conditions if c.find(exp.Select) is not None]:
        for select in condition.find_all(exp.Select):
            if select.find_ancestor(exp.Select) is not None:
                raise _refused(select, "a sub-select inside a sub-select")
            _check(select, dialect, tables, outer)
        plain = condition.copy().transform(_without)
        if not expressions.pushable(plain, dialect, outer):
            raise _refused(condition, "this beside a sub-select is not computed in the source")


def _check(
    select: exp.Select, dialect: str, tables: Mapping[str, SourceTable], outer: ColumnType
) -> None:
    if select.args.get("from_") is None or len(select.expressions) != 1:
        raise _refused(select, "a sub-select needs one column and FROM")
    aliases: dict[str, SourceTable] = {}
    for table in select.find_all(exp.Table):
        if table.name not in tables:
            raise ExpressionError(
                f"unknown table {table.name}",
                did_you_mean(table.name, tables),
                expressions.offset_of(table),
                "RV213",
            )
        aliases[table.alias_or_name] = tables[table.name]
        table.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))

    def type_of(column: exp.Column) -> Type:
        table = aliases.get(column.table)
        if table is None:
            return outer(column)
        if column.name not in table.columns:
            name = column.sql(dialect="postgres")
            hint = did_you_mean(column.name, table.columns)
            hint = hint.replace("mean ", f"mean {column.table}.", 1)
            at = expressions.offset_of(column)
            raise ExpressionError(f"unknown column {name} in {table.name}", hint, at, "RV214")
        return table.columns[column.name].type

    for column in select.find_all(exp.Column):
        if not column.table and len(aliases) == 1:
            column.set("table", exp.to_identifier(next(iter(aliases))))
        type_of(column)
    where = select.args.get("where")
    parts = [where.this] if where is not None else []
    parts += [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on")]
    for part in parts:
        if expressions.infer(part, type_of).kind.value != "boolean":
            raise _refused(part, "a condition is needed")
        if not expressions.pushable(part, dialect, type_of):
            raise _refused(part, "this condition is not computed in the source")


def _without(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Exists):
        return exp.Boolean(this=True)
    if isinstance(node, exp.In) and node.args.get("query") is not None:
        return exp.Is(this=node.this.copy(), expression=exp.Null())
    return node


def _refused(node: exp.Expr, message: str) -> ExpressionError:
    return ExpressionError(message, "", expressions.offset_of(node), "RV209")
