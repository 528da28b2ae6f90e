"""Proves that what a role may see, then and now, can be read and proved by command."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from roundview.cli import app
from roundview.demo.estate import Estate
from roundview_catalog import loader
from roundview_federation.federation import Federation

ENV = {"SHOP_DB": "/nowhere.db", "DESK_URL": "https://desk.example", "DESK_TOKEN": "x"}
COMPANY = Path(__file__).parents[1] / "catalog" / "company"


def run(made_estate: Estate, *arguments: str) -> str:
    """Returns the standard output of a command over the estate's catalog."""
    command = ["policy", "show", *arguments, "--catalog", str(made_estate.catalog)]
    return CliRunner().invoke(app, command).stdout


def test_a_role_is_shown_with_its_rows_fields_and_masks(made_estate: Estate) -> None:
    shop = json.loads(run(made_estate, "shop", "--json"))["purposes"]["service"]
    assert set(shop) == {"individual", "loyalty_membership", "sales_order", "sales_order_product"}
    assert "birth_date" not in shop["individual"]["fields"]
    assert "region" in shop["sales_order"]["rows"][0]
    agent = json.loads(run(made_estate, "agent", "--json"))
    assert agent["actions"] == ["reveal"]
    assert "DATE_TRUNC" in agent["purposes"]["service"]["individual"]["masks"]["birth_date"].upper()
    said = run(made_estate, "agent")
    assert "for service" in said
    assert "individual" in said


def test_an_unknown_role_is_refused(made_estate: Estate) -> None:
    command = ["policy", "show", "agnet", "--catalog", str(made_estate.catalog)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "agent" in done.stderr


POLICY = """
roles:
  agent: {purposes: [service], sees: {"*": all}}
  shop: {purposes: [service], sees: {sales_order: all}, row_filter: {sales_order: region = 'eu'}}
"""
NEWER = """
purposes:
  marketing: {needs_consent: [engagement], given: status = 'opt_in'}
roles:
  agent:
    purposes: [service]
    sees: {"*": all, individual: [given_name]}
    mask: {sales_order.grand_total: "round(grand_total, 0)"}
    actions: [reveal]
  shop: {purposes: [service], sees: {sales_order: all}}
  marketer: {purposes: [marketing], sees: {engagement: [type]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the folder of a catalog without sources' rows, whose policy may be changed."""
    shutil.copytree(COMPANY, tmp_path / "catalog")
    (tmp_path / "catalog/policy.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def command(folder: Path, *arguments: str) -> Result:
    """Runs `roundview policy …` over the folder's catalog."""
    return CliRunner().invoke(app, ["policy", *arguments, "--catalog", str(folder / "catalog")])


async def in_force(folder: Path, policy: str, when: datetime) -> str:
    """Opens the catalog with a policy, as serving does, and returns its version."""
    (folder / "catalog/policy.yaml").write_text(policy, encoding="utf-8")
    federation = Federation.open(
        folder / "catalog", data_dir=folder / ".roundview", env=ENV, clock=lambda: when
    )
    await federation.close()
    return federation.catalog.version


async def test_every_version_that_was_in_force_can_be_shown_and_compared(folder: Path) -> None:
    first = await in_force(folder, POLICY, datetime(2026, 3, 1, 9, tzinfo=UTC))
    second = await in_force(folder, NEWER, datetime(2026, 3, 5, 9, tzinfo=UTC))
    third = await in_force(folder, POLICY, datetime(2026, 3, 7, 9, tzinfo=UTC))
    assert first == third != second
    told = json.loads(command(folder, "versions", "--json").stdout)
    assert [one["version"] for one in told] == [first, second, third]
    assert told[0]["rules"] == told[2]["rules"] != told[1]["rules"]
    for name, is_masked in ((second[:6], True), ("2026-03-05", True), ("2026-03-08", False)):
        done = command(folder, "show", "agent", "--as-of", name, "--json")
        masks = json.loads(done.stdout)["purposes"]["service"]["sales_order"]["masks"]
        assert bool(masks) == is_masked, name
    found = json.loads(command(folder, "diff", first, "2026-03-06", "--json").stdout)
    kinds = {(one["role"], one["change"], one["what"], one["of"]) for one in found}
    assert {
        ("agent", "loses", "field", "individual.birth_date"),
        ("agent", "loses", "mask", "sales_order.grand_total"),
        ("agent", "gains", "action", "reveal"),
        ("shop", "gains", "rows", "sales_order"),
        ("marketer", "gains", "role", "marketer"),
        ("marketer", "gains", "entity", "engagement"),
        ("marketer", "loses", "needs consent", "engagement"),
    } <= kinds
    assert command(folder, "diff", first).stdout == "no role gains or loses anything\n"
    back = json.loads(command(folder, "diff", second, first, "--json").stdout)
    assert len(back) == len(found)


async def test_versions_that_are_not_kept_are_told_of(folder: Path) -> None:
    await in_force(folder, POLICY, datetime(2026, 3, 1, 9, tzinfo=UTC))
    for name, code in (("abcd", "RV102"), ("2026-02-28", "RV102"), ("yesterday", "RV105")):
        done = command(folder, "show", "agent", "--as-of", name)
        assert (done.exit_code, done.stdout) == (2, "")
        assert code in done.stderr


async def test_rules_that_were_changed_behind_our_back_are_not_shown(folder: Path) -> None:
    version = await in_force(folder, POLICY, datetime(2026, 3, 1, 9, tzinfo=UTC))
    (kept,) = (folder / ".roundview/policies").glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(kept.read_bytes().replace(b"region", b"source"))
    done = command(folder, "show", "shop", "--as-of", version)
    assert done.exit_code == 3
    assert "changed" in done.stderr


async def test_a_line_that_a_crash_cut_off_hides_no_other(folder: Path) -> None:
    first = await in_force(folder, POLICY, datetime(2026, 3, 1, 9, tzinfo=UTC))
    with (folder / ".roundview/policies/versions").open("ab") as file:
        file.write(b'\n{"version":"0123')
    second = await in_force(folder, NEWER, datetime(2026, 3, 5, 9, tzinfo=UTC))
    told = json.loads(command(folder, "versions", "--json").stdout)
    assert [one["version"] for one in told] == [first, second]


def test_two_folders_are_compared(folder: Path, tmp_path: Path) -> None:
    proposed = tmp_path / "proposed"
    shutil.copytree(folder / "catalog", proposed)
    (proposed / "policy.yaml").write_text(NEWER, encoding="utf-8")
    done = command(folder, "diff", str(folder / "catalog"), str(proposed))
    assert "action reveal" in done.stdout
    assert done.exit_code == 0


def outcome(folder: Path, tests: str, *options: str) -> tuple[int, dict[str, list[str]]]:
    """Returns the exit code of `policy test`, and what does not hold of each test."""
    (folder / "catalog/policy_tests.yaml").write_text(tests, encoding="utf-8")
    command = ["policy", "test", str(folder / "catalog"), "--json", *options]
    done = CliRunner().invoke(app, command)
    told = json.loads(done.stdout)
    return done.exit_code, {one["name"]: one["failures"] for one in told["tests"]}


def test_what_does_not_hold_is_told(folder: Path) -> None:
    code, found = outcome(
        folder,
        """
tests:
  right:
    roles: [shop]
    sees: [sales_order.status]
    hides: [individual]
    rows:
      - {of: sales_order, given: {region: eu, grand_total: 1.50}, shows: {grand_total: 1.5}}
      - {of: sales_order, given: {region: us}, shows: nothing}
  wrong:
    roles: [shop]
    sees: [individual]
    hides: [sales_order.status]
    masks: [sales_order.grand_total]
    rows:
      - {of: sales_order, given: {region: eu}, shows: nothing}
      - {of: sales_order, given: {region: us}, shows: {status: completed}}
      - {of: sales_order, given: {region: eu, status: completed}, shows: {status: returned}}
""",
    )
    assert code == 1
    assert found == {
        "right": [],
        "wrong": [
            "individual is not seen",
            "sales_order.status is not hidden",
            "sales_order.grand_total is not masked",
            "row 1, of sales_order: it is shown",
            "row 2, of sales_order: it is hidden",
            "row 3, of sales_order: status is 'completed', not 'returned'",
        ],
    }


def test_what_is_derived_from_a_masked_field_is_derived_from_its_mask(folder: Path) -> None:
    (folder / "catalog/policy.yaml").write_text(
        """
roles:
  agent:
    purposes: [service]
    sees: {"*": all}
    mask: {contact_point_email.email_address: "'hidden@mail.example'"}
""",
        encoding="utf-8",
    )
    code, found = outcome(
        folder,
        """
tests:
  mail:
    roles: [agent]
    rows:
      - of: contact_point_email
        given: {email_address: mia@shop.example}
        shows: {domain: mail.example, email_normalized: hidden@mail.example}
""",
        "--offline",
    )
    assert (code, found) == (0, {"mail": []})


def test_without_tests_there_is_nothing_to_hold(folder: Path) -> None:
    done = CliRunner().invoke(app, ["policy", "test", str(folder / "catalog")])
    assert done.exit_code == 2
    assert "policy_tests.yaml" in done.stderr


def test_the_demo_is_what_its_tests_say_live(made_estate: Estate) -> None:
    done = CliRunner().invoke(app, ["policy", "test", str(made_estate.catalog), "--json"])
    told = json.loads(done.stdout)
    assert [one for one in told["tests"] if one["failures"] or one["not_asked"]] == []
    assert told["holds"]
    assert done.exit_code == 0


def test_live_answers_are_held_against_what_must_be(made_estate: Estate, tmp_path: Path) -> None:
    copy = shutil.copytree(made_estate.catalog, tmp_path / "catalog")
    shutil.copy(made_estate.directory / "env", tmp_path / "env")
    (copy / "policy_tests.yaml").write_text(
        """
tests:
  wrong:
    roles: [operator]
    asks:
      - {sql: SELECT 'a' AS x UNION ALL SELECT 'b', rows: 1, shows: [c], never: [b]}
      - {sql: SELECT 1, error: RV122}
      - {sql: SELECT full_name FROM individual}
      - {sql: SELECT full_name FROM individual, error: RV121}
""",
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["policy", "test", str(copy), "--json"])
    (told,) = json.loads(done.stdout)["tests"]
    assert told["failures"][:4] == [
        "question 1, 2 rows, not 1",
        "question 1, 'c' is not shown",
        "question 1, 'b' is shown",
        "question 2, it is answered, not refused with RV122",
    ]
    assert told["failures"][4].startswith("question 3, it is refused: RV121")
    assert len(told["failures"]) == 5


def test_a_role_goes_whatever_tests_still_name_it(folder: Path) -> None:
    tests = "tests:\n  old:\n    roles: [gone]\n"
    (folder / "catalog/policy_tests.yaml").write_text(tests, encoding="utf-8")
    assert set(loader.load(folder / "catalog").policy.roles) == {"agent", "shop"}
    done = CliRunner().invoke(app, ["policy", "test", str(folder / "catalog")])
    assert (done.exit_code, "unknown role gone" in done.stderr) == (1, True)
