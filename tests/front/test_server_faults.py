"""Proves that a view lives on, and says what to do, whatever a database server holds or refuses."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import pytest
from tests.connectors import mariadb_server, postgres_server
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.postgres_server import PASSWORD, PostgresServer
from tests.front.server_world import (
    DATABASE,
    EMAIL,
    FILTERED,
    MAPPING,
    Watched,
    World,
    records,
    script,
)

VIEW_SECONDS: Final = 2.0
# What hangs here would hang for long; a busy machine only dawdles.
LOOSE_SECONDS: Final = 3.0
LEFT_SECONDS: Final = 0.25
SERVERS: Final = ("crm", "pos")
ENTITIES: Final = {"salesOrder": "sales_order", "individual": "individual", "note": "note"}


@dataclass(frozen=True, slots=True)
class Said:
    """What the status of a source must say, to the word."""

    code: str
    reason: str
    hint: str


CHANGED: Final = "does not have the tables and columns of its schema file"
UNREACHABLE: Final = Said("RV402", "cannot be reached", "check connection.url")
TLS: Final = Said(
    "RV402",
    "cannot be reached over TLS as its connection demands",
    "check connection.tls, connection.ca and the server's certificate",
)
TOO_LARGE: Final = Said(
    "RV405", "holds a value above limits.bytes", "leave the column out, or raise limits.bytes"
)
TOO_MANY_BELOW: Final = Said(
    "RV405",
    "has too many rows below one row",
    "leave out the fields that are computed from them, or raise limits.rows and limits.bytes",
)
TRUNCATED: Final = Said(
    "RV405",
    "has more than one answer may hold",
    "ask for less, or raise its limits.rows, limits.bytes or limits.calls",
)


def introspect(source: str, reason: str = CHANGED) -> Said:
    """Returns what is said of tables that are not what they were."""
    return Said("RV403", reason, f"run roundview introspect {source}")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Starts PostgreSQL."""
    with postgres_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """Starts MariaDB."""
    with mariadb_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="module")
async def world(
    postgres: PostgresServer, mariadb: MariadbServer, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """Makes the three systems and their catalog."""
    made = World(postgres, mariadb, tmp_path_factory.mktemp("whole"))
    await made.make()
    return made


@pytest.fixture(scope="module")
async def healthy(world: World) -> AsyncIterator[Watched]:
    """Returns the linked catalog."""
    async with world.watched() as view:
        assert view.base.complete
        assert {len(one.rows) for one in view.base.entities.values()} == {3, 6}
        yield view


@asynccontextmanager
async def changed(world: World, source: str, *statements: str) -> AsyncIterator[None]:
    """Changes a source as its own system would, for a while."""
    try:
        await world.run(source, statements)
        yield
    finally:
        await world.restore(source)


async def assert_labelled(view: Watched, source: str, said: Said, lost: set[str]) -> None:
    """Both doors answer with all others' rows, and say of one source what it lacks.

    `lost` are the entities of that source which are missing.
    """
    found = await view.view()
    answer = await view.answer()
    whole = {name: one for name, one in found.entities.items() if one.rows or one.missing}
    status = {one.name: one for one in found.sources}
    one = status.pop(source)
    assert (one.rv_code, one.reason, one.hint) == (said.code, f"{source} {said.reason}", said.hint)
    assert {(other.status, other.problems) for other in status.values()} == {("ok", 0)}
    assert records(found, source) == records(view.base, source)
    assert {name for name, some in whole.items() if some.missing == (source,)} == lost
    assert {name for name, some in whole.items() if not some.complete} == lost
    kept = Counter({k: n for k, n in records(view.base, "").items() if k[1] == source})
    expected = Counter({k: n for k, n in kept.items() if k[0] not in lost})
    assert Counter({k: n for k, n in records(found, "").items() if k[1] == source}) == expected

    shown = {told["name"]: told for told in answer["extensions"]["sources"]}
    told = shown.pop(source)
    assert (told["rv"], told["reason"], told["hint"]) == (one.rv_code, one.reason, one.hint)
    assert {other["status"] for other in shown.values()} == {"ok"}
    customer = answer["data"]["customer"]
    assert customer["fullName"] == "Erika Vogt"
    assert "errors" not in answer
    for name, entity in ENTITIES.items():
        page = customer[name]
        assert page["complete"] is (entity not in lost)
        assert page["missingSources"] == ([source] if entity in lost else [])
        sources = {node["source"] for node in page["nodes"]}
        assert sources == {"club", "crm", "pos"} - ({source} if entity in lost else set())
    assert_nothing_is_told(f"{one.reason} {one.hint} {orjson.dumps(answer['extensions'])!r}")


def assert_nothing_is_told(text: str) -> None:
    """What is said shows no host, password, statement or customer."""
    parts = ("127.0.0.1", "invalid", PASSWORD, mariadb_server.PASSWORD, "c0", DATABASE, "Erika")
    assert [part for part in parts if part in text] == []


# -- a server that is not the one of the catalog -----------------------------------------------

EVERYTHING: Final = {"individual", "contact_point_email", "sales_order", "note"}
LOGIN: Final = {
    "crm": Said("RV404", "refuses our login", "check user and password of connection.url"),
    "pos": Said(
        "RV404",
        "refuses our login",
        "check user, password and database of connection.url, and connection.tls",
    ),
}


def wrong_password(world: World, source: str) -> str:
    url = world.env[f"{source.upper()}_URL"]
    head, _, tail = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:wrong@{tail}"


def unknown_host(world: World, source: str) -> str:
    return world.env[f"{source.upper()}_URL"].replace("127.0.0.1", "nowhere.invalid")


def writing_login(world: World, source: str) -> str:
    server = world.postgres if source == "crm" else world.mariadb
    return server.url(DATABASE, postgres_server.ADMIN)


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", SERVERS)
@pytest.mark.parametrize("change", [wrong_password, unknown_host])
async def test_a_view_lives_without_a_server_that_is_not_there_or_refuses_us(
    world: World, healthy: Watched, source: str, change: Callable[[World, str], str]
) -> None:
    env = {f"{source.upper()}_URL": change(world, source)}
    said = LOGIN[source] if change is wrong_password else UNREACHABLE
    async with world.watched(healthy.base, env) as view:
        await assert_labelled(view, source, said, EVERYTHING)


@pytest.mark.row("E2")
@pytest.mark.parametrize("source", SERVERS)
async def test_a_view_lives_without_a_login_that_can_write(
    world: World, healthy: Watched, source: str
) -> None:
    env = {f"{source.upper()}_URL": writing_login(world, source)}
    async with world.watched(healthy.base, env) as view:
        (one,) = [one for one in (await view.view()).sources if one.name == source]
        assert one.reason.startswith(f"{source} is not proven to be read-only: ")
        assert "SELECT" in one.hint
        said = Said("RV407", one.reason.removeprefix(f"{source} "), one.hint)
        await assert_labelled(view, source, said, EVERYTHING)


@pytest.mark.parametrize("source", SERVERS)
async def test_a_view_lives_without_a_server_of_another_certificate(
    world: World, healthy: Watched, source: str
) -> None:
    world.write(source, MAPPING, tls="verify")
    try:
        async with world.watched(healthy.base) as view:
            await assert_labelled(view, source, TLS, EVERYTHING)
    finally:
        world.write(source, MAPPING)


# -- tables that are not what they were --------------------------------------------------------

CHANGES: Final = {
    "a table vanished": (
        {"crm": ["DROP TABLE orders"], "pos": ["DROP TABLE orders"]},
        {"crm": introspect("crm"), "pos": introspect("pos", "has no table orders")},
        {"sales_order"},
    ),
    "a column vanished": (
        {
            "crm": ["ALTER TABLE notes RENAME words TO said"],
            "pos": ["ALTER TABLE notes RENAME COLUMN words TO said"],
        },
        {"crm": introspect("crm"), "pos": introspect("pos", "has no column notes.words")},
        {"note"},
    ),
}
RETYPED: Final = {
    "crm": ("ALTER TABLE orders ALTER person TYPE text", CHANGED),
    "pos": (
        "ALTER TABLE orders MODIFY person VARCHAR(20)",
        "has another type than declared in orders.person",
    ),
}


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", SERVERS)
@pytest.mark.parametrize("name", CHANGES)
async def test_a_view_lives_with_tables_that_changed_and_is_whole_when_they_are_back(
    world: World, healthy: Watched, name: str, source: str
) -> None:
    statements, said, lost = CHANGES[name]
    async with changed(world, source, *statements[source]):
        # What the tables are like is known for a while: the first answer may say less.
        await healthy.view()
        await assert_labelled(healthy, source, said[source], lost)
    found = await healthy.view()
    assert found.complete
    assert records(found, "") == records(healthy.base, "")


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", SERVERS)
async def test_a_view_lives_with_a_key_of_another_type(
    world: World, healthy: Watched, source: str
) -> None:
    statement, reason = RETYPED[source]
    said = introspect(source, reason)
    async with changed(world, source, statement), world.watched(healthy.base) as view:
        if source == "crm":
            # A connection that knew the old type; of MariaDB types are known for a minute.
            await assert_labelled(healthy, source, said, {"sales_order"})
        for _ in range(2):
            await assert_labelled(view, source, said, {"sales_order"})


# -- values that do not fit --------------------------------------------------------------------

ZERO: Final = "'0000-00-00 00:00:00'"
VALUES: Final = {
    "dates that are none": (
        {
            "crm": [
                "UPDATE people SET born = 'infinity', seen = '-infinity'",
                "UPDATE orders SET at = '0044-03-15 BC'",
            ],
            "pos": [
                "SET SESSION sql_mode = ''",
                f"UPDATE people SET born = '0000-00-00', seen = {ZERO}",
                f"UPDATE orders SET at = {ZERO}",
            ],
        },
        ("individual", "birth_date"),
    ),
    "a column of another type": (
        {
            "crm": ["ALTER TABLE people ALTER born TYPE integer USING 5"],
            "pos": [
                "ALTER TABLE people DROP born",
                "ALTER TABLE people ADD born INTEGER DEFAULT 5",
            ],
        },
        ("individual", "birth_date"),
    ),
    "bytes that are no UTF-8": (
        {
            "pos": [
                "ALTER TABLE notes MODIFY words LONGBLOB",
                "UPDATE notes SET words = x'45ff9d81'",
            ]
        },
        ("note", "text"),
    ),
}


@pytest.mark.row("B4")
@pytest.mark.parametrize(("name", "source"), [(n, s) for n, v in VALUES.items() for s in v[0]])
async def test_values_that_do_not_fit_cost_themselves_only(
    world: World, healthy: Watched, name: str, source: str
) -> None:
    statements, (entity, field) = VALUES[name]
    async with changed(world, source, *statements[source]):
        found = await healthy.view()
        answer = await healthy.answer()
    status = {one.name: (one.status, one.problems > 0) for one in found.sources}
    assert status == {other: ("ok", other == source) for other in ("club", "crm", "pos")}
    assert records(found, "") == records(healthy.base, "")
    base = {row["source"]: row[field] for row in healthy.base[entity].rows}
    assert {row["source"]: row[field] for row in found[entity].rows} == {**base, source: None}
    shown = {one["name"]: one["problems"] > 0 for one in answer["extensions"]["sources"]}
    assert shown == {other: other == source for other in shown}
    assert "errors" not in answer


async def test_text_that_no_server_checked_is_named(world: World, healthy: Watched) -> None:
    """A PostgreSQL database of no encoding hands out bytes as they are."""
    name = f"{DATABASE}_ascii"
    ascii_ = "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    bad = r"UPDATE notes SET words = E'\xff\x9d'"
    await world.postgres.make(name, ";".join([*script("crm"), bad]), options=ascii_)
    said = Said(
        "RV403", "holds text that is not valid UTF-8", "repair the text, or leave the column out"
    )
    async with world.watched(healthy.base, {"CRM_URL": world.postgres.url(name)}) as view:
        await assert_labelled(view, "crm", said, {"note"})
    await world.postgres.drop(name)


# -- answers that are too large ----------------------------------------------------------------

MOST_BYTES: Final = 160 * 2**20
"""Of memory that one view may take more: some times limits.bytes, far below 1 GB."""

HUGE: Final = {
    "crm": ["UPDATE notes SET words = repeat(repeat('x', 1000000), 1000)"],
    "pos": [
        "ALTER TABLE notes DROP words",
        "ALTER TABLE notes ADD words LONGTEXT AS (repeat(repeat('x', 1000000), 1000)) VIRTUAL",
    ],
}
MILLION: Final = {
    "crm": [
        "ALTER TABLE orders DROP CONSTRAINT orders_number_key",
        "INSERT INTO orders SELECT n, 1, 'X-' || n, timestamp '2020-01-01' + n * interval '1 min',"
        " 'paid' FROM generate_series(10, 1000009) AS n",
        "ANALYZE orders",
    ],
    "pos": [
        "ALTER TABLE orders DROP INDEX number",
        "INSERT INTO orders SELECT seq, 1, concat('X-', seq), '2020-01-01' + INTERVAL seq MINUTE,"
        " 'paid' FROM seq_10_to_1000009",
        "ANALYZE TABLE orders",
    ],
}
BELOW: Final = {
    "crm": [
        "INSERT INTO items SELECT n, 1, 'X', 1, 1 FROM generate_series(10, 20000) AS n",
    ],
    "pos": ["INSERT INTO items SELECT seq, 1, 'X', 1, 1 FROM seq_10_to_20000"],
    "club": [
        "WITH RECURSIVE s (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)"
        " INSERT INTO items SELECT n, 1, 'X', 1, 1 FROM s"
    ],
}


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """Fails a test in which this process took much memory, if only for a moment."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells the most memory of a while")
    Path("/proc/self/clear_refs").write_text("5")
    before = most_memory()
    yield
    assert most_memory() - before < MOST_BYTES


def most_memory() -> int:
    """Returns the most bytes that this process had since it was last asked to forget."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def assert_stopped(world: World, source: str) -> None:
    """The server works at nothing of ours soon after we have the answer."""
    ended = time.monotonic()
    while await world.running(source):
        assert time.monotonic() - ended < LEFT_SECONDS
        await asyncio.sleep(0)


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", SERVERS)
async def test_a_text_of_a_gigabyte_costs_its_list_and_no_memory(
    world: World, healthy: Watched, source: str, bounded_memory: None
) -> None:
    world.write_deadline("20s")
    try:
        async with (
            changed(world, source, *HUGE[source]),
            world.watched(healthy.base) as view,
        ):
            await assert_labelled(view, source, TOO_LARGE, {"note"})
            await assert_stopped(world, source)
    finally:
        world.write_deadline(f"{VIEW_SECONDS:.0f}s")


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", BELOW)
async def test_a_row_with_too_many_rows_below_it_is_not_cut_in_silence(
    world: World, healthy: Watched, source: str
) -> None:
    async with changed(world, source, *BELOW[source]):
        if source not in SERVERS:
            await assert_labelled(healthy, source, TOO_MANY_BELOW, {"sales_order"})
            return
        # Servers add up the rows below themselves: only the list of them is too long.
        found = await healthy.view()
    (one,) = [some for some in found.sources if some.name == source]
    said = Said(one.rv_code, one.reason.removeprefix(f"{source} "), one.hint)
    assert (said, one.is_truncated) == (TRUNCATED, True)
    assert all(some.missing == () for some in found.entities.values())
    assert records(found, source) == records(healthy.base, source)


@pytest.mark.row("B4")
@pytest.mark.parametrize("source", SERVERS)
async def test_a_million_rows_of_one_customer_are_cut_and_labelled(
    world: World, healthy: Watched, source: str, bounded_memory: None,
    shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:  # fmt: skip
    async with changed(world, source, *MILLION[source]):
        started = time.monotonic()
        found = await healthy.view()
        # A condition that only arrival can judge needs all rows, up to the cap.
        answer = await healthy.answer(FILTERED)
        assert time.monotonic() - started < 2 * VIEW_SECONDS + LOOSE_SECONDS
        await assert_stopped(world, source)
        command = ["roundview", "customer", f"email={EMAIL}", "--json"]
        printed = (await asyncio.to_thread(shell, *command, cwd=world.folder)).stdout
    (own,) = [one for one in found.sources if one.name == source]
    # The first rows of a million are found in time, or it is said that they were not.
    assert (own.status, own.rv_code) in (("ok", ""), ("failed", "RV401"), ("partial", "RV401"))
    others = [one for one in found.sources if one is not own]
    assert {(one.status, one.is_truncated) for one in others} == {("ok", False)}
    orders = found["sales_order"]
    assert (orders.complete, orders.is_truncated) == (own.status == "ok", False)
    assert records(found, source) == records(healthy.base, source)
    shown = {some["name"]: some for some in answer["extensions"]["sources"]}
    one = shown.pop(source)
    assert (one["truncated"], one["rv"], one["hint"]) == (True, TRUNCATED.code, TRUNCATED.hint)
    assert {some["truncated"] for some in shown.values()} == {False}
    page = answer["data"]["customer"]["salesOrder"]
    assert (page["complete"], page["missingSources"]) == (False, [])
    document = orjson.loads(printed)
    assert document["entities"]["sales_order"]["truncated"] is False
