"""Decides which fields the owner of a fact lacks and a mirror of it in another system has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.model import Branch, Catalog, Entity
from roundview_federation.plan import Section
from roundview_federation.request import Decision


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One branch to read beside a section: the owner's source and what is wanted of it.

    `by` is the field that the same fact has in both, the first column of the section.
    """

    branch: Branch
    owner: str
    by: str
    section: Section


def mirrored(
    section: Section, columns: Sequence[str], catalog: Catalog, decision: Decision
) -> Iterator[Mirrored]:
    """Yields what is read of mirrors for a section whose rows have these columns.

    A mirror whose `by` the asker may not see, or sees masked, stays unread.
    """
    for branch in catalog.mirrors(section.entity):
        entity = catalog.canonical.entities[section.entity]
        mirrors = branch.mirrors
        if mirrors is None:
            continue
        by = mirrors.by
        if by not in decision.fields.get(entity.name, ()) or (entity.name, by) in decision.masks:
            continue
        owners = [b for b in catalog.branches(entity.name) if b.source == mirrors.source]
        wanted = [
            name
            for name in columns
            if name != by
            and name in entity.fields
            and not any(_has(owner, entity, name) for owner in owners)
            and _has(branch, entity, name)
        ]
        if owners and wanted:
            tree = exp.select(*(exp.column(name) for name in (by, *wanted)))
            tree = tree.from_(exp.to_table(entity.name))
            name = f"{section.name}~{branch.id}"
            yield Mirrored(
                branch, mirrors.source, by, Section(name, entity.name, tree, section.lookup)
            )


def lent(name: str, catalog: Catalog) -> frozenset[str]:
    """Returns the fields of an entity that rows may take from a mirror after they arrived."""
    entity = catalog.canonical.entities[name]
    return frozenset(
        field
        for branch in catalog.mirrors(name)
        for field in entity.fields
        if _has(branch, entity, field)
    )


def _has(branch: Branch, entity: Entity, name: str) -> bool:
    """Tells whether a branch says where a field comes from, in any slot."""
    return any(_is_known(fields.keys(), entity, name) for fields in branch.slots.values())


def _is_known(mapped: Collection[str], entity: Entity, name: str) -> bool:
    if name in mapped:
        return True
    field = entity.fields.get(name)
    if field is None or field.derive is None:
        return False
    return any(_is_known(mapped, entity, c.name) for c in field.derive.find_all(exp.Column))
