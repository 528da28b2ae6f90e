"""What needs consent is shown of those only who agreed, and of nobody where that is not known."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.federation.conftest import World
from tests.federation.naive import Rules
from tests.federation.ruled import CONSENT, RuledEstate, principal

from roundview.demo import support
from roundview.view import view_of
from roundview_catalog.errors import RequestError
from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Found, Result
from roundview_federation.sql.consenting import AGREED, concerned
from roundview_federation.whole import LOOKUP
from roundview_graphql.door import Ask, Door

EVERYONE = principal(("everyone",))
MARKETING = Request(EVERYONE, "marketing", timeout_seconds=20, allow_scan=True)


@pytest.fixture(scope="module")
async def deaf(
    world: World, ruled: RuledEstate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Federation]:
    """Returns the estate with a mail system whose consents cannot be read."""
    directory = tmp_path_factory.mktemp("deaf")
    for name in ("crm.db", "pos.db"):
        os.link(world.estate.directory / name, directory / name)
    shutil.copytree(world.estate.directory / "mail", directory / "mail")
    for part in (directory / "mail").glob("subscriber*/*/part.parquet"):
        part.write_bytes(b"nothing")
    shutil.copytree(ruled.federation.root, directory / "catalog")
    shutil.copytree(ruled.federation.root.parent / "identity", directory / "identity")
    process = world.support
    env = {
        **world.estate.env,
        "ROUNDVIEW_DEMO": str(directory),
        "SUPPORT_URL": process.url,
        support.TOKEN_VARIABLE: process.token,
    }
    federation = Federation.open(
        directory / "catalog",
        data_dir=directory / "identity",
        secret=world.estate.directory / "secret",
        env=env,
    )
    yield federation
    await federation.close()


async def listed(
    federation: Federation, entity: str, columns: tuple[str, ...], customers: Sequence[str],
    request: Request = MARKETING,
) -> list[list[tuple[Any, ...]]]:  # fmt: skip
    """Returns the rows of each customer."""
    section = Section("s", entity, selecting(entity, columns), "c")
    question = Question(f"consent {entity} {columns}", (Lookup("c"),), (section,))
    who = [Identifier("customer_id", one) for one in customers]
    groups = (await federation.run(question, {"c": who}, request)).outputs["s"].groups
    return [
        [row[len(ROW_HEAD) :] for row in groups[at].rows] if at in groups else []
        for at in range(len(customers))
    ]


async def told(federation: Federation, text: str, request: Request = MARKETING) -> list[Any]:
    """Returns the rows of a question in SQL."""
    table = await (await federation.sql(text, request)).table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def agreed(ruled: RuledEstate) -> frozenset[str]:
    """Returns who agreed, by plain SQL over all consents."""
    rows = ruled.naive.scanned("consent", (), CONSENT.agreed(), [Rules()], {})
    return frozenset(row[0] for row in rows)


@pytest.mark.row("C19")
async def test_addresses_are_those_of_people_who_agreed(ruled: RuledEstate) -> None:
    who = agreed(ruled)
    assert 5 < len(who) < len(ruled.customers) - 5
    text = "SELECT DISTINCT customer_id FROM contact_point_email WHERE customer_id IS NOT NULL"
    everybody = {
        one for (one,) in await told(ruled.federation, text, replace(MARKETING, purpose="service"))
    }
    assert {one for (one,) in await told(ruled.federation, text)} == everybody & who
    lists = await listed(ruled.federation, "contact_point_email", ("domain",), ruled.customers)
    found = {one for one, rows in zip(ruled.customers, lists, strict=True) if rows}
    assert found == everybody & who & set(ruled.customers)


async def test_what_depends_on_withheld_values_is_withheld_too(ruled: RuledEstate) -> None:
    who = agreed(ruled)
    for text in (
        "SELECT customer_id FROM contact_point_phone WHERE phone_e164 IS NOT NULL",
        "SELECT customer_id FROM individual WHERE birth_date < '2100-01-01'",
        "SELECT customer_id FROM customer WHERE email IS NOT NULL",
        "SELECT customer_id FROM contact_point_phone GROUP BY customer_id, phone_e164 "
        "HAVING count(phone_e164) > 0",
        "SELECT a.customer_id FROM contact_point_phone a JOIN contact_point_phone b "
        "ON a.phone_e164 = b.phone_e164",
    ):
        found = {one for (one,) in await told(ruled.federation, text) if one is not None}
        assert found, text
        assert found <= who, text


async def test_of_a_customer_without_consent_the_rest_is_shown(
    world: World, ruled: RuledEstate
) -> None:
    who = agreed(ruled)
    without = next(one for one in ruled.customers if one not in who)
    identifier = Identifier("customer_id", without)
    _, result = await ruled.federation.customer(identifier, MARKETING)
    assert result.found[LOOKUP][0].customer_id == without
    names = ("given_name", "birth_date", "email")
    section = Section("customer", "customer", selecting("customer", names), "c")
    question = Question("without", (Lookup("c"),), (section,))
    service = replace(MARKETING, purpose="service")

    async def seen(request: Request) -> tuple[Any, ...]:
        answer = await ruled.federation.run(question, {"c": [identifier]}, request)
        return answer.outputs["customer"].groups[0].rows[0][-3:]

    assert (await seen(MARKETING))[1:] == (None, None)
    assert (await seen(MARKETING))[0] == (await seen(service))[0]


async def test_a_withheld_number_finds(world: World, ruled: RuledEstate) -> None:
    """Whoever is found by a number is found, agreed or not: nothing of them is shown for it."""
    for spelling in world.heroine["phone"]:
        result: Result
        _, result = await ruled.federation.customer(Identifier("phone", spelling), MARKETING)
        (found,) = result.found[LOOKUP]
        assert found.customer_id is not None
        text = "SELECT customer_id FROM lookup('phone', '+491713920042')"
        assert await told(ruled.federation, text) == [(found.customer_id,)]


@pytest.mark.parametrize("is_partial", [False, True])
async def test_where_consents_cannot_be_read_all_is_withheld(
    ruled: RuledEstate, deaf: Federation, is_partial: bool
) -> None:
    request = replace(MARKETING, is_partial=is_partial)
    assert await listed(deaf, "sales_order", ("status",), ruled.customers, request) == [
        [] for _ in ruled.customers
    ]
    births = await listed(deaf, "individual", ("birth_date",), ruled.customers, request)
    assert {value for rows in births for row in rows for value in row} == {None}
    names = await listed(deaf, "individual", ("given_name",), ruled.customers, request)
    assert sum(map(len, names)) > 50
    assert await told(deaf, "SELECT customer_id FROM sales_order", request) == []
    service = replace(request, purpose="service")
    assert await told(deaf, "SELECT customer_id FROM sales_order", service)


@pytest.mark.row("C19")
async def test_what_is_withheld_is_named_and_nothing_about_it_told(ruled: RuledEstate) -> None:
    who = agreed(ruled)
    (without,) = (next(one for one in ruled.customers if one not in who),)
    (having,) = (next(one for one in ruled.customers if one in who),)
    lists = {
        "sales_order": ("status",), "individual": ("given_name", "birth_date"),
        "customer": ("given_name", "email", "birth_date"), "engagement": ("type",),
    }  # fmt: skip
    sections = tuple(Section(e, e, selecting(e, c), "c") for e, c in lists.items())
    question = Question("labels", (Lookup("c"),), sections)
    asked = {"c": [Identifier("customer_id", one) for one in (without, having)]}
    result = await ruled.federation.run(question, asked, MARKETING)
    named = {(one.entity, one.field): one.customers for one in result.withheld}
    assert named == dict.fromkeys(
        [("customer", "email"), ("customer", "birth_date"), ("sales_order", ""),
         ("individual", "birth_date")],
        (without,),
    )  # fmt: skip
    assert {(one.purpose, one.is_known) for one in result.withheld} == {("marketing", True)}
    service = replace(MARKETING, purpose="service")
    assert (await ruled.federation.run(question, asked, service)).withheld == ()
    # Of who has nothing it is said as of who has something.
    nothing = replace(MARKETING, timeout_seconds=20)
    for customer in ruled.customers[:12]:
        identifier = {"c": [Identifier("customer_id", customer)]}
        told = (await ruled.federation.run(question, identifier, nothing)).withheld
        assert len(told) == (0 if customer in who else 4)


async def test_where_consents_cannot_be_read_the_label_says_so(
    ruled: RuledEstate, deaf: Federation
) -> None:
    section = Section("s", "sales_order", selecting("sales_order", ("status",)), "c")
    question = Question("labels deaf", (Lookup("c"),), (section,))
    asked = {"c": [Identifier("customer_id", one) for one in ruled.customers[:3]]}
    (told,) = (await deaf.run(question, asked, MARKETING)).withheld
    assert (told.entity, told.customers, told.is_known) == (
        "sales_order", ruled.customers[:3], False,
    )  # fmt: skip
    document = "query($by: CustomerBy!) { customer(by: $by) { salesOrder { nodes { status } } } }"
    by = {"by": {"customerId": ruled.customers[0]}}
    answer = await Door(deaf).answer(Ask(document, variables=by), MARKETING)
    (shown,) = answer.body["extensions"]["withheld"]
    assert shown["code"] == "CONSENT_WITHHELD"
    assert (shown["entity"], shown["field"], shown["retryable"]) == ("salesOrder", None, True)
    assert shown["customers"] == [ruled.customers[0]]
    view = view_of(*await deaf.customer(Identifier("customer_id", ruled.customers[0]), MARKETING))
    assert view is not None
    assert {"sales_order", "contact_point_email"} <= {
        one["entity"] for one in view.to_dict()["withheld"]
    }


async def test_sql_tells_what_is_shown_of_those_only_who_agreed(
    ruled: RuledEstate, deaf: Federation
) -> None:
    text = (
        "SELECT customer_id, tier FROM loyalty_membership "
        "UNION ALL SELECT customer_id, status FROM sales_order"
    )
    for federation, told in (
        (ruled.federation, "is shown of those only who agreed to marketing"),
        (deaf, "is withheld: consents to marketing cannot be read"),
    ):
        async with await federation.sql(text, MARKETING) as result:
            assert [one for one in result.notices if one.startswith("RV305")] == [
                f"RV305 loyalty_membership.tier {told}", f"RV305 sales_order {told}",
            ]  # fmt: skip
        async with await federation.sql("SELECT status FROM support_case", MARKETING) as result:
            assert result.notices == ()
        async with await federation.sql(text, replace(MARKETING, purpose="service")) as result:
            assert result.notices == ()


async def test_consents_of_those_only_are_read_who_are_looked_up(
    world: World, ruled: RuledEstate
) -> None:
    federation = ruled.federation
    phone = world.heroine["phone"][0]
    _, result = await federation.customer(Identifier("phone", phone), MARKETING)
    customer = result.found[LOOKUP][0].customer_id
    found: list[Identifier] = []

    async def find(identifier: Identifier) -> Found:
        found.append(identifier)
        return result.found[LOOKUP][0]

    decision = federation.decide(EVERYONE, "marketing")
    plans = federation._questions().plans
    looked_up = f"(SELECT customer_id FROM lookup('phone', '{phone}'))"
    for text, expected in (
        (f"SELECT status FROM sales_order WHERE customer_id IN {looked_up}", [customer]),
        (f"SELECT e.domain FROM contact_point_email e JOIN lookup('phone', '{phone}') l"
         " ON e.customer_id = l.customer_id", [customer]),
        (f"SELECT status FROM sales_order WHERE customer_id = '{customer}'", [customer]),
        ("SELECT status FROM sales_order", None),
        (f"SELECT status FROM sales_order WHERE customer_id NOT IN {looked_up}", None),
        (f"SELECT 1 FROM sales_order, contact_point_email e WHERE e.customer_id IN {looked_up}",
         None),
    ):  # fmt: skip
        planned = await plans.prepare(text, decision, allow_scan=True)
        assert await concerned(planned, decision, find) == expected, text
    assert {one.value for one in found} == {phone}
    service = replace(MARKETING, purpose="service")
    text = f"SELECT count(*) FROM sales_order WHERE customer_id IN {looked_up}"
    ((count,),) = await told(federation, text, service)
    shown = [(count,)] if customer in agreed(ruled) else [(0,)]
    assert await told(federation, text) == shown


async def test_nobody_can_name_those_who_agreed(ruled: RuledEstate) -> None:
    assert len(AGREED) > 63
    for name in (f'"{AGREED}"', '"agreed customers"', 'c360."agreed customers"'):
        with pytest.raises(RequestError) as caught:
            await told(ruled.federation, f"SELECT customer_id FROM {name}")
        assert caught.value.code in ("RV120", "RV121")
    text = (
        'WITH "agreed customers" AS (SELECT customer_id FROM individual) '
        "SELECT customer_id FROM sales_order WHERE customer_id IN "
        '(SELECT customer_id FROM "agreed customers")'
    )
    found = {one for (one,) in await told(ruled.federation, text)}
    assert found
    assert found <= agreed(ruled)
