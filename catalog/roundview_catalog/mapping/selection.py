"""Writes the SELECT that a branch and slot stand for."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.mapping.reader import outermost_aggregates
from roundview_catalog.model import Branch, Child, FieldMapping


def select(branch: Branch, slot: str = "", parent: Branch | None = None) -> exp.Select:
    """Returns `SELECT key, person, fields FROM … WHERE …` over the source's tables.

    Key parts are named k1, k2 …, the alternatives of the person p1, p2 …; under `parent`, the
    branch that the rows lie below, parent_key is its key and p1 … are its alternatives where
    the rows have none of their own. Aggregates over children become correlated sub-selects.
    Blank text, rounding and time zones are the business of whoever converts the values.
    """
    result = branch.scan.copy()
    persons = [person.key.copy() for person in branch.person]
    projections = [exp.alias_(key.copy(), f"k{at}") for at, key in enumerate(branch.key, 1)]
    if parent is not None and branch.parent is not None:
        below = _parent(parent)
        on = exp.EQ(this=exp.column("k1", table="parent"), expression=branch.parent.key.copy())
        result = result.join(below, on=on, copy=False)
        if not persons:
            names = [f"p{at}" for at in range(1, len(parent.person) + 1)]
            persons = [exp.column(name, table="parent") for name in names]
    projections += [exp.alias_(person, f"p{at}") for at, person in enumerate(persons, 1)]
    if branch.parent is not None:
        projections.append(exp.alias_(branch.parent.key.copy(), "parent_key"))
    for name, mapping in branch.slots[slot].items():
        projections.append(exp.alias_(_value(mapping, branch), name))
    return result.select(*projections, append=False, copy=False)


def _parent(parent: Branch) -> exp.Subquery:
    inner = parent.scan.copy()
    columns = [exp.alias_(parent.key[0].copy(), "k1")]
    columns += [exp.alias_(p.key.copy(), f"p{at}") for at, p in enumerate(parent.person, 1)]
    return inner.select(*columns, append=False, copy=False).subquery("parent", copy=False)


def _value(mapping: FieldMapping, branch: Branch) -> exp.Expr:
    holder = exp.Paren(this=mapping.expr.copy())
    for aggregate in list(outermost_aggregates(holder)):
        child = _child_of(aggregate, branch)
        aggregate.replace(child.scan.copy().select(aggregate.copy(), copy=False).subquery())
    value: exp.Expr = holder.this
    if mapping.codes is None:
        return value
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
