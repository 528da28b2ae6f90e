"""Decides what the canonical schema is: what ships with Roundview and what a catalog adds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document, read
from roundview_catalog.errors import CatalogError
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.files import (
    CanonicalIdentifiers,
    DerivedDeclaration,
    EntityDeclaration,
    EntityFile,
    FieldDeclaration,
    IdentityFile,
)
from roundview_catalog.model import (
    COMMON_FIELDS,
    Canonical,
    DerivedRelation,
    Entity,
    Field,
    IdentifierKind,
)
from roundview_catalog.normalizers import NORMALIZERS
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import is_map, shaped
from roundview_catalog.types import parse_type

Path = tuple[str | int, ...]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_TAKEN_WORDS = """
    customer customers customer_360 customer_timeline customer_insight segment_member xref
    data_freshness dq_issue access_log identity_coverage provenance extensions query node nodes
    page_info source sources lookup principal all analyse analyze and any array as asc both case
    cast check collate column constraint create cross current_date current_time current_user
    default desc distinct do else end except false fetch for foreign from full grant group having
    in initially inner intersect into is isnull join lateral leading left like limit natural not
    notnull null offset on only or order outer placing primary references returning right select
    session_user similar some symmetric table then to trailing true union unique user using
    variadic when where window with mutation subscription
"""
_TAKEN = frozenset(_TAKEN_WORDS.split())
"""Names of relations that mean something else in SQL, GraphQL or here."""
_TAKEN_FIELDS = frozenset({"provenance", "id", "typename"})


@cache
def canonical_schema() -> Canonical:
    """Returns the shipped schema: entities, identifier kinds and the fields of `customer`."""
    report = Report()
    entities: dict[str, Entity] = {}
    derived: dict[str, DerivedRelation] = {}
    names: CanonicalIdentifiers | None = None
    folder = resources.files("roundview_catalog") / "canonical"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        document = read(file.read_text(encoding="utf-8"), file.name, report)
        if document is None:
            continue
        if file.name == "identifiers.yaml":
            names = shaped(CanonicalIdentifiers, document.data, document, (), report)
            continue
        if file.name == "derived.yaml":
            derived = _derived(document, report)
            continue
        for name, given in document.data.items():
            declared = shaped(EntityDeclaration, given, document, (name,), report)
            if declared is not None:
                entities[name] = _entity(name, declared, document, (name,), report)
    if report.problems or names is None:
        raise CatalogError(report.problems)
    kinds = {
        name: IdentifierKind(
            name=name,
            comment=row.comment,
            normalizer=row.normalizer,
            usage=row.usage,
            is_live=row.live,
            max_records=row.max_records,
            blocked=row.blocked,
        )
        for name, row in names.identifiers.items()
    }
    customer = {
        name: (place.partition(".")[0], place.partition(".")[2])
        for name, place in names.customer.items()
    }
    return Canonical(entities, kinds, customer, derived)


def extended(
    canonical: Canonical,
    documents: Iterable[Document],
    identity: Document | None,
    report: Report,
) -> Canonical:
    """Returns the schema with a catalog's own entities, fields and identifier kinds."""
    kinds = dict(canonical.identifiers)
    if identity is not None:
        _add_kinds(kinds, identity, report)
    entities = dict(canonical.entities)
    for document in documents:
        if not is_map(document.data, document, (), report):
            continue
        file = shaped(EntityFile, document.data, document, (), report)
        if file is None:
            continue
        if file.entity in canonical.entities:
            entities[file.entity] = _with_fields(entities[file.entity], file, document, report)
        elif _is_name(file.entity, document, ("entity",), _TAKEN, report):
            if file.entity in entities:
                report.add(document.position(("entity",)), "RV226",
                           f"two declarations of {file.entity}", "join them")  # fmt: skip
                continue
            if not file.comment:
                report.add(document.position(("entity",)), "RV220", "`comment` is missing")
            entities[file.entity] = _entity(file.entity, file, document, (), report)
        _check_kinds(file, kinds, document, report)
    for document in documents:
        _check_parents(entities, document, report)
    return Canonical(entities, kinds, canonical.customer_fields, canonical.derived)


def _derived(document: Document, report: Report) -> dict[str, DerivedRelation]:
    found = {}
    for name, given in document.data.items():
        declared = shaped(DerivedDeclaration, given, document, (name,), report)
        if declared is not None:
            columns = {
                column: Field(column, parse_type(one.type), one.comment)
                for column, one in declared.columns.items()
            }
            found[name] = DerivedRelation(
                name, declared.comment, columns, declared.over, declared.sql
            )
    return found


def _with_fields(entity: Entity, file: EntityFile, document: Document, report: Report) -> Entity:
    for key in ("comment", "relations", "order"):
        if key in file.model_fields_set:
            at = document.key_position((key,))
            report.add(at, "RV221", f"{key} of {entity.name} is canonical", "add fields only")
    own: dict[str, Field] = {}
    for name, declared in file.fields.items():
        if name in entity.fields:
            at = document.key_position(("fields", name))
            report.add(at, "RV221", f"{entity.name} already has {name}", "take another name")
        elif _is_name(name, document, ("fields", name), _TAKEN_FIELDS, report):
            own[name] = _field(name, declared, document, ("fields", name), report)
    both = Entity(
        name=entity.name,
        comment=entity.comment,
        fields={**entity.fields, **own},
        bearing=entity.bearing,
        parents=entity.parents,
        has_person=entity.has_person,
        order=entity.order,
    )
    for name in own:
        _check_derive(both, name, document, ("fields", name), report)
    return both


def _entity(
    name: str, declared: EntityDeclaration, document: Document, path: Path, report: Report
) -> Entity:
    fields = {
        field: _field(field, given, document, (*path, "fields", field), report)
        for field, given in declared.fields.items()
        if _is_name(field, document, (*path, "fields", field), _TAKEN_FIELDS, report)
    }
    person = declared.relations.get("individual")
    parents = {
        parent: f"{parent}_key"
        for parent, relation in declared.relations.items()
        if relation.by == "parent"
    }
    for parent in declared.relations:
        if parent != "individual" and parent not in parents:
            at = document.position((*path, "relations", parent))
            report.add(at, "RV206", "only individual is related by person", "{by: parent}")
    terms = [term.strip() for term in declared.order.split(",") if term.strip()]
    entity = Entity(
        name=name,
        comment=declared.comment,
        fields=fields,
        bearing=tuple((field,) for field, given in declared.fields.items() if given.bearing),
        parents=parents,
        has_person=declared.person if person is None else True,
        order=tuple((term.removeprefix("-"), term.startswith("-")) for term in terms),
    )
    for term, _ in entity.order:
        if term not in entity.types:
            at = document.position((*path, "order"))
            report.add(at, "RV218", f"unknown field {term} of {name}",
                       did_you_mean(term, entity.types))  # fmt: skip
    for field in fields:
        _check_derive(entity, field, document, (*path, "fields", field), report)
    return entity


def _field(
    name: str, given: FieldDeclaration, document: Document, path: Path, report: Report
) -> Field:
    derive: exp.Expr | None = None
    if given.derive:
        try:
            derive = expressions.parse(given.derive)
        except ExpressionError as error:
            at = document.position((*path, "derive"), error.offset)
            report.add(at, error.code, error.message, error.hint)
    return Field(
        name=name,
        type=parse_type(given.type),
        comment=given.comment,
        unit=given.unit,
        derive=derive,
        identifier=given.identifier,
        identifier_from=given.identifier_from,
        match=given.match,
        is_sensitive=given.sensitive,
    )


def _check_derive(
    entity: Entity, name: str, document: Document, path: Path, report: Report
) -> None:
    tree = entity.fields[name].derive
    if tree is None:
        return
    for column in tree.find_all(exp.Column):
        if column.name not in entity.fields or column.name == name or column.table:
            hint = did_you_mean(column.name, entity.fields)
            report.add(document.position((*path, "derive")), "RV218",
                       f"unknown field {column.name} of {entity.name}", hint)  # fmt: skip
            return
    try:
        expressions.infer(tree, lambda column: entity.fields[column.name].type)
    except ExpressionError as error:
        at = document.position((*path, "derive"), error.offset)
        report.add(at, error.code, error.message, error.hint)


def _check_kinds(
    file: EntityFile, kinds: Mapping[str, IdentifierKind], document: Document, report: Report
) -> None:
    for name, field in file.fields.items():
        path = ("fields", name)
        if field.identifier and field.identifier not in kinds:
            report.add(document.position((*path, "identifier")), "RV217",
                       f"unknown kind of identifier {field.identifier}",
                       did_you_mean(field.identifier, kinds)
                       or f"one of {', '.join(kinds)}")  # fmt: skip
        if field.identifier_from and field.identifier_from not in file.fields:
            at = document.position((*path, "identifier_from"))
            hint = did_you_mean(field.identifier_from, file.fields)
            report.add(at, "RV218", f"unknown field {field.identifier_from}", hint)


def _check_parents(entities: Mapping[str, Entity], document: Document, report: Report) -> None:
    if not isinstance(document.data, dict):
        return
    name = document.data.get("entity")
    entity = entities.get(name) if isinstance(name, str) else None
    relations = document.data.get("relations")
    if entity is None or not isinstance(relations, dict):
        return
    for parent in entity.parents:
        at = document.key_position(("relations", parent))
        if parent not in entities:
            hint = did_you_mean(parent, entities)
            report.add(at, "RV217", f"unknown entity {parent}", hint)
        elif _lies_below(parent, entity.name, entities):
            report.add(at, "RV206", "entities lie below each other", "one of them is the parent")


def _lies_below(name: str, other: str, entities: Mapping[str, Entity]) -> bool:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one == other:
            return True
        if one not in seen and one in entities:
            seen.add(one)
            waiting += entities[one].parents
    return False


def _add_kinds(kinds: dict[str, IdentifierKind], document: Document, report: Report) -> None:
    if not is_map(document.data, document, (), report):
        return
    file = shaped(IdentityFile, document.data, document, (), report)
    for name, given in (file.identifiers if file else {}).items():
        path: Path = ("identifiers", name)
        known = kinds.get(name)
        if known is None:
            if not given.normalizer:
                hint = did_you_mean(name, kinds) or "a kind of your own needs `normalizer`"
                report.add(document.key_position(path), "RV217",
                           f"unknown kind of identifier {name}", hint)  # fmt: skip
                continue
            if not _is_name(name, document, path, _TAKEN, report):
                continue
            known = IdentifierKind(name, given.comment, given.normalizer)
        elif given.normalizer and given.normalizer != known.normalizer:
            at = document.key_position((*path, "normalizer"))
            report.add(at, "RV221", f"the normal form of {name} is canonical", "leave it out")
        if known.normalizer not in NORMALIZERS:
            hint = did_you_mean(known.normalizer, NORMALIZERS) or f"one of {', '.join(NORMALIZERS)}"
            report.add(document.position((*path, "normalizer")), "RV206",
                       "not a normalizer", hint)  # fmt: skip
            continue
        kinds[name] = IdentifierKind(
            name=name,
            comment=given.comment or known.comment,
            normalizer=known.normalizer,
            usage=given.usage or known.usage,
            is_live=known.is_live,
            max_records=given.max_records or known.max_records,
            blocked=tuple(dict.fromkeys((*known.blocked, *given.blocked))),
        )


def _is_name(
    name: str, document: Document, path: Path, taken: frozenset[str], report: Report
) -> bool:
    is_key = path[-1] == name
    at = document.key_position(path) if is_key else document.position(path)
    if not _NAME.fullmatch(name) or len(name) > 63:
        report.add(at, "RV221", "not a name", "small letters, digits and single _: vip_level")
        return False
    if name in taken or name in COMMON_FIELDS or name.endswith("_key"):
        report.add(at, "RV221", f"the name {name} is taken", "take another one")
        return False
    return True
