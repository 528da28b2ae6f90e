"""Proves that the shipped catalog is right, and true of the estate that ships with it."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from roundview.demo.estate import Estate
from roundview_catalog import loader, schema_file
from roundview_federation.connectors import open_connector

SHIPPED = Path(str(resources.files("roundview.demo"))) / "catalog"
WHATSAPP = Path(__file__).parent / "whatsapp"

MAPPED = {
    "individual": {"crm", "pos", "mail", "support"},
    "organization": {"crm"},
    "contact_point_email": {"crm", "pos", "mail", "support"},
    "contact_point_phone": {"crm", "pos", "mail", "support"},
    "contact_point_address": {"crm", "pos", "mail"},
    "contact_point_social": {"crm"},
    "party_relationship": {"crm"},
    "loyalty_membership": {"pos"},
    "consent": {"crm", "pos", "mail"},
    "note": {"crm", "pos", "support"},
    "lead": {"crm"},
    "sales_order": {"pos"},
    "sales_order_product": {"pos"},
    "payment": {"pos"},
    "product": {"pos"},
    "support_case": {"support"},
    "message": {"support"},
    "survey_response": {"support"},
    "engagement": {"crm", "mail"},
}


def test_the_shipped_catalog_has_no_problem() -> None:
    assert loader.check(SHIPPED) == ()


def test_it_maps_every_entity_that_its_systems_hold() -> None:
    catalog = loader.load(SHIPPED)
    mapped = {
        entity: {branch.source for branch in catalog.branches(entity)}
        for entity in catalog.canonical.entities
    }
    assert {entity: sources for entity, sources in mapped.items() if sources} == MAPPED


def test_an_estate_has_the_shipped_catalog(made: Estate) -> None:
    def texts(root: Path) -> dict[str, str]:
        return {
            str(path.relative_to(root)): path.read_text(encoding="utf-8")
            for path in root.rglob("*.yaml")
        }

    assert texts(made.catalog) == texts(SHIPPED)


@pytest.mark.parametrize("name", ["crm", "pos"])
async def test_schema_files_say_what_the_databases_say(
    made: Estate, name: str, tmp_path: Path
) -> None:
    source = loader.load(SHIPPED).sources[name]
    connector = open_connector(source, env=made.env)
    try:
        seen = dict(await connector.introspect())
    finally:
        await connector.close()
    schema_file.write(tmp_path / "seen.yaml", seen)
    shipped = (SHIPPED / f"sources/{name}.schema.yaml").read_text(encoding="utf-8")
    assert without_estimates((tmp_path / "seen.yaml").read_text(encoding="utf-8")) == (
        without_estimates(shipped)
    )


def without_estimates(text: str) -> list[str]:
    """Returns the lines of a schema file but those that depend on the number of people."""
    return [line for line in text.splitlines() if "rows_estimate" not in line]


def test_a_fifth_source_is_one_file(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    shutil.copytree(SHIPPED, root)
    shutil.copy(WHATSAPP / "whatsapp.yaml", root / "sources")
    assert loader.check(root) == ()
    assert {b.source for b in loader.load(root).branches("message")} == {"support", "whatsapp"}
