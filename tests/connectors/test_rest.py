"""Proves what is special about REST: routes, pages, arrays inside, rates, revalidation, origin."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.connectors import world
from tests.connectors.opening import ask, fragment, opened

from roundview_catalog.errors import CatalogError, RequestError, SourceError
from roundview_catalog.model import Limits
from roundview_catalog.tables import RetryAfter
from roundview_federation.connectors.rest.fetch import retry_seconds
from roundview_federation.connectors.rest.values import getter, root_of
from roundview_federation.resilience.deadline import Deadline

ITEMS = {"get": ["/items", "/items/{id}"], "key": "id", "columns": {"id": "bigint", "n": "text"}}


# -- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("a", {"a": 1}, 1),
        ("a.b", {"a": {"b": 2}}, 2),
        ("a.b", {"a": None}, None),
        ("a.b", {"a": [1]}, None),
        ("a[1].b", {"a": [{}, {"b": 3}]}, 3),
        ("a[9]", {"a": []}, None),
        ("f[name=phone].value", {"f": [{"name": "x"}, {"name": "phone", "value": "1"}]}, "1"),
        ("f[id=7]", {"f": [{"id": 7, "x": 1}]}, {"id": 7, "x": 1}),
        ("f[name=a.b].v", {"f": [{"name": "a.b", "v": 4}]}, 4),
        (".", {"a": 1}, {"a": 1}),
        ("a", [1], None),
        ("a", "text", None),
    ],
)
def test_paths_find_values(path: str, value: Any, found: Any) -> None:
    assert getter(path)(value) == found


def test_root_of_a_path() -> None:
    assert [root_of(p) for p in ("a.b", "f[name=x].v", ".", "a")] == ["a", "f", "", "a"]


async def test_columns_arrays_and_formats(api: Any) -> None:
    def answer(request: Request) -> Response:
        ticket = {
            "id": 5,
            "created": 1_700_000_000,
            "changed": "1700000000500",
            "custom_fields": [{"name": "phone", "value": 4930}],
            "tags": [{"name": "vip"}, {"name": "late", "marks": [{"m": 1}, {"m": 2}]}],
            "scores": [4, 5],
            "user": {"id": 9},
        }
        return JSONResponse({"payload": [ticket, {"id": 6, "tags": None}]})

    _, open_tables = api(answer)
    declared: dict[str, dict[str, Any]] = {
        "tickets": {
            "get": ["/tickets", "/users/{user_id}/tickets"],
            "rows": "payload",
            "key": "id",
            "fields": {"send": "fields"},
            "columns": {
                "id": "bigint",
                "user_id": {"type": "bigint", "path": "user.id"},
                "created": {"type": "timestamptz", "format": "epoch_s"},
                "changed": {"type": "timestamptz", "format": "epoch_ms"},
                "phone": {"type": "text", "path": "custom_fields[name=phone].value"},
            },
        },
        "tags": {
            "in": "tickets",
            "rows": "tags",
            "columns": {
                "ticket_id": {"type": "bigint", "path": "^id"},
                "user_id": {"type": "bigint", "path": "^user_id"},
                "name": "text",
            },
        },
        "marks": {
            "in": "tags",
            "rows": "marks",
            "columns": {
                "ticket_id": {"type": "bigint", "path": "^ticket_id"},
                "tag": {"type": "text", "path": "^name"},
                "m": "bigint",
            },
        },
        "scores": {
            "in": "tickets",
            "rows": "scores",
            "columns": {
                "ticket_id": {"type": "bigint", "path": "^id"},
                "score": {"type": "bigint", "path": "."},
            },
        },
    }
    connector = open_tables(declared)
    moment = datetime.fromtimestamp(1_700_000_000, UTC)
    tickets = await ask(
        connector,
        "SELECT t.id AS c0, t.created AS c1, t.changed AS c2, t.phone AS c3 FROM tickets AS t",
        is_scan=True,
    )
    assert tickets.rows == [
        (5, moment, moment + timedelta(milliseconds=500), 4930),
        (6, None, None, None),
    ]
    tags = await ask(
        connector,
        "SELECT g.ticket_id AS c0, g.name AS c1 FROM tags AS g WHERE g.user_id = ANY(:keys)",
        {"keys": [9]},
    )
    assert tags.rows == [(5, "vip"), (5, "late")]
    marks = await ask(
        connector, "SELECT m.ticket_id AS c0, m.tag AS c1, m.m AS c2 FROM marks AS m", is_scan=True
    )
    assert marks.rows == [(5, "late", 1), (5, "late", 2)]
    scores = await ask(
        connector, "SELECT s.ticket_id AS c0, s.score AS c1 FROM scores AS s", is_scan=True
    )
    assert scores.rows == [(5, 4), (5, 5)]
    await connector.close()


async def test_only_needed_fields_are_asked(api: Any) -> None:
    running, open_tables = api(lambda request: JSONResponse([]))
    connector = open_tables(
        {
            "t": {
                "get": "/t",
                "key": "id",
                "fields": {"send": "only"},
                "columns": {
                    "id": "bigint",
                    "a": {"type": "text", "path": "x.y"},
                    "b": "text",
                    "whole": {"type": "json", "path": "."},
                },
            },
            "inside": {
                "in": "t",
                "rows": "list.items",
                "columns": {"t_id": {"type": "bigint", "path": "^id"}, "v": "text"},
            },
        }
    )
    await ask(connector, "SELECT t.a AS c0 FROM t", is_scan=True)
    await ask(connector, "SELECT t.a AS c0, t.whole AS c1 FROM t", is_scan=True)
    await ask(connector, "SELECT i.v AS c0 FROM inside AS i", is_scan=True)
    assert running.targets == ["/v1/t?only=id%2Cx", "/v1/t", "/v1/t?only=id%2Clist"]
    await connector.close()


# -- routes ----------------------------------------------------------------------------------


async def test_the_cheapest_bound_path_is_taken(api: Any) -> None:
    def answer(request: Request) -> Response:
        return JSONResponse({"id": 7, "user_id": 1} if request.url.path.endswith("/7") else [])

    running, open_tables = api(answer)
    connector = open_tables(
        {
            "t": {
                "get": ["/t", "/users/{user_id}/t", {"path": "/t/{id}", "rows": "."}],
                "filters": {"user_id": {"in": {"send": "users", "max": 3}}},
                "columns": {"id": "bigint", "user_id": "bigint"},
            }
        },
    )
    sql = "SELECT t.id AS c0 FROM t WHERE t.user_id = ANY(:keys)"
    await ask(connector, sql, {"keys": [1]})
    await ask(connector, sql, {"keys": [1, 2, 3, 4]})
    both = sql + " AND t.id = :v"
    await ask(connector, both, {"keys": [1, 2], "v": 7})
    assert sorted(running.targets) == sorted(
        ["/v1/users/1/t", "/v1/t?users=1%2C2%2C3", "/v1/t?users=4", "/v1/t/7?users=1%2C2"]
    )
    with pytest.raises(RequestError) as caught:
        connector.compile(fragment("SELECT t.id AS c0 FROM t"))
    assert caught.value.code == "RV117"
    assert connector.compile(fragment("SELECT t.id AS c0 FROM t", is_scan=True))
    await connector.close()


async def test_a_path_without_a_scan_cannot_be_scanned(api: Any) -> None:
    _, open_tables = api(lambda request: JSONResponse([]))
    connector = open_tables({"t": {"get": "/u/{id}/t", "columns": {"id": "bigint"}}})
    with pytest.raises(RequestError) as caught:
        connector.compile(fragment("SELECT t.id AS c0 FROM t", is_scan=True))
    assert caught.value.code == "RV117"
    await connector.close()


async def test_values_are_sent_in_their_normal_form_and_compared_in_it(api: Any) -> None:
    rows = [{"id": 1, "email": "Ann@X.org"}, {"id": 2, "email": "other@x.org"}]
    running, open_tables = api(lambda request: JSONResponse(rows))
    connector = open_tables(
        {
            "t": {
                "get": "/t",
                "filters": {"email": {"eq": {"send": "mail", "normal_form": "lower"}}},
                "columns": {"id": "bigint", "email": "text"},
            }
        }
    )
    sql = "SELECT t.id AS c0 FROM t WHERE t.email = :v"
    assert (await ask(connector, sql, {"v": "ANN@x.org"})).rows == [(1,)]
    assert running.targets == ["/v1/t?mail=ann%40x.org"]
    await connector.close()


async def test_path_values_fill_what_the_answer_lacks(api: Any) -> None:
    def answer(request: Request) -> Response:
        user = request.url.path.split("/")[-2]
        return JSONResponse([{"id": int(user) * 10}])

    _, open_tables = api(answer)
    connector = open_tables(
        {"t": {"get": "/users/{user_id}/t", "columns": {"id": "bigint", "user_id": "bigint"}}}
    )
    sql = "SELECT t.id AS c0, t.user_id AS c1 FROM t WHERE t.user_id = ANY(:keys)"
    assert (await ask(connector, sql, {"keys": [3, 4]})).rows == [(30, 3), (40, 4)]
    await connector.close()


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a/b", "/v1/n/a%2Fb"),
        ("a?b=c#d", "/v1/n/a%3Fb%3Dc%23d"),
        ("a\r\nX: y", "/v1/n/a%0D%0AX%3A%20y"),
        ("ü%41", "/v1/n/%C3%BC%2541"),
        ("..", None),
        (".", None),
        ("../admin", None),
        ("x/..\\y", None),
        ("", None),
        ("a\0b", None),
        ("\ud800", None),
    ],
)
async def test_keys_cannot_leave_their_segment(api: Any, key: str, target: str | None) -> None:
    running, open_tables = api(lambda request: JSONResponse([]))
    connector = open_tables({"n": {"get": "/n/{name}", "columns": {"name": "text"}}})
    await ask(connector, "SELECT n.name AS c0 FROM n WHERE n.name = ANY(:keys)", {"keys": [key]})
    assert running.targets == ([] if target is None else [target])
    await connector.close()


async def test_more_calls_than_allowed_are_refused_before_the_first(api: Any) -> None:
    running, open_tables = api(lambda request: JSONResponse({}))
    connector = open_tables({"items": ITEMS}, Limits(calls=5))
    with pytest.raises(SourceError) as caught:
        await ask(
            connector,
            "SELECT i.id AS c0 FROM items AS i WHERE i.id = ANY(:keys)",
            {"keys": list(range(6))},
        )
    assert caught.value.code == "RV405"
    assert running.targets == []
    await connector.close()


async def test_not_found_is_no_rows_on_a_bound_path_only(api: Any) -> None:
    codes = iter([404, 410, 404, 410])
    _, open_tables = api(lambda request: JSONResponse({}, next(codes)))
    declared = {
        "items": {**ITEMS, "get": ["/items", {"path": "/items/{id}", "rows": "."}], "absent": [410]}
    }
    connector = open_tables(declared)
    bound = "SELECT i.id AS c0 FROM items AS i WHERE i.id = ANY(:keys)"
    assert (await ask(connector, bound, {"keys": [1]})).rows == []
    assert (await ask(connector, bound, {"keys": [1]})).rows == []
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
        assert caught.value.code == "RV403"
    await connector.close()


# -- pages -----------------------------------------------------------------------------------


def paged(page: dict[str, Any], rows: str = "rows") -> dict[str, dict[str, Any]]:
    return {"items": {**ITEMS, "get": "/items", "rows": rows, "page": page}}


@pytest.mark.parametrize(
    "page",
    [
        {"by": "offset", "send": "from", "size": {"send": "n", "max": 4}},
        {"by": "offset", "send": "from", "more": "more", "size": {"send": "n", "max": 4}},
        {"by": "page", "send": "page", "size": {"send": "n", "max": 4}},
        {"by": "page", "send": "page", "last": "pages", "size": {"send": "n", "max": 4}},
        {"by": "page", "send": "page", "more": "more", "size": {"send": "n", "max": 4}},
        {"by": "cursor", "send": "cursor", "next": "meta.next", "size": {"send": "n", "max": 4}},
    ],
    ids=lambda page: "-".join([page["by"], *sorted(set(page) & {"more", "last"})]),
)
@pytest.mark.parametrize("count", [0, 3, 4, 8, 10])
async def test_every_way_of_paging_reads_every_row_once(
    api: Any, page: dict[str, Any], count: int
) -> None:
    def answer(request: Request) -> Response:
        query = request.query_params
        size = int(query["n"])
        if "page" in query:
            start = (int(query["page"]) - 1) * size
        else:
            start = int(query.get("from", query.get("cursor", "0")))
        end = start + size
        return JSONResponse(
            {
                "rows": [{"id": at} for at in range(start, min(end, count))],
                "more": end < count,
                "pages": -(-count // size),
                "meta": {"next": str(end) if end < count else None},
            }
        )

    _, open_tables = api(answer)
    connector = open_tables(paged(page))
    answered = await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert answered.rows == [(at,) for at in range(count)]
    assert not answered.is_truncated
    await connector.close()


@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize(
    "page",
    [
        {"by": "offset", "send": "from"},
        {"by": "page", "send": "page"},
        {"by": "cursor", "send": "cursor", "next": "next"},
    ],
    ids=lambda page: page["by"],
)
async def test_the_same_page_twice_is_an_error(
    api: Any, page: dict[str, Any], has_key: bool
) -> None:
    running, open_tables = api(
        lambda request: JSONResponse({"rows": [{"id": 1}, {"id": 2}], "next": "again"})
    )
    declared = paged(page)
    if not has_key:
        declared["items"]["key"] = ()
    connector = open_tables(declared)
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert caught.value.code == "RV403"
    assert len(running.targets) <= 3
    await connector.close()


async def test_rows_that_move_between_pages_count_once(api: Any) -> None:
    pages = {None: [1, 2, 3], "3": [3, 4, 5], "6": []}
    _, open_tables = api(
        lambda request: JSONResponse(
            {"rows": [{"id": n} for n in pages[request.query_params.get("from")]]}
        )
    )
    connector = open_tables(paged({"by": "offset", "send": "from"}))
    answer = await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert [row[0] for row in answer.rows] == [1, 2, 3, 4, 5]
    await connector.close()


async def test_a_cursor_that_is_an_address_stays_a_value(api: Any) -> None:
    def answer(request: Request) -> Response:
        following = None if request.query_params.get("cursor") else "http://169.254.169.254/x"
        return JSONResponse({"rows": [{"id": len(request.url.query)}], "next": following})

    running, open_tables = api(answer)
    connector = open_tables(paged({"by": "cursor", "send": "cursor", "next": "next"}))
    await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert running.targets[1] == "/v1/items?cursor=http%3A%2F%2F169.254.169.254%2Fx"
    await connector.close()


async def test_paging_that_does_not_say_what_was_declared(api: Any) -> None:
    for page, document in (
        ({"by": "page", "send": "page", "last": "pages"}, {"rows": [{"id": 1}]}),
        ({"by": "cursor", "send": "c", "next": "next"}, {"rows": [{"id": 1}], "next": {"x": 1}}),
    ):
        _, open_tables = api(lambda request, document=document: JSONResponse(document))
        connector = open_tables(paged(page))
        with pytest.raises(SourceError) as caught:
            await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
        assert caught.value.code == "RV403"
        await connector.close()


async def test_reading_stops_at_the_row_cap(api: Any) -> None:
    running, open_tables = api(
        lambda request: JSONResponse(
            {"rows": [{"id": int(request.query_params.get("from", 0)) + at} for at in range(10)]}
        )
    )
    connector = open_tables(paged({"by": "offset", "send": "from"}))
    answer = await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True, row_cap=25)
    assert len(answer.rows) == 25
    assert answer.is_truncated
    assert len(running.targets) == 3
    await connector.close()


# -- what answers mean -----------------------------------------------------------------------


async def test_declared_failures_with_status_200(api: Any) -> None:
    documents = iter([{"ok": False, "rows": []}, {"ok": 0, "rows": []}, {"ok": True, "rows": []}])
    _, open_tables = api(lambda request: JSONResponse(next(documents)))
    declared = {"items": {**ITEMS, "rows": "rows", "fail_when": {"path": "ok", "is": False}}}
    connector = open_tables(declared)
    scan = "SELECT i.id AS c0 FROM items AS i"
    with pytest.raises(SourceError) as caught:
        await ask(connector, scan, is_scan=True)
    assert caught.value.code == "RV400"
    assert (await ask(connector, scan, is_scan=True)).rows == []
    assert (await ask(connector, scan, is_scan=True)).rows == []
    await connector.close()


@pytest.mark.parametrize(
    "document", ["text", 5, None, {"x": 1}, {"rows": None}, {"rows": {}}, {"rows": [1]}, []]
)
async def test_answers_of_another_shape(api: Any, document: Any) -> None:
    _, open_tables = api(lambda request: JSONResponse(document))
    connector = open_tables({"items": {**ITEMS, "rows": "rows"}})
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert caught.value.code == "RV403"
    await connector.close()


async def test_an_unchanged_answer_is_not_sent_again(api: Any) -> None:
    def answer(request: Request) -> Response:
        etag = f'"{request.url.path}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304)
        return JSONResponse([{"id": 1, "n": "x"}], headers={"etag": etag})

    running, open_tables = api(answer)
    connector = open_tables({"items": {**ITEMS, "get": "/items/{id}"}})
    sql = "SELECT i.n AS c0 FROM items AS i WHERE i.id = ANY(:keys)"
    for _ in range(3):
        assert (await ask(connector, sql, {"keys": [1]})).rows == [("x",)]
    sent = [request.headers.get("if-none-match") for request in running.requests]
    etag = f'"/{running.name}/v1/items/1"'
    assert sent == [None, etag, etag]
    with pytest.raises(SourceError) as caught:
        await ask(connector, sql, {"keys": [2]})
    assert "not asked for" in caught.value.message
    assert running.requests[-1].headers.get("if-none-match") is None
    await connector.close()


async def test_a_304_that_nobody_asked_for_is_no_answer(api: Any) -> None:
    _, open_tables = api(lambda request: Response(status_code=304))
    connector = open_tables({"items": ITEMS})
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert caught.value.code == "RV403"
    await connector.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_source_is_asked_again_within_the_deadline(api: Any, status: int) -> None:
    codes = iter([status, status])

    def answer(request: Request) -> Response:
        code = next(codes, 200)
        return JSONResponse([{"id": 1}], code, {"retry-after": "0"} if code == 429 else {})

    running, open_tables = api(answer)
    connector = open_tables({"items": ITEMS})
    answered = await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    assert answered.rows == [(1,)]
    assert answered.calls == len(running.targets) == 3
    await connector.close()


async def test_a_closed_gate_holds_every_call_of_the_source(api: Any) -> None:
    running, open_tables = api(lambda request: JSONResponse([], 429, {"retry-after": "60"}))
    connector = open_tables({"items": ITEMS})
    call = connector.compile(fragment("SELECT i.id AS c0 FROM items AS i WHERE i.id = ANY(:keys)"))
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(SourceError) as caught:
            await connector.rows(call, {"keys": [1]}, Deadline.after(5))
        assert caught.value.code == "RV406"
    assert len(running.targets) == 1
    assert time.monotonic() - started < 1
    await connector.close()


def test_retry_after_in_every_form() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_seconds({"retry-after": "7"}, RetryAfter()) == 7
    assert retry_seconds({}, RetryAfter()) is None
    assert retry_seconds({"retry-after": "soon"}, RetryAfter()) is None
    dated = retry_seconds({"retry-after": format_datetime(soon, usegmt=True)}, RetryAfter())
    assert dated is not None
    assert 25 < dated <= 30
    declared = RetryAfter(header="X-Reset", format="epoch_s")
    epoch = retry_seconds({"x-reset": str(int(soon.timestamp()))}, declared)
    assert epoch is not None
    assert 25 < epoch <= 30
    assert retry_seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, RetryAfter()) == 0


async def test_every_call_carries_what_was_declared_and_nothing_else(api: Any) -> None:
    running, open_tables = api(
        lambda request: JSONResponse([], headers={"set-cookie": "session=1; Path=/"})
    )
    declared = {"items": {**ITEMS, "headers": {"X-Version": "2", "Authorization": "mine"}}}
    connector = open_tables(declared, auth={"basic": {"user": "u", "password": "${env:TOKEN}"}})
    for _ in range(2):
        await ask(connector, "SELECT i.id AS c0 FROM items AS i", is_scan=True)
    headers = running.requests[-1].headers
    assert headers["x-version"] == "2"
    assert headers["authorization"].startswith("Basic ")
    assert headers["accept"] == "application/json"
    assert headers["host"].startswith("127.0.0.1:")
    assert "cookie" not in headers
    assert {request.method for request in running.requests} == {"GET"}
    await connector.close()


async def test_one_failing_call_ends_the_others(api: Any) -> None:
    def answer(request: Request) -> Response:
        status = 500 if request.url.path.endswith("/3") else 200
        return JSONResponse([], status)

    running, open_tables = api(answer)
    connector = open_tables({"items": {**ITEMS, "get": "/items/{id}"}}, Limits(concurrency=2))
    with pytest.raises(SourceError) as caught:
        await ask(
            connector,
            "SELECT i.id AS c0 FROM items AS i WHERE i.id = ANY(:keys)",
            {"keys": list(range(40))},
        )
    assert caught.value.code == "RV400"
    assert len(running.targets) < 20
    await connector.close()


# -- connection ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "file:///etc/passwd",
        "http://user:pass@host/",
        "http://host/?a=b",
        "http://host/#x",
        "http:///path",
        "host/path",
        "http://host:99999/",
        "http://host/a/../b",
        "http://host/ü",
    ],
)
def test_a_base_url_is_scheme_host_and_path(url: str) -> None:
    with pytest.raises(CatalogError) as caught:
        opened(world.source("api", "rest", {"base_url": url}, {}))
    assert "base_url" in str(caught.value)
    assert "pass" not in str(caught.value).replace("path", "")


@pytest.mark.parametrize(
    "auth", [{"bearer": "a\r\nX: y"}, {"bearer": ""}, {"magic": "x"}, {"bearer": "a", "basic": {}}]
)
def test_an_auth_that_cannot_be_meant_is_refused(auth: dict[str, Any]) -> None:
    with pytest.raises(CatalogError):
        opened(world.source("api", "rest", {"base_url": "http://host/", "auth": auth}, {}))


async def test_large_answers_in_parallel_stay_in_order(api: Any) -> None:
    def answer(request: Request) -> Response:
        number = int(request.url.path.rsplit("/", 1)[1])
        body = json.dumps([{"id": number, "n": "x" * 10_000}])
        return Response(body, media_type="application/vnd.api+json; charset=utf-8")

    _, open_tables = api(answer)
    connector = open_tables({"items": {**ITEMS, "get": "/items/{id}"}}, Limits(concurrency=4))
    call = connector.compile(fragment("SELECT i.id AS c0 FROM items AS i WHERE i.id = ANY(:keys)"))
    answers = await asyncio.gather(
        *(
            connector.rows(call, {"keys": [at, at + 1, at + 2]}, Deadline.after(10))
            for at in range(8)
        )
    )
    for at, one in enumerate(answers):
        assert [row[0] for row in one.rows] == [at, at + 1, at + 2]
    await connector.close()
