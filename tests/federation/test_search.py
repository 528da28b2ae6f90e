"""Unknown callers are looked for by the column that holds their address in the indexed spelling."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview_catalog import schema_file
from roundview_federation.locating import locators_of
from roundview_federation.resilience.deadline import Deadline

MAIN = "roundview: 1\nname: search\nversion: 1\ndeadlines: {view: 60s, probe: 10s}\n"
POLICY = 'roles:\n  demo:\n    purposes: [service]\n    sees: {"*": all}\n'
SOURCE = """\
source: crm
connector: sqlite
connection: {path: "${env:SEARCH}/crm.db"}
limits: {timeout: 60s}
facts: CLAIMS
entities:
  individual:
    from: people p
    fields: {family_name: p.family}
    also:
      contact_point_email: {fields: {email_address: p.address}}
"""
CLAIMS = {
    "the form beside the search": "{people.address: {search: caps, normal_form: upper}}",
    "the form of the copy": "{people.address: {search: caps}, people.caps: {normal_form: upper}}",
}
PEOPLE = [
    (1, "Vogt", "Mia.Vogt@X.example", "MIA.VOGT@X.EXAMPLE"),
    # Its copy was not kept up.
    (2, "Weber", "ben@x.example", "OLD@X.EXAMPLE"),
]


@pytest.fixture(params=CLAIMS.values(), ids=CLAIMS)
async def connection(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AsyncConnection]:
    """Opens a system whose people are linked to nobody yet."""
    root = tmp_path / "catalog"
    (root / "sources").mkdir(parents=True)
    source = SOURCE.replace("CLAIMS", request.param)
    for name, text in (
        ("roundview.yaml", MAIN), ("policy.yaml", POLICY), ("sources/crm.yaml", source)
    ):  # fmt: skip
        (root / name).write_text(text, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        database.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, family TEXT, address TEXT, caps TEXT);"
            "CREATE INDEX by_caps ON people (caps);"
        )
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", PEOPLE)
        database.commit()
    env = {"SEARCH": str(tmp_path)}
    tables = await introspect_source(root, "crm", env)
    schema_file.write(root / "sources/crm.schema.yaml", tables)
    async with connect_async(root, env=env) as opened:
        yield opened


async def test_an_address_in_any_spelling_is_found(connection: AsyncConnection) -> None:
    view = await connection.customer(email="mia.vogt@x.EXAMPLE")
    assert view is not None
    assert [row["family_name"] for row in view.entities["individual"].rows] == ["Vogt"]


async def test_what_the_record_does_not_carry_finds_nobody(connection: AsyncConnection) -> None:
    assert await connection.customer(email="old@x.example") is None


async def test_the_source_searches_by_its_index(connection: AsyncConnection) -> None:
    snapshot = connection.federation.current
    kind = snapshot.catalog.canonical.identifiers["email"]
    (locator,) = locators_of(kind, snapshot.planner)
    params = {"value": "MIA.VOGT@X.EXAMPLE"}
    connector = snapshot.connectors["crm"]
    (access,) = await connector.accesses(locator.planned.call, params, Deadline.after(10))
    assert (access.index, access.is_scan) == ("by_caps", False)
