"""Replaces a canonical relation by one branch of one source (global-as-view unfolding)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres

from roundview_catalog.errors import InternalError, RequestError
from roundview_catalog.mapped import Child, PersonKey
from roundview_catalog.model import Branch, Catalog, Entity, Source
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.sealing import KeySealing

POSTGRES: Final = Postgres()
"""The dialect in which trees have names; made once, as that takes as long as writing one."""

_Tree = TypeVar("_Tree", bound=exp.Expr)

Input = tuple[str, exp.Expr, Type]
"""What a source is asked for, by the name under which equal expressions meet."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows of a branch are made of, those above them joined.

    `base` is the scan without its WHERE, `text` says it; `inputs` keeps what fields are made of,
    by slot, field and whether the branch is scanned.
    """

    scan: exp.Select
    aliases: Mapping[str, str]
    person: tuple[PersonKey, ...]
    organization: tuple[PersonKey, ...]
    children: Mapping[str, Child]
    base: exp.Select
    text: str
    inputs: dict[tuple[str, str, bool], tuple[Input, ...]]


KnownRows = dict[tuple[str, bool], Rows]
"""The rows of branches that were unfolded before, by branch and whether its source joins."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """One branch and slot of a section.

    `scan` is FROM and WHERE over the source's tables, with the parent's rows joined where
    the branch lies below one; `aliases` names the table of each alias, `person` and
    `organization` the alternatives (the parent's where the branch has none), `children` the rows
    below by name. `above` is the parent where the source cannot join and only the parent knows
    the person: its rows are asked for first. `masks` and `row_filter` hold at the leaf, `where` is
    what the asker wrote; all three are over canonical columns.
    """

    branch: Branch
    slot: str
    entity: Entity
    source: Source
    scan: exp.Select
    aliases: Mapping[str, str]
    person: tuple[PersonKey, ...]
    children: Mapping[str, Child]
    organization: tuple[PersonKey, ...]
    outputs: tuple[str, ...]
    masks: Mapping[str, exp.Expr]
    row_filter: exp.Expr | None
    where: exp.Expr | None
    above: Branch | None = None
    sealing: KeySealing | None = None
    rows: Rows | None = None
    """what is known of the rows, whatever is asked of them"""

    def column_type(self, column: exp.Column) -> Type:
        """Returns the source type of a column of the scan, of a child or of a list."""
        if column.table in self.branch.lists:
            return Type(Kind.TEXT)
        child = self.child_of(column)
        aliases = self.aliases if child is None else child.aliases
        table = aliases.get(column.table) or next(iter(self.aliases.values()))
        return self.source.tables[table].columns[column.name].type

    def is_late(self, tree: exp.Expr) -> bool:
        """Tells whether an expression needs a first row or a list, which are there on arrival."""
        if not self.children and not self.branch.lists:
            return False
        return any(
            column.table in self.branch.lists or self.child_of(column) is not None
            for column in tree.find_all(exp.Column)
        )

    def child_of(self, column: exp.Column) -> Child | None:
        """Returns the child whose rows have the column, None for a column of the row itself."""
        if column.table in self.aliases:
            return None
        for child in self.children.values():
            if column.table in child.aliases:
                return child
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a relation, whichever branch it is: its rules, then the asker's WHERE."""

    masks: Mapping[str, exp.Expr]
    row_filter: exp.Expr | None
    where: exp.Expr | None


def asked_of(tree: exp.Select) -> Asked:
    """Returns what an authorized section tree asks; who looks at it changes nothing of it."""
    leaf = tree.args["from_"].this.this
    where = leaf.args.get("where")
    masks = {one.alias: one.this for one in leaf.expressions if isinstance(one, exp.Alias)}
    return Asked(masks, where.this if where else None, _where(tree))


def unfold(
    asked: Asked,
    branch: Branch,
    catalog: Catalog,
    outputs: tuple[str, ...],
    *,
    joins: bool,
    sealing: KeySealing | None = None,
    known: KnownRows | None = None,
) -> Iterator[Unfolded]:
    """Yields the branch's slots under what a section asks.

    `joins` tells whether the source can join: below a parent it must, unless the rows name
    their person themselves; else they are found through the parent's, in a round of their own.
    What `known` has of the branch is not made again.
    """
    source = catalog.sources[branch.source]
    rows = known.get((branch.id, joins)) if known is not None else None
    if rows is None:
        rows = _rows(branch, source, joins=joins)
        if known is not None:
            known[(branch.id, joins)] = rows
    entity = catalog.canonical.entities[branch.entity]
    shared = Unfolded(
        branch=branch,
        slot="",
        entity=entity,
        source=source,
        scan=rows.scan,
        aliases=rows.aliases,
        person=rows.person,
        children=rows.children,
        organization=rows.organization,
        outputs=outputs,
        masks=asked.masks,
        row_filter=asked.row_filter,
        where=asked.where,
        above=None if joins or rows.person else parent_branch(branch, source),
        sealing=sealing,
        rows=rows,
    )
    for slot in branch.slots:
        yield replace(shared, slot=slot) if slot else shared


def unfold_above(below: Unfolded) -> Unfolded:
    """Returns the rows of the parent as those below need them: found, nothing computed."""
    if below.above is None:
        raise InternalError(f"{below.branch.id} waits for no parent")
    above = below.above
    return replace(
        below,
        branch=above,
        slot=next(iter(above.slots)),
        scan=above.scan.copy(),
        aliases=above.aliases,
        person=above.person,
        children=above.children,
        organization=above.organization,
        outputs=(),
        masks={},
        row_filter=None,
        where=None,
        above=None if above.person else parent_branch(above, below.source),
        rows=None,
    )


def parent_branch(branch: Branch, source: Source) -> Branch | None:
    """Returns the branch that `parent` names."""
    if branch.parent is None:
        return None
    wanted = (branch.parent.entity, branch.parent.branch)
    for candidate in source.branches:
        if (candidate.entity, candidate.name) == wanted:
            return candidate
    raise RequestError(f"{branch.id} lies below {wanted[0]}, which is not mapped", code="RV103")


def renamed(tree: _Tree, names: Mapping[str, str]) -> _Tree:
    """Returns a tree in which aliases have other names."""
    result: _Tree = tree.copy()
    for column in result.find_all(exp.Column):
        if column.table in names:
            column.set("table", exp.to_identifier(names[column.table]))
    for table in result.find_all(exp.Table):
        alias = table.alias_or_name
        if alias in names:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(names[alias])))
    return result


def _where(tree: exp.Select) -> exp.Expr | None:
    where = tree.args.get("where")
    if where is None:
        return None
    conjuncts = [c for c in where.this.flatten() if isinstance(where.this, exp.And)] or [where.this]
    kept = [c.copy() for c in conjuncts if not _is_customer_key(c)]
    return exp.and_(*kept, copy=False) if kept else None


def _is_customer_key(node: exp.Expr) -> bool:
    bound = keyset_of(node)
    return bound is not None and bound[0].name == "customer_id"


def _rows(branch: Branch, source: Source, *, joins: bool) -> Rows:
    parent = parent_branch(branch, source)
    if parent is None or branch.parent is None or not joins:
        return _made_of(
            branch.scan,
            branch.aliases,
            branch.person,
            branch.organization,
            branch.children,
        )
    above = _rows(parent, source, joins=joins)
    names = {alias: f"{parent.entity}_{alias}" for alias in above.aliases}
    inner = {a: f"{parent.entity}_{a}" for c in above.children.values() for a in c.aliases}
    outer = renamed(above.scan, names)
    scan = branch.scan.copy()
    on = [
        exp.EQ(this=renamed(key, names), expression=own.copy())
        for key, own in zip(parent.key, branch.parent.keys, strict=True)
    ]
    scan = scan.join(
        outer.args["from_"].this,
        on=exp.and_(*on, copy=False),
        copy=False,
    )
    for join in outer.args.get("joins") or ():
        scan.append("joins", join)
    if outer.args.get("where"):
        scan = scan.where(outer.args["where"].this, copy=False)
    aliases = {**branch.aliases, **{names[a]: table for a, table in above.aliases.items()}}
    names = {**inner, **names}
    person = branch.person or _renamed_owners(above.person, names)
    organization = branch.organization or _renamed_owners(above.organization, names)
    children = dict(branch.children)
    for child in above.children.values():
        if child.first:
            # The person or organization may stand there.
            below = _renamed_child(child, f"{parent.entity}_{child.alias}", names)
            children[below.alias] = below
    return _made_of(scan, aliases, person, organization, children)


def _made_of(
    scan: exp.Select,
    aliases: Mapping[str, str],
    person: tuple[PersonKey, ...],
    organization: tuple[PersonKey, ...],
    children: Mapping[str, Child],
) -> Rows:
    base = scan.copy()
    base.set("where", None)
    text = base.sql(dialect=POSTGRES, copy=False)
    return Rows(scan, aliases, person, organization, children, base, text, {})


def _renamed_owners(
    owners: tuple[PersonKey, ...], names: Mapping[str, str]
) -> tuple[PersonKey, ...]:
    return tuple(replace(o, keys=tuple(renamed(key, names) for key in o.keys)) for o in owners)


def _renamed_child(child: Child, alias: str, names: Mapping[str, str]) -> Child:
    return Child(
        alias=alias,
        scan=renamed(child.scan, names),
        aliases={names[a]: table for a, table in child.aliases.items()},
        links=tuple((renamed(mine, names), renamed(other, names)) for mine, other in child.links),
        first=tuple(renamed(term, names) for term in child.first),
    )
