"""Decides what "the whole customer" is: every entity, every field that may be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from roundview_catalog.model import Catalog, Entity
from roundview_federation.plan import Identifier, Lookup, Page, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.rewrite.derive import OWN_COLUMNS

LOOKUP = "customer"
_FIRST = "first"


def whole_customer(
    catalog: Catalog, decision: Decision, identifier: Identifier, first: int
) -> tuple[Question, dict[str, Any]]:
    """Returns the question for everything about one customer, and its parameters.

    Section names are `customer`, the entity's name, and `parent.child` below a parent.
    """
    known = catalog.canonical.customer_fields
    columns = tuple(
        name
        for name, (entity, field) in known.items()
        if field in decision.fields.get(entity, frozenset())
    )
    sections = []
    if "individual" in decision.fields:
        tree = selecting("customer", (*OWN_COLUMNS, *columns))
        sections.append(Section("customer", "customer", tree, LOOKUP, provenance=columns))
    for entity in catalog.canonical.entities.values():
        if entity.has_person and entity.name in decision.fields and catalog.branches(entity.name):
            sections += _sections(entity, entity.name, "", catalog, decision)
    shape = f"whole:{catalog.version}:{decision.policy_shape}"
    question = Question(shape, (Lookup(LOOKUP),), tuple(sections), catalog.version)
    return question, {LOOKUP: [identifier], _FIRST: first}


def _sections(
    entity: Entity, name: str, parent: str, catalog: Catalog, decision: Decision
) -> Iterator[Section]:
    if entity.parents and not parent:
        return
    hidden = {"customer_id", "link_state", "source", "source_system", "source_instance", "slot"}
    readable = decision.fields[entity.name]
    columns = tuple(n for n in entity.types if n in readable and n not in hidden)
    tree = selecting(entity.name, columns)
    for field, descending in entity.order:
        if field in readable:
            tree = tree.order_by(exp.Ordered(this=exp.column(field), desc=descending))
    yield Section(name, entity.name, tree, LOOKUP, parent, Page(_FIRST, wants_cursor=False))
    for child in catalog.canonical.children(entity.name):
        below = any(
            b.parent and b.parent.entity == entity.name for b in catalog.branches(child.name)
        )
        if below and child.name in decision.fields:
            yield from _sections(child, f"{name}.{child.name}", name, catalog, decision)
