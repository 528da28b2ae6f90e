"""Decides by which columns of a source the rows of known persons or parents are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.errors import InternalError
from roundview_catalog.mapped import Child
from roundview_catalog.types import Type
from roundview_federation.rewrite.unfold import Unfolded


@dataclass(frozen=True, slots=True)
class Bound:
    """One way to ask for the rows of known persons: a statement of its own.

    `columns` are what keys are compared with, `conditions` what else the mapping of the person
    or parent demands of such rows; `branch` is the individual branch that the keys lead to.
    `through` is the child in whose first row the columns stand: rows are found by any of its
    rows, and kept if the first one is of the person. `is_sealed` tells whether the xref has
    the keys encrypted.
    """

    branch: str
    columns: tuple[exp.Column, ...]
    types: tuple[Type, ...]
    prefixes: tuple[str, ...]
    conditions: tuple[exp.Expr, ...]
    through: Child | None = None
    is_sealed: bool = False


def bounds(unfolded: Unfolded) -> Iterator[Bound]:
    """Yields one Bound per alternative of `person`, the earlier ones NULL in it.

    `col`, `NULLIF(col, c)`, `CASE WHEN p THEN col END`, `'x:' || col` and text casts are
    inverted onto the column itself, so that the source's index serves.
    """
    earlier: list[exp.Expr] = []
    for person in unfolded.person:
        parts = [_invert(key) for key in person.keys]
        columns = tuple(column for column, _, _ in parts)
        yield Bound(
            branch=person.branch,
            columns=columns,
            types=tuple(unfolded.column_type(column) for column in columns),
            prefixes=tuple(prefix for _, prefix, _ in parts),
            conditions=(*(one for _, _, some in parts for one in some), *earlier),
            through=unfolded.child_of(columns[0]),
            is_sealed=person.is_sealed,
        )
        absent = [exp.Is(this=key.copy(), expression=exp.Null()) for key in person.keys]
        earlier.append(absent[0] if len(absent) == 1 else exp.paren(exp.or_(*absent)))


def below(unfolded: Unfolded, above: Bound | None) -> Bound:
    """Returns the way to the rows below known rows of a parent, inverted like a person."""
    if unfolded.branch.parent is None:
        raise InternalError(f"{unfolded.branch.id} has no parent")
    column, prefix, conditions = _invert(unfolded.branch.parent.keys[0])
    return Bound(
        branch=above.branch if above else "",
        columns=(column,),
        types=(unfolded.column_type(column),),
        prefixes=(prefix,),
        conditions=conditions,
    )


def _invert(key: exp.Expr) -> tuple[exp.Column, str, tuple[exp.Expr, ...]]:
    if isinstance(key, exp.Paren):
        return _invert(key.this)
    if isinstance(key, exp.Column):
        return key, "", ()
    if isinstance(key, exp.Nullif):
        column, prefix, conditions = _invert(key.this)
        differs = exp.NEQ(this=key.this.copy(), expression=key.expression.copy())
        return column, prefix, (*conditions, differs)
    if isinstance(key, exp.Case) and key.this is None and len(key.args["ifs"]) == 1:
        branch = key.args["ifs"][0]
        column, prefix, conditions = _invert(branch.args["true"])
        return column, prefix, (*conditions, branch.this.copy())
    if isinstance(key, exp.Cast):
        return _invert(key.this)
    if isinstance(key, exp.DPipe) and isinstance(key.this, exp.Literal):
        column, prefix, conditions = _invert(key.expression)
        return column, key.this.name + prefix, conditions
    raise InternalError(
        "a person or parent that cannot be asked by key passed the catalog's checks"
    )
