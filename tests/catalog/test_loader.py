"""A folder is one immutable catalog, or a list of all its mistakes; never something between."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from roundview_catalog import loader
from roundview_catalog.errors import CatalogError
from roundview_catalog.files import FileTable, RestTable
from roundview_catalog.model import Catalog
from roundview_catalog.types import Kind

COMPANY = Path(__file__).parent / "company"
ENV = {"SHOP_DB": "shop.db", "DESK_URL": "http://127.0.0.1", "DESK_TOKEN": "t0ken"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return loader.load(COMPANY, env=ENV)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMPANY, tmp_path / "catalog"))


def codes(error: pytest.ExceptionInfo[CatalogError]) -> list[tuple[str, str]]:
    return [(problem.position.file, problem.code) for problem in error.value.problems]


def test_settings_are_read(catalog: Catalog) -> None:
    assert (catalog.name, catalog.owner_version, set(catalog.sources)) == (
        "company", 3, {"desk", "mail.north", "shop"},
    )  # fmt: skip
    assert catalog.deadlines.probe == 0.3
    assert catalog.survivor_rule("given_name").trusted == ("shop", "desk")
    assert catalog.survivor_rule("email").rule == "union"
    assert catalog.survivor_rule("phone").rule == "most_recent"


def test_a_source_has_its_limits_defaults_and_claims(catalog: Catalog) -> None:
    shop = catalog.sources["shop"]
    assert (shop.limits.timeout, shop.limits.rate_per_second, shop.limits.bytes) == (
        0.8, 50.0, 4 * 1024 * 1024,
    )  # fmt: skip
    assert shop.limits.reserve_for_views == 0.4
    assert (shop.defaults.time_zone, shop.defaults.phone_region) == ("Europe/Berlin", "DE")
    assert shop.freshness == ("orders.ordered", 600.0)
    assert shop.connection["path"] == "${env:SHOP_DB}"
    customers = shop.tables["customers"]
    assert customers.physical == "s_customers"
    assert customers.columns["email"].normal_form == "lower"
    assert customers.columns["email"].collation == "ci"
    assert customers.columns["kind"].domain == ("private", "trade")
    assert shop.tables["orders"].columns["customer_id"].references == "customers.id"
    assert shop.tables["notes"].is_unique(frozenset({"customer_id", "author"}))
    assert catalog.sources["mail.north"].system == "mail"
    assert catalog.sources["mail.north"].instance == "north"


def test_declared_tables_carry_their_access(catalog: Catalog) -> None:
    tickets = catalog.sources["desk"].tables["tickets"]
    assert isinstance(tickets.access, RestTable)
    assert tickets.access.rows == "payload"
    assert tickets.access.page is not None
    assert tickets.access.page.size is not None
    assert [path.columns for path in tickets.access.get] == [(), ("user_id",)]
    assert tickets.access.filters["user_id"]["in"].max == 50
    assert tickets.columns["created"].type.kind is Kind.TIMESTAMPTZ
    assert tickets.indexes == (("user_id",),)
    tags = catalog.sources["desk"].tables["ticket_tags"]
    assert isinstance(tags.access, RestTable)
    assert (tags.access.within, tags.access.rows, tags.access.page) == ("tickets", "tags", None)
    users = catalog.sources["desk"].tables["users"]
    assert isinstance(users.access, RestTable)
    assert users.access.get[1].rows == "."
    events = catalog.sources["mail.north"].tables["events"]
    assert isinstance(events.access, FileTable)
    assert events.access.kind == "parquet"
    assert events.indexes == (("subscriber_id",),)


def test_own_entities_fields_and_kinds_join_the_canonical_schema(catalog: Catalog) -> None:
    canonical = catalog.canonical
    assert canonical.entities["chat_account"].parents == {"support_case": "support_case_key"}
    assert canonical.entities["individual"].fields["vip_level"].type.values == (
        "none", "silver", "gold",
    )  # fmt: skip
    assert ("chat_account", "chat_id") in canonical.identifier_fields("chat_id")
    assert canonical.identifiers["email"].max_records == 20
    assert canonical.identifiers["email"].blocked == ("noemail@*",)
    assert canonical.identifiers["phone"].max_records == 30


def test_policy_is_compiled(catalog: Catalog) -> None:
    agent = catalog.policy.roles["agent"]
    assert agent.sees["payment"] == ("method", "amount", "currency", "paid_at")
    assert agent.sees["*"] is None
    assert set(agent.row_filter) == {"sales_order"}
    assert set(agent.mask) == {
        ("individual", "birth_date"), ("contact_point_phone", "phone_e164"),
    }  # fmt: skip


def test_without_a_policy_nobody_sees_anything(copy: Path) -> None:
    (copy / "policy.yaml").unlink()
    assert loader.load(copy).policy.roles == {}


@pytest.mark.row("A12")
def test_the_version_changes_with_every_file(copy: Path, catalog: Catalog) -> None:
    assert loader.load(copy).version == catalog.version
    for file in sorted(copy.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        file.write_text(text + "# a remark\n", encoding="utf-8")
        assert loader.load(copy).version != catalog.version, file.name
        file.write_text(text, encoding="utf-8")


@pytest.mark.row("A1")
def test_a_new_source_is_one_new_file(copy: Path) -> None:
    (copy / "sources/chat.yaml").write_text(
        """
source: chat
connector: files
connection: {root: ./chat}
tables: {people: {path: people.jsonl, key: id, columns: {id: text, phone: text}}}
entities:
  individual:
    from: people p
    fields: {}
    also: {contact_point_phone: {fields: {phone_raw: p.phone}}}
""",
        encoding="utf-8",
    )
    before, after = loader.load(COMPANY), loader.load(copy)
    assert set(after.sources) - set(before.sources) == {"chat"}
    assert after.sources["shop"].branches == before.sources["shop"].branches


def test_references_are_checked_only_where_an_environment_is_given(copy: Path) -> None:
    assert loader.check(copy) == ()
    with pytest.raises(CatalogError) as error:
        loader.load(copy, env={"SHOP_DB": "x", "DESK_URL": "http://x"})
    assert codes(error) == [("sources/desk.yaml", "RV223")]
    assert "DESK_TOKEN" in str(error.value)


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"roundview: 1\nname: caf\xe9\n", "RV200", (2, 10)),
        (b"x" * (1024 * 1024 + 1), "RV204", (1, 1)),
        (b"", "RV201", (1, 1)),
        (b"- a\n- b\n", "RV206", (1, 1)),
        (b"roundview: 2\n", "RV206", (1, 12)),
    ],
)
def test_unreadable_files(copy: Path, content: bytes, code: str, place: tuple[int, int]) -> None:
    (copy / "roundview.yaml").write_bytes(content)
    (problem,) = loader.check(copy)
    assert (problem.code, problem.position.line, problem.position.column) == (code, *place)


def test_windows_line_ends_and_a_byte_order_mark_are_read(copy: Path) -> None:
    file = copy / "sources/shop.yaml"
    text = file.read_text(encoding="utf-8").replace("c.deleted = 0", "c.delete = 0")
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (problem,) = loader.check(copy)
    assert (problem.code, problem.position.line, problem.position.column) == ("RV214", 17, 12)


def test_a_folder_that_is_none() -> None:
    (problem,) = loader.check(COMPANY / "nothing-here")
    assert problem.code == "RV200"


def test_files_beside_the_catalog_are_let_alone(copy: Path) -> None:
    (copy / "README.md").write_text("hello", encoding="utf-8")
    (copy / "sources/.shop.yaml.swp").write_text(":", encoding="utf-8")
    (copy / "mail").mkdir()
    assert loader.load(copy).sources


def test_an_outline_needs_no_schema(copy: Path) -> None:
    (copy / "sources/shop.schema.yaml").unlink()
    outline = loader.source_outline(copy, "shop")
    assert (outline.connector, outline.tables, outline.branches) == ("sqlite", {}, ())
    file = copy / "sources/mail.north.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("    columns: {id: bigint, sub", "    columns: {} # {id: bigint, sub")
    )
    assert set(loader.source_outline(copy, "mail.north").tables) == {"subscribers", "events"}
    with pytest.raises(CatalogError, match="did you mean shop"):
        loader.source_outline(copy, "shopp")


ODD = st.sampled_from([
    None, True, 0, -1, 1.5, "", " ", "x", "'", "a.b", "(((", "SELECT 1", "${env:X}", "🙂", [], {},
    ["x"], [None], [[1]], {"x": None}, {"from": 1}, {"from": "customers c"}, {"value": 3},
    {"const": None},
    {"map": 1, "value": "c.id"}, {"": ""}, "c.id", "9" * 500, "\u202e", {"by": "parent"},
])  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        found += places(value, (*path, key))
    return found


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_odd_value_anywhere_is_a_problem_or_fine_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(
        str(file.relative_to(COMPANY)) for file in COMPANY.rglob("*.yaml")
    )))  # fmt: skip
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((COMPANY / name).read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from(places(content)))
    holder = content
    for part in path[:-1]:
        holder = holder[part]
    if isinstance(holder, dict) and data.draw(st.booleans()):
        holder[data.draw(st.sampled_from(["", "x", "from", "each", "also", "key", "sealed"]))] = (
            data.draw(ODD)
        )
    else:
        holder[path[-1]] = data.draw(ODD)
    root = tmp_path_factory.mktemp("odd") / "catalog"
    shutil.copytree(COMPANY, root)
    with (root / name).open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    problems = loader.check(root)
    if problems:
        with pytest.raises(CatalogError):
            loader.load(root)
    else:
        assert loader.load(root).name
    shutil.rmtree(root)
