"""Proves that the support app behaves like such APIs do, over real HTTP."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from roundview.demo import support
from roundview.demo.estate import Estate
from roundview.demo.support_app import MOST_IDS, Allowance


@pytest.fixture(scope="module")
def client(running: support.SupportProcess) -> Iterator[httpx.Client]:
    """Returns a client with the token."""
    headers = {"Authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=running.url, headers=headers) as one:
        yield one


def rows_of(made: Estate, sql: str) -> list[Any]:
    """Returns the first column of a query over the support database."""
    connection = sqlite3.connect(made.directory / support.FILE)
    try:
        return [row[0] for row in connection.execute(sql)]
    finally:
        connection.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_there_is_nothing(
    running: support.SupportProcess, headers: dict[str, str]
) -> None:
    for path in ("/users", "/users/301", "/tickets", "/messages"):
        answer = httpx.get(f"{running.url}{path}", headers=headers)
        assert answer.status_code == 401
        assert "data" not in answer.json()


def test_users_page_by_number(made: Estate, client: httpx.Client) -> None:
    found: list[int] = []
    page, last = 1, 1
    while page <= last:
        body = client.get("/users", params={"page": page, "limit": 30}).json()
        assert len(body["data"]) <= 30
        found += [user["id"] for user in body["data"]]
        last, page = body["meta"]["last_page"], page + 1
    assert last > 1
    assert found == rows_of(made, "SELECT id FROM ost_user ORDER BY id")


def test_tickets_page_by_cursor_newest_first(made: Estate, client: httpx.Client) -> None:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = client.get("/tickets", params={"cursor": cursor, "limit": 40}).json()
        found += body["data"]
        cursor = body["meta"]["next_cursor"]
    assert len(found) > 40
    assert sorted(t["id"] for t in found) == rows_of(
        made, "SELECT ticket_id FROM ost_ticket ORDER BY ticket_id"
    )
    times = [ticket["created"] for ticket in found]
    assert times == sorted(times, reverse=True)


def test_messages_page_by_offset(made: Estate, client: httpx.Client) -> None:
    found: list[int] = []
    total = 1
    while len(found) < total:
        body = client.get("/messages", params={"offset": len(found)}).json()
        found += [message["id"] for message in body["data"]]
        total = body["meta"]["total"]
    assert found == rows_of(made, "SELECT id FROM ost_thread_entry ORDER BY id")


def test_form_values_and_ratings_lie_inside(client: httpx.Client) -> None:
    user = client.get("/users/301").json()
    assert {"name": "phone", "value": "0049 171 3920042"} in user["custom_fields"]
    assert [email["is_default"] for email in user["emails"]] == [True, False]
    tickets = client.get("/tickets", params={"user_ids": "301"}).json()["data"]
    assert tickets[0]["number"] == "472913"
    names = {field["name"] for ticket in tickets for field in ticket["custom_fields"]}
    assert names == {"priority", "subject", "order_number"}
    (rating,) = [rating for ticket in tickets for rating in ticket["ratings"]]
    assert (rating["score"], rating["scale"]) == (5, 5)


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("/users", {"email": "LEONIE.vogt+help@mail.example"}, [301]),
        ("/users", {"email": "l.vogt@work.example"}, [301]),
        ("/users", {"phone": "+491713920042"}, [301]),
        ("/users", {"phone": "0171 392 00 42"}, [301]),
        ("/users", {"phone": "nonsense"}, []),
        ("/users", {"user_ids": "302,301"}, [301, 302]),
        ("/users", {"user_ids": "301", "email": "nobody@mail.example"}, []),
        ("/tickets", {"number": "472913"}, [2]),
        ("/tickets", {"number": "472913' OR '1'='1"}, []),
        ("/messages", {"user_ids": "301", "limit": "2"}, [1, 2]),
        ("/messages", {"ticket_ids": "2"}, [3, 4, 5]),
    ],
)
def test_filters(
    client: httpx.Client, path: str, params: dict[str, str], expected: list[int]
) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == 200
    assert [row["id"] for row in answer.json()["data"]] == expected


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users", {"user_ids": "1,x"}),
        ("/users", {"user_ids": ",".join(["1"] * (MOST_IDS + 1))}),
        ("/users", {"page": "-1"}),
        ("/tickets", {"cursor": "not ours"}),
        ("/tickets", {"cursor": "YWZ0ZXI6eA=="}),
        ("/messages", {"offset": "many"}),
    ],
)
def test_unreadable_parameters_are_refused(
    client: httpx.Client, path: str, params: dict[str, str]
) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_fields_are_left_out_on_request(client: httpx.Client) -> None:
    (row,) = client.get("/tickets", params={"number": "472913", "fields": "id,number"}).json()[
        "data"
    ]
    assert row == {"id": 2, "number": "472913"}
    assert client.get("/users/301", params={"fields": "id"}).json() == {"id": 301}


def test_what_does_not_exist_is_not_found(client: httpx.Client) -> None:
    assert client.get("/users/1").status_code == 404
    assert client.get("/tickets/999999").status_code == 404
    assert client.post("/users").status_code == 405


def test_an_unchanged_answer_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/users/301")
    again = client.get("/users/301", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/users/302", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_hammering_is_answered_by_429(made: Estate) -> None:
    process = support.start(made.directory, rate=5)
    try:
        headers = {"Authorization": f"Bearer {process.token}"}
        with httpx.Client(base_url=process.url, headers=headers) as one:
            answers = [one.get("/users/301") for _ in range(60)]
        assert set(Counter(a.status_code for a in answers)) == {200, 429}
        assert [a.status_code for a in answers[:10]] == [200] * 10
        refused = next(a for a in answers if a.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
    finally:
        process.stop()


def test_an_allowance_refills_with_time() -> None:
    now = [0.0]
    allowance = Allowance(10, clock=lambda: now[0])
    assert [allowance.wait() for _ in range(20)] == [0] * 20
    assert allowance.wait() == pytest.approx(0.1)
    now[0] += 0.5
    assert [allowance.wait() for _ in range(5)] == [0] * 5
    assert allowance.wait() > 0


def test_it_stops_and_its_port_is_free(made: Estate) -> None:
    process = support.start(made.directory)
    process.stop()
    assert process.process.returncode == 0
    again = support.start(made.directory, process.port)
    assert again.port == process.port
    with pytest.raises(RuntimeError, match="did not start"):
        support.start(made.directory, again.port)
    again.stop()


def test_it_dies_with_its_parent(made: Estate) -> None:
    program = (
        "import sys, time; from pathlib import Path; from roundview.demo import support; "
        "print(support.start(Path(sys.argv[1])).url, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(made.directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    url = parent.stdout.readline().decode().strip()
    with httpx.Client() as one:
        assert one.get(f"{url}/users").status_code == 401
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    # The app writes its errors where its parent did, so this ends when the app has ended.
    assert parent.stderr.read() == b""
    parent.stdout.close()
    parent.stderr.close()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/users")
