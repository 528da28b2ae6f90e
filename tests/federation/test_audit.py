"""Proves that whoever is shown anything is on record, whichever door it came through."""

from __future__ import annotations

from typing import Any

import pytest
from tests.federation.conftest import World

from roundview_catalog.errors import AccessError, RequestError, RoundviewError
from roundview_federation.audit.reading import records
from roundview_federation.federation import Federation
from roundview_federation.plan import Identifier
from roundview_federation.request import Principal, Request
from roundview_federation.reveal import reveal
from roundview_graphql.door import Ask, Door

PHONE = Identifier("phone", "0171/3920042")
NAME = (
    'query { customer(by: {phone: "0171/3920042"}) { fullName salesOrder { nodes { status } } } }'
)


async def recorded(federation: Federation, after: int = 0) -> list[dict[str, Any]]:
    """Returns the records behind a number; those of questions before are on disk then."""
    log = federation.audit_log
    await log.keep({"is": "mark"})
    return [one for one in records(log.place.folder) if one["number"] > after]


async def last(federation: Federation) -> int:
    """Returns the number of the last record."""
    number: int = (await recorded(federation))[-1]["number"]
    return number


async def rows(world: World, text: str) -> list[tuple[Any, ...]]:
    """Returns the rows that answer a SQL question."""
    async with await world.connection.sql(text) as found:
        return await found.rows()


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Returns the records of one kind."""
    return [one for one in told if one["is"] == kind]


def shapes(told: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns what was asked for, by reference."""
    return {one["shape"]: one for one in of(told, "shape")}


async def test_a_view_says_who_asked_why_of_whom_for_what(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    request = Request(federation.principal, reason="ticket 4711")
    _, result = await federation.customer(PHONE, request)
    (intent,) = of(await recorded(federation, before), "intent")
    (outcome,) = of(await recorded(federation, before), "outcome")
    assert (intent["actor"], intent["roles"], intent["purpose"]) == ("demo", ["demo"], "service")
    assert (intent["reason"], intent["by"]) == ("ticket 4711", ["phone"])
    assert intent["policy"] == federation.catalog.version
    customer = result.found["customer"][0].customer_id
    assert customer is not None
    assert len(intent["who"]) == 1
    assert intent["who"][0] != customer
    shape = shapes(await recorded(federation))[intent["shape"]]
    assert {"sales_order", "individual", "customer"} <= shape["fields"].keys()
    assert "grand_total" in shape["fields"]["sales_order"]
    assert shape["sources"] == ["crm", "mail", "pos", "support"]
    assert (outcome["id"], outcome["status"]) == (intent["id"], "ok")
    assert {one.name: [one.status, one.rows] for one in result.sources} == outcome["sources"]
    assert "Vogt" not in str(await recorded(federation))


async def test_every_door_leaves_a_record_of_the_same_customer(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    view = await world.connection.customer(phone=PHONE.value)
    assert view is not None
    answer = await Door(federation).answer(Ask(NAME), Request(federation.principal))
    assert answer.body["data"]["customer"]["fullName"] == "Leonie Vogt"
    text = f"SELECT full_name FROM customer WHERE customer_id = '{view.customer_id}'"
    assert await rows(world, text) == [("Leonie Vogt",)]
    told = of(await recorded(federation, before), "intent")
    assert [one["question"] for one in told] == ["view", "view", "sql"]
    assert len({tuple(one["who"]) for one in told}) == 1
    assert not any(one.get("many") for one in told)
    ended = of(await recorded(federation, before), "outcome")
    assert [one["status"] for one in ended] == ["ok"] * 3
    assert ended[-1]["rows"] == 1


async def test_sql_that_looks_up_names_whom_and_a_scan_says_that_it_is_one(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    text = (
        "SELECT o.status FROM lookup('phone', '0171/3920042') AS l"
        " JOIN sales_order AS o ON o.customer_id = l.customer_id"
    )
    await rows(world, text)
    told = of(await recorded(federation, before), "intent")
    assert sorted(one["question"] for one in told) == ["sql", "view"]
    assert len({one["trace"] for one in told}) == 1
    assert [one["who"] for one in told if one["question"] == "view"] != [[]]
    assert not any(one.get("many") for one in told)
    before = await last(federation)
    await rows(world, "SELECT count(*) FROM sales_order")
    (scan,) = of(await recorded(federation, before), "intent")
    assert scan["many"]
    assert "who" not in scan


async def test_a_revealed_field_is_named(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    request = Request(federation.principal, reason="asked for by the customer")
    await reveal(federation, PHONE, ("individual", "birth_date"), request)
    (intent,) = of(await recorded(federation, before), "intent")
    assert (intent["reveals"], intent["reason"]) == ("individual.birth_date", request.reason)
    assert len(intent["who"]) == 1


async def test_explain_with_analyze_is_a_question_too(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    await world.connection.explain_sql("SELECT count(*) FROM sales_order", analyze=True)
    assert len(of(await recorded(federation, before), "intent")) == 1


async def test_refused_and_failed_questions_are_on_record(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    stranger = Principal("stranger", ("demo",), purposes=("service",))
    with pytest.raises(AccessError):
        await federation.customer(PHONE, Request(stranger, purpose="marketing"))
    with pytest.raises(RoundviewError):
        await rows(world, "SELECT 1 / (row_number() OVER () - 1) FROM sales_order")
    told = await recorded(federation, before)
    (refused,) = of(told, "refused")
    assert (refused["actor"], refused["code"]) == ("stranger", "RV301")
    (failed,) = of(told, "outcome")
    assert (failed["status"], failed["code"]) == ("failed", "RV131")


async def test_impossible_questions_show_nothing_and_leave_nothing(world: World) -> None:
    federation = world.connection.federation
    before = await last(federation)
    with pytest.raises(RequestError):
        await world.connection.customer(phone="abc")
    assert of(await recorded(federation, before), "intent") == []


async def test_without_a_record_nothing_is_shown(own_world: World) -> None:
    federation = own_world.connection.federation
    await recorded(federation)
    segment = max(federation.audit_log.place.folder.glob("*.log"))
    aside = segment.rename(segment.with_suffix(".aside"))
    with pytest.raises(AccessError) as refused:
        await own_world.connection.customer(phone=PHONE.value)
    assert refused.value.code == "RV310"
    with pytest.raises(AccessError):
        await own_world.connection.sql("SELECT count(*) FROM sales_order")
    answer = await Door(federation).answer(Ask(NAME), Request(federation.principal))
    assert answer.status == 503
    assert "data" not in answer.body
    aside.rename(segment)
    assert await own_world.connection.customer(phone=PHONE.value) is not None
