"""A key that is an identifier leaves its source encrypted only, and finds its rows all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog import loader, schema_file
from roundview_catalog.errors import CatalogError
from roundview_catalog.model import Catalog
from roundview_federation.connectors import open_connector
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather, utc_now
from roundview_federation.federation import Federation
from roundview_federation.plan import Lookup, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.refresh import refresh_identity
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.sealing import KEY_BYTES, KeySealing
from roundview_federation.rewrite.source_keys import split_key

EVERYTHING = Decision("test", "", {}, {}, {}, frozenset(), {})
SEALING = KeySealing(bytes(range(KEY_BYTES)))
TABLES = """
CREATE TABLE readers (email TEXT PRIMARY KEY, name TEXT);
CREATE TABLE mails (id INTEGER PRIMARY KEY, reader TEXT, address TEXT, opened TIMESTAMP);
CREATE TABLE clicks (id INTEGER PRIMARY KEY, mail INTEGER, made TIMESTAMP);
CREATE INDEX mails_reader ON mails (reader);
INSERT INTO readers VALUES ('mia@a.example', 'Mia'), ('b/en%@b.example', 'Ben');
INSERT INTO mails VALUES (1, 'mia@a.example', 'mia@a.example', '2026-01-01 10:00:00'), (2, 'b/en%@b.example', 'x@x.example', '2026-01-02 10:00:00'), (3, NULL, 'y@x.example', '2026-01-03 10:00:00');
INSERT INTO clicks VALUES (1, 1, '2026-01-01 11:00:00');
"""
SOURCE = """
source: news
connector: sqlite
connection: {path: news.db}
facts: {readers.email: {normal_form: lower}}
entities:
  individual:
    from: readers r
    key: {value: r.email, sealed: true}
    fields: {full_name: r.name}
    also:
      contact_point_email: {fields: {email_address: r.email}}
  conversation:
    from: mails m
    person: m.reader
    fields: {started_at: m.opened}
  message:
    from: clicks c
    parent: {conversation: c.mail}
    fields: {sent_at: c.made}
"""
ENTITIES = {
    "individual": "full_name",
    "contact_point_email": "email_address",
    "conversation": "started_at",
    "message": "sent_at",
}


async def test_rows_are_found_by_their_sealed_keys(tmp_path: Path) -> None:
    catalog = await _catalog(tmp_path)
    scanned = await _asked(catalog, "", Customers([], [], {}))
    persons = sorted(owner for owner in scanned["individual"] if owner is not None)
    assert len(persons) == 2
    assert not any("example" in person or "@" in person for person in persons)
    assert {o for o in scanned["conversation"] if o is not None} == set(persons)
    assert {row[1] for rows in scanned["contact_point_email"].values() for row in rows} == set(
        persons
    )
    keys = [*persons, "mia@a.example", SEALING.sealed("mia@a.example", "other/"), "AAAA"]
    entries = [(*split_key(key), at) for at, key in enumerate(keys)]
    customers = Customers(list(keys), ["linked"] * len(keys), {"news": entries})
    bound = await _asked(catalog, "who", customers)
    for entity in ENTITIES:
        by_key = {keys[at]: [row[1:] for row in rows] for at, rows in bound[entity].items()}
        all_rows = {o: [r[1:] for r in rows] for o, rows in scanned[entity].items() if o}
        assert by_key == all_rows


async def test_the_identity_store_never_sees_the_key(tmp_path: Path) -> None:
    await _catalog(tmp_path)
    federation = Federation.open(tmp_path, data_dir=tmp_path / "data", secret=b"s" * 32)
    try:
        refreshed = await refresh_identity(federation)
        assert refreshed.records == 2
    finally:
        await federation.close()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    stored = b"".join(path.read_bytes() for path in files)
    assert b"mia@a.example" not in stored


async def test_an_open_identifier_as_key_is_refused(tmp_path: Path) -> None:
    await _catalog(tmp_path)
    file = tmp_path / "sources/news.yaml"
    file.write_text(file.read_text("utf-8").replace("sealed: true", "sealed: false"), "utf-8")
    with pytest.raises(CatalogError, match=r"RV236 key r\.email is mapped to an identifier"):
        loader.load(tmp_path)


@given(st.text(), st.text(max_size=5))
def test_sealing_is_one_text_for_one_key(text: str, space: str) -> None:
    sealed = SEALING.sealed(text, space)
    assert sealed == SEALING.sealed(text, space)
    assert SEALING.opened(sealed, space) == text
    assert SEALING.opened(sealed, space + "x") is None
    assert KeySealing(bytes(KEY_BYTES)).opened(sealed, space) is None
    assert split_key(sealed) == ("", sealed)


async def _catalog(folder: Path) -> Catalog:
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n")
    with closing(sqlite3.connect(folder / "news.db")) as database:
        database.executescript(TABLES)
    (folder / "sources/news.yaml").write_text(SOURCE, "utf-8")
    connector = open_connector(loader.source_outline(folder, "news"), env={})
    try:
        tables = await connector.introspect()
    finally:
        await connector.close()
    schema_file.write(folder / "sources/news.schema.yaml", tables)
    return loader.load(folder)


async def _asked(catalog: Catalog, lookup: str, customers: Customers) -> dict[str, dict[Any, Any]]:
    connector = open_connector(catalog.sources["news"], env={})
    sections = tuple(
        Section(entity, entity, selecting(entity, (column,)), lookup)
        for entity, column in ENTITIES.items()
    )
    try:
        plan = await Planner(catalog, {"news": connector}, SEALING).prepare(
            Question("case", (Lookup("who"),), ()), EVERYTHING, hidden=lambda: sections
        )
        gathered = await gather(
            plan, {"who": customers}, {}, Deadline.after(10),
            catalog=catalog, connectors={"news": connector}, clock=utc_now,
        )  # fmt: skip
    finally:
        await connector.close()
    assert gathered.failures == {}
    return {name: dict(rows) for name, rows in gathered.rows.items()}
