"""Decides whether every column of an aggregated SELECT is grouped or inside an aggregate."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp

from roundview_federation.dialect.refusal import GROUPING, refuse
from roundview_federation.dialect.scopes import Scope

AGGREGATES: tuple[type[exp.Expr], ...] = (
    exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr,
    exp.GroupConcat, exp.ArrayAgg, exp.PercentileCont, exp.PercentileDisc, exp.WithinGroup,
    exp.Grouping,
)  # fmt: skip
MISSING_AGGREGATES = frozenset(
    [
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_slope",
        "regr_intercept",
        "regr_r2",
        "regr_count",
        "regr_avgx",
        "regr_avgy",
        "regr_sxx",
        "regr_syy",
        "regr_sxy",
        "bit_and",
        "bit_or",
        "bit_xor",
    ]
)
"""Aggregates that PostgreSQL has and Roundview does not."""

AGGREGATE_NAMES = MISSING_AGGREGATES | {
    "every",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "mode",
}


def is_aggregate(node: exp.Expr) -> bool:
    """Tells whether a node is the call of an aggregate, in whatever use."""
    return isinstance(node, AGGREGATES) or (
        isinstance(node, exp.Anonymous) and node.this in AGGREGATE_NAMES
    )


def bare(node: exp.Expr) -> exp.Expr:
    """Returns what the parentheses around an expression hold."""
    while type(node) is exp.Paren:
        node = node.this
    return node


def check_grouping(select: exp.Select, scope: Scope, order: list[exp.Expr]) -> None:
    """Refuses a column outside of aggregates that GROUP BY does not name.

    `order` are the expressions of ORDER BY that are no outputs.
    """
    group = select.args.get("group")
    having = select.args.get("having")
    parts = [*select.expressions, *order] + ([having.this] if having is not None else [])
    where = select.args.get("where")
    if where is not None:
        _refuse_inside(where.this, "WHERE")
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            _refuse_inside(join.args["on"], "JOIN")
    if group is None and having is None and not any(_aggregates(part) for part in parts):
        return
    keys = list(_keys(group)) if group is not None else []
    for key in keys:
        _refuse_inside(key, "GROUP BY")
    known = {_mark(key) for key in keys}
    for part in parts:
        _check(part, scope, known, is_inside=False)


def _keys(node: exp.Expr) -> Iterator[exp.Expr]:
    for part in node.expressions:
        if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)):
            yield from _keys(part)
        else:
            yield bare(part)


def _mark(node: exp.Expr) -> object:
    if type(node) is exp.Column:
        return (node.args["table"].args["this"], node.args["this"].args["this"])
    return node


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    for value in node.args.values():
        if isinstance(value, list):
            for part in value:
                if isinstance(part, exp.Expr):
                    yield part
        elif isinstance(value, exp.Expr):
            yield value


def _aggregates(root: exp.Expr) -> bool:
    """Tells whether an expression has an aggregate of its own SELECT that is not a window's."""
    stack = [(root, False)]
    while stack:
        node, is_function = stack.pop()
        if isinstance(node, exp.Query):
            continue
        if isinstance(node, exp.Window):
            function = node.this
            stack.extend((part, part is function) for part in _children(node))
            continue
        if is_function and isinstance(node, exp.Filter):
            stack.extend((part, part is node.this) for part in _children(node))
            continue
        if is_aggregate(node) and not is_function:
            return True
        stack.extend((part, False) for part in _children(node))
    return False


def _refuse_inside(root: exp.Expr, clause: str) -> None:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Query):
            continue
        if isinstance(node, exp.Window):
            raise refuse(
                GROUPING, f"a window function cannot stand in {clause}", node, sqlstate="42P20"
            )
        if is_aggregate(node):
            raise refuse(GROUPING, f"an aggregate cannot stand in {clause}", node)
        stack.extend(_children(node))


def _check(node: exp.Expr, scope: Scope, known: Collection[object], is_inside: bool) -> None:
    is_named = not isinstance(node, (exp.Alias, exp.Literal, exp.Identifier))
    if is_named and _mark(bare(node)) in known:
        return
    if isinstance(node, exp.Query):
        # What is inside has been checked by itself: only its outer columns count here.
        if not is_inside:
            for column in node.find_all(exp.Column):
                _check(column, scope, known, is_inside)
        return
    if isinstance(node, exp.Column):
        if not is_inside and scope.has_alias(node.args["table"].args["this"]):
            raise refuse(
                GROUPING,
                f"column {node.name} must be in GROUP BY or inside an aggregate",
                node,
            )
        return
    if isinstance(node, exp.Window):
        _check_window(node, scope, known, is_inside)
        return
    if is_aggregate(node):
        if is_inside and not isinstance(node.parent, exp.WithinGroup):
            raise refuse(GROUPING, "aggregates cannot be nested", node)
        is_inside = True
    elif isinstance(node, exp.Filter):
        is_inside = is_inside or is_aggregate(node.this)
        for part in _children(node):
            _check(part, scope, known, is_inside=part is not node.this)
        return
    for part in _children(node):
        _check(part, scope, known, is_inside)


def _check_window(
    node: exp.Window, scope: Scope, known: Collection[object], is_inside: bool
) -> None:
    """Checks what a window function is of: the function itself is no aggregate here."""
    function = node.this
    call = function.this if isinstance(function, exp.Filter) else function
    parts = [part for part in _children(node) if part is not function]
    parts += _children(call)
    if call is not function:
        parts.append(function.args["expression"])
    for part in parts:
        _check(part, scope, known, is_inside)
