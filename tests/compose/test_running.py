"""Proves that the services of docker-compose.yml work together, started without containers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import trino
from tests.compose import pod
from tests.compose.pod import Pod
from tests.trino import obtaining

from roundview.demo.servers import MARIADB, POSTGRES, programs_of

pytestmark = pytest.mark.timeout(600)

ORDERS = "SELECT source, count(*) AS n, sum(amount) AS total FROM payment GROUP BY source"
PEOPLE = (
    "SELECT i.source, count(DISTINCT c.customer_id) AS n FROM individual i"
    " JOIN support_case c USING (customer_id) GROUP BY i.source ORDER BY 1"
)


@pytest.fixture(scope="module")
def started() -> Iterator[Pod]:
    """Runs all services."""
    for missing in (
        obtaining.missing(),
        *(kind.missing for kind in (POSTGRES, MARIADB) if programs_of(kind) is None),
    ):
        if missing:
            pytest.skip(missing)
    with pod.running() as made:
        yield made


def door(started: Pod, path: str, body: Any = None) -> Any:
    """Returns what the published address answers."""
    data = None if body is None else json.dumps(body).encode()
    address = f"http://127.0.0.1:{started.ports['8360']}{path}"
    asked = urllib.request.Request(address, data, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


def test_the_door_shows_every_system(started: Pod) -> None:
    state = door(started, "/ready")
    assert state["complete"], state
    assert {one["name"] for one in state["sources"]} == {"crm", "mail", "pos", "support"}


def test_a_customer_is_found_over_all_systems(started: Pod) -> None:
    known = json.loads((started.folder / "estate/truth.json").read_bytes())["personas"]
    phone = known["heroine"]["identifiers"]["phone"][1]
    query = f'{{ customer(by: {{phone: "{phone}"}}) {{ fullName email }} }}'
    found = door(started, "/graphql", {"query": query})
    assert "errors" not in found, found
    assert found["data"]["customer"]["fullName"]
    assert found["data"]["customer"]["email"]


@pytest.mark.parametrize("question", [ORDERS, PEOPLE])
def test_trino_and_the_engine_within_answer_alike(started: Pod, question: str) -> None:
    answers = [
        json.loads(
            started.run(
                "roundview", "roundview", "sql", "--allow-scan", "--timeout", "5m", "--engine",
                engine,
                "--format", "json", question,
            )
        )
        for engine in ("embedded", "trino")
    ]  # fmt: skip
    by_source = [sorted(one, key=lambda row: str(row["source"])) for one in answers]
    assert by_source[0]
    assert by_source[0] == by_source[1]


def test_trino_lets_nobody_else_read_and_nobody_write(started: Pod) -> None:
    def ask(user: str, statement: str) -> list[list[Any]]:
        port = int(started.ports["8080"])
        with trino.dbapi.connect(host="127.0.0.1", port=port, user=user) as connection:
            rows: list[list[Any]] = connection.cursor().execute(statement).fetchall()
            return rows

    assert ask("roundview", "SELECT count(*) FROM crm.public.contacts")[0][0] > 0
    with pytest.raises(trino.exceptions.TrinoUserError, match="Access Denied"):
        ask("somebody", "SELECT count(*) FROM crm.public.contacts")
    with pytest.raises(trino.exceptions.TrinoUserError, match="Access Denied"):
        ask("roundview", "CREATE TABLE crm.public.mine AS SELECT 1 AS one")


def test_another_start_keeps_what_is_there(started: Pod) -> None:
    assert started.run("estate") == ""
    assert door(started, "/ready")["complete"]
