"""Documents that cost too much are refused before anything expensive sees them."""

from __future__ import annotations

from typing import Any

import pytest

_FIELD = "customerId"
_START = '{customer(by:{email:"ann@example.com"}){'


def _doubled(levels: int) -> str:
    fragments = [f"fragment F{n} on Customer{{...F{n + 1} ...F{n + 1}}}" for n in range(levels)]
    return f"{_START}...F0}}}} {' '.join(fragments)} fragment F{levels} on Customer{{customerId}}"


def _nested(levels: int) -> str:
    return "{" + "a{" * levels + "b" + "}" * levels + "}"


BOMBS = {
    "doubled fragment spreads": (_doubled(80), "COST_LIMIT"),
    "doubled fragments that nothing spreads": (
        "{__typename} " + _doubled(40).partition("}} ")[2],
        "COST_LIMIT",
    ),
    "brackets": ("{" * 90_000, "DEPTH_LIMIT"),
    "lists in lists": (f"{{customer(by:{'[' * 5_000}){{customerId}}}}", "DEPTH_LIMIT"),
    "deep selections": (_nested(60), "DEPTH_LIMIT"),
    "selections deeper than the interpreter": (_nested(900), "DEPTH_LIMIT"),
    "tokens": (_START + f"{_FIELD} " * 2_100 + "}}", "TOKEN_LIMIT"),
    "one field again and again": (_START + f"{_FIELD} " * 1_500 + "}}", "COST_LIMIT"),
    "aliases": (
        _START + " ".join(f"a{n}: {_FIELD}" for n in range(31)) + "}}",
        "ALIAS_LIMIT",
    ),
    "typenames": (_START + "__typename " * 31 + "}}", "ALIAS_LIMIT"),
    "root fields": (
        "{"
        + " ".join(f'a{n}: customer(by:{{email:"a@b.de"}}){{customerId}}' for n in range(11))
        + "}",
        "ROOT_LIMIT",
    ),
    "directives": (_START + _FIELD + " @include(if: true)" * 51 + "}}", "DIRECTIVE_LIMIT"),
    "bytes": ("{" + " " * 100_001 + "__typename}", "BODY_LIMIT"),
    "a comment": ("#" + "x" * 100_001 + "\n{__typename}", "BODY_LIMIT"),
    "open block strings": ('"""\\' * 20_000, "BAD_REQUEST"),
    "open strings": ('"\\' * 40_000, "BAD_REQUEST"),
    "mutually spread fragments": (
        f"{_START}...A}}}} fragment A on Customer{{...B}} fragment B on Customer{{...A}}",
        "BAD_REQUEST",
    ),
    "pages in pages": (
        f"{_START} salesOrder(first: 200){{nodes{{salesOrderProduct(first: 200){{nodes{{"
        + "lineNo name unitPrice source sourceKey slot region fetchedAt asOf "
        + "businessUnit sourceSystem sourceInstance customerId linkState}}}}}}",
        "COST_LIMIT",
    ),
    "introspection in introspection": (
        "{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}",
        "BAD_REQUEST",
    ),
    "introspection of any depth": (
        "{__schema{types" + "{ofType" * 25 + "{name" + "}" * 28,
        "DEPTH_LIMIT",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_are_refused_by_name(name: str, call: Any, memory: Any) -> None:
    text, code = BOMBS[name]
    answer = await call(text)
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == code
    assert memory.asked == []


async def test_what_lies_just_within_the_limits_is_answered(call: Any) -> None:
    aliases = " ".join(f"a{n}: {_FIELD}" for n in range(30))
    answer = await call(_START + aliases + "}}")
    assert len(answer["data"]["customer"]) == 30
    answer = await call(_START + f"{_FIELD} " * 999 + "}}")
    assert list(answer["data"]["customer"]) == [_FIELD]


async def test_brackets_in_strings_and_comments_do_not_nest(call: Any) -> None:
    text = '{customer(by:{orderNumber:"' + "[" * 100 + '"}){customerId}} #' + "{" * 100
    answer = await call(text)
    assert answer["data"] == {"customer": None}
    block = '"""' + '{ \\""" [' * 8 + '"""'
    answer = await call(f"{{customer(by:{{orderNumber:{block}}}){{customerId}}}}")
    assert answer["data"] == {"customer": None}


async def test_page_sizes_are_bounded_wherever_they_come_from(call: Any) -> None:
    field = "salesOrder(first: $n) {complete}"
    text = f"query($n: Int = 201) {_START} {field} }}}}"
    for variables in ({}, {"n": 201}, {"n": -1}):
        answer = await call(text, variables)
        assert answer["errors"][0]["extensions"]["rv"] == "RV105"
    assert "errors" not in await call(text, {"n": 200})


async def test_page_sizes_of_variables_multiply_into_the_cost(call: Any) -> None:
    fields = "lineNo name unitPrice source sourceKey slot region fetchedAt asOf businessUnit "
    text = (
        f"query($n: Int!) {_START} salesOrder(first: $n) {{nodes {{"
        f"salesOrderProduct(first: 200) {{nodes {{ {fields} sourceSystem sourceInstance "
        "customerId }}}}}}"
    )
    answer = await call(text, {"n": 200})
    assert answer["errors"][0]["extensions"]["code"] == "COST_LIMIT"
    assert "errors" not in await call(text, {"n": 5})


async def test_many_customers_are_refused(call: Any) -> None:
    text = "query($by: [CustomerBy!]!) {customers(by: $by) {customerId}}"
    answer = await call(text, {"by": [{"email": f"a{n}@example.com"} for n in range(101)]})
    assert answer["errors"][0]["extensions"]["code"] == "COST_LIMIT"


async def test_conflicting_fields_are_refused_in_fragments_too(call: Any) -> None:
    for body in (
        "a: customerId a: linkState",
        "salesOrder(first: 1) {complete} salesOrder(first: 2) {complete}",
        "salesOrder {nodes {x: source}} ...F",
    ):
        more = "fragment F on Customer {salesOrder {nodes {x: slot}}}" if "...F" in body else ""
        answer = await call(_START + body + "}} " + more)
        assert "twice" in answer["errors"][0]["message"]
    answer = await call(_START + "customerId @skip(if: true) customerId: linkState}}")
    assert "twice" in answer["errors"][0]["message"]
