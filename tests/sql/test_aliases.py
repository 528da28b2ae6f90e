"""Proves that a customer's id of before a merge still finds the customer in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.sql.oracles import rows_of

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview_catalog import schema_file
from roundview_federation.request import Principal, Request

MAIN = "roundview: 1\nname: merged\nversion: 1\ndeadlines: {view: 60s, probe: 10s, sql: 60s}\n"
POLICY = 'roles:\n  demo:\n    purposes: [service]\n    sees: {"*": all}\n'
SOURCE = """\
source: crm
connector: sqlite
connection: {path: "${env:MERGED}/crm.db"}
limits: {timeout: 60s}
entities:
  individual:
    from: people p
    fields: {family_name: p.family}
    also:
      contact_point_email: {fields: {email_address: p.mail}}
      contact_point_phone: {fields: {phone_raw: p.phone}}
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """Two people who became one, and one who did not."""

    connection: AsyncConnection
    old: str
    today: str
    other: str

    async def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Returns the sorted rows of a question."""
        who = Principal("demo", ("demo",), {}, ("service",), "service")
        result = await self.connection.federation.sql(text, Request(who))
        return sorted(rows_of(await result.table()), key=repr)


@pytest.fixture(scope="module")
async def merged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merged]:
    folder = tmp_path_factory.mktemp("merged")
    root = folder / "catalog"
    (root / "sources").mkdir(parents=True)
    texts = {"roundview.yaml": MAIN, "policy.yaml": POLICY, "sources/crm.yaml": SOURCE}
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    database = sqlite3.connect(folder / "crm.db")
    database.execute(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, family TEXT, mail TEXT, phone TEXT)"
    )
    people = [
        (1, "Vogt", "ann@x.example", None),
        (2, "Vogt", None, "+4930111222"),
        (3, "Weber", "bob@x.example", None),
    ]
    database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", people)
    database.commit()
    env = {"MERGED": str(folder)}
    tables = await introspect_source(root, "crm", env)
    schema_file.write(root / "sources/crm.schema.yaml", tables)
    async with connect_async(root, env=env) as opened:
        await opened.refresh_identity()
        xref = opened.federation.xref
        first, second, other = (str(xref.owner("crm", str(at))) for at in (1, 2, 3))
        bridge = (4, "Vogt", "ann@x.example", "+4930111222")
        database.execute("INSERT INTO people VALUES (?, ?, ?, ?)", bridge)
        database.commit()
        database.close()
        await opened.refresh_identity()
        today = str(xref.owner("crm", "4"))
        (old,) = {first, second} - {today}
        yield Merged(opened, old, today, other)


async def test_an_old_id_has_the_rows_of_the_customer(merged: Merged) -> None:
    old, other = merged.old, merged.other
    everybody = [(merged.today, "1"), (merged.today, "2"), (merged.today, "4")]
    text = "SELECT customer_id, source_key FROM individual AS i WHERE "
    for condition in (
        f"customer_id = '{old}'",
        f"i.customer_id = '{old}' AND family_name = 'Vogt'",
        f"'{old}' = i.customer_id",
        f"customer_id IN ('nobody', '{old}')",
        f"\"customer_id\" <> '{other}' AND customer_id = '{old}'",
        f"i.customer_id NOT IN ('{other}', 'nobody') AND '{old}' = customer_id",
    ):
        assert await merged.rows(text + condition) == everybody, condition
    for condition in (f"customer_id <> '{old}'", f"i.customer_id NOT IN ('x', '{old}')"):
        assert await merged.rows(text + condition) == [(other, "3")], condition


async def test_an_old_id_has_the_customer_of_computed_relations(merged: Merged) -> None:
    text = f"SELECT customer_id, family_name FROM customer WHERE customer_id = '{merged.old}'"
    assert await merged.rows(text) == [(merged.today, "Vogt")]
    found = f"SELECT customer_id FROM lookup('customer_id', '{merged.old}')"
    assert await merged.rows(found) == [(merged.today,)]


async def test_elsewhere_it_is_a_text_like_any_other(merged: Merged) -> None:
    old = merged.old
    assert await merged.rows(f"SELECT '{old}' AS customer_id") == [(old,)]
    text = f"SELECT source_key FROM individual WHERE source_key = '{old}' OR '{old}' = family_name"
    assert await merged.rows(text) == []
    plain = f"SELECT length('{old}'), customer_id = '{merged.today}' FROM individual"
    assert (36, True) in await merged.rows(plain)


async def test_no_other_spelling_of_an_old_id_is_one(merged: Merged) -> None:
    text = f"SELECT source_key FROM individual WHERE customer_id = '{merged.old.upper()}'"
    assert await merged.rows(text) == []
