"""Decides which names of the canonical schema one principal finds in GraphQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from roundview_catalog.errors import CatalogError
from roundview_catalog.model import COMMON_FIELDS, Catalog, Entity
from roundview_catalog.types import Kind, Type
from roundview_federation.request import Decision
from roundview_graphql.names import camel, enum_value, is_legal, pascal
from roundview_graphql.scalars import SCALAR_OF, identifier_scalar

HEAD_COLUMNS = (
    "customer_id",
    "link_state",
    "source",
    "source_system",
    "source_instance",
    "source_key",
    "slot",
    "as_of",
    "fetched_at",
)
"""Columns that every row carries in its head, so that they need not be selected."""

_NOT_FILTERED = frozenset({"customer_id", "link_state", "as_of", "fetched_at"})
_OWN_FIELDS = frozenset({"provenance"})
_OWN_TYPES = frozenset(
    {"Query", "Customer", "CustomerBy", "CustomerField", "PageInfo", "Direction", "LinkState"}
    | {"RecordProvenance", "FieldProvenance", "LosingValue", "LinkStateFilter"}
    | {"Mutation", "MaskedField", "Revealed", "RevealedValue"}
)


@dataclass(frozen=True, slots=True)
class Column:
    """One readable field: its GraphQL name, canonical name, type and comment.

    `enum` names the GraphQL enum of enum columns; `is_filtered` tells whether `where` and
    `orderBy` know it.
    """

    name: str
    column: str
    type: Type
    comment: str = ""
    enum: str = ""
    is_filtered: bool = True


@dataclass(frozen=True, slots=True)
class EntityWords:
    """One entity as GraphQL sees it: fields by GraphQL name, child lists name -> entity."""

    name: str
    field: str
    entity: str
    comment: str
    columns: Mapping[str, Column]
    children: Mapping[str, str]
    order: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that one principal can name in one catalog version.

    `customer`: GraphQL name -> Column of the derived relation; `relations`: GraphQL name ->
    entity of the lists of a customer; `identifiers`: GraphQL name -> identifier kind;
    `enums`: GraphQL enum -> (value name -> canonical value). `masked`: value name -> "entity.field"
    of what may be revealed.
    """

    customer: Mapping[str, Column]
    relations: Mapping[str, str]
    entities: Mapping[str, EntityWords]
    identifiers: Mapping[str, str]
    enums: Mapping[str, Mapping[str, str]]
    masked: Mapping[str, str]


def vocabulary(catalog: Catalog, decision: Decision) -> Vocabulary:
    """Returns the names of a catalog for everyone with this decision.

    Raises CatalogError where two canonical names become one GraphQL name or an illegal one.
    """
    canonical = catalog.canonical
    enums: dict[str, Mapping[str, str]] = {
        "LinkState": _enum_names("link_state", COMMON_FIELDS["link_state"].values)
    }
    seen = {
        entity.name: entity
        for entity in canonical.entities.values()
        if entity.has_person and entity.name in decision.fields
    }
    entities = {
        name: EntityWords(
            name=_legal(pascal(name)),
            field=camel(name),
            entity=name,
            comment=entity.comment,
            columns=_distinct(name, _columns(entity, decision.fields[name], enums)),
            children={camel(c.name): c.name for c in canonical.children(name) if c.name in seen},
            order=tuple(pair for pair in entity.order if pair[0] in decision.fields[name]),
        )
        for name, entity in seen.items()
    }
    for words in entities.values():
        _refuse_shared(words.entity, words.columns, words.children)
    customer = _distinct("customer", _customer_columns(catalog, decision, enums))
    relations = {words.field: name for name, words in entities.items()}
    _refuse_shared("customer", customer, relations)
    identifiers = {_legal(camel(name)): name for name in canonical.identifiers}
    _refuse_shared_types(entities, enums, canonical.identifiers)
    return Vocabulary(
        customer=customer,
        relations=relations,
        entities=entities,
        identifiers=identifiers,
        enums=enums,
        masked=_masked(decision, entities),
    )


def _masked(decision: Decision, entities: Mapping[str, EntityWords]) -> dict[str, str]:
    """Returns the masked fields that may be revealed; who may not is not told which they are."""
    if "reveal" not in decision.actions:
        return {}
    return {
        f"{camel(entity)}_{camel(field)}": f"{entity}.{field}"
        for entity, field in sorted(decision.masks)
        if entity in entities
    }


def _columns(
    entity: Entity, readable: frozenset[str], enums: dict[str, Mapping[str, str]]
) -> Iterator[Column]:
    for name, type_ in entity.types.items():
        if name not in readable and name not in HEAD_COLUMNS:
            continue
        known = entity.fields.get(name)
        enum = ""
        if type_.kind is Kind.ENUM:
            enum = "LinkState" if name == "link_state" else pascal(f"{entity.name}_{name}")
            enums.setdefault(enum, _enum_names(name, type_.values))
        yield Column(
            name=_legal(camel(name)),
            column=name,
            type=type_,
            comment=known.comment if known else _COMMON_COMMENTS.get(name, ""),
            enum=enum,
            is_filtered=name in readable
            and name not in _NOT_FILTERED
            and type_.kind is not Kind.JSON,
        )


def _customer_columns(
    catalog: Catalog, decision: Decision, enums: dict[str, Mapping[str, str]]
) -> Iterator[Column]:
    yield Column("customerId", "customer_id", COMMON_FIELDS["customer_id"], "Stable id.")
    yield Column(
        "linkState", "link_state", COMMON_FIELDS["link_state"], "How sure it is.", "LinkState"
    )
    if "individual" not in decision.fields:
        return
    for name, (entity, field) in catalog.canonical.customer_fields.items():
        if field not in decision.fields.get(entity, frozenset()):
            continue
        of = catalog.canonical.entities[entity]
        type_ = of.types[field]
        enum = ""
        if type_.kind is Kind.ENUM:
            enum = pascal(f"{entity}_{field}")
            enums.setdefault(enum, _enum_names(field, type_.values))
        known = of.fields.get(field)
        yield Column(_legal(camel(name)), name, type_, known.comment if known else "", enum)


def _enum_names(field: str, values: tuple[str, ...]) -> dict[str, str]:
    names = {enum_value(value): value for value in values}
    if len(names) != len(values):
        raise CatalogError((), f"two values of {field} become one name in GraphQL")
    return names


def _distinct(entity: str, columns: Iterator[Column]) -> dict[str, Column]:
    result: dict[str, Column] = {}
    for column in columns:
        if column.name in result or column.name in _OWN_FIELDS:
            raise CatalogError((), f"{entity}.{column.column} takes a GraphQL name that is taken")
        result[column.name] = column
    return result


def _refuse_shared(entity: str, fields: Mapping[str, object], lists: Mapping[str, str]) -> None:
    shared = sorted((fields.keys() | _OWN_FIELDS) & lists.keys())
    if shared:
        raise CatalogError((), f"{entity} has a field and a list of one name: {shared[0]}")


def _refuse_shared_types(
    entities: Mapping[str, EntityWords], enums: Iterable[str], identifiers: Iterable[str]
) -> None:
    scalars = {*SCALAR_OF.values()}
    taken = {*_OWN_TYPES, *scalars, *(f"{name}Filter" for name in scalars)}
    made = [name + end for name in enums for end in ("", "Filter") if name != "LinkState"]
    made += [identifier_scalar(name) for name in identifiers]
    made += [e.name + end for e in entities.values() for end in ("", "Page", "Where", "Order")]
    for name in made:
        if name in taken:
            raise CatalogError((), f"two types would have the name {name} in GraphQL")
        taken.add(name)


def _legal(name: str) -> str:
    if not is_legal(name):
        raise CatalogError((), f"{name} cannot be a name in GraphQL")
    return name


_COMMON_COMMENTS: Mapping[str, str] = {
    "customer_id": "Stable id of the customer.",
    "link_state": "How sure it is that this record is the customer's.",
    "source": "Full name of the source.",
    "source_system": "System part of the source's name.",
    "source_instance": "Instance part of the source's name, empty if there is one.",
    "source_key": "Key of the record in its source.",
    "slot": "Which of several values of one record this is.",
    "organization_key": "Key of the organization in the same source that the record is about.",
    "source_created_at": "When the source says it made the record.",
    "source_updated_at": "When the source says it last changed the record.",
    "as_of": "Age of the data: the fetch for live sources, the file's time for files.",
    "fetched_at": "When the record was read.",
    "business_unit": "Business unit that the record belongs to.",
    "region": "Region that the record belongs to.",
}
