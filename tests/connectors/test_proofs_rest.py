"""Proves that each declared path, filter and projection of an API is called, and told as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.connectors.opening import Places
from tests.connectors.proving import about, at, proven, refuted
from tests.connectors.rest_app import serving

from roundview_federation.live import Proven

Prove = Callable[..., Any]
MAPPINGS = """
entities:
  individual:
    from: people p
    fields: {full_name: p.name}
  sales_order:
    from: orders o
    person: o.person_id
    fields: {order_number: o.number, ordered_at: o.made}
"""
PEOPLE = """
  people:
    get: [/people, {path: "/people/{id}", rows: "."}]
    rows: items
    page: {by: page, send: page, last: meta.pages, size: {send: size, max: 100}}
    key: id
    fields: {send: fields}
    filters: {id: {in: {send: ids, max: 100}}, email: {eq: email}}
    columns: {id: bigint, name: text, email: text}
"""
ORDERS = """
  orders:
    get: [/orders, "/people/{person_id}/orders"]
    rows: data
    page: {by: cursor, send: after, next: next}
    key: id
    order: id
    filters: {person_id: {in: {send: person_ids, max: 100}}, status: {eq: status}}
    columns:
      id: bigint
      person_id: bigint
      status: text
      number: {type: text, path: id}
      made: {type: timestamptz, path: lines}
"""


@pytest.fixture
def prove(places: Places, tmp_path: Path) -> Prove:
    """Returns `prove(tables, facts)`: what is known of the world's API under some tables."""

    async def run(tables: str, facts: str = "", port: int = 0, **options: Any) -> Proven:
        head = (
            "source: shop\nconnector: rest\nconnection:\n"
            f"  base_url: http://127.0.0.1:{port or places.rest_port}/api\n"
            "  private: true\n  auth: {bearer: '${env:TOKEN}'}\n"
            f"{facts and 'facts: '}{facts}\ntables:\n"
        )
        return await proven(tmp_path, head + tables + MAPPINGS, **options)

    return run


def orders(**changes: str) -> str:
    """Returns the orders with some lines changed; `made` is a text that nobody misreads."""
    text = ORDERS.replace("{type: timestamptz, path: lines}", "timestamptz")
    for before, after in changes.items():
        line = next(one for one in text.splitlines() if one.strip().startswith(f"{before}:"))
        text = text.replace(line, f"{line.partition(before)[0]}{after}" if after else "")
    return text


async def test_what_an_api_does_is_proved(prove: Prove, places: Places) -> None:
    found = await prove(PEOPLE + orders())
    assert refuted(found) == []
    for claim in (
        "/people answers",
        "/people/{id} answers",
        "/people/{person_id}/orders answers",
        "/orders answers",
        "people is filtered by id (in)",
        "people is filtered by email (eq)",
        "orders is filtered by person_id (in)",
        "orders is filtered by status (eq)",
        "people can be asked for some fields only",
        "rows of shop.individual are found by people.id",
        "rows of shop.sales_order are found by orders.person_id",
        "nothing can be written",
    ):
        assert about(found, claim).verdict == "proved", str(about(found, claim))
    assert about(found, "people is unique by id").verdict == "not refuted"
    assert about(found, "rows of orders come in the order id").verdict == "not refuted"
    # A column that is never sent may be a mistake, or only empty.
    assert about(found, "orders.made is sent").verdict == "cannot be proved"


WRONG = [
    (PEOPLE.replace("eq: email", "eq: mail"), orders(), "people is filtered by email (eq)",
     "eq: mail", "that nobody asked for"),
    (PEOPLE.replace("get: [/people,", "get: [/peoples,"), orders(), "/peoples answers",
     "/peoples", "RV403"),
    (PEOPLE.replace("key: id", "key: email"), orders(), "people is unique by email", "key: email",
     "rows have no key"),
    (PEOPLE.replace("name: text", "name: bigint"), orders(), "people.name is bigint",
     "name: bigint", "are none"),
    (PEOPLE.replace("email: text", "email: {type: text, nullable: false}"), orders(),
     "people.email is never NULL", "email: {type", "are missing"),
    (PEOPLE, orders(order="order: -id"), "rows of orders come in the order -id", "order: -id",
     "they do not"),
    (PEOPLE, orders().replace("key: id", "key: id\n    fields: {send: status}"),
     "orders can be asked for some fields only", "fields: {send: status}", "other values"),
    (PEOPLE.replace('{path: "/people/{id}", rows: "."}', '{path: "/people/{id}/orders", rows: data}'),
     orders(), "/people/{id}/orders answers", "{path", "did not come back"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("people", "others", "claim", "place", "seen"), WRONG, ids=[one[2] for one in WRONG]
)
async def test_what_an_api_does_not_do_is_refuted_at_its_place(
    prove: Prove, tmp_path: Path, people: str, others: str, claim: str, place: str, seen: str
) -> None:
    found = await prove(people + others)
    wrong = about(found, claim)
    assert wrong.verdict == "refuted", str(wrong)
    assert at(tmp_path, wrong).startswith(place), str(wrong)
    assert seen in wrong.seen
    assert "@Example.org" not in str(found)


async def test_claims_about_an_api_are_followed(prove: Prove) -> None:
    facts = """{
      people.email: {unique: true, normal_form: lower}, people.id: {unique: true},
      orders.person_id: {references: people.id}, orders.id: {references: people.id},
      orders.status: {domain: [open, closed, returned]}}"""
    found = await prove(PEOPLE + orders(), facts)
    assert about(found, "people.email is unique").verdict == "not refuted"
    assert about(found, "orders.person_id references").verdict == "not refuted"
    assert about(found, "orders.status is one of").verdict == "not refuted"
    # Addresses of this world begin with a capital, and there are more orders than people.
    assert refuted(found) == ["people.email values have the form lower"]


def _events(request: Request) -> JSONResponse:
    rows = [{"id": at, "person_id": at % 5, "made": f"2025-01-{1 + at % 28:02}T00:00:00Z"}
            for at in range(100)]  # fmt: skip
    since = request.query_params.get("since")
    until = request.query_params.get("until")
    if since:
        rows = [row for row in rows if str(row["made"])[:10] >= since[:10]]
    if until:
        rows = rows[:3]
    if "after" in request.query_params:
        rows = []
    return JSONResponse(rows)


@pytest.fixture(scope="module")
def events_port() -> Iterator[int]:
    """Serves events that can be asked for since a time; `until` loses most of them."""
    with serving(Starlette(routes=[Route("/api/orders", _events)])) as port:
        yield port


async def test_filters_by_range_must_miss_nothing(prove: Prove, events_port: int) -> None:
    tables = """
  people: {get: /people, key: id, columns: {id: bigint, name: text}}
  orders:
    get: /orders
    key: id
    filters: {made: {ge: since, le: until}}
    columns: {id: bigint, person_id: bigint, number: {type: text, path: id}, made: timestamptz}
"""
    found = await prove(tables, port=events_port)
    assert about(found, "orders is filtered by made (ge)").verdict == "not refuted"
    assert about(found, "orders is filtered by made (le)").verdict == "refuted"
    # There is no such path: whether people have such a list is the catalog's claim.
    assert about(found, "/people answers").verdict == "refuted"
