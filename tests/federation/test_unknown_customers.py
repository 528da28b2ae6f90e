"""Who has no row that an asker is shown does not exist for them: at every door, by equal calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.federation.naive import Naive
from tests.federation.ruled import ROLES, RuledEstate, principal

from roundview_catalog.errors import RoundviewError, SourceError
from roundview_catalog.model import Catalog
from roundview_desktop.operation import desk_operation, find_operation
from roundview_federation.access.policy import decide
from roundview_federation.access.principals import SCOPES
from roundview_federation.connectors.port import Connector
from roundview_federation.federation import Federation
from roundview_federation.plan import Answer, Identifier
from roundview_federation.request import Principal, Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.reveal import reveal
from roundview_federation.whole import LOOKUP
from roundview_graphql.door import Ask, Door
from roundview_graphql.http import encode
from roundview_graphql.names import camel

ROLE = "partly"
"""Shows individuals of the CRM only: who is not in it does not exist."""

STRANGERS = {
    "customer_id": ("018f2a00-0000-7000-8000-000000000001", "018f2a00-0000-7000-8000-000000000002"),
    "email": ("nobody.at.all@mail.example", "someone.else@shop.example"),
    "phone": ("+491700000001", "+491700000002"),
    "loyalty_no": ("ZZ00000001", "ZZ00000002"),
    "order_number": ("ZZ-00000001", "ZZ-00000002"),
    "case_number": ("ZZ-00000001", "ZZ-00000002"),
}
MOST = 3
"""Forbidden customers asked for by each kind of identifier."""

Calls = Counter[tuple[str, str, int]]
Ways = Callable[[Identifier], Awaitable[Any]]


class Recorded:
    """A connector that is asked as ever, and notes what it is asked."""

    def __init__(self, connector: Connector, calls: Calls) -> None:
        self._connector = connector
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        answer = await self._connector.rows(call, params, deadline)
        told = self._connector.explain(call)
        self._calls[(self._connector.source, told, answer.calls)] += 1
        return answer

    async def batches(
        self, call: Any, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[Any]:
        self._calls[(self._connector.source, self._connector.explain(call), 0)] += 1
        async for batch in self._connector.batches(call, params, deadline):
            yield batch


class Deaf(Recorded):
    """A connector whose source answers nothing."""

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        source = self._connector.source
        raise SourceError(source, f"{source} did not answer in time", code="RV401")


@contextmanager
def standing_in(federation: Federation, kind: type[Recorded], *sources: str) -> Iterator[Calls]:
    """Puts connectors around those of a federation; yields what they were asked."""
    connectors = federation.current.connectors
    before, calls = dict(connectors), Calls()
    for name in sources or before:
        connectors[name] = kind(before[name], calls)  # type: ignore[assignment]
    try:
        yield calls
    finally:
        connectors.update(before)


def forbidden(naive: Naive, catalog: Catalog, kind: str) -> list[str]:
    """Returns identifiers of customers who are in other systems than the CRM only."""
    hidden = (
        "SELECT h_customer FROM individual WHERE h_customer IS NOT NULL"
        " GROUP BY h_customer HAVING NOT bool_or(h_source = 'crm')"
    )
    if kind == "customer_id":
        rows = naive.asked(f"{hidden} ORDER BY min(h_source || h_key) LIMIT {MOST}")
        return [row[0] for row in rows]
    found: list[str] = []
    for entity, field in catalog.canonical.identifier_fields(kind):
        known = catalog.canonical.entities[entity].fields[field].identifier_from
        if entity in naive.types and not known:
            rows = naive.asked(
                f"SELECT {field} FROM {entity} WHERE {field} IS NOT NULL GROUP BY {field} HAVING"
                f" bool_and(h_customer IS NOT NULL AND h_customer IN ({hidden}))"
                f" ORDER BY 1 LIMIT {MOST}"
            )
            found += [row[0] for row in rows]
    return found[:MOST]


def ways_of(federation: Federation, door: Door, who: Principal) -> dict[str, Ways]:
    """Returns every door that finds a customer; each tells all that its caller is told."""
    request = Request(who, timeout_seconds=30)
    revealing = replace(request, reason="the caller asks for it")
    readable = federation.decide(who).fields
    documents = (
        find_operation(federation.catalog, readable),
        desk_operation(federation.catalog, readable),
    )

    async def view(one: Identifier) -> Any:
        question, result = await federation.customer(one, request)
        (found,) = result.found[LOOKUP]
        groups = [(name, output.groups) for name, output in result.outputs.items()]
        return len(question.sections), found.customer_id, _told(found.error), groups, result.sources

    async def graphql(one: Identifier) -> Any:
        answers = []
        for document in documents:
            variables = {"by": {camel(one.kind): one.value}}
            answer = await door.answer(Ask(document, variables=variables), request)
            body = json.loads(encode(answer.body))
            # The moment of an answer, and what one request of many is called.
            for name in ("fetchedAt", "requestId", "traceId"):
                body.get("extensions", {}).pop(name, None)
            answers.append((answer.status, body))
        return answers

    async def sql(one: Identifier) -> Any:
        text = (
            f"SELECT l.link_state, o.order_number, c.full_name FROM lookup('{one.kind}', '{one.value}') l"
            " LEFT JOIN sales_order o ON o.customer_id = l.customer_id"
            " LEFT JOIN customer c ON c.customer_id = l.customer_id"
        )
        result = await federation.sql(text, request)
        rows = (await result.table()).to_pylist()
        return rows, [(one.name, one.status, one.rows, one.calls) for one in result.statuses]

    async def revealed(one: Identifier) -> Any:
        return await reveal(federation, one, ("sales_order", "grand_total"), revealing)

    return {"view": view, "graphql": graphql, "sql": sql, "reveal": revealed}


async def told(way: Ways, one: Identifier) -> Any:
    """Returns an answer or what its error says."""
    try:
        return await way(one)
    except RoundviewError as error:
        return _told(error)


@pytest.mark.row("B7")
@pytest.mark.parametrize("kind", STRANGERS)
async def test_unknown_and_forbidden_are_one(ruled: RuledEstate, kind: str) -> None:
    federation = ruled.federation
    who = replace(principal((ROLE,)), scopes=SCOPES)
    everyone = Request(principal(("everyone",)), timeout_seconds=30)
    hidden = forbidden(ruled.naive, federation.catalog, kind)
    assert hidden
    for value in hidden:
        _, result = await federation.customer(Identifier(kind, value), everyone)
        assert result.found[LOOKUP][0].customer_id, "there is such a customer"
    ways = ways_of(federation, Door(federation), who)
    for name, way in ways.items():
        outcomes = []
        for value in (*STRANGERS[kind], *hidden):
            federation.current.finder.forget_unknown()
            with standing_in(federation, Recorded) as calls:
                outcomes.append((await told(way, Identifier(kind, value)), calls))
        answers = [answer for answer, _ in outcomes]
        assert answers == [answers[0]] * len(answers), name
        asked = [calls for _, calls in outcomes]
        assert asked == [asked[0]] * len(asked), name
        assert asked[0], (name, answers[0])


@pytest.mark.parametrize("kind", ["customer_id", "phone", "order_number"])
@pytest.mark.parametrize("source", ["crm", "pos"])
async def test_unknown_and_forbidden_are_one_while_a_source_is_deaf(
    ruled: RuledEstate, kind: str, source: str
) -> None:
    federation = ruled.federation
    way = ways_of(federation, Door(federation), principal((ROLE,)))["view"]
    outcomes = []
    for value in (STRANGERS[kind][0], *forbidden(ruled.naive, federation.catalog, kind)):
        federation.current.finder.forget_unknown()
        with standing_in(federation, Deaf, source):
            outcomes.append(await told(way, Identifier(kind, value)))
    assert outcomes == [outcomes[0]] * len(outcomes)


async def test_who_is_remembered_as_unknown_is_so_to_that_asker_alone(ruled: RuledEstate) -> None:
    federation = ruled.federation
    caller = Identifier("email", forbidden(ruled.naive, federation.catalog, "email")[0])
    found = []
    for role in (ROLE, "everyone", ROLE):
        request = Request(principal((role,)), timeout_seconds=30)
        _, result = await federation.customer(caller, request)
        found.append(result.found[LOOKUP][0].customer_id is not None)
    assert found == [False, True, False]


async def test_a_customer_who_is_shown_is_found_by_what_is_not(ruled: RuledEstate) -> None:
    """Their address is on a record of another system, which the role does not see."""
    federation = ruled.federation
    rows = ruled.naive.asked(
        "SELECT email_normalized, min(h_customer) FROM contact_point_email"
        " WHERE h_customer IN (SELECT h_customer FROM individual WHERE h_source = 'crm')"
        " GROUP BY 1 HAVING bool_and(h_source <> 'crm') AND count(DISTINCT h_customer) = 1"
        " ORDER BY 1 LIMIT 3"
    )
    assert rows
    for address, customer in rows:
        request = Request(principal((ROLE,)), timeout_seconds=30)
        _, result = await federation.customer(Identifier("email", address), request)
        assert result.found[LOOKUP][0].customer_id == customer
        text = f"SELECT customer_id, link_state FROM lookup('email', '{address}')"
        table = await (await federation.sql(text, request)).table()
        assert table.to_pylist() == [{"customer_id": customer, "link_state": "linked"}]


async def test_roles_tell_by_individuals_or_by_the_rows_that_they_see(ruled: RuledEstate) -> None:
    catalog = ruled.federation.catalog
    known = catalog.policy.roles
    orders = replace(known["partly"], name="orders", sees={"sales_order": None})
    plain = replace(orders, name="plain", row_filter={})
    products = replace(orders, name="products", sees={"product": None})
    roles = {**known, "orders": orders, "plain": plain, "products": products}
    changed = replace(catalog, policy=replace(catalog.policy, roles=roles))

    def people(*names: str) -> Mapping[str, Any] | None:
        found = decide(changed, principal(names)).people
        return None if found is None else {e: [f.sql() for f in fs] for e, fs in found.items()}

    assert people("everyone") is None
    assert people("careful", "partly") is None
    assert people("partly") == {"individual": ["source = 'crm'"]}
    assert people("orders") == {"sales_order": ["grand_total > 40"]}
    assert people("orders", "partly").keys() == {"individual", "sales_order"}  # type: ignore[union-attr]
    assert people("plain", "partly") is None
    assert people("products") == people() == {}
    assert ROLES[ROLE].filters["individual"] == "source = 'crm'"


def _told(error: RoundviewError | None) -> Any:
    if error is None:
        return None
    return error.code, error.message, error.hint, sorted(error.extensions.items(), key=str)
