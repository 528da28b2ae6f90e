"""Decides which queries of WITH RECURSIVE are answered: UNION of a start and of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.grouping import is_aggregate
from roundview_federation.dialect.refusal import SYNTAX, TYPES, refuse, unsupported
from roundview_federation.dialect.scopes import folded
from roundview_federation.dialect.types import UNKNOWN, common

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator

_NOT_IN_STEP = ("group", "having", "distinct", "order", "limit", "offset", "windows", "with_")


def is_recursive(clause: exp.Expr, part: exp.Expr, name: str) -> bool:
    """Tells whether a query of a WITH clause names itself, written or resolved."""
    return bool(clause.args.get("recursive")) and bool(_references(part.this, name))


def start_and_step(part: exp.Expr, name: str) -> tuple[exp.Expr, exp.Expr]:
    """Returns both sides of a recursive query as written; refuses every other form."""
    union = part.this
    tables = _references(union, name)
    if not isinstance(union, exp.Union):
        raise refuse(SYNTAX, f"{name} needs UNION to name itself", tables[0], sqlstate="42P19")
    start, step = union.this, union.args["expression"]
    if any(union.args.get(one) for one in ("with_", "order", "limit", "offset")):
        raise unsupported("ORDER BY, LIMIT or WITH of a recursive query", tables[0])
    if not isinstance(step, exp.Select) or any(step.args.get(one) for one in _NOT_IN_STEP):
        raise unsupported("this form of a recursive query", tables[0])
    joins = step.args.get("joins") or []
    sources = [step.args[key] for key in ("from_",) if step.args.get(key)] + joins
    own = [holder for holder in sources if holder.this is tables[0]]
    sides = {join.args.get("side") for join in joins}
    if len(tables) != 1 or not own or sides & {"RIGHT", "FULL"} or own[0].args.get("side"):
        raise unsupported("this form of a recursive query", tables[0])
    if any(is_aggregate(node) or isinstance(node, exp.Window) for node in step.walk()):
        raise unsupported("an aggregate or window in a recursive query", tables[0])
    return start, step


def translated(translator: Translator, part: exp.Expr) -> None:
    """Translates a recursive query: its columns have the types that it starts with."""
    union = part.this
    start, types = translator.rows(union.this)
    names = [projection.alias for projection in _first(start).expressions]
    translator.queries[part.alias] = dict(zip(names, types, strict=True))
    step, values = translator.query(union.args["expression"])
    for type_, value in zip(types, values, strict=True):
        if value.type is UNKNOWN or value.type == type_:
            continue
        if common((type_, value.type)) is None or (
            value.type.name != type_.name and common((type_, value.type)) != type_
        ):
            raise refuse(
                TYPES, f"a column of {part.alias} starts as {type_} and becomes {value.type}",
                value.source, hint="cast where it starts",
            )  # fmt: skip
        if type_.name == "numeric":
            raise unsupported("a numeric that changes in a recursive query", value.source)
    step = translator.retyped(step, [value.type for value in values], types, values)
    union.set("this", start if isinstance(start, exp.Select) else exp.Subquery(this=start))
    union.set("expression", step)


def _references(query: exp.Expr, name: str) -> list[exp.Expr]:
    return [
        table
        for table in query.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
        and not table.args.get("db")
        and folded(table.this) == name
    ]


def _first(node: exp.Expr) -> exp.Expr:
    while not isinstance(node, exp.Select):
        node = node.this
    return node
