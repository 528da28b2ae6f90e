"""Proves that people are read in chunks of any size as if they were read at once, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from tests.federation.conftest import World
from tests.federation.test_caps import capped

from roundview_federation.federation import Federation
from roundview_federation.people import CHUNK, read_people
from roundview_federation.records import read_records, sources_with_persons
from roundview_federation.refresh import refresh_identity
from roundview_federation.resilience.deadline import Deadline
from roundview_identity.records import Record

SOURCES = ("crm", "mail", "pos", "support")
LANDS = ("at", "ch", "de", "é", "Z")
SHOP = """
CREATE TABLE people (land TEXT, number TEXT, name TEXT, email TEXT);
CREATE TABLE phones (id INTEGER PRIMARY KEY, land TEXT, number TEXT, phone TEXT);
"""
SHOP_YAML = """
source: shop
title: Shop
owner: test
connector: sqlite
connection: {{path: "{path}"}}
defaults: {{phone_region: DE}}
entities:
  individual:
    from: people p
    key: {key}
    fields: {{full_name: p.name}}
    also:
      contact_point_email: {{fields: {{email_address: p.email}}}}
  contact_point_phone:
    from: phones t
    person: {person}
    fields: {{phone_raw: t.phone}}
"""
SHOP_SCHEMA = """
tables:
  people:
    columns:
      land: {{type: text}}
      number: {{type: text}}
      name: {{type: text}}
      email: {{type: text}}
    primary_key: {key}
  phones:
    columns:
      id: {{type: bigint, nullable: false}}
      land: {{type: text}}
      number: {{type: text}}
      phone: {{type: text}}
    primary_key: [id]
"""


async def people(federation: Federation, source: str, chunk: int) -> list[Record]:
    """Returns everybody of a source, sorted, read some at a time."""
    snapshot = federation.current
    chunks = read_people(
        source,
        planner=snapshot.planner,
        connectors=snapshot.connectors,
        clock=federation.clock,
        chunk=chunk,
    )
    return sorted([one async for records in chunks for one in records], key=lambda one: one.id)


async def by_keys(federation: Federation, source: str, keys: Sequence[str]) -> list[Record]:
    """Returns people who are asked for by their keys, all at once."""
    snapshot = federation.current
    records = await read_records(
        source,
        keys,
        Deadline.after(20),
        planner=snapshot.planner,
        connectors=snapshot.connectors,
        clock=federation.clock,
    )
    return sorted(records, key=lambda one: one.id)


@pytest.mark.parametrize("source", SOURCES)
async def test_chunks_bring_what_keys_bring(world: World, source: str) -> None:
    federation = world.connection.federation
    at_once = await people(federation, source, CHUNK)
    keys = [one.source_key for one in at_once]
    assert len(keys) == len(set(keys)) > 40
    named = {
        key.partition("/")[2] for key in world.estate.truth["records"] if key.startswith(source)
    }
    assert set(keys) <= named
    assert at_once == await by_keys(federation, source, keys)
    for chunk in (1, 7, 50):
        assert await people(federation, source, chunk) == at_once


@pytest.mark.parametrize(
    ("source", "caps"),
    [
        ("crm", {"scan_rows": 5}),
        ("mail", {"scan_rows": 5, "rows": 5}),
        ("pos", {"scan_rows": 5}),
        ("crm", {"bytes": "4kB"}),
        ("support", {"max: 100": "max: 10", "pages: 200, calls: 50": "pages: 1, calls: 1"}),
    ],
)
async def test_the_limits_of_views_cut_nobody_off(
    world: World, tmp_path: Path, source: str, caps: dict[str, Any]
) -> None:
    expected = await people(world.connection.federation, source, CHUNK)
    async with capped(world, tmp_path, source, **caps) as federation:
        assert await people(federation, source, 20) == expected
        refreshed = await refresh_identity(federation, [source], chunk=20)
        assert not refreshed.skipped
        assert refreshed.summary.records == refreshed.summary.unchanged == len(expected)


async def test_a_source_that_breaks_off_keeps_its_links(world: World, tmp_path: Path) -> None:
    async with capped(world, tmp_path, "crm", rows=1) as federation:
        before = links(federation, world.estate.truth["records"])
        assert any(key.startswith("crm/") for key, owner in before.items() if owner)
        refreshed = await refresh_identity(federation, chunk=3)
        assert list(refreshed.skipped) == ["crm"]
        assert refreshed.summary.records > 100
        assert links(federation, world.estate.truth["records"]) == before


async def test_a_refresh_that_is_cancelled_changes_nothing(world: World, tmp_path: Path) -> None:
    async with capped(world, tmp_path, "crm") as federation:
        before = links(federation, world.estate.truth["records"])
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            refresh_identity(federation, progress=lambda *_: begun.set(), chunk=1)
        )
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert links(federation, world.estate.truth["records"]) == before
        assert (await refresh_identity(federation)).summary.new == 0


def test_every_source_of_the_demo_has_people(world: World) -> None:
    assert sources_with_persons(world.connection.catalog) == tuple(
        source for source in world.connection.catalog.sources if source in SOURCES
    )


@asynccontextmanager
async def shop(
    directory: Path, rows: Iterable[tuple[Any, ...]], key: str, person: str
) -> AsyncIterator[Federation]:
    """Opens a catalog of one small shop."""
    path = directory / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SHOP)
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
        connection.execute(
            "INSERT INTO phones SELECT NULL, land, number, '0171 55' || (100000 + min(rowid))"
            " FROM people GROUP BY land, number"
        )
    sources = directory / "catalog/sources"
    sources.mkdir(parents=True)
    (sources.parent / "roundview.yaml").write_text("roundview: 1\nname: shop\nversion: 1\n")
    (sources / "shop.yaml").write_text(SHOP_YAML.format(path=path, key=key, person=person))
    (sources / "shop.schema.yaml").write_text(SHOP_SCHEMA.format(key=key))
    opened = Federation.open(sources.parent, data_dir=directory / "own", secret=b"s" * 32, env={})
    try:
        yield opened
    finally:
        await opened.close()


async def test_a_key_of_two_columns_is_walked(tmp_path: Path) -> None:
    keys = [(land, number) for land in LANDS for number in ("1", "10", "2", "a/b", "Ä")]
    rows: list[tuple[Any, ...]] = [
        (*key, f"Person {at}", f"person.{at}@x.example") for at, key in enumerate(keys)
    ]
    rows.append(("fr", None, "Nobody's key", "lost@x.example"))
    async with shop(tmp_path, rows, "[land, number]", "[t.land, t.number]") as federation:
        at_once = await people(federation, "shop", CHUNK)
        assert len(at_once) == 25
        assert all(len(one.identifiers) == 2 for one in at_once)
        for chunk in (1, 2, 5, 6):
            assert await people(federation, "shop", chunk) == at_once


async def test_rows_of_one_key_are_never_parted(tmp_path: Path) -> None:
    """A key that is not unique after all has its rows on both sides of a chunk's edge."""
    rows = [
        ("de", f"{number}", f"P {number}", f"{number}.{at}@x.example")
        for number in (1, 2, 3, 4)
        for at in range(number * 3)
    ]
    async with shop(tmp_path, rows, "[number]", "t.number") as federation:
        at_once = await people(federation, "shop", CHUNK)
        assert [len(one.identifiers) for one in at_once] == [4, 7, 10, 13]
        for chunk in (1, 2, 5, 11):
            assert await people(federation, "shop", chunk) == at_once


def links(federation: Federation, records: Iterable[str]) -> dict[str, str | None]:
    """Returns the customer of every record."""
    return {record: federation.xref.owner(*record.split("/", 1)) for record in records}
