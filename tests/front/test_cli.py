"""Proves what the command line says, where it says it, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from roundview.cli import app
from roundview.cli.options import identifier, record
from roundview.client import connect
from roundview.demo.estate import Estate
from roundview_catalog.errors import CODES, RequestError

GOLDEN = Path(__file__).parents[1] / "golden/cli"
COMMANDS = (
    (),
    ("demo",),
    ("serve",),
    ("check",),
    ("doctor",),
    ("introspect",),
    ("schemas",),
    ("customer",),
    ("sources",),
    ("sql",),
    ("explain",),
    ("thrift-bridge",),
    ("identity",),
    ("identity", "refresh"),
    ("identity", "lookup"),
    ("identity", "explain"),
    ("key",),
    ("key", "create"),
    ("key", "list"),
    ("key", "revoke"),
    ("audit",),
    ("audit", "verify"),
    ("audit", "who-saw"),
    ("audit", "export"),
    ("policy", "show"),
    ("policy", "test"),
    ("policy", "diff"),
    ("policy", "versions"),
    ("trino",),
    ("trino", "catalogs"),
)
Run = Callable[..., Result]


@pytest.fixture
def run(made_estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns `run(*args)`: a command over the estate's catalog."""
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(made_estate.catalog))
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *args: CliRunner().invoke(app, args, prog_name="roundview")


@pytest.fixture(scope="module")
def linked(made_estate: Estate) -> Estate:
    """Returns the estate after its identities were linked."""
    with connect(made_estate.catalog) as connection:
        assert connection.refresh_identity().summary.records > 0
    return made_estate


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: "-".join(c) or "roundview")
def test_help_has_examples(
    run: Run, golden: Callable[[Path, str], None], command: tuple[str, ...]
) -> None:
    said = run(*command, "--help").stdout
    golden(GOLDEN / "help" / f"{'-'.join(command) or 'roundview'}.txt", said)
    assert "Examples:" in said or command in (("audit",), ("identity",), ("key",), ("trino",))


def test_starting_loads_nothing_heavy() -> None:
    code = "import sys, roundview.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"sqlglot", "pydantic", "fastapi", "duckdb", "strawberry", "httpx", "uvicorn", "rich"}
    assert heavy & set(loaded.stdout.split()) == set()


@pytest.mark.parametrize(
    ("args", "code", "family"),
    [
        (("customer", "phone=not-a-number"), 2, "RV101"),
        (("customer", "shoe_size=44"), 2, "RV101"),
        (("customer", "no-equals-sign"), 2, "RV101"),
        (("identity", "lookup", "order_number=INV-1"), 2, "RV103"),
        (("identity", "refresh", "nowhere"), 2, "RV102"),
        (("identity", "explain", "crm", "pos/1"), 2, "RV101"),
        (("introspect", "nowhere"), 2, "RV102"),
        (("check", "nowhere"), 2, "RV100"),
        (("serve", "--host", "0.0.0.0"), 3, "RV300"),
    ],
)
def test_failures_are_one_line_on_standard_error(
    run: Run, args: tuple[str, ...], code: int, family: str
) -> None:
    result = run(*args)
    assert result.exit_code == code == CODES[family].exit
    assert result.stdout == ""
    assert result.stderr.startswith(f"{family} ")
    assert result.stderr.count("\n") == 1


def test_editors_get_schemas(run: Run, made_estate: Estate) -> None:
    assert run("schemas").stdout == (
        ".schemas: catalog, source, schema, entity, policy, policy_tests, identity, access, template\n"
    )
    source = json.loads((made_estate.catalog / ".schemas/source.json").read_text(encoding="utf-8"))
    assert "individual" in source["properties"]["entities"]["properties"]
    assert run("check").exit_code == 0


def test_failures_are_json_too(run: Run) -> None:
    result = run("customer", "phone=not-a-number", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "RV101"


def test_debug_shows_where_it_failed(run: Run) -> None:
    result = run("--debug", "customer", "phone=not-a-number")
    assert isinstance(result.exception, RequestError)


@pytest.mark.row("B1")
def test_a_customer_is_found_and_shown(run: Run, linked: Estate) -> None:
    shown = run("customer", "loyalty_no=RC10004711")
    assert shown.exit_code == 0, shown.stderr
    assert "sales order" in shown.stdout
    data = json.loads(run("customer", "loyalty_no=RC10004711", "--json").stdout)
    assert data["complete"] is True
    assert data["fields"]["full_name"] in shown.stdout
    assert {source["name"] for source in data["sources"]} >= {"crm", "pos"}
    again = json.loads(run("customer", f"customer_id={data['customer_id']}", "--json").stdout)
    assert again["fields"] == data["fields"]


def test_nobody_is_an_answer(run: Run, linked: Estate) -> None:
    result = run("customer", "email=nobody@nowhere.example")
    assert (result.exit_code, result.stdout) == (0, "no customer has this email\n")
    assert run("customer", "email=nobody@nowhere.example", "--json").stdout == "null\n"


def test_records_of_an_identifier_are_listed(run: Run, linked: Estate) -> None:
    found = json.loads(run("identity", "lookup", "loyalty_no=RC10004711", "--json").stdout)
    assert len(found) == 1
    assert any(name.startswith("pos/") for name in found[0]["records"])
    assert found[0]["customer_id"] in run("identity", "lookup", "loyalty_no=RC10004711").stdout


@pytest.mark.row("C16")
def test_two_records_are_explained(run: Run, linked: Estate) -> None:
    records = linked.truth["personas"]["heroine"]["records"]
    same = json.loads(run("identity", "explain", records[0], records[1], "--json").stdout)
    assert same["is_same"] is True
    assert same["first_customer"] == same["second_customer"]
    others = linked.truth["personas"]["household_first"]["records"]
    assert "are not one customer" in run("identity", "explain", records[0], others[0]).stdout


def test_sources_say_how_they_are(run: Run) -> None:
    states = {one["name"]: one["state"] for one in json.loads(run("sources", "--json").stdout)}
    assert states["crm"] == states["pos"] == "ready"
    assert "ready" in run("sources").stdout


def test_a_right_catalog_is_counted(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout.endswith("entities: no problems\n")
    assert json.loads(run("check", "--json").stdout) == {"problems": []}


def test_a_wrong_catalog_is_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "roundview.yaml").write_text("roundview: 1\nnmae: x\n", encoding="utf-8")
    result = run("check", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.startswith("roundview.yaml:2:1 RV205 ")
    problems = json.loads(run("check", str(tmp_path), "--json").stdout)["problems"]
    assert (problems[0]["line"], problems[0]["code"]) == (2, "RV205")
    assert run("sources", "--catalog", str(tmp_path)).exit_code == 1


def test_a_source_describes_itself(run: Run) -> None:
    said = run("introspect", "crm", "--print").stdout
    assert "contacts:" in said


@pytest.mark.parametrize(
    ("text", "pair"), [("phone=0 1=2", ("phone", "0 1=2")), (" email =x", ("email", "x"))]
)
def test_identifiers_are_split_once(text: str, pair: tuple[str, str]) -> None:
    assert identifier(text) == pair


def test_records_keep_their_slashes() -> None:
    assert record("shop.eu/guest:1/2") == ("shop.eu", "guest:1/2")
