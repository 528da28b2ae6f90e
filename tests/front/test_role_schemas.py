"""Proves what each role of the demo can learn of the schema, by whichever way it asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from graphql import build_client_schema, build_schema, get_introspection_query, print_schema

import roundview.demo
from roundview_catalog.errors import RoundviewError
from roundview_federation.access.principals import of_role
from roundview_federation.dialect.types import of_column
from roundview_federation.federation import Federation
from roundview_federation.request import Principal, Request
from roundview_federation.sql.explained import as_text
from roundview_federation.sql.relations import visible
from roundview_graphql.door import Ask, Door

ROLES = ("agent", "sales", "marketer", "analyst", "privacy_officer", "operator")
GOLDEN = Path(__file__).parents[1] / "golden" / "roles"
CATALOG = Path(roundview.demo.__file__).parent / "catalog"

# What exists for some of the roles, misspelt names beside it, and what exists for nobody.
STATEMENTS = (
    "SELECT given_name FROM individual",
    "SELECT birth_date FROM individual WHERE birth_date > date '1990-01-01'",
    "SELECT email_address FROM contact_point_email",
    "SELECT phone_e164 FROM contact_point_phone ORDER BY phone_e164",
    "SELECT grand_total FROM sales_order",
    "SELECT subject FROM support_case",
    "SELECT text FROM note",
    "SELECT email, phone FROM customer",
    "SELECT * FROM customer_timeline",
    "SELECT phone_e16 FROM contact_point_phone",
    "SELECT given_nam FROM individual",
    "SELECT 1 FROM suport_case",
    "SELECT 1 FROM nothing_like_it",
)
DOCUMENTS = (
    '{ customer(by: {phone: "1"}) { givenName birthDate } }',
    '{ customer(by: {phone: "1"}) { supportCase { nodes { subject } } } }',
    '{ customer(by: {phone: "1"}) { contactPointPhone { nodes { phoneE16 } } } }',
    '{ customer(by: {phone: "1"}) { suportCase { nodes { subject } } } }',
    '{ __type(name: "SupportCase") { fields { name } } }',
    '{ __type(name: "ContactPointPhone") { fields { name } } }',
)


_NAMES = re.compile(r"policy|read ")
_DESCRIPTION = re.compile(r'^ *"""(?:.|\n)*?"""\n', re.MULTILINE)


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Federation]:
    """Returns the demo's catalog, open; none of its systems is there."""
    folder = tmp_path_factory.mktemp("roles")
    env = {"ROUNDVIEW_DEMO": str(folder), "SUPPORT_URL": "http://127.0.0.1:9", "SUPPORT_TOKEN": "-"}
    federation = Federation.open(CATALOG, data_dir=folder / "data", secret=bytes(32), env=env)
    yield federation
    await federation.close()


def principal(federation: Federation, role: str) -> Principal:
    """Returns somebody with one role, for the first of its purposes."""
    who = of_role(federation.catalog, role)
    assert who.default_purpose
    return who


@pytest.mark.parametrize("role", ROLES)
async def test_graphql_shows_what_the_role_reads(
    demo: Federation, role: str, golden: Callable[[Path, str], None]
) -> None:
    who = principal(demo, role)
    door = Door(demo)
    text = await door.text(Request(who), who.default_purpose)
    golden(GOLDEN / f"{role}.graphql", _DESCRIPTION.sub("", text))
    asked = await door.answer(Ask(get_introspection_query(one_of=True)), Request(who))
    assert "errors" not in asked.body
    introspected = print_schema(build_client_schema(asked.body["data"]))
    # graphql-core drops it when it makes a schema of an introspection.
    declared = print_schema(build_schema(text)).replace(" @oneOf {", " {")
    assert sorted(introspected.splitlines()) == sorted(declared.splitlines())


@pytest.mark.parametrize("role", ROLES)
def test_sql_shows_what_the_role_reads(
    demo: Federation, role: str, golden: Callable[[Path, str], None]
) -> None:
    relations = visible(demo.catalog, demo.decide(principal(demo, role)))
    lines = [
        f"{relation}.{column} {of_column(type_)}"
        for relation, columns in sorted(relations.items())
        for column, type_ in columns.items()
    ]
    golden(GOLDEN / f"{role}.sql.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("role", ROLES)
async def test_explanations_and_errors_tell_the_role_no_more(
    demo: Federation, role: str, golden: Callable[[Path, str], None]
) -> None:
    who = principal(demo, role)
    request = Request(who, timeout_seconds=30, allow_scan="allow_scan" in demo.decide(who).actions)
    told = []
    for text in STATEMENTS:
        try:
            explained = as_text(await demo.explain_sql(text, request))
            # How a source is asked is proved elsewhere.
            answer = "\n".join(line for line in explained.splitlines() if _NAMES.match(line))
        except RoundviewError as error:
            answer = f"{error} {error.hint}".rstrip()
        told.append(f"{text}\n{_indented(answer)}")
    door = Door(demo)
    for document in DOCUMENTS:
        body = (await door.answer(Ask(document), Request(who))).body
        said = [one["message"] for one in body.get("errors", ())] or [str(body["data"])]
        told.append(f"{document}\n{_indented(chr(10).join(said))}")
    text = "\n".join(told)
    golden(GOLDEN / f"{role}.told.txt", text)
    schema = await door.text(Request(who), who.default_purpose)
    for hints in re.findall(r"Did you mean (.*)\?", text):
        for name in re.findall(r"'(\w+)'", hints):
            assert re.search(rf"\b{name}\b", schema), name


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
