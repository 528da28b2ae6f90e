"""Decides whether rows of two branches of one source can be joined in it, and what is one then.

Columns of the second stand among the fields of the first, under names of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from roundview_catalog.mapped import FieldMapping
from roundview_catalog.model import Branch
from roundview_catalog.types import Type
from roundview_federation.rewrite.presence import TYPED, holds, is_borne, is_named
from roundview_federation.rewrite.source_keys import INTEGERS
from roundview_federation.rewrite.unfold import Unfolded, renamed

Tie = tuple[str, str]
"""A column of the first and one of the second that must be equal."""


class ApartError(Exception):
    """A source would not join rows as their canonical columns say."""


@dataclass(frozen=True, slots=True)
class _Value:
    """What a tied column is in a source; `prefix` is None for a field, else of a key."""

    columns: tuple[exp.Column, ...]
    prefix: str | None


def is_parent_tie(first: Unfolded, second: Unfolded, ties: Sequence[Tie]) -> bool:
    """Tells whether rows of the first are tied to those that they lie below."""
    parent = first.branch.parent
    if parent is None or (parent.entity, parent.branch) != (
        second.branch.entity,
        second.branch.name,
    ):
        return False
    return (first.entity.parents.get(parent.entity, ""), "source_key") in ties


def joined_branch(
    entity: str,
    first: Unfolded,
    second: Unfolded,
    ties: Sequence[Tie],
    fields: Mapping[str, str],
    dialect: str,
) -> Branch | None:
    """Returns the branch of `entity` that has the joined rows, None where no row has a partner.

    `fields` has the second's fields by their new names. Raises ApartError where the source would
    not join them exactly.
    """
    is_below = is_parent_tie(first, second, ties)
    prefix = f"{second.entity.name}_" if is_below else _free_prefix(first)
    names = {alias: f"{prefix}{alias}" for alias in second.aliases}
    same: list[exp.Expr] = []
    for mine, other in ties:
        if mine == other == "source":
            continue
        left, right = _value(mine, first), _value(other, second)
        if left is None or right is None:
            return None
        if (left.prefix is None) != (right.prefix is None):
            raise ApartError
        if left.prefix != right.prefix or len(left.columns) != len(right.columns):
            return None
        if is_below and other == "source_key" and mine in first.entity.parents.values():
            continue
        same += [
            exp.EQ(this=one.copy(), expression=renamed(two, names))
            for one, two in zip(left.columns, right.columns, strict=True)
        ]
    if not all(_is_whole(one, dialect) for one in (first, second)):
        raise ApartError
    branch, slot = first.branch, first.slot
    scan, aliases = branch.scan, dict(branch.aliases)
    if is_below:
        # Whoever reads a row joins the one above it all the same.
        scan = scan.where(*same) if same else scan
    else:
        outer = renamed(second.scan, names)
        on = exp.and_(*same, copy=False) if same else exp.true()
        scan = scan.join(outer.args["from_"].this, on=on)
        for join in outer.args.get("joins") or ():
            scan.append("joins", join)
        if outer.args.get("where"):
            scan = scan.where(outer.args["where"].this, copy=False)
        aliases |= {names[alias]: table for alias, table in second.aliases.items()}
    theirs = {
        name: replace(mapping, expr=renamed(mapping.expr, names))
        for name, own in fields.items()
        if (mapping := _mapping(own, second)) is not None
    }
    return replace(
        branch,
        entity=entity,
        scan=scan,
        aliases=aliases,
        slots={slot: {**branch.slots[slot], **theirs}},
    )


def _free_prefix(first: Unfolded) -> str:
    prefix = "j"
    while any(alias.startswith(f"{prefix}_") for alias in first.aliases):
        prefix += "j"
    return f"{prefix}_"


def _is_whole(one: Unfolded, dialect: str) -> bool:
    """Tells whether every row of the source arrives, and as the source has it."""
    if one.masks or one.row_filter is not None or one.above is not None or one.children:
        return False
    if one.branch.lists or len(one.branch.slots) > 1:
        return False
    return dialect in TYPED and is_named(one, dialect) and is_borne(one)


def _value(name: str, one: Unfolded) -> _Value | None:
    """Returns what a tied column is made of, None where no row has a value."""
    branch = one.branch
    if name == "source_key":
        if branch.is_sealed:
            raise ApartError
        return _Value(_whole_columns(branch.key, branch.key_types), branch.name)
    if name in one.entity.parents.values():
        parent = branch.parent
        if parent is None or one.entity.parents.get(parent.entity) != name:
            return None
        if parent.is_sealed:
            raise ApartError
        return _Value(_whole_columns(parent.keys, parent.types), parent.branch)
    mapping = _mapping(name, one)
    if mapping is None:
        return None
    column, target = mapping.expr, one.entity.types[name]
    if mapping.codes is not None or not isinstance(column, exp.Column):
        raise ApartError
    own = one.column_type(column)
    if target.kind not in INTEGERS or not holds(target, own):
        raise ApartError
    return _Value((column,), None)


def _mapping(name: str, one: Unfolded) -> FieldMapping | None:
    """Returns the mapping of a plain field, None where it is NULL in every row."""
    declared = one.entity.fields.get(name)
    if declared is None or one.source.defaults.of(name):
        raise ApartError
    mapping = one.branch.slots[one.slot].get(name)
    if mapping is None and declared.derive is not None:
        raise ApartError
    return mapping


def _whole_columns(keys: Sequence[exp.Expr], types: Sequence[Type]) -> tuple[exp.Column, ...]:
    columns = tuple(key for key in keys if isinstance(key, exp.Column))
    if len(columns) < len(keys) or any(type_.kind not in INTEGERS for type_ in types):
        raise ApartError
    return columns
