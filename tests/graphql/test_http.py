"""How GraphQL travels over HTTP, what the door does not show, and what it refuses."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query

_TEXT = '{customer(by: {email: "ann@example.com"}) {givenName}}'
_GRAPHQL = "application/graphql-response+json"
_ID = "sha256:" + hashlib.sha256(_TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (_GRAPHQL, _GRAPHQL),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (f"{_GRAPHQL}, application/json;q=0.9", _GRAPHQL),
        (f"{_GRAPHQL};q=0.1, application/json", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
async def test_media_types_are_negotiated(call: Any, accept: str, media: str) -> None:
    response = await call.post({"query": _TEXT}, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_other_media_types_are_not_acceptable(call: Any) -> None:
    assert (await call.post({"query": _TEXT}, accept="text/html")).status_code == 406


@pytest.mark.parametrize(
    "text", ["{", "{nothing}", "query($by: CustomerBy!) {customer(by: $by) {customerId}}"]
)
async def test_mistakes_in_documents_have_the_status_that_clients_expect(
    call: Any, text: str
) -> None:
    for accept, status in ((_GRAPHQL, 400), ("*/*", 400), ("application/json", 200)):
        response = await call.post({"query": text}, accept=accept)
        assert response.status_code == status
        assert "data" not in response.json()
        assert response.json()["errors"][0]["extensions"]["rv"].startswith("RV1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'[{"query": "{__typename}"}]',
        b'"{__typename}"',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{__typename}", "variables": []}',
        b'{"query": "{__typename}", "variables": "{}"}',
        b'{"query": "{__typename}", "operationName": 1}',
        b'{"query": "{__typename}", "extensions": 1}',
        b'{"query": "{__typename}", "documentId": "x"}',
        b'{"documentId": "sha256:abc"}',
        b'{"query": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"query": "{__typename}", "variables": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"query": "{__typename}", "variables": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
        b'{"query": "{__typename}", "variables": {"a": [' + b"1," * 20_001 + b"1]}}",
    ],
)
async def test_bodies_that_are_no_request_are_400(call: Any, body: bytes) -> None:
    response = await call.client.post(
        "/graphql", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 400
    assert "data" not in response.json()


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
        "application/graphql",
        "",
    ],
)
async def test_only_json_in_utf8_is_read(call: Any, media: str) -> None:
    response = await call.client.post(
        "/graphql", content=b'{"query": "{__typename}"}', headers={"content-type": media}
    )
    assert response.status_code == 415


async def test_large_bodies_are_refused_declared_or_not(call: Any) -> None:
    headers = {"content-type": "application/json"}
    declared = await call.client.post("/graphql", content=b" " * 2_000_001, headers=headers)

    async def parts() -> Any:
        for _ in range(3):
            yield b" " * 1_000_000

    streamed = await call.client.post("/graphql", content=parts(), headers=headers)
    assert (declared.status_code, streamed.status_code) == (413, 413)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_other_methods_are_not_allowed(call: Any, method: str) -> None:
    response = await call.client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_get_takes_only_persisted_documents(memory: Any, make_caller: Any) -> None:
    call = make_caller(memory, {_ID: _TEXT})
    refused = await call.client.get("/graphql", params={"query": _TEXT})
    assert refused.status_code == 400
    plain = await call.client.get("/graphql", headers={"accept": "text/html,*/*"})
    assert plain.status_code == 400
    assert "<" not in plain.text
    known = await call.client.get("/graphql", params={"documentId": _ID})
    assert known.json()["data"] == {"customer": {"givenName": "Ann"}}


async def test_persisted_documents_are_asked_by_id(memory: Any, make_caller: Any) -> None:
    call = make_caller(memory, {_ID: _TEXT})
    response = await call.post({"documentId": _ID})
    assert response.json()["data"] == {"customer": {"givenName": "Ann"}}
    other = await call.post({"documentId": "sha256:" + "0" * 64})
    assert other.status_code == 400
    assert other.json()["errors"][0]["extensions"]["code"] == "UNKNOWN_NAME"


async def test_the_schema_is_readable_text(call: Any) -> None:
    response = await call.client.get("/graphql/schema")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "type Customer {" in response.text
    assert "http" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_introspection_gives_the_whole_schema(call: Any) -> None:
    answer = await call(get_introspection_query(descriptions=True))
    assert build_client_schema(answer["data"]).get_type("SalesOrderPage") is not None


async def test_introspection_beside_data_is_answered(call: Any) -> None:
    text = _TEXT[:-1] + ' t: __type(name: "Customer") {name}}'
    answer = await call(text)
    assert answer["data"] == {"customer": {"givenName": "Ann"}, "t": {"name": "Customer"}}
    assert answer["extensions"]["complete"] is True


async def test_without_introspection_names_are_neither_told_nor_suggested(
    memory: Any, make_caller: Any
) -> None:
    call = make_caller(memory, {}, introspection=False)
    for text in (
        "{__schema {queryType {name}}}",
        '{x: __type(name: "Customer") {name}}',
        "{...F} fragment F on Query {__schema {queryType {name}}}",
    ):
        answer = await call(text)
        assert answer["errors"][0]["extensions"]["code"] == "UNSUPPORTED"
    for text in (
        _TEXT.replace("givenName", "givenNam"),
        _TEXT.replace("email", "emai"),
        "query($a: CustomerB) {__typename}",
        '{customer(bye: {email: "a@b.de"}) {givenName}}',
    ):
        answer = await call(text)
        assert "Did you mean" not in answer["errors"][0]["message"]
    assert (await call("{__typename}"))["data"] == {"__typename": "Query"}


async def test_introspection_that_is_allowed_suggests(call: Any) -> None:
    answer = await call(_TEXT.replace("givenName", "givenNam"))
    assert "Did you mean" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query($by: CustomerBy!) {customer(by: $by) {customerId}}", {"by": {"phone": "SECRET"}}),
        ("query($by: CustomerBy!) {customer(by: $by) {customerId}}", {"by": {"email": "SECRET"}}),
        ("query($by: CustomerBy!) {customer(by: $by) {customerId}}", {"by": "SECRET"}),
        ("query($by: CustomerBy!) {customer(by: $by) {customerId}}", {"by": {"SECRET": "x"}}),
        ('{customer(by: {phone: "SECRET"}) {customerId}}', {}),
        ("{customer(by: {email: SECRET}) {customerId}}", {}),
        (_TEXT.replace("givenName", 'salesOrder(first: "SECRET") {complete}'), {}),
        (
            _TEXT.replace("givenName", "salesOrder(where: {status: {eq: SECRET}}) {complete}"),
            {},
        ),
        (
            _TEXT.replace("givenName", 'salesOrder(where: {items: {eq: "SECRET"}}) {complete}'),
            {},
        ),
    ],
)
async def test_errors_never_repeat_values(call: Any, text: str, variables: dict[str, Any]) -> None:
    response = await call.post({"query": text, "variables": variables})
    assert response.status_code == 400
    assert "SECRET" not in response.text


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    "phone", ["030 1234567", "+49 (0)30 1234567", "0049-30-1234567", "０３０ １２３４５６７"]
)
async def test_identifiers_are_taken_in_any_spelling(call: Any, memory: Any, phone: str) -> None:
    text = "query($by: CustomerBy!) {customer(by: $by) {customerId}}"
    assert (await call(text, {"by": {"phone": phone}}))["data"] == {"customer": None}
    assert len(memory.asked) == 1


@pytest.mark.parametrize(
    "by",
    [
        {},
        {"email": "ann@example.com", "phone": "030 1234567"},
        {"email": None},
        {"email": "ann@example.com", "phone": None},
        {"email": ""},
        {"email": "ann\u0000@example.com"},
        {"email": "%"},
        {"email": ["ann@example.com"]},
        {"phone": "1" * 1_000},
        {"phone": "' OR 1=1 --"},
        {"phone": True},
        {"orderNumber": "x" * 1_000_000},
        {"orderNumber": "\u202e"},
        {"shoeSize": "42"},
        None,
        "ann@example.com",
    ],
)
async def test_identifiers_that_cannot_be_are_400(call: Any, memory: Any, by: Any) -> None:
    response = await call.post(
        {
            "query": "query($by: CustomerBy!) {customer(by: $by) {customerId}}",
            "variables": {"by": by},
        }
    )
    assert response.status_code == 400
    assert memory.asked == []


async def test_literals_obey_the_same_rules(call: Any) -> None:
    for by in ("{}", '{email: "a@b.de", phone: "030 1234567"}', "{email: null}"):
        response = await call.post({"query": f"{{customer(by: {by}) {{customerId}}}}"})
        assert response.status_code == 400


async def test_operations_are_chosen_by_name(call: Any) -> None:
    text = f"query A {_TEXT} query B {{__typename}}"
    assert (await call(text, operationName="B"))["data"] == {"__typename": "Query"}
    assert "data" not in await call(text)
    assert "data" not in await call(text, operationName="C")


async def test_mutations_and_subscriptions_do_not_exist(call: Any) -> None:
    for kind in ("mutation", "subscription"):
        assert "data" not in await call(f"{kind} {{customerChanged {{customerId}}}}")


async def test_our_faults_are_told_by_number_only(
    memory: Any, make_caller: Any, caplog: pytest.LogCaptureFixture
) -> None:
    memory.raising = ValueError("password=hunter2 at db.internal")
    with caplog.at_level(logging.ERROR):
        response = await make_caller(memory, {}).post({"query": _TEXT})
    assert response.status_code == 500
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    number = error["message"].removeprefix("internal error ")
    assert number in caplog.text
    assert "hunter2" not in response.text + caplog.text


async def test_a_reload_changes_the_schema_and_fails_nobody(
    memory: Any, make_caller: Any, with_messages: Any
) -> None:
    call = make_caller(memory, {})
    assert (await call(_TEXT))["data"]
    text = '{customer(by: {email: "ann@example.com"}) {message {nodes {body}}}}'
    assert "data" not in await call(text)
    memory.catalog = with_messages
    assert (await call(_TEXT))["data"] == {"customer": {"givenName": "Ann"}}
    await call.client.get("/graphql/schema")
    answer = await call(text)
    assert answer["data"]["customer"] == {"message": {"nodes": []}}


async def test_a_catalog_that_graphql_cannot_name_leaves_the_schema_before(
    memory: Any, make_caller: Any, with_messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    call = make_caller(memory, {})
    assert (await call(_TEXT))["data"]
    entities = dict(with_messages.canonical.entities)
    entities["page_info"] = replace(entities["message"], name="page_info")
    canonical = replace(with_messages.canonical, entities=entities)
    before, memory.catalog = memory.catalog, replace(with_messages, canonical=canonical)
    with caplog.at_level(logging.ERROR):
        text = (await call.client.get("/graphql/schema")).text
    assert "PageInfo" in caplog.text
    assert "type Message " not in text
    memory.catalog = before
    assert (await call(_TEXT))["data"]


async def test_principals_with_other_rules_have_other_schemas(
    memory: Any, make_caller: Any
) -> None:
    call = make_caller(memory, {})
    assert (await call(_TEXT))["data"]
    memory.hidden = {"individual": frozenset({"given_name"})}
    answer = await call(_TEXT)
    assert "data" not in answer
    assert "givenName" not in (await call.client.get("/graphql/schema")).text
    memory.principal = replace(memory.principal, roles=("other",))
    assert "data" not in await call(_TEXT)
