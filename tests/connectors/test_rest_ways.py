"""Proves how an API is asked: pages by link, queries that are POSTed, small tables in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.connectors.json_api import posted
from tests.connectors.opening import ask, fragment

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Limits
from roundview_federation.connectors.http_port import Origin
from roundview_federation.connectors.rest.bodies import bound, json_value, put
from roundview_federation.connectors.rest.origin import target_of
from roundview_federation.connectors.rest.paging import next_link
from roundview_federation.resilience.deadline import Deadline

ORIGIN = Origin("https", "api.example", 443)
ITEMS = "SELECT i.id AS c0 FROM items AS i"


# -- pages by link ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ('</items?page=2>; rel="next", </items?page=9>; rel="last"', "/items?page=2"),
        ("<https://h/a?b=,c>;rel=next", "https://h/a?b=,c"),
        ('<a>; rel=last, <b,c;d>; title="x, <y>; rel=next"; rel="prev next"', "b,c;d"),
        ("<a>; REL=Next", "a"),
        ('<a>; title="; rel=next"', None),
        ("<a>; rel=prev; rel=next", None),
        ("<a>", None),
        ("", None),
        ("<" * 60_000, None),
        ("<a>; rel=next" + ' ;a="' * 10_000, "a"),
    ],
)
def test_the_next_page_in_a_link_header(header: str, address: str | None) -> None:
    assert next_link(header) == address


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://api.example/v1/items?page=2", "/v1/items?page=2"),
        ("https://API.example:443/v1/items?page=2", "/v1/items?page=2"),
        ("/v1/items?page=2#x", "/v1/items?page=2"),
        ("?page=2", "/v1/items?page=2"),
        ("items?page=2", "/v1/items?page=2"),
        ("http://api.example/v1/items", None),
        ("https://api.example:444/v1/items", None),
        ("https://api.example.evil.example/v1/items", None),
        ("https://evil.example/v1/items", None),
        ("//evil.example/v1/items", None),
        ("https://user@api.example/v1/items", None),
        ("https://api.example/v2/items", None),
        ("https://api.example/v1items", None),
        ("../admin", None),
        ("https://api.example/v1/../admin", None),
        ("https://api.example/v1/%2e%2e/admin", None),
        ("https://api.example/v1/..%2fadmin", None),
        ("https://api.example/v1/..\\admin", None),
        ("/v1/items?q=ü", None),
        ("/v1/items?q=a b", None),
        ("https://[api.example/v1", None),
        ("https://api.example:port/v1", None),
    ],
)
@pytest.mark.row("C9")
def test_a_link_stays_below_its_base_url(link: str, target: str | None) -> None:
    if target is None:
        with pytest.raises(ValueError):
            target_of(link, "/v1/items?page=1", ORIGIN, "/v1")
    else:
        assert target_of(link, "/v1/items?page=1", ORIGIN, "/v1") == target


@pytest.mark.parametrize("where", ["header", "answer"])
async def test_links_are_followed_to_the_end(api: Any, where: str) -> None:
    def answer(request: Request) -> Response:
        at = int(request.query_params.get("at", 0))
        host = request.headers["host"]
        here = request.url.path
        link = f"http://{host}{here}?at={at + 2}&of=5" if at + 2 < 5 else None
        rows = [{"id": i, "n": "x"} for i in range(at, min(at + 2, 5))]
        if where == "header":
            headers = {"link": f'<{link}>; rel="next"'} if link else {}
            return JSONResponse({"rows": rows}, headers=headers)
        return JSONResponse({"rows": rows, "links": {"next": link}})

    running, open_tables = api(answer)
    page = {"by": "link", "size": {"send": "size", "max": 2}}
    if where == "answer":
        page["next"] = "links.next"
    declared = {
        "get": "/items", "rows": "rows", "key": "id", "page": page, "fields": {"send": "fields"},
        "columns": {"id": "bigint", "n": "text"},
    }  # fmt: skip
    connector = open_tables({"items": declared})
    assert (await ask(connector, ITEMS, is_scan=True)).rows == [(i,) for i in range(5)]
    assert running.targets == [
        "/v1/items?size=2&fields=id", "/v1/items?at=2&of=5", "/v1/items?at=4&of=5",
    ]  # fmt: skip
    await connector.close()


@pytest.mark.parametrize(
    ("link", "code", "said"),
    [
        ("http://127.0.0.1:1/v1/items", "RV403", "outside"),
        ("http://localhost/v1/items", "RV403", "outside"),
        ("/elsewhere", "RV403", "outside"),
        ("?same", "RV403", "twice"),
    ],
)
@pytest.mark.row("C9")
async def test_links_that_lead_away_or_nowhere_are_errors(
    api: Any, link: str, code: str, said: str
) -> None:
    running, open_tables = api(
        lambda _: JSONResponse([{"id": 1}, {"id": 2}], headers={"link": f"<{link}>; rel=next"})
    )
    declared = {"get": "/items", "page": {"by": "link"}, "columns": {"id": "bigint"}}
    connector = open_tables({"items": declared})
    with pytest.raises(SourceError, match=said) as caught:
        await ask(connector, ITEMS, is_scan=True)
    assert caught.value.code == code
    assert "127.0.0.1" not in str(caught.value)
    assert "elsewhere" not in str(caught.value)
    assert len(running.requests) <= 2
    await connector.close()


async def test_endless_links_end_at_the_page_cap(api: Any) -> None:
    def answer(request: Request) -> Response:
        at = int(request.query_params.get("at", 0))
        return JSONResponse([{"id": at}], headers={"link": f"<?at={at + 1}>; rel=next"})

    running, open_tables = api(answer)
    declared = {"get": "/items", "key": "id", "page": {"by": "link"}, "columns": {"id": "bigint"}}
    connector = open_tables({"items": declared}, Limits(pages=7))
    with pytest.raises(SourceError, match="more pages"):
        await ask(connector, ITEMS, is_scan=True)
    assert len(running.requests) == 7
    await connector.close()


async def test_a_link_is_kept_with_the_page_that_an_etag_names(api: Any) -> None:
    def answer(request: Request) -> Response:
        if request.query_params.get("at"):
            return JSONResponse([{"id": 2}])
        if request.headers.get("if-none-match") == '"one"':
            return Response(status_code=304, headers={"etag": '"one"'})
        return JSONResponse([{"id": 1}], headers={"etag": '"one"', "link": "<?at=1>; rel=next"})

    _, open_tables = api(answer)
    declared = {"get": "/items", "page": {"by": "link"}, "columns": {"id": "bigint"}}
    connector = open_tables({"items": declared})
    for _ in range(2):
        assert (await ask(connector, ITEMS, is_scan=True)).rows == [(1,), (2,)]
    await connector.close()


# -- queries that are POSTed -----------------------------------------------------------------


def test_values_are_bound_in_json() -> None:
    body = {"a": ["{id}"], "b": {"c": "{name}", "d": "of {name}"}, "e": ["{name}", 1], "f": None}
    assert bound(body, {"id": [1, 2], "name": '"}, {'}) == {
        "a": [1, 2], "b": {"c": '"}, {', "d": "of {name}"}, "e": ['"}, {', 1], "f": None,
    }  # fmt: skip
    assert put({"page": {"size": 2}, "x": 1}, "page.after", "t") == {
        "page": {"size": 2, "after": "t"}, "x": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ü'\"\\", "ü'\"\\"),
        (5, 5),
        (True, True),
        (Decimal("5.00"), 5),
        (Decimal("5.25"), 5.25),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T09:00:00+00:00"),
        ("\ud800", None),
        ("a\0b", None),
        (float("nan"), None),
        (Decimal("Infinity"), None),
        (2**63, None),
    ],
)
def test_values_that_json_has(value: Any, found: Any) -> None:
    if found is None:
        with pytest.raises(ValueError):
            json_value(value)
    else:
        assert json_value(value) == found


SEARCH: dict[str, Any] = {
    "get": [
        {
            "post": "/search",
            "max": 2,
            "body": {"filter": {"field": "user_id", "values": ["{user_id}"]}, "limit": 1},
        },
        {"post": "/by-name", "body": {"name": "{name}"}, "rows": "hits"},
    ],
    "rows": "hits",
    "key": "id",
    "page": {"by": "cursor", "send": "page.after", "next": "next",
             "size": {"send": "page.size", "max": 2}},
    "filters": {"state": {"eq": "state"}, "id": {"in": {"send": "ids", "max": 10}}},
    "fields": {"send": "properties"},
    "columns": {"id": "bigint", "user_id": "bigint", "name": "text", "state": "text"},
}  # fmt: skip


def searched(request: Request) -> Response:
    asked = posted(request)
    rows = [{"id": i, "user_id": i % 4, "name": f"n{i}", "state": "open"} for i in range(8)]
    if "filter" in asked:
        rows = [row for row in rows if row["user_id"] in asked["filter"]["values"]]
    after = int(asked["page"].get("after", 0))
    size = asked["page"]["size"]
    following = str(after + size) if after + size < len(rows) else None
    return JSONResponse({"hits": rows[after : after + size], "next": following})


async def test_a_query_is_posted_in_batches_and_pages(api: Any) -> None:
    running, open_tables = api(searched)
    connector = open_tables({"items": SEARCH})
    sql = f"{ITEMS} WHERE i.user_id = ANY(:keys) AND i.state = :state"
    found = await ask(connector, sql, {"keys": [1, 2, 3], "state": "open"})
    assert sorted(found.rows) == [(1,), (2,), (3,), (5,), (6,), (7,)]
    assert {request.method for request in running.requests} == {"POST"}
    assert {request.headers["content-type"] for request in running.requests} == {"application/json"}
    assert set(running.targets) == {"/v1/search"}
    usual = {"limit": 1, "state": "open", "properties": ["id", "state", "user_id"]}
    assert sorted(running.bodies, key=str) == sorted(
        [
            {**usual, "filter": {"field": "user_id", "values": values}, "page": page}
            for values, page in [
                ([1, 2], {"size": 2}), ([1, 2], {"size": 2, "after": "2"}), ([3], {"size": 2}),
            ]
        ],
        key=str,
    )  # fmt: skip
    await connector.close()


async def test_a_value_stays_a_value_in_the_body(api: Any) -> None:
    running, open_tables = api(lambda _: JSONResponse({"hits": [{"id": 1}]}))
    connector = open_tables({"items": SEARCH})
    name = '"}, "admin": {"x": "{user_id}'
    found = await ask(connector, f"{ITEMS} WHERE i.name = :name", {"name": name})
    assert found.rows == [(1,)]
    assert [body["name"] for body in running.bodies] == [name]
    await connector.close()


async def test_keys_that_json_cannot_have_are_no_rows(api: Any) -> None:
    running, open_tables = api(searched)
    connector = open_tables({"items": SEARCH})
    sql = f"{ITEMS} WHERE i.user_id = ANY(:keys)"
    assert (await ask(connector, sql, {"keys": [2**70]})).rows == []
    assert running.requests == []
    found = await ask(connector, sql, {"keys": [1, 2**70]})
    assert sorted(found.rows) == [(1,), (5,)]
    assert [body["filter"]["values"] for body in running.bodies] == [[1]]
    await connector.close()


async def test_what_may_be_posted_is_said(api: Any) -> None:
    _, open_tables = api(searched)
    connector = open_tables({"items": SEARCH})
    assert await connector.prove_read_only() == (
        "only GET is sent, and POST declared to be a query to /by-name, /search"
    )
    call = connector.compile(fragment(f"{ITEMS} WHERE i.user_id = ANY(:keys)"))
    said = connector.explain(call)
    assert said.startswith("POST /api")
    assert said.endswith("/v1/search (user_id) (2 keys a call)")
    await connector.close()


async def test_other_rows_than_the_body_asked_for_are_an_error(api: Any) -> None:
    _, open_tables = api(lambda _: JSONResponse({"hits": [{"id": 9, "user_id": 9}]}))
    connector = open_tables({"items": SEARCH})
    with pytest.raises(SourceError, match="not asked for"):
        await ask(connector, f"{ITEMS} WHERE i.user_id = ANY(:keys)", {"keys": [1]})
    await connector.close()


# -- small tables in memory ------------------------------------------------------------------


HELD: dict[str, dict[str, Any]] = {
    "tickets": {
        "get": "/users/{user_id}/tickets",
        "key": "id",
        "fields": {"send": "fields"},
        "columns": {"id": "bigint", "user_id": "bigint", "agent_id": "text", "team": "bigint"},
    },
    "agents": {
        "get": ["/agents/{id}", "/agents"],
        "hold": "10m",
        "key": "id",
        "page": {"by": "page", "send": "page", "size": {"send": "size", "max": 2}},
        "columns": {"id": "text", "name": "text", "team": "bigint"},
    },
    "teams": {"get": "/teams", "hold": "10m", "key": "id", "columns": {"id": "bigint", "name": "text"}},
}  # fmt: skip
AGENTS: list[dict[str, Any]] = [{"id": "a", "name": "Ann", "team": 1}, {"id": "b", "name": "Bo", "team": 2},
          {"id": "c", "name": "Cy", "team": None}]  # fmt: skip
TEAMS = [{"id": 1, "name": "First"}]
TICKETS = [{"id": i, "agent_id": agent} for i, agent in enumerate(["a", "b", "c", "x", None])]


def desk(request: Request) -> Response:
    kind = request.url.path.rsplit("/", 1)[1]
    if kind == "agents":
        page = int(request.query_params["page"])
        return JSONResponse(AGENTS[(page - 1) * 2 : page * 2])
    return JSONResponse(TEAMS if kind == "teams" else TICKETS)


def calls_to(running: Any, kind: str) -> Sequence[str]:
    return [target for target in running.targets if f"/{kind}" in target]


JOINED = "SELECT t.id AS c0, a.name AS c1{more} FROM tickets AS t {side}JOIN agents AS a ON a.id = t.agent_id{rest} WHERE t.user_id = ANY(:keys)"


@pytest.mark.parametrize(
    ("side", "more", "rest", "rows"),
    [
        ("", "", "", [(0, "Ann"), (1, "Bo"), (2, "Cy")]),
        ("LEFT ", "", "", [(0, "Ann"), (1, "Bo"), (2, "Cy"), (3, None), (4, None)]),
        ("", ", m.name AS c2", " JOIN teams AS m ON (m.id = a.team)", [(0, "Ann", "First")]),
        ("", ", m.name AS c2", " LEFT JOIN teams AS m ON a.team = m.id",
         [(0, "Ann", "First"), (1, "Bo", None), (2, "Cy", None)]),
    ],
)  # fmt: skip
async def test_rows_are_joined_to_held_tables(
    api: Any, side: str, more: str, rest: str, rows: list[Any]
) -> None:
    running, open_tables = api(desk)
    connector = open_tables(HELD)
    sql = JOINED.format(more=more, side=side, rest=rest)
    for _ in range(3):
        assert (await ask(connector, sql, {"keys": [7]})).rows == rows
    assert len(calls_to(running, "agents")) == 2
    assert len(calls_to(running, "teams")) == (1 if more else 0)
    assert set(calls_to(running, "tickets")) == {
        "/v1/users/7/tickets?fields=agent_id%2Cid%2Cuser_id"
    }
    await connector.close()


async def test_a_condition_on_a_held_table_chooses_rows(api: Any) -> None:
    _, open_tables = api(desk)
    connector = open_tables(HELD)
    sql = JOINED.format(more="", side="LEFT ", rest="") + " AND a.name = 'Bo'"
    assert (await ask(connector, sql, {"keys": [7]})).rows == [(1, "Bo")]
    await connector.close()


async def test_a_held_table_is_read_without_leave_to_scan(api: Any) -> None:
    running, open_tables = api(desk)
    connector = open_tables(HELD)
    sql = "SELECT a.name AS c0 FROM agents AS a"
    assert (await ask(connector, sql)).rows == [("Ann",), ("Bo",), ("Cy",)]
    assert (await ask(connector, f"{sql} WHERE a.id = ANY(:keys)", {"keys": ["c", "a"]})).rows == [
        ("Ann",), ("Cy",),
    ]  # fmt: skip
    assert (await ask(connector, f"{sql} WHERE a.team > 1")).rows == [("Bo",)]
    call = connector.compile(fragment(sql))
    assert connector.explain(call) == "agents is held in memory"
    assert len(running.requests) == 2
    await connector.close()


async def test_a_held_table_is_fetched_once_for_all_who_wait(api: Any) -> None:
    running, open_tables = api(desk)
    connector = open_tables(HELD)
    sql = JOINED.format(more="", side="", rest="")
    answers = await asyncio.gather(*(ask(connector, sql, {"keys": [k]}) for k in range(8)))
    assert all(len(answer.rows) == 3 for answer in answers)
    assert len(calls_to(running, "agents")) == 2
    await connector.close()


async def test_a_held_table_is_fetched_anew_after_its_time(api: Any) -> None:
    running, open_tables = api(desk)
    declared = {**HELD, "agents": {**HELD["agents"], "hold": "1ms"}}
    connector = open_tables(declared)
    before = AGENTS[0]["name"]
    sql = "SELECT a.name AS c0 FROM agents AS a WHERE a.id = 'a'"
    try:
        assert (await ask(connector, sql)).rows == [("Ann",)]
        AGENTS[0]["name"] = "Anna"
        for _ in range(1000):
            answer = await ask(connector, sql)
            if answer.rows == [("Anna",)]:
                break
        assert answer.rows == [("Anna",)]
    finally:
        AGENTS[0]["name"] = before
    assert len(running.requests) > 2
    await connector.close()


async def test_a_failed_fetch_is_not_held(api: Any) -> None:
    states = [500, 200]

    def answer(request: Request) -> Response:
        if request.url.path.endswith("/teams") and states.pop(0) == 500:
            return JSONResponse({}, 500)
        return desk(request)

    _, open_tables = api(answer)
    connector = open_tables(HELD)
    sql = "SELECT m.name AS c0 FROM teams AS m"
    with pytest.raises(SourceError, match="status 500"):
        await ask(connector, sql)
    assert (await ask(connector, sql)).rows == [("First",)]
    await connector.close()


async def test_who_gives_up_leaves_the_others_their_fetch(api: Any) -> None:
    _, open_tables = api(desk)
    connector = open_tables(HELD)
    call = connector.compile(fragment("SELECT m.name AS c0 FROM teams AS m"))
    first, second = (
        asyncio.ensure_future(connector.rows(call, {}, Deadline.after(10))) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).rows == [("First",)]
    assert first.cancelled()
    await connector.close()


async def test_a_table_that_is_not_small_is_not_held(api: Any) -> None:
    _, open_tables = api(desk)
    connector = open_tables(HELD, Limits(scan_rows=2))
    with pytest.raises(SourceError, match="too many rows") as caught:
        await ask(connector, "SELECT a.name AS c0 FROM agents AS a")
    assert caught.value.code == "RV405"
    await connector.close()


async def test_only_held_tables_are_joined(api: Any) -> None:
    _, open_tables = api(desk)
    connector = open_tables(HELD)
    for sql in (
        "SELECT a.name AS c0 FROM agents AS a JOIN tickets AS t ON t.agent_id = a.id",
        "SELECT a.name AS c0 FROM agents AS a JOIN teams AS m ON m.id > a.team",
        "SELECT a.name AS c0 FROM agents AS a CROSS JOIN teams AS m",
    ):
        with pytest.raises(RequestError):
            connector.compile(fragment(sql))
    await connector.close()
