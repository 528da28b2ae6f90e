"""Decides what relations and columns one principal can name in SQL."""

from __future__ import annotations

from collections.abc import Mapping

from roundview_catalog.model import COMMON_FIELDS, Catalog
from roundview_catalog.types import Type
from roundview_federation.request import Decision
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.sql.consenting import AGREED
from roundview_federation.sql.derived import Relations
from roundview_federation.sql.own_rows import OWN

LOOKUP_COLUMNS: Mapping[str, Type] = {
    "customer_id": COMMON_FIELDS["customer_id"],
    "link_state": COMMON_FIELDS["link_state"],
}
AGREED_COLUMNS: Mapping[str, Type] = {"customer_id": COMMON_FIELDS["customer_id"]}


def visible(catalog: Catalog, decision: Decision) -> Relations:
    """Returns relation -> column -> type: entities in canonical order, then derived relations."""
    found: dict[str, Mapping[str, Type]] = {}
    for name, readable in decision.fields.items():
        types = catalog.canonical.entities[name].types
        found[name] = {column: types[column] for column in types if column in readable}
    return Relations(catalog, decision, found)


def is_ours(relation: str) -> bool:
    """Tells whether no source is read for the rows of a relation."""
    return relation in (LOOKUP, AGREED) or relation in OWN


def types_of(relation: str, known: Mapping[str, Mapping[str, Type]]) -> Mapping[str, Type]:
    """Returns the columns of a relation that a question reads, those of our own included."""
    if relation == LOOKUP:
        return LOOKUP_COLUMNS
    return AGREED_COLUMNS if relation == AGREED else known[relation]
