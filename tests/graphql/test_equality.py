"""Builders and graphql-core give byte-equal data over the same rows, whatever is asked."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import orjson
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from roundview_graphql.fallback import execute_over
from roundview_graphql.limits import Limits
from roundview_graphql.operations import Operations
from roundview_graphql.problems import problems_of
from roundview_graphql.schema import DoorSchema

_LIMITS = Limits(
    aliases=10_000, directives=10_000, fields=100_000, tokens=100_000, root_fields=100, depth=30
)
_WHERE = (
    "{status: {eq: open}}",
    "{not: {status: {in: [open, on_hold]}}}",
    '{or: [{grandTotal: {ge: "20"}}, {isGift: {eq: true}}]}',
    "{items: {gt: 1, lt: 6}, orderedAt: {isNull: false}}",
    '{and: [{receiptId: {ge: "9007199254740995"}}, {not: {deliveredOn: {isNull: true}}}]}',
    '{source: {eq: "pos"}}',
    "$where",
)


class Documents:
    """Writes random valid operations over a schema."""

    def __init__(self, schema: GraphQLSchema, randomness: random.Random) -> None:
        self._schema = schema
        self._random = randomness
        self._fragments: dict[str, str] = {}
        self._used: set[str] = set()
        self._budget = 120

    def write(self) -> tuple[str, dict[str, Any]]:
        body = self._selection(self._schema.query_type, 0)
        declared = {
            "by": "CustomerBy!",
            "many": "[CustomerBy!]!",
            "where": "SalesOrderWhere",
            "first": "Int",
            "yes": "Boolean!",
            "no": "Boolean!",
            "fields": "[CustomerField!]",
        }
        named = ", ".join(f"${n}: {declared[n]}" for n in sorted(self._used))
        head = f"query Q({named}) " if named else "query Q "
        text = head + body + " " + " ".join(self._fragments.values())
        values: dict[str, Any] = {
            "by": {"email": "ann@example.com"},
            "many": [{"email": "bob@example.com"}, {"email": "no@example.com"}],
            "where": {"status": {"eq": "on_hold"}},
            "first": self._random.choice([0, 1, 3, 50]),
            "yes": True,
            "no": False,
            "fields": ["gender", "birthDate"],
        }
        return text, {n: values[n] for n in self._used}

    def _selection(self, type_: Any, depth: int) -> str:
        names = list(type_.fields)
        chosen = self._random.sample(names, min(len(names), self._random.randint(1, 6)))
        parts = [self._field(type_, name, depth) for name in chosen]
        parts = [part for part in parts if part]
        if self._random.random() < 0.3:
            parts.append("__typename")
        if self._random.random() < 0.3:
            leaf = next(
                (n for n in names if is_leaf_type(get_named_type(type_.fields[n].type))), ""
            )
            parts.append(f"... on {type_.name} {{ {leaf or '__typename'} }}")
        if self._random.random() < 0.25:
            parts.append(self._spread(type_))
        self._random.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _spread(self, type_: GraphQLObjectType) -> str:
        name = f"F{type_.name}"
        if name not in self._fragments:
            leaves = [n for n, f in type_.fields.items() if is_leaf_type(get_named_type(f.type))]
            shown = " ".join(leaves[:3]) or "__typename"
            self._fragments[name] = f"fragment {name} on {type_.name} {{ {shown} __typename }}"
        return f"...{name} {self._directive()}"

    def _directive(self) -> str:
        choice = self._random.random()
        if choice < 0.7:
            return ""
        name = self._random.choice(["yes", "no"])
        self._used.add(name)
        return f"@{self._random.choice(['skip', 'include'])}(if: ${name})"

    def _field(self, parent: GraphQLObjectType, name: str, depth: int) -> str:
        self._budget -= 1
        field = parent.fields[name]
        type_ = get_named_type(field.type)
        alias = f"a{self._budget}: " if field.args or self._random.random() < 0.3 else ""
        arguments = self._arguments(parent, name)
        below = ""
        if isinstance(type_, GraphQLObjectType):
            if depth > 8 or self._budget < 0:
                below = "{ __typename }"
            else:
                below = self._selection(type_, depth + 1)
        return f"{alias}{name}{arguments} {self._directive()} {below}"

    def _arguments(self, parent: GraphQLObjectType, name: str) -> str:
        field = parent.fields[name]
        given: list[str] = []
        if name == "customer":
            self._used.add("by")
            given.append("by: $by")
        elif name == "customers":
            self._used.add("many")
            given.append("by: $many")
        if "first" in field.args and self._random.random() < 0.7:
            if self._random.random() < 0.5:
                self._used.add("first")
                given.append("first: $first")
            else:
                given.append(f"first: {self._random.randint(0, 8)}")
        if "after" in field.args and self._random.random() < 0.2:
            given.append('after: "cursor:1"')
        if name == "salesOrder":
            if self._random.random() < 0.5:
                where = self._random.choice(_WHERE)
                if where == "$where":
                    self._used.add("where")
                given.append(f"where: {where}")
            if self._random.random() < 0.4:
                given.append("orderBy: [{grandTotal: DESC}, {orderNumber: ASC}]")
        if name == "provenance" and field.args:
            choice = self._random.random()
            if choice < 0.3:
                self._used.add("fields")
                given.append("fields: $fields")
            elif choice < 0.7:
                given.append("fields: [givenName, email]")
        return f"({', '.join(given)})" if given else ""


def _compared(memory: Any, door: DoorSchema, text: str, variables: dict[str, Any]) -> Any:
    operations = Operations(door, _LIMITS, introspection=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    ready = operations.ready(text, digest, None, variables)
    if ready.compiled is None:
        # Conditions left no customer to ask for.
        data, _ = execute_over(door, ready.document, None, variables, None, None)
        assert data is not None
        assert set(data.values()) <= {"Query"}
        return data
    assert ready.compiled.build is not None
    asked = ready.compiled.asked
    result = memory.answer(asked.question, ready.params)
    data = ready.compiled.build(result)
    oracle, errors = execute_over(door, ready.document, None, variables, asked, result)
    options = orjson.OPT_UTC_Z
    assert orjson.dumps(data, option=options) == orjson.dumps(oracle, option=options)
    problems = problems_of(asked, result, data)
    if len(errors) < 100:
        assert sorted(map(orjson.dumps, problems)) == sorted(
            orjson.dumps(error) for error in errors
        )
    return data


def test_any_operation_is_built_as_graphql_core_answers_it(door: DoorSchema, failing: Any) -> None:
    @settings(max_examples=200, deadline=None)
    @given(
        seed=st.integers(0, 2**32),
        down=st.sets(st.sampled_from(["crm", "pos", "shop", "support"])),
    )
    def check(seed: int, down: set[str]) -> None:
        text, variables = Documents(door.schema, random.Random(seed)).write()
        _compared(failing(*down), door, text, variables)

    check()


def test_the_whole_customer_is_built_as_graphql_core_answers_it(
    door: DoorSchema, memory: Any
) -> None:
    text = whole(door.schema)
    data = _compared(memory, door, text, {"by": {"email": "ann@example.com"}})
    assert len(data["customer"]["salesOrder"]["nodes"]) == 7
    assert data["customer"]["salesOrder"]["nodes"][0]["salesOrderProduct"]["nodes"]


def whole(schema: GraphQLSchema) -> str:
    def selection(type_: Any, depth: int) -> str:
        parts = []
        for name, field in type_.fields.items():
            below = get_named_type(field.type)
            if not isinstance(below, GraphQLObjectType):
                parts.append(name)
            elif depth < 9:
                parts.append(f"{name} {selection(below, depth + 1)}")
        return "{ " + " ".join(parts) + " }"

    customer = schema.get_type("Customer")
    assert not isinstance(customer, GraphQLInputObjectType)
    return f"query Whole($by: CustomerBy!) {{ customer(by: $by) {selection(customer, 0)} }}"
