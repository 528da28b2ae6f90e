"""Proves what SQL says of values that are not what the catalog says they are."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sql.oracles import rows_of

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview_catalog import schema_file
from roundview_catalog.errors import RequestError, SourceError
from roundview_federation.request import Principal, Request
from roundview_federation.sql.answered import SqlResult

MAIN = """\
roundview: 1
name: bad
version: 1
deadlines: {view: 60s, probe: 10s, sql: 60s}
"""

POLICY = """\
roles:
  demo:
    purposes: [service]
    sees: {"*": all}
  filtered:
    purposes: [service]
    sees: {individual: [family_name, gender]}
    row_filter: {individual: "birth_date > DATE '1900-01-01'"}
"""

SOURCE = """\
source: crm
connector: sqlite
connection: {path: "${env:BAD}/crm.db"}
limits: {timeout: 60s}
defaults: {time_zone: UTC}
facts: {people.mail: {normal_form: email}}
entities:
  individual:
    from: people p
    key: p.id
    fields:
      family_name: p.family
      birth_date: p.born
      gender: {value: p.gender, map: {0: female, 1: male}}
    also:
      contact_point_email: {fields: {email_address: p.mail}}
"""

ROWS = (
    (1, "Vogt", "1990-02-28", 0, "a@x.example"),
    (2, "Weber", "1990-02-30", 1, "b@x.example"),
    (3, "Voss", "1991-01-01", 9, "c@x.example"),
)


@pytest.fixture(scope="module")
async def connection(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncConnection]:
    folder = tmp_path_factory.mktemp("bad")
    root = folder / "catalog"
    (root / "sources").mkdir(parents=True)
    for name, text in (
        ("roundview.yaml", MAIN), ("policy.yaml", POLICY), ("sources/crm.yaml", SOURCE)
    ):  # fmt: skip
        (root / name).write_text(text, encoding="utf-8")
    database = sqlite3.connect(folder / "crm.db")
    database.execute(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, family TEXT, born DATE, gender INTEGER,"
        " mail TEXT)"
    )
    database.execute("CREATE INDEX by_mail ON people (mail)")
    database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", ROWS)
    database.commit()
    database.close()
    env = {"BAD": str(folder)}
    tables = await introspect_source(root, "crm", env)
    schema_file.write(root / "sources/crm.schema.yaml", tables)
    async with connect_async(root, env=env) as opened:
        await opened.refresh_identity()
        yield opened


async def asked(
    connection: AsyncConnection, text: str, role: str = "demo", **options: Any
) -> tuple[list[tuple[Any, ...]], SqlResult]:
    who = Principal(role, (role,), {}, ("service",), "service")
    result = await connection.federation.sql(text, Request(who, **options))
    return sorted(rows_of(await result.table()), key=repr), result


async def test_a_code_without_a_meaning_is_null_and_is_told(connection: AsyncConnection) -> None:
    for where in ("", "WHERE family_name LIKE 'V%' OR family_name = 'Weber'"):
        rows, result = await asked(connection, f"SELECT gender FROM individual {where}")
        assert rows == [("female",), ("male",), (None,)]
        assert result.notices == ("crm has codes without a meaning of individual.gender: NULL",)
    rows, result = await asked(connection, "SELECT gender FROM individual WHERE gender = 'male'")
    assert (rows, result.notices) == ([("male",)], ())


async def test_a_value_that_is_not_of_its_type_is_an_error_that_names_it(
    connection: AsyncConnection,
) -> None:
    for where in ("", "WHERE family_name = 'Weber'"):
        with pytest.raises(SourceError) as caught:
            await asked(connection, f"SELECT birth_date FROM individual {where}")
        assert (caught.value.code, caught.value.message) == (
            "RV403", "crm holds a value in people.born that is no date",
        )  # fmt: skip
        assert caught.value.hint


async def test_asked_by_customer_it_is_the_same_error(connection: AsyncConnection) -> None:
    text = (
        "SELECT i.birth_date FROM lookup('email', 'b@x.example') AS l"
        " JOIN individual AS i ON i.customer_id = l.customer_id"
    )
    with pytest.raises(RequestError) as caught:
        await asked(connection, text)
    assert (caught.value.code, caught.value.message) == (
        "RV105", "crm has values of individual.birth_date that are not of their type",
    )  # fmt: skip
    rows, result = await asked(connection, text, is_partial=True)
    assert rows == [(None,)]
    assert result.notices == ("crm has values out of type of individual.birth_date: NULL",)


async def test_a_partial_answer_has_null_and_every_row(connection: AsyncConnection) -> None:
    rows, result = await asked(
        connection, "SELECT family_name, birth_date IS NULL FROM individual", is_partial=True
    )
    assert rows == [("Vogt", False), ("Voss", False), ("Weber", True)]
    assert (result.missing, len(result.notices)) == ((), 1)


async def test_what_was_not_asked_for_does_not_matter(connection: AsyncConnection) -> None:
    rows, result = await asked(connection, "SELECT family_name FROM individual")
    assert (len(rows), result.notices) == (3, ())


async def test_a_hidden_column_is_not_named(connection: AsyncConnection) -> None:
    with pytest.raises(RequestError) as caught:
        await asked(connection, "SELECT family_name FROM individual", "filtered")
    assert caught.value.message == "crm has values of individual that are not of their type"


async def test_a_declared_form_is_asked_for_by_its_column(connection: AsyncConnection) -> None:
    text = "SELECT email_address FROM contact_point_email WHERE email_normalized"
    for wanted, found in (
        ("= 'b@x.example'", ["b@x.example"]), ("= 'B@x.example'", []),
        ("IN ('a@x.example', 'c@x.example', 'd@x.example')", ["a@x.example", "c@x.example"]),
    ):  # fmt: skip
        rows, result = await asked(connection, f"{text} {wanted}")
        assert (rows, result.rows_fetched) == ([(one,) for one in found], len(found))
