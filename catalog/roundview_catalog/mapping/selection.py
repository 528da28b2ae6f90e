"""Writes the SELECT that a branch and slot stand for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from roundview_catalog.mapping.reader import outermost_aggregates
from roundview_catalog.model import Branch, Child, FieldMapping


def select(branch: Branch, slot: str = "", others: Sequence[Branch] = ()) -> exp.Select:
    """Returns `SELECT key, person, fields FROM … WHERE …` over the source's tables.

    Key parts are named k1, k2 …, the alternatives of the person p1, p2 …, fields as they are
    called. `others` are the branches of the source: the one that the rows lie below is joined as
    `parent`; parent_key is its key, and p1 … are its persons where the rows have none of their
    own. Aggregates over children become correlated sub-selects. Blank text, rounding and time
    zones are the business of whoever converts the values.
    """
    result = branch.scan.copy()
    persons = _with_parent(result, branch, others)
    projections = [exp.alias_(key.copy(), f"k{at}") for at, key in enumerate(branch.key, 1)]
    projections += [exp.alias_(person, f"p{at}") for at, person in enumerate(persons, 1)]
    if branch.parent is not None:
        projections.append(exp.alias_(branch.parent.key.copy(), "parent_key"))
    for name, mapping in branch.slots[slot].items():
        projections.append(exp.alias_(_value(mapping, branch), name))
    return result.select(*projections, append=False, copy=False)


def readable(tree: exp.Select) -> str:
    """Returns a SELECT as people read it, in PostgreSQL's words and with try_cast."""
    return tree.transform(_named).sql(dialect="postgres", pretty=True)


def _with_parent(scan: exp.Select, branch: Branch, others: Sequence[Branch]) -> list[exp.Expr]:
    """Joins what the rows lie below, in place; returns the alternatives of their person."""
    persons = [person.key.copy() for person in branch.person]
    if branch.parent is None:
        return persons
    wanted = (branch.parent.entity, branch.parent.branch)
    parent = next((other for other in others if (other.entity, other.name) == wanted), None)
    if parent is None:
        return persons
    inner = parent.scan.copy()
    above = _with_parent(inner, parent, others)
    columns = [exp.alias_(parent.key[0].copy(), "k1")]
    columns += [exp.alias_(person, f"p{at}") for at, person in enumerate(above, 1)]
    below = inner.select(*columns, append=False, copy=False).subquery("parent", copy=False)
    on = exp.EQ(this=exp.column("k1", table="parent"), expression=branch.parent.key.copy())
    scan.join(below, on=on, copy=False)
    names = [f"p{at}" for at in range(1, len(above) + 1)]
    return persons or [exp.column(name, table="parent") for name in names]


def _named(node: exp.Expr) -> exp.Expr:
    """Keeps TRY_CAST by name: PostgreSQL has none, and would be shown a CAST that fails."""
    if not isinstance(node, exp.TryCast):
        return node
    argument = exp.alias_(node.this, node.args["to"].sql(dialect="postgres"))
    return exp.Anonymous(this="TRY_CAST", expressions=[argument])


def _value(mapping: FieldMapping, branch: Branch) -> exp.Expr:
    holder = exp.Paren(this=mapping.expr.copy())
    for aggregate in list(outermost_aggregates(holder)):
        child = _child_of(aggregate, branch)
        aggregate.replace(child.scan.copy().select(aggregate.copy(), copy=False).subquery())
    value: exp.Expr = holder.this
    if mapping.codes is None:
        return value
    if not isinstance(value, exp.Column | exp.Paren | exp.Func):
        value = exp.paren(value, copy=False)
    text = value if mapping.type.is_text else exp.Cast(this=value, to=exp.DataType.build("text"))
    arms = [
        exp.If(this=exp.EQ(this=text.copy(), expression=exp.convert(code)), true=_constant(to))
        for code, to in mapping.codes.items()
    ]
    if mapping.null_code is not None:
        test = exp.Is(this=value.copy(), expression=exp.Null())
        arms.insert(0, exp.If(this=test, true=_constant(mapping.null_code)))
    elif mapping.otherwise is not None:
        # NULL stays NULL: `else` is for unknown codes.
        test = exp.Is(this=value.copy(), expression=exp.Null())
        arms.insert(0, exp.If(this=test, true=exp.Null()))
    default = None if mapping.otherwise is None else _constant(mapping.otherwise)
    return exp.Case(ifs=arms, default=default)


def _constant(value: object) -> exp.Expr:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    return exp.convert(value)


def _child_of(aggregate: exp.Expr, branch: Branch) -> Child:
    for child in branch.children.values():
        if any(column.table in child.aliases for column in aggregate.find_all(exp.Column)):
            return child
    raise ValueError("an aggregate over no child passed the catalog's checks")
