"""Decides what the page knows about a catalog version before it asks anything."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import orjson

from roundview_catalog.model import Catalog, Entity
from roundview_catalog.types import Kind, Type
from roundview_desktop.names import camel, label
from roundview_desktop.operation import (
    customer_fields,
    desk_operation,
    document_id,
    find_operation,
    reveal_operation,
    shown_entities,
    shown_fields,
)

_UNDATED = frozenset({"individual", "organization", "party_identification", "party_relationship"})
_NOT_EVENTS = frozenset(
    {"verified_at", "expires_at", "last_bounce_at", "sla_due_at", "resolved_at", "last_at"}
)


@dataclass(frozen=True, slots=True)
class PageContext:
    """Holds the page's documents (id -> GraphQL text) and its settings as JSON.

    The door for apps must accept every id of `documents` as a persisted document. Settings
    hold names and labels of the catalog, never a value of a source.
    """

    documents: Mapping[str, str]
    settings: bytes
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gets a page, as far as it looks different for them.

    `purpose` is what the page asks for, one of `purposes`. `has_login` tells whether they showed a
    token or a key. Whoever `may_break_glass` finds how; the page of an emergency says that it is.
    """

    name: str = ""
    purposes: tuple[str, ...] = ()
    purpose: str = ""
    has_login: bool = False
    may_break_glass: bool = False
    is_emergency: bool = False


def page_context(
    catalog: Catalog,
    readable: Mapping[str, frozenset[str]],
    caller: Caller | None = None,
    revealable: Set[tuple[str, str]] = frozenset(),
) -> PageContext:
    """Returns what the page needs for one catalog version and one principal's view of it.

    `readable` is `Decision.fields`, `revealable` are (entity, field) that are masked and may be
    revealed. Costs some milliseconds: keep it per (version, policy, caller).
    """
    caller = caller or Caller()
    view, find = desk_operation(catalog, readable), find_operation(catalog, readable)
    documents = {"view": view, "find": find}
    masked = {place: f"{camel(place[0])}_{camel(place[1])}" for place in revealable}
    if masked:
        documents["reveal"] = reveal_operation()
    settings = {
        "version": catalog.version,
        "principal": caller.name,
        "purposes": caller.purposes,
        "purpose": caller.purpose,
        "hasLogin": caller.has_login,
        "mayBreakGlass": caller.may_break_glass,
        "isEmergency": caller.is_emergency,
        "documents": {name: document_id(text) for name, text in documents.items()},
        "kinds": [
            {
                "name": kind.name,
                "key": camel(kind.name),
                "label": _KINDS.get(kind.name) or label(kind.name),
                "comment": kind.comment,
            }
            for kind in catalog.canonical.identifiers.values()
        ],
        "sources": [
            {"name": source.name, "title": source.title or label(source.name.replace(".", "_"))}
            for source in catalog.sources.values()
            if any(branch.entity in readable for branch in source.branches)
        ],
        "customer": [
            {
                "key": camel(name),
                "name": name,
                "label": label(name),
                "type": _type_of(catalog, name).kind.value,
                "masked": masked.get(catalog.canonical.customer_fields[name], ""),
            }
            for name in customer_fields(catalog, readable)
        ],
        "entities": [
            _entity(catalog, readable, entity, masked)
            for entity in shown_entities(catalog, readable)
        ],
    }
    return PageContext(
        documents={document_id(text): text for text in documents.values()},
        settings=orjson.dumps(settings),
        kinds=frozenset(catalog.canonical.identifiers),
    )


def event_field(entity: Entity, shown: tuple[str, ...]) -> str:
    """Returns the field that dates a row on the timeline, or an empty text.

    The entity's own default order decides; else its first instant that marks an event.
    """
    if entity.name in _UNDATED or entity.name.startswith("contact_point_"):
        return ""
    for name, _ in entity.order:
        if name in shown and _is_dated(entity.fields[name].type):
            return name
    for name in shown:
        if name.endswith("_at") and name not in _NOT_EVENTS and _is_dated(entity.fields[name].type):
            return name
    return ""


def _entity(
    catalog: Catalog,
    readable: Mapping[str, frozenset[str]],
    entity: Entity,
    masked: Mapping[tuple[str, str], str],
    depth: int = 1,
) -> dict[str, Any]:
    shown = shown_fields(entity, readable)
    children = shown_entities(catalog, readable, entity.name) if depth < 3 else ()
    return {
        "name": entity.name,
        "key": camel(entity.name),
        "label": label(entity.name),
        "comment": entity.comment,
        "at": camel(event_field(entity, shown)),
        "fields": [
            {
                "key": camel(name),
                "label": label(name),
                "type": entity.fields[name].type.kind.value,
                "unit": entity.fields[name].unit,
                "masked": masked.get((entity.name, name), ""),
            }
            for name in shown
        ],
        "children": [_entity(catalog, readable, child, masked, depth + 1) for child in children],
    }


def _type_of(catalog: Catalog, customer_field: str) -> Type:
    entity, field = catalog.canonical.customer_fields[customer_field]
    return catalog.canonical.entities[entity].types[field]


def _is_dated(type_: Type) -> bool:
    return type_.is_time or type_.kind is Kind.DATE


_KINDS = {
    "phone": "Phone number",
    "email": "Email address",
    "customer_id": "Customer ID",
    "loyalty_no": "Loyalty card",
    "account_no": "Account number",
    "card_token": "Payment card token",
    "external_id": "ID in another system",
    "social_handle": "Social handle",
    "order_number": "Order or receipt",
    "case_number": "Ticket number",
}
