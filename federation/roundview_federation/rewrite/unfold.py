"""Replaces a canonical relation by one branch of one source (global-as-view unfolding)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlglot import exp

from roundview_catalog.errors import InternalError, RequestError
from roundview_catalog.model import Branch, Catalog, Entity, PersonKey, Source
from roundview_catalog.types import Type
from roundview_federation.plan import keyset_of

_Tree = TypeVar("_Tree", bound=exp.Expr)


@dataclass(frozen=True, slots=True)
class Unfolded:
    """One branch and slot of a section.

    `scan` is FROM and WHERE over the source's tables, with the parent's rows joined where
    the branch lies below one; `aliases` names the table of each alias, `person` the
    alternatives (the parent's where the branch has none). `above` is the parent where the
    source cannot join and only the parent knows the person: its rows are asked for first.
    `masks` and `row_filter` hold at the leaf, `where` is what the asker wrote; all three are
    over canonical columns.
    """

    branch: Branch
    slot: str
    entity: Entity
    source: Source
    scan: exp.Select
    aliases: Mapping[str, str]
    person: tuple[PersonKey, ...]
    outputs: tuple[str, ...]
    masks: Mapping[str, exp.Expr]
    row_filter: exp.Expr | None
    where: exp.Expr | None
    above: Branch | None = None

    def column_type(self, column: exp.Column) -> Type:
        """Returns the source type of a column of the scan or of a child."""
        table = self.aliases.get(column.table)
        if table is None and column.table in self.branch.children:
            child = self.branch.children[column.table]
            table = child.aliases[column.table]
        if table is None:
            for child in self.branch.children.values():
                if column.table in child.aliases:
                    table = child.aliases[column.table]
        if table is None:
            table = next(iter(self.aliases.values()))
        return self.source.tables[table].columns[column.name].type


def unfold(
    tree: exp.Select, branch: Branch, catalog: Catalog, outputs: tuple[str, ...], *, joins: bool
) -> Iterator[Unfolded]:
    """Yields the branch's slots under an authorized section tree.

    `joins` tells whether the source can join: below a parent it must, unless the rows name
    their person themselves; else they are found through the parent's, in a round of their own.
    """
    source = catalog.sources[branch.source]
    scan, aliases, person = _with_parent(branch, source, joins=joins)
    leaf = tree.args["from_"].this.this
    masks = {
        projection.alias: projection.this
        for projection in leaf.expressions
        if isinstance(projection, exp.Alias)
    }
    leaf_where = leaf.args.get("where")
    entity = catalog.canonical.entities[branch.entity]
    shared = Unfolded(
        branch=branch,
        slot="",
        entity=entity,
        source=source,
        scan=scan,
        aliases=aliases,
        person=person,
        outputs=outputs,
        masks=masks,
        row_filter=leaf_where.this if leaf_where else None,
        where=_asked(tree),
        above=None if joins or person else parent_branch(branch, source),
    )
    for slot in branch.slots:
        yield replace(shared, slot=slot)


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
        outputs=(),
        masks={},
        row_filter=None,
        where=None,
        above=None if above.person else parent_branch(above, below.source),
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


def _asked(tree: exp.Select) -> exp.Expr | None:
    where = tree.args.get("where")
    if where is None:
        return None
    conjuncts = [c for c in where.this.flatten() if isinstance(where.this, exp.And)] or [where.this]
    kept = [c.copy() for c in conjuncts if not _is_customer_key(c)]
    return exp.and_(*kept) if kept else None


def _is_customer_key(node: exp.Expr) -> bool:
    bound = keyset_of(node)
    return bound is not None and bound[0].name == "customer_id"


def _with_parent(
    branch: Branch, source: Source, *, joins: bool
) -> tuple[exp.Select, Mapping[str, str], tuple[PersonKey, ...]]:
    parent = parent_branch(branch, source)
    if parent is None or branch.parent is None or not joins:
        return branch.scan.copy(), branch.aliases, branch.person
    outer, outer_aliases, outer_person = _with_parent(parent, source, joins=joins)
    names = {alias: f"{parent.entity}_{alias}" for alias in outer_aliases}
    outer = _renamed(outer, names)
    scan = branch.scan.copy()
    key = _renamed(parent.key[0], names)
    scan = scan.join(
        outer.args["from_"].this,
        on=exp.EQ(this=key, expression=branch.parent.key.copy()),
        copy=False,
    )
    for join in outer.args.get("joins") or ():
        scan.append("joins", join)
    if outer.args.get("where"):
        scan = scan.where(outer.args["where"].this, copy=False)
    aliases = {**branch.aliases, **{names[a]: table for a, table in outer_aliases.items()}}
    person = branch.person or tuple(replace(p, key=_renamed(p.key, names)) for p in outer_person)
    return scan, aliases, person


def _renamed(tree: _Tree, names: Mapping[str, str]) -> _Tree:
    result = tree.copy()
    for column in result.find_all(exp.Column):
        if column.table in names:
            column.set("table", exp.to_identifier(names[column.table]))
    for table in result.find_all(exp.Table):
        alias = table.alias_or_name
        if alias in names:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(names[alias])))
    return result
