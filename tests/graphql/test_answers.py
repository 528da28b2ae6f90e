"""What answers mean: values, pages, absence, failure, provenance."""

from __future__ import annotations

from typing import Any

import pytest

_ANN = '{email: "ann@example.com"}'


def _ask(body: str) -> str:
    return f"{{customer(by: {_ANN}) {{ {body} }}}}"


@pytest.mark.row("C2")
async def test_scalars_are_written_exactly(call: Any) -> None:
    answer = await call(
        _ask(
            'salesOrder(where: {orderNumber: {eq: "A-1"}}) {nodes {grandTotal receiptId items '
            "orderedAt deliveredOn isGift status attributes source slot region}}"
        )
    )
    assert answer["data"]["customer"]["salesOrder"]["nodes"] == [
        {
            "grandTotal": "10.1250",
            "receiptId": "9007199254740994",
            "items": 1,
            "orderedAt": "2026-01-02T08:30:00Z",
            "deliveredOn": "2026-02-02",
            "isGift": False,
            "status": "completed",
            "attributes": {"colour": ["rot", "grün"], "n": 1},
            "source": "pos",
            "slot": "",
            "region": "eu",
        }
    ]


async def test_enum_values_are_canonical_where_graphql_allows_them(call: Any) -> None:
    text = _ask("gender salesOrder(where: {status: {in: [on_hold]}}) {nodes {status}}")
    answer = await call(text)
    assert answer["data"]["customer"] == {
        "gender": "non_binary",
        "salesOrder": {"nodes": [{"status": "on_hold"}, {"status": "on_hold"}]},
    }


async def test_text_of_any_script_passes_unchanged(call: Any) -> None:
    answer = await call('{customer(by: {email: "bob@example.com"}) {givenName linkState}}')
    assert answer["data"]["customer"] == {"givenName": "Бob \u202e", "linkState": "provisional"}


async def test_pages_follow_each_other(call: Any) -> None:
    text = (
        f"query($after: String) {{customer(by: {_ANN}) {{salesOrder(first: 3, after: $after, "
        "orderBy: [{orderNumber: ASC}]) {nodes {orderNumber} pageInfo {hasNextPage endCursor}}}}"
    )
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = (await call(text, {"after": after}))["data"]["customer"]["salesOrder"]
        seen += [node["orderNumber"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == [f"A-{n}" for n in range(7)]
    assert page["pageInfo"]["hasNextPage"] is False


async def test_the_entitys_own_order_holds_without_another(call: Any) -> None:
    answer = await call(_ask("salesOrder {nodes {orderNumber}}"))
    numbers = [n["orderNumber"] for n in answer["data"]["customer"]["salesOrder"]["nodes"]]
    assert numbers == ["A-6", "A-5", "A-4", "A-2", "A-1", "A-0", "A-3"]


async def test_several_fields_order_in_their_directions(call: Any) -> None:
    body = "salesOrder(orderBy: [{isGift: ASC}, {items: DESC}]) {nodes {items}}"
    answer = await call(_ask(body))
    nodes = answer["data"]["customer"]["salesOrder"]["nodes"]
    assert [node["items"] for node in nodes] == [4, 1, 6, 3, 0, 5, 2]


async def test_a_stale_cursor_is_a_request_error(call: Any) -> None:
    response = await call.post({"query": _ask('salesOrder(after: "x") {complete}')})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "STALE_CURSOR"
    assert "data" not in response.json()


async def test_cursors_are_only_sealed_where_they_are_read(call: Any, memory: Any) -> None:
    await call(_ask("salesOrder {pageInfo {hasNextPage}} supportCase {pageInfo {endCursor}}"))
    wants = {s.name: s.page.wants_cursor for s in memory.asked[0].sections}
    assert wants == {"customer.salesOrder": False, "customer.supportCase": True}


@pytest.mark.row("E2")
async def test_a_source_that_fails_leaves_a_labelled_list(failing: Any, make_caller: Any) -> None:
    call = make_caller(failing("shop"), {})
    text = _ask(
        "salesOrder {nodes {orderNumber salesOrderProduct {complete missingSources}} "
        "complete missingSources}"
    )
    response = await call.post({"query": text})
    answer = response.json()
    assert response.status_code == 200
    assert "errors" not in answer
    page = answer["data"]["customer"]["salesOrder"]
    assert [n["orderNumber"] for n in page["nodes"]] == ["A-5", "A-1", "A-3"]
    assert (page["complete"], page["missingSources"]) == (False, ["shop"])
    # Lines of pos orders come from pos, which answered.
    assert all(n["salesOrderProduct"]["complete"] for n in page["nodes"])
    assert answer["extensions"]["complete"] is False
    by_name = {s["name"]: s for s in answer["extensions"]["sources"]}
    assert by_name["shop"]["status"] == "failed"
    assert (by_name["shop"]["code"], by_name["shop"]["reason"]) == ("SOURCE_TIMEOUT", "too late")
    assert by_name["pos"]["asOf"] == "2026-02-28T06:30:15.250000Z"
    assert by_name["pos"]["ageMs"] == 106_184_750


@pytest.mark.row("B4")
async def test_a_list_whose_sources_all_fail_is_null_with_an_error(
    failing: Any, make_caller: Any
) -> None:
    call = make_caller(failing("support"), {})
    response = await call.post({"query": _ask("givenName cases: supportCase {complete}")})
    answer = response.json()
    assert response.status_code == 200
    assert answer["data"]["customer"] == {"givenName": "Ann", "cases": None}
    (error,) = answer["errors"]
    assert error["path"] == ["customer", "cases"]
    assert error["extensions"] == {
        "code": "SOURCE_TIMEOUT",
        "rv": "RV401",
        "retryable": True,
        "hint": error["extensions"]["hint"],
        "source": "support",
    }
    assert "limits.timeout" in error["extensions"]["hint"]


async def test_survived_fields_are_null_with_an_error_where_nothing_came(
    failing: Any, make_caller: Any
) -> None:
    call = make_caller(failing("crm", "pos"), {})
    text = '{customers(by: [{email: "no@example.com"}, {email: "ann@example.com"}]) '
    answer = await call(text + "{customerId givenName}}")
    assert answer["data"]["customers"][1]["givenName"] is None
    assert answer["data"]["customers"][1]["customerId"]
    assert answer["data"]["customers"][0] is None
    assert [e["path"] for e in answer["errors"]] == [["customers", 1, "givenName"]]


async def test_an_unknown_customer_is_null_without_an_error(call: Any) -> None:
    answer = await call('{customer(by: {email: "nobody@example.com"}) {givenName}}')
    assert answer["data"] == {"customer": None}
    assert "errors" not in answer


async def test_an_ambiguous_identifier_offers_masked_candidates(call: Any) -> None:
    text = '{customers(by: [{email: "both@example.com"}, {email: "bob@example.com"}]) {linkState}}'
    answer = await call(text)
    assert answer["data"]["customers"] == [None, {"linkState": "provisional"}]
    (error,) = answer["errors"]
    assert error["path"] == ["customers", 0]
    assert error["extensions"]["code"] == "IDENTITY_AMBIGUOUS"
    assert [c["hint"] for c in error["extensions"]["candidates"]] == ["A… n", "B… b"]


async def test_records_say_where_they_come_from(call: Any) -> None:
    text = _ask("supportCase(first: 1) {nodes {provenance {source sourceKey fetchedAt asOf}}}")
    answer = await call(text)
    assert answer["data"]["customer"]["supportCase"]["nodes"] == [
        {
            "provenance": {
                "source": "support",
                "sourceKey": "c0",
                "fetchedAt": "2026-03-01T12:00:00Z",
                "asOf": "2026-02-28T06:30:15.250000Z",
            }
        }
    ]


@pytest.mark.row("C20")
async def test_fields_say_why_they_have_their_value(call: Any) -> None:
    answer = await call(
        _ask("provenance(fields: [givenName]) {field source sourceKey rule losing {value source}}")
    )
    assert answer["data"]["customer"]["provenance"] == [
        {
            "field": "givenName",
            "source": "crm",
            "sourceKey": "1",
            "rule": "most_recent",
            "losing": [{"value": "Anne", "source": "pos"}],
        }
    ]


async def test_provenance_without_fields_is_of_those_beside_it(call: Any, memory: Any) -> None:
    answer = await call(_ask("email birthDate provenance {field}"))
    fields = [p["field"] for p in answer["data"]["customer"]["provenance"]]
    assert fields == ["email", "birthDate"]
    assert memory.asked[0].sections[0].provenance == ("email", "birth_date")


async def test_only_what_is_selected_is_asked(call: Any, memory: Any) -> None:
    await call(_ask("customerId supportCase {nodes {subject source}}"))
    (section,) = memory.asked[0].sections
    assert (section.entity, section.columns) == ("support_case", ("subject",))


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ('{grandTotal: {gt: "20.125"}}', ["A-3", "A-4", "A-6"]),
        ('{receiptId: {in: ["9007199254740994", 9007199254740995]}}', ["A-1", "A-2"]),
        ("{or: [{items: {eq: 0}}, {items: {ge: 6}}]}", ["A-0", "A-6"]),
        ("{not: {deliveredOn: {isNull: true}}}", ["A-1", "A-3", "A-5"]),
        ("{orderedAt: {isNull: true}}", ["A-3"]),
        ("{isGift: {isNull: false}, items: {le: 1}}", ["A-0", "A-1"]),
        ('{deliveredOn: {lt: "2026-02-04"}, isGift: {eq: false}}', ["A-1"]),
        ('{orderedAt: {ge: "2026-01-06T09:30:00+01:00"}}', ["A-5", "A-6"]),
        ("{not: {status: {eq: open}}}", ["A-1", "A-2", "A-5", "A-6"]),
    ],
)
async def test_conditions_mean_what_they_mean_in_sql(
    call: Any, where: str, numbers: list[str]
) -> None:
    body = f"salesOrder(where: {where}, orderBy: [{{orderNumber: ASC}}]) {{nodes {{orderNumber}}}}"
    answer = await call(_ask(body))
    nodes = answer["data"]["customer"]["salesOrder"]["nodes"]
    assert [node["orderNumber"] for node in nodes] == numbers


@pytest.mark.parametrize(
    "where",
    [
        "{status: {eq: null}}",
        "{items: {in: []}}",
        "{items: {in: [1, null]}}",
        "{and: []}",
        "{status: {}}",
        "{items: {eq: 1.5}}",
        '{grandTotal: {eq: "NaN"}}',
        '{orderedAt: {eq: "2026-01-01T00:00:00"}}',
        '{attributes: {eq: "x"}}',
        '{customerId: {eq: "x"}}',
        "{and: [" + "{items: {eq: 1}} " * 51 + "]}",
        "{not: " * 10 + "{items: {eq: 1}}" + "}" * 10,
    ],
)
async def test_conditions_that_mean_nothing_are_refused(call: Any, memory: Any, where: str) -> None:
    response = await call.post({"query": _ask(f"salesOrder(where: {where}) {{complete}}")})
    assert response.status_code == 400
    assert memory.asked == []


async def test_conditions_in_variables_share_a_plan_by_their_structure(
    call: Any, memory: Any
) -> None:
    text = (
        f"query($where: SalesOrderWhere) {{customer(by: {_ANN}) "
        "{salesOrder(where: $where) {nodes {orderNumber}}}}"
    )
    for where in ({"items": {"eq": 1}}, {"items": {"eq": 2}}, {"items": {"gt": 2}}, None):
        await call(text, {"where": where})
    shapes = [question.shape for question in memory.asked]
    assert shapes[0] == shapes[1]
    assert len(set(shapes)) == 3


async def test_conditions_of_fields_are_part_of_the_plan(call: Any, memory: Any) -> None:
    text = f"query($yes: Boolean!) {{customer(by: {_ANN}) {{givenName @include(if: $yes)}}}}"
    assert (await call(text, {"yes": True}))["data"]["customer"] == {"givenName": "Ann"}
    assert (await call(text, {"yes": False}))["data"]["customer"] == {}
    assert [len(question.sections) for question in memory.asked] == [1, 0]
