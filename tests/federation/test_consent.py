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
from roundview_catalog.errors import RequestError
from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Result
from roundview_federation.sql.consenting import AGREED
from roundview_federation.whole import LOOKUP

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
