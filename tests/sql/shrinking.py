"""Decides how a query that fails becomes a small one that still fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import sqlglot
from sqlglot import exp

Fails = Callable[[str], Awaitable[bool]]

_CLAUSES = ("limit", "offset", "where", "having", "group", "distinct", "with_")
_MOST_CHECKS = 1_500


async def shrunk(text: str, fails: Fails, most_checks: int = _MOST_CHECKS) -> str:
    """Returns the smallest query found for which `fails` is true, the text itself at worst.

    `fails` must be false for a text that is not a query. ORDER BY goes only where no LIMIT needs
    it, so that what remains has one answer if the text had one.
    """
    try:
        tree = sqlglot.parse_one(text, read="postgres")
    except sqlglot.errors.SqlglotError:
        return text
    best = tree.sql("postgres")
    if not await fails(best):
        return text
    checks = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(tree):
            if checks >= most_checks:
                return best
            written = candidate.sql("postgres")
            if len(written) >= len(best):
                continue
            checks += 1
            if await fails(written):
                tree, best, is_smaller = candidate, written, True
                break
    return best


def _smaller(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yields copies of a tree with something left out, large pieces first."""
    nodes = list(tree.walk())
    queries = [node for node in nodes if isinstance(node, exp.Query) and node is not tree]
    for query in queries:
        if not isinstance(query, exp.Subquery):
            yield query.copy()
            yield _with_tables(query.copy(), tree)
    for at, node in enumerate(nodes):
        if isinstance(node, exp.SetOperation):
            yield from (_put(tree, at, part) for part in (node.left, node.right))
            if not isinstance(node.parent, exp.SetOperation):
                yield from _without_arms_outputs(tree, at, node)
    for at, node in enumerate(nodes):
        if isinstance(node, exp.With):
            yield from _without(tree, at, "expressions", 1)
        if isinstance(node, exp.Select):
            yield from _without(tree, at, "joins", 0)
            yield from _without_first(tree, at, node)
        if isinstance(node, exp.Query):
            yield from _without_clauses(tree, at, node)
    for at, node in enumerate(nodes):
        if isinstance(node, exp.Select):
            yield from _without_outputs(tree, at, node)
            group = node.args.get("group")
            if group is not None:
                yield from _without(tree, nodes.index(group), "expressions", 1)
    for at, node in enumerate(nodes):
        if isinstance(node, exp.Select | exp.Table | exp.Subquery | exp.Join | exp.Identifier):
            continue
        for child in _parts(node):
            yield _put(tree, at, child)
        if isinstance(node, exp.In | exp.Values | exp.Coalesce | exp.Concat):
            yield from _without(tree, at, "expressions", 1)
    for at, node in enumerate(nodes):
        if isinstance(node, exp.Join):
            yield from _without(tree, at, "using", 1)
        if isinstance(node, exp.Join) and node.side:
            copied, join = _copy(tree, at)
            join.set("side", None)
            yield copied
        if isinstance(node, exp.Literal) and node.is_string and len(node.this) > 1:
            yield _put(tree, at, exp.Literal.string(node.this[:1]))


def _parts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yields what may stand for a value or condition: its operands."""
    if not isinstance(node, exp.Condition | exp.Paren | exp.Case | exp.Filter | exp.Window):
        return
    for child in node.iter_expressions():
        if isinstance(child, exp.If):
            yield from child.iter_expressions()
        elif isinstance(child, exp.Condition | exp.Paren | exp.Case):
            yield child


def _without_clauses(tree: exp.Expr, at: int, query: exp.Query) -> Iterator[exp.Expr]:
    for clause in _CLAUSES:
        if query.args.get(clause) is not None:
            copied, found = _copy(tree, at)
            found.set(clause, None)
            yield copied
    is_free = not (query.args.get("limit") or query.args.get("offset"))
    distinct = query.args.get("distinct")
    is_by_order = isinstance(distinct, exp.Distinct) and distinct.args.get("on")
    if query.args.get("order") and is_free and not is_by_order:
        copied, found = _copy(tree, at)
        found.set("order", None)
        yield copied


def _without_first(tree: exp.Expr, at: int, select: exp.Select) -> Iterator[exp.Expr]:
    """Yields a copy that reads only what was joined to the first relation."""
    if select.args.get("joins"):
        copied, found = _copy(tree, at)
        joins = found.args["joins"]
        found.args["from_"].set("this", joins[0].this.copy())
        joins[0].pop()
        yield copied


def _without_arms_outputs(tree: exp.Expr, at: int, union: exp.SetOperation) -> Iterator[exp.Expr]:
    """Yields copies in which all arms lack the same column."""
    for place in range(len(union.selects)):
        copied, found = _copy(tree, at)
        waiting: list[exp.Expr] = [found]
        while waiting:
            arm = waiting.pop()
            if isinstance(arm, exp.SetOperation):
                waiting += [arm.left, arm.right]
            elif isinstance(arm, exp.Subquery):
                waiting.append(arm.this)
            elif len(arm.expressions) > place:
                arm.expressions[place].pop()
        _forget(found, place)
        if isinstance(found, exp.Query) and found.selects:
            yield copied


def _without_outputs(tree: exp.Expr, at: int, select: exp.Select) -> Iterator[exp.Expr]:
    if len(select.expressions) < 2 or isinstance(select.parent, exp.SetOperation):
        return
    for place in range(len(select.expressions)):
        copied, found = _copy(tree, at)
        found.expressions[place].pop()
        _forget(found, place)
        yield copied


def _forget(query: exp.Expr, place: int) -> None:
    """Takes a column that is gone out of the query's order and out of the names that it gets."""
    order = query.args.get("order")
    for term in list(order.expressions) if order else ():
        number = term.this
        if not isinstance(number, exp.Literal) or number.is_string:
            continue
        if int(number.this) == place + 1:
            term.pop()
        elif int(number.this) > place + 1:
            number.replace(exp.Literal.number(int(number.this) - 1))
    if order and not order.expressions:
        order.pop()
    alias = _alias_of(query)
    if alias is not None and len(alias.columns) > place:
        alias.args["columns"][place].pop()


def _alias_of(query: exp.Expr) -> exp.TableAlias | None:
    parent = query.parent
    alias = parent.args.get("alias") if isinstance(parent, exp.Subquery | exp.CTE) else None
    return alias if isinstance(alias, exp.TableAlias) else None


def _without(tree: exp.Expr, at: int, arg: str, least: int) -> Iterator[exp.Expr]:
    """Yields copies that lack one member of a list."""
    _, original = _copy(tree, at)
    members = original.args.get(arg) or []
    if len(members) <= least:
        return
    for place in reversed(range(len(members))):
        copied, found = _copy(tree, at)
        found.args[arg][place].pop()
        yield copied


def _put(tree: exp.Expr, at: int, part: exp.Expr) -> exp.Expr:
    """Returns a copy in which a part stands for the node that holds it."""
    copied, found = _copy(tree, at)
    fresh = part.copy()
    if found is copied:
        return _with_tables(fresh, tree)
    found.replace(fresh)
    return copied


def _with_tables(query: exp.Expr, tree: exp.Expr) -> exp.Expr:
    """Gives a part what it reads of the WITH of the whole."""
    above = tree.args.get("with_")
    if above is None or query.args.get("with_") is not None:
        return query
    read = {table.name for table in query.find_all(exp.Table)}
    kept: list[exp.Expr] = []
    for one in reversed(above.expressions):
        if one.alias in read:
            kept.insert(0, one.copy())
            read |= {table.name for table in one.find_all(exp.Table)}
    if kept:
        query.set("with_", exp.With(expressions=kept))
    return query


def _copy(tree: exp.Expr, at: int) -> tuple[exp.Expr, exp.Expr]:
    copied = tree.copy()
    return copied, list(copied.walk())[at]
