"""Everything that the page about catalogs shows is loaded and checked as it stands there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from roundview.policy_testing import judged_offline
from roundview_catalog import loader, schema_file
from roundview_catalog.report import PROBLEM_CODES
from roundview_catalog.templates import shipped_names
from roundview_federation.connectors import open_connector

PAGE = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
BLOCKS = [
    (match[1], match[2]) for match in re.finditer(r"```(\w+(?: \w+)?)\n(.*?)```", PAGE, re.DOTALL)
]
SHOP = "source: shop\nconnector: sqlite\nconnection: {path: '${env:SHOP_DB}'}\n"


def named(language: str) -> Iterator[tuple[str, str]]:
    """Yields (file name, text) of blocks whose first line names their file."""
    for kind, text in BLOCKS:
        first = re.match(r"# ([\w/.]+\.yaml)\n", text)
        if kind == language and first:
            yield first[1], text


def mappings() -> list[str]:
    return [text for kind, text in BLOCKS if kind == "yaml mapping"]


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Makes the shop of the page and its catalog up to the introspection."""
    folder = tmp_path_factory.mktemp("docs")
    database = sqlite3.connect(folder / "shop.db")
    database.executescript(next(text for kind, text in BLOCKS if kind == "sql"))
    database.close()
    env = {"SHOP_DB": str(folder / "shop.db")}
    root = folder / "catalog"
    (root / "sources").mkdir(parents=True)
    main = next(text for name, text in named("yaml") if name == "roundview.yaml")
    (root / "roundview.yaml").write_text(main, encoding="utf-8")
    (root / "sources/shop.yaml").write_text(SHOP, encoding="utf-8")
    connector = open_connector(loader.source_outline(root, "shop"), env=env)
    tables = await connector.introspect()
    await connector.close()
    schema_file.write(root / "sources/shop.schema.yaml", tables)
    return root, env


@pytest.mark.row("C24")
async def test_the_shop_goes_from_nothing_to_a_source(shop: tuple[Path, dict[str, str]]) -> None:
    root, env = shop
    said = re.search(r"sources/shop.schema.yaml: (\d+) tables", PAGE)
    assert said is not None
    assert len(loader.source_outline(root, "shop").tables) == int(said[1])
    files = list(named("yaml"))
    for name in ("policy.yaml", "sources/shop.yaml"):
        text = next(text for file, text in files if file == name)
        (root / name).write_text(text, encoding="utf-8")
    wrong = text.replace("o.ordered\n", "o.ordred\n")
    (root / "sources/shop.yaml").write_text(wrong, encoding="utf-8")
    (problem,) = loader.check(root)
    assert str(problem) in PAGE
    (root / "sources/shop.yaml").write_text(text, encoding="utf-8")
    catalog = loader.load(root, env=env)
    entities = {branch.entity for branch in catalog.sources["shop"].branches}
    assert f"1 sources, {len(entities)} entities: no problems" in PAGE


@pytest.mark.parametrize("mapping", mappings())
async def test_every_construct_is_a_mapping_of_the_shop(
    mapping: str, shop: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    root, _ = shop
    (tmp_path / "sources").mkdir()
    for name in ("roundview.yaml", "sources/shop.schema.yaml"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    facts = next(text for kind, text in BLOCKS if kind == "yaml" and text.startswith("facts:"))
    indented = "".join(f"  {line}\n" for line in mapping.splitlines())
    views = next(text for kind, text in BLOCKS if kind == "yaml views")
    text = f"{SHOP}{facts}{views}entities:\n{indented}"
    (tmp_path / "sources/shop.yaml").write_text(text, encoding="utf-8")
    assert loader.check(tmp_path) == ()
    assert loader.load(tmp_path).sources["shop"].branches


async def test_the_other_files_load_together(
    shop: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    root, _ = shop
    # Where a file is shown twice, the later one is the fuller one.
    texts = dict(named("yaml"))
    tests = texts.pop("policy_tests.yaml")
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    schema = (root / "sources/shop.schema.yaml").read_bytes()
    for name in ("shop", "till.zurich"):
        (tmp_path / f"sources/{name}.schema.yaml").write_bytes(schema)
    assert loader.check(tmp_path) == ()
    catalog = loader.load(tmp_path)
    assert set(catalog.sources) == {"shop", "desk", "mail", "till.zurich"}
    zurich = catalog.sources["till.zurich"]
    assert {branch.entity for branch in zurich.branches} == {
        "individual", "contact_point_email", "sales_order",
    }  # fmt: skip
    rules = [text for name, text in named("yaml") if name == "policy.yaml" and "  agent:" in text]
    (tmp_path / "policy.yaml").write_text(rules[0], encoding="utf-8")
    (tmp_path / "policy_tests.yaml").write_text(tests, encoding="utf-8")
    ruled = loader.load(tmp_path)
    outcomes = [judged_offline(ruled, one) for one in ruled.policy_tests]
    assert [(one.failures, one.not_asked) for one in outcomes] == [((), 2)]
    assert "vip_level" in catalog.canonical.entities["individual"].fields


def test_every_key_of_a_source_is_shown_right(tmp_path: Path) -> None:
    headers = [text for kind, text in BLOCKS if kind == "yaml" and text.startswith("source:")]
    assert len(headers) == 2
    (tmp_path / "sources").mkdir()
    (tmp_path / "roundview.yaml").write_text("roundview: 1\n", encoding="utf-8")
    for text in headers:
        (tmp_path / "sources/shop.yaml").write_text(text, encoding="utf-8")
        assert [problem.code for problem in loader.check(tmp_path)] == ["RV220"]


@pytest.mark.parametrize("auth", [text for kind, text in BLOCKS if kind == "yaml auth"])
def test_every_way_to_prove_who_we_are_is_shown_right(auth: str, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "roundview.yaml").write_text("roundview: 1\n", encoding="utf-8")
    indented = "".join(f"    {line}\n" for line in auth.splitlines())
    (tmp_path / "sources/desk.yaml").write_text(
        "source: desk\nconnector: rest\nconnection:\n  base_url: https://desk.example\n"
        f"  auth:\n{indented}tables: {{users: {{get: /users, columns: {{id: bigint}}}}}}\n",
        encoding="utf-8",
    )
    env = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", auth), "x")
    source = loader.load(tmp_path, env=env).sources["desk"]
    assert open_connector(source, env=env).source == "desk"


def test_every_shipped_template_is_listed() -> None:
    assert sorted(re.findall(r"^\| `(vendor/\w+)` \|", PAGE, re.MULTILINE)) == shipped_names()


def test_every_code_is_explained() -> None:
    assert dict(re.findall(r"^\| (RV2\d\d) \| (.+) \|$", PAGE, re.MULTILINE)) == dict(PROBLEM_CODES)
