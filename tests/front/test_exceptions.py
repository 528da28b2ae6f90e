"""Proves that every door reveals and breaks the glass alike: for a reason, on record, with alarm."""

from __future__ import annotations

import json
import logging
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection as Client
from typer.testing import CliRunner, Result

from roundview import connect
from roundview.cli import app
from roundview.client import connect_async
from roundview.demo.estate import Estate
from roundview.serve import make_app
from roundview_catalog.errors import AccessError
from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.request import OPEN_GRAPHQL
from roundview_federation.reveal import SHOWN_FOR
from roundview_sql.server import SqlServer

POLICY = """
roles:
  agent:
    purposes: [service, fraud]
    sees:
      individual: [given_name, birth_date]
      contact_point_phone: all
    mask:
      individual.birth_date: "date_trunc('year', birth_date)"
      contact_point_phone.phone_raw: "'…' || right(phone_raw, 2)"
    actions: [reveal]
  clerk:
    purposes: [service]
    sees: {individual: [given_name, birth_date]}
    mask: {individual.birth_date: "date_trunc('year', birth_date)"}
  duty:
    break_glass: true
    purposes: [service]
    sees: {"*": all}
"""
REASON = "the caller asks: „Geburtstag?“"
REVEAL = """
mutation($by: CustomerBy!, $field: MaskedField!, $reason: String!) {
  reveal(by: $by, field: $field, reason: $reason) {
    customerId field expiresAt complete missingSources values { source sourceKey slot value }
  }
}
"""
BORN = "query($by: CustomerBy!) { customer(by: $by) { individual { nodes { birthDate } } } }"
ORDERS = "query($by: CustomerBy!) { customer(by: $by) { salesOrder { nodes { orderNumber } } } }"
Run = Callable[..., Result]


@dataclass(frozen=True)
class Guarded:
    """An estate that asks for API keys; `born` are the heroine's birth dates, unmasked."""

    catalog: Path
    tokens: Mapping[str, str]
    phone: str
    born: frozenset[str]


@pytest.fixture(scope="module")
def guarded(made_estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """Returns a copy of the estate's catalog under POLICY, linked, with a key for each caller."""
    folder = tmp_path_factory.mktemp("guarded")
    catalog = folder / "catalog"
    own = shutil.ignore_patterns("policy_tests.yaml")
    shutil.copytree(made_estate.catalog, catalog, ignore=own)
    for name in ("env", "secret"):
        shutil.copy(made_estate.directory / name, folder / name)
    with connect(catalog) as connection:
        connection.refresh_identity()
        phone = made_estate.truth["personas"]["heroine"]["identifiers"]["phone"][0]
        rows = connection.sql(
            "SELECT birth_date FROM individual WHERE birth_date IS NOT NULL AND customer_id IN "
            f"(SELECT customer_id FROM lookup('phone', '{phone}'))"
        ).rows()
    (catalog / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (catalog / "access.yaml").write_text("api_keys: true\n", encoding="utf-8")
    keys = ApiKeys(folder / ".roundview" / FILE)
    now = datetime.now(UTC)
    tokens = {
        name: keys.create(
            Holder(name, roles, default_purpose="service", scopes=(OPEN_GRAPHQL,)),
            now,
            timedelta(days=1),
        )[0]
        for name, roles in (
            ("agent", ("agent",)),
            ("clerk", ("clerk",)),
            ("duty", ("agent", "duty")),
        )
    }
    keys.close()
    born = frozenset(str(value) for (value,) in rows)
    assert born
    assert not any(one.endswith("-01-01") for one in born)
    return Guarded(catalog, tokens, phone, born)


@pytest.fixture
def run(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns `run(caller, *args)`: a command as one of the callers."""
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(guarded.catalog))

    def invoke(caller: str, *args: str) -> Result:
        monkeypatch.setenv("ROUNDVIEW_TOKEN", guarded.tokens[caller])
        return CliRunner().invoke(app, args, prog_name="roundview")

    return invoke


@pytest.fixture
async def client(guarded: Guarded) -> AsyncIterator[httpx.AsyncClient]:
    """Opens the server's routes; requests wait for no deadline of a view."""
    connection = connect_async(guarded.catalog)
    transport = httpx.ASGITransport(app=make_app(connection.federation))
    async with (
        connection,
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as opened,
    ):
        yield opened


async def _asked(
    client: httpx.AsyncClient, token: str, query: str, variables: Any, **headers: str
) -> Any:
    told = {"authorization": f"Bearer {token}", **headers}
    body = {"query": query, "variables": variables}
    return (await client.post("/graphql", json=body, headers=told)).json()


def _records(guarded: Guarded) -> list[dict[str, Any]]:
    path = guarded.catalog.parent / ".roundview"
    lines = [line for log in sorted(path.rglob("*.log")) for line in log.read_bytes().splitlines()]
    return [record for line in lines if isinstance(record := _told(line), dict)]


def _told(line: bytes) -> Any:
    at = line.find(b"{")
    try:
        return json.loads(line[at : line.rfind(b"}") + 1]) if at >= 0 else None
    except json.JSONDecodeError:
        return None


@pytest.mark.row("A17")
async def test_a_field_is_revealed_over_http_for_a_reason(
    client: httpx.AsyncClient, guarded: Guarded
) -> None:
    token, by = guarded.tokens["agent"], {"phone": guarded.phone}
    masked = await _asked(client, token, BORN, {"by": by})
    shown = {one["birthDate"] for one in masked["data"]["customer"]["individual"]["nodes"]}
    assert {one for one in shown if one} == {f"{one[:4]}-01-01" for one in guarded.born}
    asked = {"by": by, "field": "individual_birthDate", "reason": REASON}
    before = datetime.now(UTC)
    revealed = (await _asked(client, token, REVEAL, asked))["data"]["reveal"]
    values = {one["value"] for one in revealed["values"] if one["value"]}
    assert values == guarded.born
    assert revealed["field"] == "individual_birthDate"
    assert revealed["complete"]
    until = datetime.fromisoformat(revealed["expiresAt"])
    assert before + SHOWN_FOR <= until <= datetime.now(UTC) + SHOWN_FOR
    again = await _asked(client, token, BORN, {"by": by})
    assert again["data"] == masked["data"]
    stranger = {**asked, "by": {"phone": "+49 30 1234567"}}
    assert await _asked(client, token, REVEAL, stranger) == {"data": {"reveal": None}}


async def test_who_may_not_reveal_is_not_told_what_is_masked(
    client: httpx.AsyncClient, guarded: Guarded
) -> None:
    asked = {
        "by": {"phone": guarded.phone}, "field": "individual_birthDate", "reason": REASON,
    }  # fmt: skip
    refused = await _asked(client, guarded.tokens["clerk"], REVEAL, asked)
    assert "data" not in refused
    schema = {
        name: (
            await client.get("/graphql/schema", headers={"authorization": f"Bearer {token}"})
        ).text
        for name, token in guarded.tokens.items()
    }
    assert "Mutation" not in schema["clerk"]
    assert "masked" not in schema["clerk"].lower()
    assert "contactPointPhone_phoneRaw" in schema["agent"]
    for reason in ("", "  x "):
        answer = await _asked(client, guarded.tokens["agent"], REVEAL, {**asked, "reason": reason})
        assert answer["data"] == {"reveal": None}
        assert answer["errors"][0]["extensions"]["rv"] == "RV304"
        assert answer["errors"][0]["path"] == ["reveal"]
    hidden = {**asked, "field": "individual_familyName"}
    assert "data" not in await _asked(client, guarded.tokens["agent"], REVEAL, hidden)


async def test_a_get_reveals_nothing(client: httpx.AsyncClient, guarded: Guarded) -> None:
    headers = {"authorization": f"Bearer {guarded.tokens['agent']}"}
    page = (await client.get("/desk/context", headers=headers)).json()
    asked = {"by": {"phone": guarded.phone}, "field": "individual_birthDate", "reason": REASON}
    body = {"documentId": page["documents"]["reveal"], "variables": asked}
    answer = await client.get(
        "/graphql",
        params={**body, "variables": json.dumps(asked)},
        headers=headers,
    )
    assert answer.status_code == 405
    assert not any(one in answer.text for one in guarded.born)
    posted = (await client.post("/graphql", json=body, headers=headers)).json()
    assert {one["value"] for one in posted["data"]["reveal"]["values"]} >= guarded.born


@pytest.mark.row("A17")
async def test_glass_is_broken_over_http(
    client: httpx.AsyncClient, guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    by = {"by": {"phone": guarded.phone}}
    headers = {"roundview-emergency": "true", "roundview-reason": quote(REASON)}
    assert "data" not in await _asked(client, guarded.tokens["duty"], ORDERS, by)
    with caplog.at_level(logging.CRITICAL, "roundview.alarm"):
        answer = await _asked(client, guarded.tokens["duty"], ORDERS, by, **headers)
    assert answer["data"]["customer"]["salesOrder"]["nodes"]
    (alarm,) = caplog.records
    assert "'duty'" in alarm.getMessage()
    assert "caller" not in alarm.getMessage()
    born = await _asked(client, guarded.tokens["duty"], BORN, by, **headers)
    nodes = born["data"]["customer"]["individual"]["nodes"]
    assert {one["birthDate"] for one in nodes if one["birthDate"]} == guarded.born
    for caller, told, code in (
        ("duty", {"roundview-emergency": "true"}, "RV304"),
        ("agent", headers, "RV300"),
        ("duty", {**headers, "roundview-emergency": "yes"}, "RV100"),
        ("duty", {**headers, "roundview-reason": "%ff%fe"}, "RV100"),
    ):
        refused = await _asked(client, guarded.tokens[caller], BORN, by, **told)
        assert refused["errors"][0]["extensions"]["rv"] == code
        assert "data" not in refused


@asynccontextmanager
async def _sql_clients(guarded: Guarded) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """Serves SQL; yields what connects one of the callers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    connection = connect_async(guarded.catalog)
    server = SqlServer(connection.federation, listener)
    await server.start()
    port = listener.getsockname()[1]

    async def connected(caller: str) -> Client:
        where = f"host=127.0.0.1 port={port} dbname=c360 sslmode=disable connect_timeout=60"
        return await Client.connect(
            where, user=caller, password=guarded.tokens[caller], autocommit=True
        )

    try:
        yield connected
    finally:
        await server.close()
        await connection.close()


@pytest.mark.row("A17")
async def test_glass_is_broken_in_sql_clients(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    question = (
        "SELECT order_number FROM sales_order s "
        f"JOIN lookup('phone', '{guarded.phone}') l ON s.customer_id = l.customer_id"
    )
    why = "fire in the „Lager“, says this client"
    async with _sql_clients(guarded) as connected:
        async with await connected("duty") as client:
            await client.execute("SET statement_timeout = '60s'")
            with pytest.raises(psycopg.errors.UndefinedTable):
                await client.execute(question)
            async with client.transaction():
                await client.execute("SET LOCAL roundview.emergency = on")
                with pytest.raises(psycopg.Error, match="a reason is needed") as refused:
                    async with client.transaction():
                        await client.execute(question)
                assert refused.value.sqlstate == "42501"
            with caplog.at_level(logging.CRITICAL, "roundview.alarm"):
                async with client.transaction():
                    await client.execute(f"SET LOCAL roundview.reason = '{why}'")
                    await client.execute("SET LOCAL roundview.emergency = on")
                    orders = await (await client.execute(question)).fetchall()
            assert orders
            assert caplog.records
            assert not any("Lager" in alarm.getMessage() for alarm in caplog.records)
            with pytest.raises(psycopg.errors.UndefinedTable):
                await client.execute(question)
        async with await connected("agent") as client:
            await client.execute("SET roundview.reason = 'no role of mine is for it'")
            await client.execute("SET roundview.emergency = on")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await client.execute(question)
    broken = [one for one in _records(guarded) if one.get("reason") == why]
    assert {one["question"] for one in broken} == {"sql", "view"}
    assert all((one["actor"], one["emergency"]) == ("duty", True) for one in broken)


@pytest.mark.row("A17")
def test_a_field_is_revealed_on_the_command_line(run: Run, guarded: Guarded) -> None:
    asked = ("customer", f"phone={guarded.phone}", "--reveal", "individual.birth_date")
    told = run("agent", *asked, "--reason", REASON, "--json")
    assert told.exit_code == 0, told.stderr
    revealed = json.loads(told.stdout)
    assert {one["value"] for one in revealed["values"] if one["value"]} == guarded.born
    table = run("agent", *asked, "--reason", REASON)
    assert all(one in table.stdout for one in guarded.born)
    assert "on record" in table.stderr
    assert run("agent", *asked).exit_code == 3
    assert "RV304" in run("agent", *asked).stderr
    assert "RV300" in run("clerk", *asked, "--reason", REASON).stderr
    hidden = (*asked[:3], "individual.family_name", "--reason", REASON)
    assert "RV102" in run("agent", *hidden).stderr
    assert run("agent", *asked, "--emergency", "--reason", REASON).exit_code == 2
    nobody = ("customer", "phone=+49 30 1234567", *asked[2:], "--reason", REASON)
    assert "no customer has this phone" in run("agent", *nobody).stdout


@pytest.mark.row("A17")
def test_glass_is_broken_on_the_command_line(
    run: Run, guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    why = ("--emergency", "--reason", REASON)
    by = f"phone={guarded.phone}"
    plain = run("duty", "customer", by, "--json")
    assert "sales_order" not in json.loads(plain.stdout)["entities"]
    with caplog.at_level(logging.CRITICAL, "roundview.alarm"):
        broken = run("duty", "customer", by, "--json", *why)
    assert json.loads(broken.stdout)["entities"]["sales_order"]["rows"]
    assert len(caplog.records) == 1
    question = f"SELECT order_number FROM sales_order s JOIN lookup('phone', '{guarded.phone}') l ON s.customer_id = l.customer_id"
    assert "RV121" in run("duty", "sql", question).stderr
    told = run("duty", "sql", question, "--format", "json", *why)
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)
    assert run("duty", "explain", question, *why).exit_code == 0
    assert "RV304" in run("duty", "sql", question, "--emergency").stderr
    assert "RV300" in run("agent", "sql", question, *why).stderr


def test_the_record_says_what_was_revealed_and_why(run: Run, guarded: Guarded) -> None:
    asked = ("customer", f"phone={guarded.phone}", "--reveal", "individual.birth_date")
    assert run("agent", *asked, "--reason", "a reason of this test").exit_code == 0
    emergency = (
        "customer",
        f"phone={guarded.phone}",
        "--emergency",
        "--reason",
        "fire of this test",
    )
    assert run("duty", *emergency).exit_code == 0
    told = [one for one in _records(guarded) if one.get("is") == "intent"]
    (revealed,) = (one for one in told if one.get("reason") == "a reason of this test")
    assert (revealed["actor"], revealed["reveals"]) == ("agent", "individual.birth_date")
    (broken,) = (one for one in told if one.get("reason") == "fire of this test")
    assert (broken["actor"], broken["emergency"]) == ("duty", True)


def test_python_reveals_and_breaks_the_glass(guarded: Guarded) -> None:
    with connect(guarded.catalog, token=guarded.tokens["duty"]) as connection:
        revealed = connection.reveal("individual.birth_date", reason=REASON, phone=guarded.phone)
        assert revealed is not None
        assert {str(one.value) for one in revealed.values if one.value} == guarded.born
        view = connection.customer(phone=guarded.phone, emergency=True, reason=REASON)
        assert view is not None
        assert view["sales_order"].rows
        assert "sales_order" not in connection.relations()
        assert "sales_order" in connection.relations(emergency=True)
        with pytest.raises(AccessError) as refused:
            connection.customer(phone=guarded.phone, emergency=True)
        assert refused.value.code == "RV304"


def test_a_purpose_is_chosen_on_the_command_line(run: Run, guarded: Guarded) -> None:
    by = f"phone={guarded.phone}"
    assert run("agent", "customer", by, "--purpose", "fraud").exit_code == 0
    question = "SELECT given_name FROM individual LIMIT 1"
    assert run("agent", "sql", question, "--purpose", "fraud").exit_code == 0
    for command in (("customer", by), ("sql", question), ("explain", question)):
        told = run("clerk", *command, "--purpose", "fraud")
        assert told.exit_code == 3
        assert "RV301" in told.stderr
