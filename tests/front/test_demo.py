"""Proves the demo as a person meets it: a server in a process of its own, and real HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.front.conftest import running

from roundview.demo import server_estate

WHATSAPP = Path(__file__).parents[1] / "demo/whatsapp"
PHONE = "0171/3920042"
VIEW = """query ($by: CustomerBy!) {
  customer(by: $by) { customerId fullName
    salesOrder { nodes { orderNumber } complete missingSources }
    supportCase { nodes { subject } complete missingSources } }
}"""
MESSAGES = """query ($by: CustomerBy!) {
  customer(by: $by) { message(first: 200) { nodes { source bodyExcerpt } } }
}"""
MOST_SECONDS = 60


def ask(base: str, by: dict[str, str], query: str = VIEW) -> dict[str, Any]:
    """Returns the body of one GraphQL answer."""
    answer = httpx.post(f"{base}/graphql", json={"query": query, "variables": {"by": by}})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_it_says_where_to_look(running_demo: Any) -> None:
    said = running_demo.said
    assert re.search(rf"^  {re.escape(running_demo.base)}/desk\?phone=0171%2F3920042$", said, re.M)
    assert f"{running_demo.base}/graphql/schema" in said
    assert re.search(r"support app is process \d+ on port \d+", said)
    assert "principal demo" in said


def test_every_door_answers(running_demo: Any) -> None:
    with httpx.Client(base_url=running_demo.base) as client:
        assert client.get("/").headers["location"] == "/desk"
        assert client.get("/health").json() == {"status": "alive"}
        ready = client.get("/ready")
        assert ready.status_code == 200
        assert ready.json()["complete"] is True
        assert ready.headers["cache-control"] == "no-store"
        assert client.get("/desk").headers["content-type"].startswith("text/html")
        assert "type Customer" in client.get("/graphql/schema").text
        assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("[::1]:8360", 200),
        ("roundview.example", 400),
        ("localhost.roundview.example", 400),
        ("127.0.0.1.example", 400),
        ("", 400),
    ],
)
def test_only_names_of_this_machine_are_answered(running_demo: Any, host: str, status: int) -> None:
    for path in ("/health", "/desk", "/graphql/schema"):
        assert httpx.get(running_demo.base + path, headers={"host": host}).status_code == status


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    "by",
    [
        {"phone": PHONE},
        {"phone": "+49 171 392 00 42"},
        {"phone": "００４９　１７１　３９２００４２"},
        {"email": "LEONIE.VOGT+help@mail.example"},
        {"loyaltyNo": "rc 1000 4711"},
        {"orderNumber": "INV-204711"},
        {"caseNumber": "472913"},
    ],
    ids=str,
)
def test_any_identifier_in_any_spelling(running_demo: Any, by: dict[str, str]) -> None:
    body = ask(running_demo.base, by)
    assert "errors" not in body
    assert body["data"]["customer"]["fullName"].casefold() == "leonie vogt"
    assert body["data"]["customer"]["supportCase"]["nodes"]


def test_another_terminal_finds_the_running_systems(
    running_demo: Any, shell: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = shell("roundview", "customer", f"phone={PHONE}", "--json", cwd=running_demo.folder)
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    assert view["complete"] is True
    assert view["fields"]["full_name"].casefold() == "leonie vogt"
    assert {one["name"] for one in view["sources"]} == {"crm", "pos", "mail", "support"}


def test_the_token_of_the_support_app_is_private(running_demo: Any) -> None:
    env = running_demo.folder / ".demo/env"
    assert env.stat().st_mode & 0o777 == 0o600
    token = env.read_text(encoding="utf-8").partition("SUPPORT_TOKEN=")[2].strip()
    assert token
    assert token not in running_demo.said


def test_a_taken_port_is_said_before_anything_is_made(
    running_demo: Any,
    shell: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    port = running_demo.base.rpartition(":")[2]
    done = shell("roundview", "demo", "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("RV100 ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.row("A1")
@pytest.mark.row("C2")
def test_a_fifth_source_appears_under_load(own_demo: Any) -> None:
    statuses: list[int] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=own_demo.base) as client:
            while not stop.is_set():
                body = {"query": VIEW, "variables": {"by": {"phone": PHONE}}}
                statuses.append(client.post("/graphql", json=body).status_code)

    worker = threading.Thread(target=load)
    worker.start()
    try:
        catalog = own_demo.folder / ".demo/catalog"
        for file in WHATSAPP.glob("*.jsonl"):
            shutil.copy(file, catalog.parent)
        shutil.copy(WHATSAPP / "whatsapp.yaml", catalog / "sources")
        until = time.monotonic() + MOST_SECONDS
        names: set[str] = set()
        while "whatsapp" not in names and time.monotonic() < until:
            state = httpx.get(f"{own_demo.base}/ready").json()
            assert state["catalog_problem"] == []
            names = {one["name"] for one in state["sources"]}
        texts: list[str] = []
        while not texts and time.monotonic() < until:
            found = ask(own_demo.base, {"phone": PHONE}, MESSAGES)["data"]["customer"]["message"]
            texts = [one["bodyExcerpt"] for one in found["nodes"] if one["source"] == "whatsapp"]
    finally:
        stop.set()
        worker.join()
    assert "whatsapp" in names
    assert "Yes, it left the workshop this morning." in texts
    assert "whatsapp" in httpx.get(f"{own_demo.base}/desk").text
    assert statuses
    assert set(statuses) == {200}
    (catalog / "sources/whatsapp.yaml").write_text("source: [", encoding="utf-8")
    until = time.monotonic() + MOST_SECONDS
    problems: list[str] = []
    while not problems and time.monotonic() < until:
        problems = httpx.get(f"{own_demo.base}/ready").json()["catalog_problem"]
    assert problems[0].startswith("sources/whatsapp.yaml:")
    assert ask(own_demo.base, {"phone": PHONE})["data"]["customer"]["fullName"]


@pytest.mark.row("E2")
def test_the_rest_stays_when_a_system_dies(own_demo: Any) -> None:
    found = re.search(r"support app is process (\d+)", own_demo.said)
    assert found is not None
    os.kill(int(found.group(1)), signal.SIGKILL)
    body = ask(own_demo.base, {"phone": PHONE})
    assert body["data"]["customer"]["salesOrder"]["nodes"]
    assert body["data"]["customer"]["salesOrder"]["complete"] is True
    assert body["data"]["customer"]["supportCase"] is None
    assert [error["path"] for error in body["errors"]] == [["customer", "supportCase"]]
    assert body["extensions"]["complete"] is False
    states = {one["name"]: one["status"] for one in body["extensions"]["sources"]}
    assert states["support"] == "failed"
    assert states["crm"] == states["pos"] == "ok"
    ready = httpx.get(f"{own_demo.base}/ready")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True


@pytest.mark.row("E2")
def test_the_systems_may_be_database_servers(tmp_path: Path) -> None:
    lacking = server_estate.missing()
    if lacking:
        pytest.skip("; ".join(lacking))
    with running(tmp_path, "--people", "40", "--servers") as demo:
        body = ask(demo.base, {"phone": PHONE})
        assert body["data"]["customer"]["salesOrder"]["nodes"]
        assert body["data"]["customer"]["supportCase"]["nodes"]
        assert {one["status"] for one in body["extensions"]["sources"]} == {"ok"}
        pids = {
            name: int(pid) for name, pid in re.findall(r"(\w+) is process (\d+) on port", demo.said)
        }
        assert {"PostgreSQL", "MariaDB"} < pids.keys()
        env = tmp_path / ".demo/env"
        assert env.stat().st_mode & 0o777 == 0o600
        for url in re.findall("_URL=(.*)", env.read_text(encoding="utf-8")):
            assert url not in demo.said
        os.kill(pids["MariaDB"], signal.SIGKILL)
        body = ask(demo.base, {"phone": PHONE})
        states = {one["name"]: one["status"] for one in body["extensions"]["sources"]}
        assert states["pos"] == "failed"
        assert states["crm"] == states["mail"] == "ok"
        assert body["data"]["customer"]["salesOrder"] is None
    assert not [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()]
