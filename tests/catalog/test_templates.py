"""A source over a template means what both say together, and every place is in its own file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog import loader, templates
from roundview_catalog.canonical_schema import canonical_schema
from roundview_catalog.document import Document, read
from roundview_catalog.errors import CatalogError
from roundview_catalog.json_schema import json_schemas
from roundview_catalog.model import Catalog
from roundview_catalog.report import Report
from roundview_catalog.templates import Layered, merged

COMPANY = Path(__file__).parent / "company"
SHOP = (COMPANY / "sources/shop.yaml").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Returns the company's catalog with the shop as a template and a thin file over it."""
    root = Path(shutil.copytree(COMPANY, tmp_path / "catalog"))
    template = SHOP.removeprefix("source: shop\n")
    (root / "sources/till.template.yaml").write_text(template, encoding="utf-8")
    (root / "sources/shop.yaml").write_text("source: shop\nuse: ./till.template.yaml\n")
    return root


def write(root: Path, name: str, text: str) -> None:
    (root / "sources" / name).write_text(text, encoding="utf-8")


def without_places(catalog: Catalog, source: str) -> str:
    return re.sub(r"Position\([^)]*\)", "", repr(catalog.sources[source].branches))


@pytest.mark.parametrize(
    ("layers", "together"),
    [
        ([{"a": 1}, {"a": 2, "b": 3}], {"a": 1, "b": 3}),
        ([{"a": None}, {"a": {"x": 1}, "b": 3}], {"b": 3}),
        ([{"a": [1]}, {"a": [2, 3]}], {"a": [1]}),
        ([{"a": {"x": 1}}, {"a": "text"}], {"a": {"x": 1}}),
        ([{"a": "text"}, {"a": {"x": 1}}], {"a": "text"}),
        ([{"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}, "e": 3}}],
         {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        ([{"a": {"b": None}}, {"a": {"c": 1}}], {"a": {"b": None, "c": 1}}),
        ([{"a": None}, {"a": {"x": 1}}, {"a": {"y": 2}}], {}),
        ([{"a": {"z": 0}}, {"a": None}, {"a": {"y": 2}}], {"a": {"z": 0}}),
    ],
)  # fmt: skip
def test_layers_are_merged_by_key(layers: list[Any], together: Any) -> None:
    assert merged(layers) == together


def test_a_removed_entry_can_be_written_anew() -> None:
    assert list(merged([{"b": 1, "c": 2}, {"a": 0, "b": 0}])) == ["a", "b", "c"]


@pytest.mark.row("A5")
def test_a_source_over_a_template_is_the_source_written_out(copy: Path) -> None:
    alone, over = loader.load(COMPANY), loader.load(copy)
    assert without_places(over, "shop") == without_places(alone, "shop")
    ours, theirs = over.sources["shop"], alone.sources["shop"]
    assert (ours.limits, ours.defaults, ours.tables) == (
        theirs.limits, theirs.defaults, theirs.tables,
    )  # fmt: skip
    assert {b.position.file for b in ours.branches} == {"sources/till.template.yaml"}


def test_entries_are_overridden_added_and_removed(copy: Path) -> None:
    write(copy, "shop.yaml", """
source: shop
use: ./till.template.yaml
title: Our tills
connection: {table_prefix: s_}
limits: {timeout: 2s, rate: null}
entities:
  sales_order_product: null
  individual:
    where: c.deleted = 0 AND c.kind = 'private'
    fields: {gender: null, vip_level: {const: silver}, full_name: "concat_ws(' ', c.first, c.last)"}
""")  # fmt: skip
    shop = loader.load(copy).sources["shop"]
    assert (shop.title, shop.limits.timeout, shop.limits.rate_per_second) == (
        "Our tills", 2.0, None,
    )  # fmt: skip
    assert shop.limits.concurrency == 4
    assert shop.connection["path"] == "${env:SHOP_DB}"
    assert {b.entity for b in shop.branches} == {
        "individual", "contact_point_email", "contact_point_phone", "sales_order",
    }  # fmt: skip
    individual = next(b for b in shop.branches if b.entity == "individual")
    assert "kind" in individual.scan.sql()
    assert "gender" not in individual.slots[""]
    assert {"full_name", "given_name"} <= set(individual.slots[""])


def test_one_template_serves_several_instances(copy: Path) -> None:
    schema = (COMPANY / "sources/shop.schema.yaml").read_text(encoding="utf-8")
    (copy / "sources/shop.yaml").unlink()
    (copy / "sources/shop.schema.yaml").unlink()
    (copy / "roundview.yaml").write_text("roundview: 1\n", encoding="utf-8")
    for instance, prefix in (("north", "s_"), ("south", "kasse_")):
        write(copy, f"shop.{instance}.yaml", f"source: shop.{instance}\nuse: ./till.template.yaml\n"
              f"connection: {{path: {instance}.db, table_prefix: {prefix}}}\n"
              f"defaults: {{business_unit: {instance}}}\n")  # fmt: skip
        write(copy, f"shop.{instance}.schema.yaml", schema.replace(" s_", f" {prefix}"))
    catalog = loader.load(copy)
    north, south = catalog.sources["shop.north"], catalog.sources["shop.south"]
    assert (north.system, north.instance, south.instance) == ("shop", "north", "south")
    assert (north.defaults.business_unit, south.defaults.business_unit) == ("north", "south")
    assert north.defaults.currency == south.defaults.currency == "EUR"
    assert north.tables["customers"].physical == "s_customers"
    assert south.tables["customers"].physical == "kasse_customers"
    assert [b.scan.sql() for b in north.branches] == [b.scan.sql() for b in south.branches]


def test_a_template_may_be_built_on_one_other(copy: Path) -> None:
    write(copy, "ours.template.yaml", "use: ./till.template.yaml\nlimits: {timeout: 3s}\n"
          "entities: {sales_order_product: null}\n")  # fmt: skip
    write(copy, "shop.yaml", "source: shop\nuse: ./ours.template.yaml\n")
    shop = loader.load(copy).sources["shop"]
    assert shop.limits.timeout == 3.0
    assert "sales_order_product" not in {b.entity for b in shop.branches}


def test_a_template_alone_is_no_source(copy: Path) -> None:
    write(copy, "other.template.yaml", "connector: rest\n")
    assert set(loader.load(copy).sources) == {"desk", "mail.north", "shop"}
    with pytest.raises(CatalogError, match="there is no source"):
        loader.source_outline(copy, "till.template")


def test_a_source_over_a_template_can_be_introspected_before_its_schema(copy: Path) -> None:
    (copy / "sources/shop.schema.yaml").unlink()
    outline = loader.source_outline(copy, "shop")
    assert (outline.connector, outline.connection["table_prefix"]) == ("sqlite", "s_")


@pytest.mark.row("A12")
def test_the_version_changes_with_templates(copy: Path) -> None:
    before = loader.load(copy).version
    template = copy / "sources/till.template.yaml"
    template.write_text(template.read_text(encoding="utf-8") + "# a remark\n", encoding="utf-8")
    assert loader.load(copy).version != before


LEAVES = st.one_of(st.none(), st.integers(0, 9), st.text("ab", max_size=2), st.lists(st.just(1)))
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner), max_leaves=8
)
MAPS = st.dictionaries(st.sampled_from("xyz"), TREES, min_size=1)


def flow(value: Any) -> str:
    """Returns YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def document(value: Any, file: str) -> Document:
    found = read(flow(value), file, Report())
    assert found is not None
    return found


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, (*path, key))]
    return [(path, value)]


def at(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


@given(st.lists(MAPS, min_size=2, max_size=3))
def test_every_value_is_placed_in_the_file_that_says_it(layers: list[Any]) -> None:
    documents = {
        f"{index}.yaml": document(one, f"{index}.yaml") for index, one in enumerate(layers)
    }
    whole = Layered(list(documents.values()))
    assert whole.data == merged(layers)
    for path, value in leaves(whole.data):
        place = whole.position(path)
        saying = documents[place.file]
        assert at(saying.data, path) == value
        assert place == saying.position(path)
        assert whole.key_position(path) == saying.key_position(path)


def test_shipped_templates_have_names() -> None:
    assert set(templates.shipped_names()) == {
        "vendor/fatfreecrm", "vendor/listmonk", "vendor/ospos", "vendor/osticket",
        "vendor/suitecrm", "vendor/vtiger",
    }  # fmt: skip
    assert templates.shipped("vendor/nothing.yaml") is None
    assert templates.shipped("sources/ospos.yaml") is None


def test_editors_accept_what_differs_from_a_template() -> None:
    schemas = json_schemas(canonical_schema())
    source, template = schemas["source"], schemas["template"]
    assert source["required"] == ["source"]
    assert {"required": ["use"]} in source["anyOf"]
    assert "required" not in template
    assert "source" not in template["properties"]
    assert set(template["properties"]) == set(source["properties"]) - {"source"}
    for part in template["$defs"].values():
        assert "required" not in part
    assert {"type": "null"} in template["properties"]["limits"]["anyOf"]
    assert template["$defs"]["LimitsSection"]["properties"]["calls"]["type"] == ["integer", "null"]
