"""Every mistake in a catalog is named at its place; a hostile file is never half loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roundview.demo.estate import Estate
from roundview_catalog.document import read
from roundview_catalog.loader import check, load
from roundview_catalog.report import PROBLEM_CODES, Report

GOLDEN = Path(__file__).parents[1] / "golden/catalogs"

MISTAKES = {
    "comma_in_braces": (
        "crm",
        "given_name: c.first_name",
        "given_name: {value: coalesce(c.first_name, c.email)}",
    ),
    "unknown_column": ("crm", "c.first_name", "c.frist_name"),
    "unknown_table": ("crm", "from: contacts c", "from: contcats c"),
    "unknown_field": ("crm", "given_name:", "givenname:"),
    "unknown_entity": ("pos", "  payment:", "  paymnet:"),
    "not_in_enum": ("pos", "'completed' END", "'complete' END"),
    "quotes_lost": ("pos", "{const: store}", "'store'"),
    "aggregate_over_two": (
        "pos",
        "coalesce(sum(x.item_tax_amount), 0)\n      grand",
        "sum(x.item_tax_amount * i.discount)\n      grand",
    ),
    "key_repeats": (
        "pos",
        "ospos_people p ON p.person_id = c.person_id",
        "ospos_sales p ON p.customer_id = c.person_id",
    ),
    "person_not_by_key": ("pos", "person: s.customer_id", "person: s.customer_id + 1"),
    "literal_secret": ("crm", 'crm.db"}', 'crm.db", password: hunter2}'),
    "duplicate_key": ("crm", "owner: sales", "owner: sales\nowner: other"),
    "alias": ("crm", "owner: sales", "owner: &a sales"),
    "cut_by_comment": ("crm", "given_name: c.first_name", "given_name: c.first_name #x"),
    "not_an_expression": ("crm", "given_name: c.first_name", "given_name: pg_sleep(10)"),
    "subquery": ("crm", "given_name: c.first_name", "given_name: (SELECT 1)"),
    "types_do_not_fit": ("pos", "line_no: i.line", "line_no: i.line + t.name"),
    "waits": ("pos", "person: s.customer_id", "organization: s.customer_id"),
    "unknown_key": ("pos", "children:", "childern:"),
    "unknown_parent": (
        "pos",
        "parent: {sales_order: y.sale_id}",
        "parent: {support_case: y.sale_id}",
    ),
    "unknown_connector": ("pos", "connector: sqlite", "connector: sqlit"),
    "bad_duration": ("pos", "timeout: 800ms", "timeout: 800"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_named_at_its_place(
    mistake: str, tmp_path: Path, estate: Estate, golden: Callable[[Path, str], None]
) -> None:
    source, right, wrong = MISTAKES[mistake]
    for file in estate.catalog.rglob("*.yaml"):
        copy = tmp_path / file.relative_to(estate.catalog)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    file = tmp_path / f"sources/{source}.yaml"
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    problems = check(tmp_path)
    assert problems
    assert all(problem.code in PROBLEM_CODES for problem in problems)
    assert "hunter2" not in str(problems)
    golden(GOLDEN / f"{mistake}.txt", "".join(f"{problem}\n" for problem in problems))


def test_the_demo_catalog_is_right(estate: Estate) -> None:
    assert check(estate.catalog) == ()
    catalog = load(estate.catalog)
    assert set(catalog.sources) == {"crm", "pos"}
    assert load(estate.catalog).version == catalog.version


@pytest.mark.parametrize(
    "text",
    ["a: [" + "[" * 5000, "a: " + "- " * 5000, "a: *b", "a: !!python/object x", "\ta: 1", "a: \x07",
     "a: 1\n---\nb: 2", "", "{" * 40 + "}" * 40, "a: 'x", "? [a]\n: 1", "a: 1\na: 2", "<<: {a: 1}",
     "x" * 1_100_000],
    ids=["brackets", "dashes", "alias", "tag", "tab", "control", "two", "empty", "braces", "quote",
         "complex key", "twice", "merge", "1 MiB"],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str) -> None:
    report = Report()
    assert read(text, "x.yaml", report) is None
    assert report.problems


def test_scalars_are_of_yaml_1_2() -> None:
    document = read("a: [no, 012, 0x1F, 12:30, 1_000, 7, -2.5, ~, true, True]", "x", Report())
    assert document is not None
    assert document.data["a"] == [
        "no", "012", "0x1F", "12:30", "1_000", 7, -2.5, None, True, "True"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "token", "place"),
    [
        ("a: one two three", "two", "x:1:8"),
        ("a: 'one ''two'''", "two", "x:1:11"),
        ('a: "one two"', "two", "x:1:9"),
        ("a: >-\n  one\n  two", "two", "x:3:3"),
        ("a: |\n  one\n  two", "two", "x:3:3"),
        ("a: {b: 1, c: one two}", "two", ""),
    ],
)
def test_positions_point_into_every_kind_of_scalar(text: str, token: str, place: str) -> None:
    document = read(text, "x", Report())
    assert document is not None
    if not place:
        assert str(document.position(("a", "c"), 4)) == "x:1:18"
        return
    value = document.data["a"]
    assert str(document.position(("a",), value.index(token))) == place
