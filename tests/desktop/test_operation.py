"""Tests that the page's documents follow the catalog and what the principal may read."""

from __future__ import annotations

import re

import pytest
from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse
from tests.desktop.conftest import make_catalog, readable

from roundview_desktop.names import camel, label
from roundview_desktop.operation import desk_operation, document_id, find_operation
from roundview_desktop.page import page_context


def fields(selection: SelectionSetNode | None) -> dict[str, FieldNode]:
    assert selection is not None
    return {s.name.value: s for s in selection.selections if isinstance(s, FieldNode)}


def customer_of(text: str) -> dict[str, FieldNode]:
    definition = parse(text).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    return fields(fields(definition.selection_set)["customer"].selection_set)


def test_every_mapped_entity_with_a_person_is_asked() -> None:
    catalog = make_catalog()
    asked = customer_of(desk_operation(catalog, readable(catalog)))
    assert {"individual", "salesOrder", "supportCase", "whatsappMessage", "consent"} <= set(asked)
    assert "product" not in asked
    assert "salesOrderProduct" not in asked
    order = fields(fields(asked["salesOrder"].selection_set)["nodes"].selection_set)
    assert {"orderNumber", "source", "sourceKey", "provenance", "salesOrderProduct"} <= set(order)
    page = fields(asked["salesOrder"].selection_set)
    assert {"nodes", "complete", "missingSources", "pageInfo"} == set(page)


@pytest.mark.row("C2")
def test_a_new_entity_appears_as_soon_as_a_source_maps_it() -> None:
    before = make_catalog(without=("whatsapp_message",))
    after = make_catalog()
    assert "whatsappMessage" not in customer_of(desk_operation(before, readable(before)))
    assert "whatsappMessage" in customer_of(desk_operation(after, readable(after)))


def test_what_may_not_be_read_is_not_asked() -> None:
    catalog = make_catalog()
    allowed = readable(catalog)
    del allowed["support_case"]
    allowed["individual"] -= {"birth_date"}
    allowed["contact_point_phone"] -= {"phone_e164"}
    asked = customer_of(desk_operation(catalog, allowed))
    assert "supportCase" not in asked
    assert "birthDate" not in asked
    assert "phone" not in asked
    text = page_context(catalog, allowed).settings.decode()
    assert "birthDate" not in text
    assert "support_case" not in text


def test_nobody_who_may_read_nothing_gets_a_broken_document() -> None:
    catalog = make_catalog()
    assert set(customer_of(desk_operation(catalog, {}))) == {"customerId", "linkState"}
    assert set(customer_of(find_operation(catalog, {}))) == {"customerId", "linkState"}


def test_documents_are_stable_and_named_by_their_hash() -> None:
    one, other = make_catalog(), make_catalog()
    text = desk_operation(one, readable(one))
    assert text == desk_operation(other, readable(other))
    assert re.fullmatch("sha256:[0-9a-f]{64}", document_id(text))
    context = page_context(one, readable(one))
    assert context.documents[document_id(text)] == text
    assert len(context.documents) == 2


def test_the_document_stays_far_below_the_limits_of_the_door() -> None:
    catalog = make_catalog()
    text = desk_operation(catalog, readable(catalog))
    assert len(re.findall(r"[A-Za-z_0-9]+|[^\sA-Za-z_0-9]", text)) < 2000
    assert text.count("{") - text.count("}") == 0
    assert max(line.index(line.strip()) for line in text.splitlines()) // 2 < 12


@pytest.mark.parametrize(
    ("name", "spelled", "shown"),
    [
        ("sales_order", "salesOrder", "Sales order"),
        ("phone_e164", "phoneE164", "Phone (E.164)"),
        ("customer_id", "customerId", "Customer ID"),
        ("whatsapp_message", "whatsappMessage", "WhatsApp message"),
    ],
)
def test_names(name: str, spelled: str, shown: str) -> None:
    assert camel(name) == spelled
    assert label(name) == shown
