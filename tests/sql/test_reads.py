"""Proves what SQL asks of the demo's sources: few rows, of few sources, and never another answer.

The answers are compared with plain SQL over all canonical rows of the same estate, under the same
roles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.federation.conftest import World, opened
from tests.federation.naive import plain
from tests.federation.ruled import ROLES, Asker, RuledEstate, opened_ruled, principal
from tests.sql.oracles import rows_of

from roundview.demo import support
from roundview_catalog.errors import EngineError, RequestError, SourceError
from roundview_catalog.types import Kind
from roundview_federation.federation import Federation
from roundview_federation.request import Request
from roundview_federation.sql.answered import SqlResult

HELD = (
    ("sales_order", "grand_total < 40"),
    ("sales_order", "status IN ('completed', 'returned')"),
    ("individual", "birth_date >= DATE '1980-01-01'"),
    ("individual", "family_name = 'V'"),
    ("engagement", "occurred_at < TIMESTAMP '2026-01-01 00:00:00'"),
    ("engagement", "type = 'open'"),
    ("contact_point_email", "domain = 'com'"),
    ("contact_point_email", "is_primary"),
    ("support_case", "subject IS NULL OR status <> 'closed'"),
    ("sales_order", "source = 'pos' AND region = 'eu'"),
)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with opened(tmp_path_factory.mktemp("read")) as made:
        yield made


@pytest.fixture(scope="module")
async def ruled(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RuledEstate]:
    made, process = world.estate, world.support
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    folder = tmp_path_factory.mktemp("ruled")
    async with opened_ruled(made.directory, folder, env, made.truth["records"]) as estate:
        yield estate


@pytest.fixture
def federation(world: World) -> Federation:
    return world.connection.federation


async def asked(
    federation: Federation, text: str, **more: Any
) -> tuple[list[tuple[Any, ...]], SqlResult]:
    request = Request(more.pop("principal", federation.principal), timeout_seconds=60, **more)
    result = await federation.sql(text, request)
    table = await result.table()
    return rows_of(table), result


# -- the same rows as plain SQL ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "purpose"),
    [
        *(((role,), "service") for role in ROLES),
        (("careful", "narrow"), "service"),
        (("narrow", "narrower"), "service"),
        (("everyone",), "marketing"),
        (("careful", "narrow"), "marketing"),
    ],
)
async def test_roles_get_the_rows_that_plain_sql_over_theirs_has(
    roles: tuple[str, ...], purpose: str, ruled: RuledEstate
) -> None:
    asker = Asker(roles, purpose)
    rules = asker.rules
    who = principal(roles)
    for entity in ruled.naive.types:
        hidden = set.intersection(*(set(rule.hidden.get(entity, ())) for rule in rules))
        types = ruled.naive.types[entity]
        left_out = {c for c in types if types[c].kind is Kind.JSON}
        columns = [c for c in types if c not in hidden | left_out]
        held = ["", *(where for name, where in HELD if name == entity)]
        for where in held:
            if any(name in where for name in hidden):
                continue
            shown = ", ".join(("customer_id", "source", "source_key", "slot", *columns))
            text = f"SELECT {shown} FROM {entity}" + (f" WHERE {where}" if where else "")
            got, _ = await asked(
                ruled.federation, text, principal=who, purpose=purpose, allow_scan=True
            )
            known = dict(who.attributes)
            right = ruled.naive.scanned(entity, columns, where, rules, known, asker.consent)
            assert _bag(got) == _bag(right), (entity, where)
            assert got or where or not right


async def test_codes_without_a_meaning_are_null_and_told(ruled: RuledEstate) -> None:
    who = principal(("everyone",))
    text = "SELECT gender FROM individual"
    _, result = await asked(ruled.federation, text, principal=who, allow_scan=True)
    assert result.notices == ("pos has codes without a meaning of individual.gender: NULL",)


async def test_a_customer_asked_by_id_has_the_rows_of_the_scan(ruled: RuledEstate) -> None:
    who = principal(("everyone",))
    for entity in ruled.naive.types:
        text = f"SELECT customer_id, link_state, source, source_key, slot FROM {entity}"
        scan, _ = await asked(ruled.federation, text, principal=who, allow_scan=True)
        assert {row[1] for row in scan} <= {"linked", "provisional", "unlinked", "anonymous"}
        for customer in ruled.customers[:8]:
            own = f"{text} WHERE customer_id = '{customer}'"
            got, _ = await asked(ruled.federation, own, principal=who)
            assert _bag(got) == _bag([row for row in scan if row[0] == customer]), entity


async def test_customers_and_link_states_of_a_scan_are_those_of_the_xref(
    federation: Federation,
) -> None:
    text = "SELECT source, source_key, customer_id, link_state FROM individual"
    rows, _ = await asked(federation, text, allow_scan=True)
    owners = federation.xref.owners((source, key) for source, key, _, _ in rows)
    assert {(s, k): customer for s, k, customer, _ in rows if customer is not None} == owners
    assert all((customer is None) == (state == "unlinked") for _, _, customer, state in rows)


async def test_no_other_spelling_of_a_customer_is_one(federation: Federation) -> None:
    rows, _ = await asked(
        federation, "SELECT customer_id FROM individual WHERE customer_id IS NOT NULL LIMIT 1"
    )
    ((known,),) = rows
    for text in (str(known).upper(), f" {known}", "nobody", ""):
        got, result = await asked(
            federation, f"SELECT source_key FROM individual WHERE customer_id = '{text}'"
        )
        assert (got, result.rows_fetched) == ([], 0)


async def test_a_condition_on_who_was_found_holds(federation: Federation, world: World) -> None:
    found = f"lookup('email', '{world.heroine['email'][0]}')"
    ((known,),), _ = await asked(federation, f"SELECT customer_id FROM {found}")
    for sign, count in (("=", 1), ("<>", 0)):
        got, _ = await asked(
            federation, f"SELECT customer_id FROM {found} WHERE customer_id {sign} '{known}'"
        )
        assert len(got) == count
    got, _ = await asked(federation, f"SELECT customer_id FROM {found} WHERE customer_id = 'x'")
    assert got == []


# -- few rows, of few sources -----------------------------------------------------------------


@pytest.mark.row("H1")
async def test_a_lookup_joined_to_orders_fetches_the_orders_of_one(
    federation: Federation, world: World
) -> None:
    email = world.heroine["email"][0]
    got, result = await asked(
        federation,
        f"SELECT o.source, o.source_key FROM lookup('email', '{email}') AS l "
        "JOIN sales_order AS o ON o.customer_id = l.customer_id",
    )
    assert len(got) > 3
    assert result.rows_fetched <= 1.1 * len(got)
    assert {run.keys for run in result.fetched.runs.values() if run.plan} == {1}


async def test_a_record_asked_by_its_key_is_one_row_of_one_source(federation: Federation) -> None:
    some, _ = await asked(federation, "SELECT source, source_key FROM sales_order", allow_scan=True)
    source, key = min(some)
    got, result = await asked(
        federation,
        f"SELECT order_number FROM sales_order WHERE source = '{source}' AND source_key = '{key}'",
    )
    assert (len(got), result.rows_fetched) == (1, 1)
    assert {status.name for status in result.statuses} == {source}


@pytest.mark.parametrize(
    ("where", "sources"),
    [
        ("source = 'pos'", {"pos"}),
        ("source IN ('pos', 'crm')", {"pos", "crm"}),
        ("source = 'POS'", set()),
        ("source = 'pos' AND source = 'crm'", set()),
        ("(source = 'pos' OR source = 'mail') AND source <> 'mail'", {"pos"}),
    ],
)
async def test_a_source_in_which_nothing_can_match_is_not_asked(
    where: str, sources: set[str], federation: Federation
) -> None:
    got, result = await asked(
        federation, f"SELECT source, count(*) FROM individual WHERE {where} GROUP BY 1"
    )
    assert {status.name for status in result.statuses} == sources
    assert {row[0] for row in got} == sources


async def test_lines_are_asked_by_the_keys_of_their_orders(federation: Federation) -> None:
    some, _ = await asked(
        federation, "SELECT source_key FROM sales_order WHERE source = 'pos'", allow_scan=True
    )
    keys = ", ".join(f"'{key}'" for (key,) in sorted(some)[:3])
    got, result = await asked(
        federation,
        "SELECT p.sku FROM sales_order AS o JOIN sales_order_product AS p "
        "ON p.source = o.source AND p.sales_order_key = o.source_key "
        f"WHERE o.source = 'pos' AND o.source_key IN ({keys})",
    )
    assert result.rows_fetched <= 1.1 * (3 + len(got)) + 1
    assert {status.name for status in result.statuses} == {"pos"}


async def test_a_limit_gives_so_many_rows(federation: Federation) -> None:
    whole, _ = await asked(
        federation, "SELECT order_number FROM sales_order ORDER BY order_number", allow_scan=True
    )
    for tail, expected in (("LIMIT 3", whole[:3]), ("LIMIT 2 OFFSET 4", whole[4:6])):
        got, _ = await asked(
            federation, f"SELECT order_number FROM sales_order ORDER BY order_number {tail}"
        )
        assert got == expected


# -- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "relation", ["individual", "lead", "note", "payment", "sales_order", "support_case"]
)
async def test_a_row_is_found_by_the_key_that_it_shows(
    federation: Federation, relation: str
) -> None:
    # One key of each length and prefix: what keys begin with is the branch's business.
    rows, _ = await asked(federation, f"SELECT source, source_key FROM {relation}", allow_scan=True)
    seen = {(source, key.rpartition(":")[0], len(key)): (source, key) for source, key in rows}
    assert len(seen) > 1
    for source, key in seen.values():
        text = f"SELECT source, source_key FROM {relation} WHERE source_key = '{key}'"
        found, _ = await asked(federation, text, allow_scan=True)
        assert (source, key) in found
        assert {one for _, one in found} == {key}


async def test_a_source_that_is_down_or_too_large_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as own:
        federation = own.connection.federation
        text = "SELECT source, count(*) FROM individual GROUP BY 1"
        whole, _ = await asked(federation, text)
        assert "support" in dict(whole)
        own.support.stop()
        with pytest.raises(SourceError, match="support"):
            await asked(federation, text)
        got, result = await asked(federation, text, is_partial=True)
        assert dict(got) == {name: n for name, n in whole if name != "support"}
        assert result.missing == ("support",)
        got, result = await asked(federation, f"{text} HAVING min(source) <> ''", is_partial=True)
        assert result.missing == ("support",)

        path = own.estate.catalog / "sources/pos.yaml"
        limited = path.read_text("utf-8").replace("limits: {", "limits: {scan_rows: 5, ")
        path.write_text(limited, "utf-8")
        assert await federation.reload()
        orders = "SELECT count(*) FROM sales_order WHERE source = 'pos'"
        with pytest.raises(RequestError) as refused:
            await asked(federation, orders)
        assert (refused.value.code, "pos" in str(refused.value)) == ("RV117", True)
        (((count,),), _) = await asked(federation, orders, allow_scan=True)
        assert count > 5
        got, _ = await asked(federation, f"{orders} AND source_key = 'nobody'")
        assert got == [(0,)]


def _bag(rows: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    # The first value of a naive row is that of a result's head.
    return Counter(plain((_Named("-"), *row)) for row in rows)


class _Named:
    def __init__(self, source: str) -> None:
        self.source = source


async def test_a_question_that_sources_answer_late_is_stopped_at_its_deadline(
    federation: Federation,
) -> None:
    request = Request(federation.principal, timeout_seconds=1e-6, allow_scan=True)
    with pytest.raises(EngineError) as raised:
        await federation.sql("SELECT count(*) FROM sales_order", request)
    assert raised.value.row.code == "RV502"
