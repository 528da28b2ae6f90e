"""The shipped schema agrees with itself."""

from __future__ import annotations

import pytest
from sqlglot import exp

from roundview_catalog.canonical_schema import canonical_schema
from roundview_catalog.files import EntityFile
from roundview_catalog.json_schema import json_schemas
from roundview_catalog.model import COMMON_FIELDS, Entity
from roundview_catalog.normalizers import NORMALIZERS
from roundview_catalog.types import Kind

CANONICAL = canonical_schema()
ENTITIES = [pytest.param(entity, id=name) for name, entity in CANONICAL.entities.items()]

EXPECTED = {
    "individual", "organization", "party_identification", "contact_point_email",
    "contact_point_phone", "contact_point_address", "contact_point_social", "party_relationship",
    "sales_order", "sales_order_product", "payment", "product", "loyalty_membership", "lead",
    "support_case", "conversation", "message", "engagement", "survey_response", "social_mention",
    "consent", "note",
}  # fmt: skip


@pytest.mark.row("A11")
def test_every_entity_of_a_customer_is_there() -> None:
    assert set(CANONICAL.entities) == EXPECTED


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_entity_and_field_says_what_it_is(entity: Entity) -> None:
    for comment in (entity.comment, *(field.comment for field in entity.fields.values())):
        assert comment.endswith(".")
        assert comment[0].isupper()


@pytest.mark.parametrize("entity", ENTITIES)
def test_names_are_free_and_orders_bearings_and_origins_exist(entity: Entity) -> None:
    assert not set(entity.fields) & set(COMMON_FIELDS)
    assert all(name in entity.types for name, _ in entity.order)
    assert all(name in entity.fields for names in entity.bearing for name in names)
    for field in entity.fields.values():
        assert not field.identifier or field.identifier in CANONICAL.identifiers
        assert not field.identifier_from or field.identifier_from in entity.fields


@pytest.mark.parametrize("entity", ENTITIES)
def test_derived_fields_follow_from_others_without_a_circle(entity: Entity) -> None:
    def origins(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen
        derive = entity.fields[name].derive
        for column in derive.find_all(exp.Column) if derive is not None else ():
            origins(column.name, (*seen, name))

    for name in entity.fields:
        origins(name, ())


@pytest.mark.parametrize("entity", ENTITIES)
def test_money_has_a_currency_beside_it(entity: Entity) -> None:
    amounts = [f for f in entity.fields.values() if f.unit == "currency"]
    assert all(f.type.kind is Kind.DECIMAL for f in amounts)
    if amounts and entity.name != "sales_order_product":
        assert entity.fields["currency"].type.kind is Kind.CURRENCY


def test_lines_payments_and_messages_lie_below_their_owners() -> None:
    below = {e.name: set(e.parents) for e in CANONICAL.entities.values() if e.parents}
    assert below == {
        "sales_order_product": {"sales_order"},
        "payment": {"sales_order"},
        "conversation": {"support_case"},
        "message": {"conversation", "support_case"},
        "survey_response": {"support_case"},
    }
    assert {e.name for e in CANONICAL.children("sales_order")} == {"sales_order_product", "payment"}
    assert {e.name for e in CANONICAL.entities.values() if not e.has_person} == {
        "organization",
        "product",
    }


@pytest.mark.row("B1")
def test_every_kind_of_identifier_can_be_normalised_and_is_carried_by_a_field() -> None:
    for kind in CANONICAL.identifiers.values():
        assert kind.normalizer in NORMALIZERS
        assert kind.comment
        carried = CANONICAL.identifier_fields(kind.name)
        assert carried or kind.name == "customer_id"
        for entity, name in carried:
            field = CANONICAL.entities[entity].fields[name]
            origin = CANONICAL.entities[entity].types.get(field.identifier_from)
            assert field.identifier == kind.name or origin is not None
    assert {k.name for k in CANONICAL.identifiers.values() if k.is_live} == {
        "order_number",
        "case_number",
    }


def test_fields_of_a_customer_survive_from_fields_that_exist() -> None:
    for entity, field in CANONICAL.customer_fields.values():
        assert field in CANONICAL.entities[entity].fields
    assert {"email", "phone", "address"} <= set(CANONICAL.customer_fields)


def test_editors_know_every_key_entity_and_field() -> None:
    schemas = json_schemas(CANONICAL)
    assert set(schemas) == {
        "access", "catalog", "source", "template", "schema", "entity", "policy",
        "policy_tests", "identity",
    }  # fmt: skip
    source = schemas["source"]
    assert set(source["properties"]["entities"]["properties"]) == set(CANONICAL.entities)
    order = source["properties"]["entities"]["properties"]["sales_order"]["anyOf"][0]
    assert "ordered_at" in order["properties"]["fields"]["properties"]
    assert set(schemas["entity"]["properties"]) == set(EntityFile.model_fields)
    for name, schema in schemas.items():
        parts = {name: schema, **schema["$defs"]}
        for title, part in parts.items():
            assert part.get("description"), title
            assert part.get("additionalProperties") is False
            for key, value in part.get("properties", {}).items():
                assert value.get("description") or "$ref" in value, (title, key)
