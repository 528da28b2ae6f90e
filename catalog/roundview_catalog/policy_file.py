"""Decides what `policy.yaml` says: roles, what they see, and the expressions of their rules."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.files import PolicyFile, RoleSection
from roundview_catalog.model import Canonical, Entity, Role
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import shaped
from roundview_catalog.types import Kind, Type

Path = tuple[str | int, ...]


def read_policy(document: Document, canonical: Canonical, report: Report) -> dict[str, Role]:
    """Returns the roles of a policy file; what a role does not list does not exist for it."""
    file = shaped(PolicyFile, document.data, document, (), report)
    if file is None:
        return {}
    return {
        name: _role(name, section, document, canonical, report)
        for name, section in file.roles.items()
    }


def _role(
    name: str, section: RoleSection, document: Document, canonical: Canonical, report: Report
) -> Role:
    path: Path = ("roles", name)
    sees: dict[str, tuple[str, ...] | None] = {}
    for entity, fields in section.sees.items():
        at = (*path, "sees", entity)
        sees[entity] = None if fields == "all" else tuple(fields)
        if entity == "*":
            if fields != "all":
                report.add(document.position(at), "RV206", '"*" sees all', "name the entities")
            continue
        known = _entity(entity, at, document, canonical, report)
        for index, field in enumerate(sees[entity] or ()):
            if known is not None and field not in known.types:
                report.add(document.position((*at, index)), "RV240",
                           f"unknown field {field} of {entity}",
                           did_you_mean(field, known.types))  # fmt: skip
    filters: dict[str, exp.Expr] = {}
    for entity in section.row_filter:
        at = (*path, "row_filter", entity)
        known = _entity(entity, at, document, canonical, report)
        tree = _rule(known, at, document, report, Type(Kind.BOOLEAN)) if known else None
        if tree is not None:
            filters[entity] = tree
    masks: dict[tuple[str, str], exp.Expr] = {}
    for place in section.mask:
        at = (*path, "mask", place)
        entity, _, field = place.partition(".")
        known = _entity(entity, at, document, canonical, report)
        if known is None:
            continue
        if field not in known.types:
            hint = did_you_mean(field, known.types) or "write entity.field"
            report.add(document.key_position(at), "RV240",
                       f"unknown field {field or 'here'} of {entity}", hint)  # fmt: skip
            continue
        tree = _rule(known, at, document, report, known.types[field])
        if tree is not None:
            masks[(entity, field)] = tree
    return Role(
        name=name,
        purposes=section.purposes,
        sees=sees,
        row_filter=filters,
        mask=masks,
        actions=frozenset(section.actions),
    )


def _entity(
    name: str, path: Path, document: Document, canonical: Canonical, report: Report
) -> Entity | None:
    if name == "customer":
        report.add(document.key_position(path), "RV240", "customer is derived from its records",
                   "name individual and the contact points")  # fmt: skip
        return None
    known = canonical.entities.get(name)
    if known is None:
        hint = did_you_mean(name, canonical.entities)
        report.add(document.key_position(path), "RV240", f"unknown entity {name}", hint)
    return known


def _rule(
    entity: Entity, path: Path, document: Document, report: Report, target: Type
) -> exp.Expr | None:
    """Returns a filter or mask over one entity's fields and `principal.x`."""
    text: Any = document.data
    for part in path:
        text = text[part]
    try:
        tree = expressions.parse(text)
        if any(tree.find_all(*expressions.AGGREGATES)):
            raise ExpressionError("no aggregates here", "a rule sees one row")
        for column in tree.find_all(exp.Column):
            _type(column, entity, text)
        found = expressions.infer(tree, lambda column: _type(column, entity, text))
    except ExpressionError as error:
        report.add(document.position(path, error.offset), error.code, error.message, error.hint)
        return None
    if target.kind is Kind.BOOLEAN and found.kind is not Kind.BOOLEAN:
        report.add(document.position(path), "RV215", "a row filter is a condition",
                   "region = principal.region")  # fmt: skip
        return None
    if not _shows(found, target, tree):
        report.add(document.position(path), "RV215", f"a mask of {target} must be {target}")
        return None
    return tree


def _type(column: exp.Column, entity: Entity, text: str) -> Type:
    if column.table == "principal":
        return Type(Kind.TEXT)
    if column.table not in ("", entity.name) or column.name not in entity.types:
        raise ExpressionError(
            f"unknown field {column.name} of {entity.name}",
            did_you_mean(column.name, entity.types)
            or f"principal.{column.name} is the asker's; a text is \"'{column.name}'\"",
            expressions.offset_of(column, text),
            "RV240",
        )
    return entity.types[column.name]


def _shows(found: Type, target: Type, tree: exp.Expr) -> bool:
    """Tells whether a mask's value can stand where the field's own value stands."""
    if isinstance(tree, exp.Null) or found.kind is target.kind:
        return True
    if target.is_text:
        return found.is_text
    if target.is_number:
        return found.is_number
    if target.is_time or target.kind is Kind.DATE:
        return found.is_time or found.kind is Kind.DATE
    return False
