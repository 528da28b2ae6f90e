"""The schema is made of the catalog and the rules, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, validate_schema

from roundview_catalog.errors import CatalogError
from roundview_catalog.model import Catalog, Entity, Field
from roundview_catalog.types import parse_type
from roundview_graphql.schema import DoorSchema, make_schema, schema_text

_GOLDEN = Path(__file__).parent.parent / "golden" / "schema.graphql"


def test_the_text_is_the_golden_one(
    catalog: Catalog, memory: Any, golden: Callable[[Path, str], None]
) -> None:
    text = schema_text(catalog, memory.decide(memory.principal))
    golden(_GOLDEN, text)
    assert text == schema_text(catalog, memory.decide(memory.principal))
    assert validate_schema(build_schema(text)) == []


@pytest.mark.row("A9")
def test_names_are_camel_case_of_canonical_names(door: DoorSchema) -> None:
    order = door.schema.get_type("SalesOrder")
    assert {"orderNumber", "grandTotal", "sourceKey", "salesOrderProduct", "provenance"} <= set(
        order.fields
    )
    assert str(order.fields["grandTotal"].type) == "Decimal"
    assert str(order.fields["receiptId"].type) == "BigInt"
    assert str(order.fields["status"].type) == "SalesOrderStatus"
    assert order.description == "An order or a sale."
    assert order.fields["orderNumber"].description == "order number."


def test_what_comes_from_sources_is_nullable(door: DoorSchema) -> None:
    for name in ("Customer", "SalesOrder", "SupportCase"):
        for field in door.schema.get_type(name).fields.values():
            assert not str(field.type).endswith("!")
    assert str(door.schema.query_type.fields["customers"].type) == "[Customer]!"


def test_every_identifier_kind_is_a_way_to_ask(door: DoorSchema) -> None:
    by = door.schema.get_type("CustomerBy")
    assert by.is_one_of
    assert set(by.fields) == {"email", "phone", "customerId", "orderNumber"}


def test_hidden_fields_and_entities_do_not_exist(catalog: Catalog, memory: Any) -> None:
    memory.hidden = {"sales_order": frozenset({"grand_total", "status"})}
    decision = memory.decide(memory.principal)
    seen = {n: f for n, f in decision.fields.items() if n != "support_case"}
    door = make_schema(catalog, replace(decision, fields=seen))
    assert "grandTotal" not in door.text
    assert "SalesOrderStatus" not in door.text
    assert "SupportCase" not in door.text
    assert "supportCase" not in door.schema.get_type("Customer").fields


def test_nothing_readable_still_makes_a_schema(catalog: Catalog, memory: Any) -> None:
    decision = replace(memory.decide(memory.principal), fields={})
    door = make_schema(catalog, decision)
    assert set(door.schema.get_type("Customer").fields) == {"customerId", "linkState"}


@pytest.mark.parametrize(
    "entity",
    [
        Entity("sales__order", "", {"a": Field("a", parse_type("text"))}),
        Entity("page_info", "", {"a": Field("a", parse_type("text"))}),
        Entity("thing", "", {"provenance": Field("provenance", parse_type("text"))}),
        Entity("thing", "", {n: Field(n, parse_type("text")) for n in ("a_b", "a__b")}),
        Entity("thing", "", {"größe": Field("größe", parse_type("text"))}),
        Entity("given_name", "", {"a": Field("a", parse_type("text"))}),
        Entity("thing", "", {"x": Field("x", parse_type("enum(a-b, a.b)"))}),
    ],
    ids=["same type", "own type", "own field", "same field", "illegal", "field and list", "enum"],
)
def test_names_that_cannot_be_are_refused(catalog: Catalog, memory: Any, entity: Entity) -> None:
    canonical = catalog.canonical
    entities = {**canonical.entities, entity.name: entity}
    memory.catalog = replace(catalog, canonical=replace(canonical, entities=entities))
    with pytest.raises(CatalogError):
        make_schema(memory.catalog, memory.decide(memory.principal))
