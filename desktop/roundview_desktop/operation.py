"""Decides what the page asks: GraphQL documents made from one catalog version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from roundview_catalog.model import Catalog, Entity
from roundview_desktop.names import camel

FIRST: Mapping[str, int] = {
    "sales_order": 50,
    "sales_order_product": 20,
    "engagement": 100,
    "message": 50,
}
"""Rows per list; every other list has 20."""

_OTHER_FIRST = 20
_DEEPEST = 3


def desk_operation(catalog: Catalog, readable: Mapping[str, frozenset[str]]) -> str:
    """Returns the operation that reads the whole customer, every mapped entity included.

    `readable`: entity -> columns that may be read, as in `Decision.fields`; an entity that is
    absent, or that no source maps, is not asked. `$by` is the only variable. An entity that the
    page has no panel for is asked all the same, so a new channel needs no code.
    """
    lines = ["query Desk($by: CustomerBy!) {", "  customer(by: $by) {", "    customerId linkState"]
    survived = customer_fields(catalog, readable)
    if survived:
        lines.append("    " + " ".join(camel(name) for name in survived))
        lines.append("    provenance { field source sourceKey rule asOf losing { value source } }")
    for entity in shown_entities(catalog, readable):
        lines += _page(catalog, readable, entity, "    ", 1)
    lines += ["  }", "}"]
    return "\n".join(lines) + "\n"


def find_operation(catalog: Catalog, readable: Mapping[str, frozenset[str]]) -> str:
    """Returns the operation that only tells which customer an identifier leads to.

    The page sends it when a text may be several kinds of identifier, one request per kind.
    """
    name = " fullName" if "full_name" in customer_fields(catalog, readable) else ""
    return (
        "query DeskFind($by: CustomerBy!) {\n"
        f"  customer(by: $by) {{ customerId linkState{name} }}\n"
        "}\n"
    )


def reveal_operation() -> str:
    """Returns the operation that shows one masked field for a reason."""
    return (
        "mutation DeskReveal($by: CustomerBy!, $field: MaskedField!, $reason: String!) {\n"
        "  reveal(by: $by, field: $field, reason: $reason) {\n"
        "    customerId field expiresAt complete missingSources\n"
        "    values { source sourceKey slot value }\n"
        "  }\n"
        "}\n"
    )


def document_id(operation: str) -> str:
    """Returns the id under which a document is persisted: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(operation.encode()).hexdigest()


def customer_fields(catalog: Catalog, readable: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Returns the fields of `customer` whose origin may be read, in canonical order."""
    if "individual" not in readable:
        return ()
    return tuple(
        name
        for name, (entity, field) in catalog.canonical.customer_fields.items()
        if field in readable.get(entity, frozenset())
    )


def shown_entities(
    catalog: Catalog, readable: Mapping[str, frozenset[str]], parent: str = ""
) -> tuple[Entity, ...]:
    """Returns the entities that hang directly below the customer, or below `parent`.

    An entity lies below another where a source maps it so; otherwise, if its rows have a
    person, it hangs below the customer.
    """
    return tuple(
        entity
        for entity in catalog.canonical.entities.values()
        if entity.name in readable
        and catalog.branches(entity.name)
        and (_is_below(catalog, entity, parent) if parent else _is_own(catalog, entity))
    )


def shown_fields(entity: Entity, readable: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Returns the fields of an entity that the page asks, in canonical order."""
    return tuple(name for name in entity.fields if name in readable[entity.name])


def _is_own(catalog: Catalog, entity: Entity) -> bool:
    if not entity.has_person:
        return False
    branches = catalog.branches(entity.name)
    return not entity.parents or any(branch.person for branch in branches)


def _is_below(catalog: Catalog, entity: Entity, parent: str) -> bool:
    if parent not in entity.parents or _is_own(catalog, entity):
        return False
    return any(b.parent and b.parent.entity == parent for b in catalog.branches(entity.name))


def _page(
    catalog: Catalog,
    readable: Mapping[str, frozenset[str]],
    entity: Entity,
    indent: str,
    depth: int,
) -> Iterator[str]:
    first = FIRST.get(entity.name, _OTHER_FIRST)
    yield f"{indent}{camel(entity.name)}(first: {first}) {{"
    yield f"{indent}  nodes {{"
    fields = [camel(name) for name in shown_fields(entity, readable)]
    yield f"{indent}    " + " ".join(["source", "sourceKey", "slot", *fields])
    if "source_updated_at" in readable[entity.name]:
        yield f"{indent}    sourceUpdatedAt"
    yield f"{indent}    provenance {{ fetchedAt asOf }}"
    if depth < _DEEPEST:
        for child in shown_entities(catalog, readable, entity.name):
            yield from _page(catalog, readable, child, indent + "    ", depth + 1)
    yield f"{indent}  }}"
    yield f"{indent}  complete missingSources pageInfo {{ hasNextPage }}"
    yield f"{indent}}}"
