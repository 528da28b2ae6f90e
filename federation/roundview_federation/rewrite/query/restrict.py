"""Decides which rows of the sources of one SELECT can matter to its answer.

A row that no condition of the SELECT lets through changes nothing, whatever joins stand around it,
if the condition is strict: never TRUE where one of the row's columns is NULL. Conditions of an
outer join's ON only narrow the side whose rows it may leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.rewrite.query.sources import Bind, Derived, Inner, Read, joined

_STRICT = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Like, exp.Between, exp.In)
# What tells one row from another run of the same row, or cannot be said of one table's rows.
_INSIDE = "$inside"
_NEVER = (exp.Query, exp.AggFunc, exp.Window, exp.Rand, exp.Anonymous)
_CONSTANT = (exp.Literal, exp.Cast, exp.Parameter)


@dataclass(frozen=True, slots=True)
class _Condition:
    """One conjunct and the aliases whose rows it may leave out; None stands for all."""

    tree: exp.Expr
    narrows: frozenset[str] | None
    needs_strict: bool = True


def restrict(
    select: exp.Select,
    local: Mapping[str, Derived],
    chain: tuple[Mapping[str, Derived], ...],
    inner: Mapping[int, Inner],
) -> None:
    """Adds to the reads of a SELECT which of their rows matter.

    `inner` has the SELECTs inside its expressions by their identity.
    """
    conditions = list(_conditions(select))
    for condition in [*conditions, *_transitive(conditions)]:
        tree = condition.tree
        _bind(condition, local, chain)
        if condition.narrows is None:
            _bind_inner(condition, local, chain, inner)
        if tree.find(*_NEVER) is not None:
            continue
        aliases = {column.table for column in tree.find_all(exp.Column)}
        if len(aliases) != 1:
            continue
        (alias,) = aliases
        allowed = condition.narrows is None or alias in condition.narrows
        if alias not in local or not allowed or (condition.needs_strict and not is_strict(tree)):
            continue
        _narrow(tree, local[alias])


def is_strict(node: exp.Expr) -> bool:
    """Tells whether a condition is never TRUE where one of its columns is NULL.

    It must be so for every column of it: then it holds for any one of them.
    """
    if isinstance(node, exp.Paren):
        return is_strict(node.this)
    if isinstance(node, exp.And):
        # Both hold where it does, but each has its own columns.
        return is_strict(node.left) and is_strict(node.right)
    if isinstance(node, exp.Or):
        left, right = (set(_names(side)) for side in (node.left, node.right))
        return left == right and is_strict(node.left) and is_strict(node.right)
    if isinstance(node, exp.Not):
        inner = node.this.unnest()
        if isinstance(inner, exp.Is):
            return isinstance(inner.this, exp.Column) and isinstance(inner.expression, exp.Null)
        if isinstance(inner, exp.Between) and len(set(_names(inner))) > 1:
            # FALSE, so that its NOT is TRUE, by one bound while the other is NULL.
            return False
        return isinstance(inner, _STRICT) and is_strict(inner)
    if isinstance(node, _STRICT):
        return all(_is_certain(one) for one in _operands(node))
    return False


def _conditions(select: exp.Select) -> Iterator[_Condition]:
    where = select.args.get("where")
    for conjunct in conjuncts(where.this) if where is not None else ():
        yield _Condition(conjunct, None)
    source = select.args.get("from_")
    before = _aliases(source.this) if source is not None else frozenset()
    for join in select.args.get("joins") or ():
        right = _aliases(join.this)
        on = join.args.get("on")
        side = join.side
        for conjunct in conjuncts(on) if on is not None else ():
            if side == "LEFT":
                # Alone on its side, it needs not be strict: no row is made up for it below.
                yield _Condition(conjunct, right, needs_strict=len(right) > 1)
            elif side == "RIGHT":
                yield _Condition(conjunct, before)
            elif side != "FULL":
                yield _Condition(conjunct, before | right)
        before |= right


def _transitive(conditions: list[_Condition]) -> Iterator[_Condition]:
    """Yields `b.y = 1` where there is `a.x = 1` for every row and `a.x = b.y` for those of b."""
    constants: dict[tuple[str, str], exp.Expr] = {}
    for condition in conditions:
        tree = condition.tree
        if condition.narrows is None and isinstance(tree, exp.EQ):
            for column, value in ((tree.left, tree.right), (tree.right, tree.left)):
                if isinstance(column, exp.Column) and isinstance(value, _CONSTANT):
                    constants[(column.table, column.name)] = value
    for condition in conditions:
        tree = condition.tree
        if not isinstance(tree, exp.EQ):
            continue
        for mine, other in ((tree.left, tree.right), (tree.right, tree.left)):
            if isinstance(mine, exp.Column) and isinstance(other, exp.Column):
                known = constants.get((other.table, other.name))
                if known is not None and (mine.table, mine.name) not in constants:
                    derived = exp.EQ(this=mine.copy(), expression=known.copy())
                    yield _Condition(derived, condition.narrows)


def _bind_inner(
    condition: _Condition,
    local: Mapping[str, Derived],
    chain: tuple[Mapping[str, Derived], ...],
    inner: Mapping[int, Inner],
) -> None:
    """Binds through `x IN (SELECT y …)` and `EXISTS (SELECT … WHERE y = x)`, both ways."""
    tree = condition.tree
    if isinstance(tree, exp.In) and tree.args.get("query") is not None:
        query = tree.args["query"].unnest()
        known = inner.get(id(query))
        names = query.named_selects if isinstance(query, exp.Select) else []
        if known is not None and isinstance(tree.this, exp.Column) and len(names) == 1:
            output = exp.column(names[0], table=_INSIDE)
            both = {**local, _INSIDE: known.outputs}
            _bind_column(tree.this, output, condition, both, chain)
            _bind_column(output, tree.this, condition, both, chain)
    elif isinstance(tree, exp.Exists):
        query = tree.this.unnest()
        known = inner.get(id(query))
        if known is None or not known.outputs.is_open or query.args.get("group") is not None:
            return
        where = query.args.get("where")
        for conjunct in conjuncts(where.this) if where is not None else ():
            if not isinstance(conjunct, exp.EQ):
                continue
            for mine, other in (
                (conjunct.left, conjunct.right),
                (conjunct.right, conjunct.left),
            ):
                if not isinstance(mine, exp.Column) or not isinstance(other, exp.Column):
                    continue
                if mine.table in local and mine.table not in known.local:
                    _bind_column(mine, other, condition, {**local, **known.local}, chain)


def _bind(
    condition: _Condition,
    local: Mapping[str, Derived],
    chain: tuple[Mapping[str, Derived], ...],
) -> None:
    """Notes which values of another column rows must have: `a.x = b.y`, `a.x IN (SELECT …)`."""
    tree = condition.tree
    if isinstance(tree, exp.EQ):
        for mine, other in ((tree.left, tree.right), (tree.right, tree.left)):
            if not isinstance(mine, exp.Column) or not isinstance(other, exp.Column):
                continue
            if mine.table != other.table:
                _bind_column(mine, other, condition, local, chain)


def _bind_column(
    mine: exp.Column,
    other: exp.Column,
    condition: _Condition,
    local: Mapping[str, Derived],
    chain: tuple[Mapping[str, Derived], ...],
) -> None:
    if condition.narrows is not None and mine.table not in condition.narrows:
        return
    derived = local.get(mine.table)
    if derived is None or not derived.is_open:
        return
    values = _values(other, local, chain)
    if not values:
        return
    for arm in derived.arms:
        found = arm.get(mine.name)
        if found is not None:
            one, column = found
            own = tuple((read.name, name) for read, name in values)
            if all(name != one.name for name, _ in own):
                one.binds.append(Bind(column, own))
                one.columns[column] = None
                for read, name in values:
                    read.columns[name] = None


def _values(
    column: exp.Column,
    local: Mapping[str, Derived],
    chain: tuple[Mapping[str, Derived], ...],
) -> list[tuple[Read, str]]:
    """Returns the read columns that together have every value of a column, or nothing."""
    for scope in (local, *chain):
        if column.table in scope:
            found = [arm.get(column.name) for arm in scope[column.table].arms]
            return [one for one in found if one is not None] if all(found) else []
    return []


def _narrow(tree: exp.Expr, derived: Derived) -> None:
    """Adds a condition on one source to the reads below it, where each column is a read's."""
    if not derived.is_open:
        return
    for arm in derived.arms:
        columns = {column.name: arm.get(column.name) for column in tree.find_all(exp.Column)}
        reads = {found[0].name for found in columns.values() if found is not None}
        if len(reads) != 1 or not all(columns.values()):
            continue
        condition = tree.copy()
        one: Read | None = None
        for column in list(condition.find_all(exp.Column)):
            found = columns[column.name]
            if found is not None:
                one, name = found
                replacement = exp.column(name)
                if column is condition:
                    condition = replacement
                else:
                    column.replace(replacement)
        if one is not None:
            one.where.append(condition)


def _is_certain(node: exp.Expr) -> bool:
    """Tells whether an operand has no column, or is NULL wherever its column is."""
    while isinstance(node, exp.Cast):
        node = node.this
    return isinstance(node, exp.Column) or node.find(exp.Column, exp.Query) is None


def _aliases(source: exp.Expr) -> frozenset[str]:
    return frozenset(one.alias_or_name for one in joined(source))


def _names(node: exp.Expr) -> Iterator[str]:
    return (column.name for column in node.find_all(exp.Column))


def _operands(node: exp.Expr) -> Iterator[exp.Expr]:
    yield node.this
    if isinstance(node, exp.Between):
        yield from (node.args["low"], node.args["high"])
    elif isinstance(node, exp.In):
        yield from node.expressions
        if node.args.get("query") is not None:
            yield node.args["query"]
    else:
        yield node.expression
