"""Proves what is PostgreSQL's own: exact types, index use, ends in the server, proof, errors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from tests.connectors import world
from tests.connectors.opening import fragment, opened
from tests.connectors.postgres_server import PASSWORD, READER, PostgresServer

from roundview_catalog import coerce, schema_file
from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Limits, Source, SourceColumn, SourceTable
from roundview_catalog.types import Kind, Type, parse_type
from roundview_federation.connectors.postgres import PostgresConnector
from roundview_federation.resilience.deadline import Deadline

DATABASE = f"odd_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
SCRIPT = """
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('so so', 'happy', 'Angry');
CREATE DOMAIN cents AS numeric(9,2) NOT NULL;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION german (provider = icu, locale = 'de');
CREATE TABLE things (
  id integer PRIMARY KEY, small smallint, big bigint, price numeric(12,3), any_number numeric,
  paid cents, ratio real, exact double precision, is_on boolean, plain text, short varchar(5),
  fixed character(6), name citext, loosely text COLLATE loose, german text COLLATE german,
  token uuid, born date, at_local timestamp, at_instant timestamptz, took interval, noon time,
  doc json, docb jsonb, raw bytea, feeling mood, tags text[], address inet, code "char");
COMMENT ON TABLE things IS 'one of each';
CREATE TABLE keys (
  int2 smallint, int4 integer, int8 bigint, num numeric(20,0), token uuid, fixed character(36),
  short varchar(40), plain text, name citext, loosely text COLLATE loose, born date);
CREATE INDEX ON keys (int2); CREATE INDEX ON keys (int4); CREATE INDEX ON keys (int8);
CREATE INDEX ON keys (num); CREATE INDEX ON keys (token); CREATE INDEX ON keys (fixed);
CREATE INDEX ON keys (short); CREATE INDEX ON keys (plain); CREATE INDEX ON keys (name);
CREATE INDEX ON keys (loosely); CREATE INDEX ON keys (born);
INSERT INTO keys SELECT n, n, n, n, md5(n::text)::uuid, md5(n::text)::uuid::text, 'k' || n,
  'k' || n, 'Name ' || n, 'Name ' || n, date '1970-01-01' + n FROM generate_series(1, 5000) AS n;
CREATE TABLE lines (id bigint PRIMARY KEY, thing integer REFERENCES things (id), amount numeric,
  at_local timestamp, what text);
CREATE INDEX ON lines (thing);
CREATE UNIQUE INDEX lines_what ON lines (what) WHERE what IS NOT NULL;
CREATE UNIQUE INDEX lines_two ON lines (thing, what) INCLUDE (amount);
CREATE INDEX ON lines (lower(what));
CREATE VIEW shown AS SELECT id, plain FROM things;
CREATE TABLE months (id bigint, month date) PARTITION BY RANGE (month);
CREATE TABLE months_1 PARTITION OF months FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE secret (id integer);
CREATE TABLE app_user (id integer PRIMARY KEY);
CREATE TABLE app_note (id integer PRIMARY KEY, author integer REFERENCES app_user (id));
"""
FIRST: dict[str, Any] = {
    "id": 1, "small": -32768, "big": 2**63 - 1, "price": Decimal("-0.500"),
    "any_number": Decimal("12345678901234567890.123456789"), "paid": Decimal("9.99"),
    "ratio": 0.1, "exact": 1e300, "is_on": True, "plain": "ünï \U0001f600\n", "short": "abc",
    "fixed": "ab", "name": "Ada", "loosely": "Ada", "german": "Äpfel",
    "token": "0188c0de-0000-7000-8000-00000000000a", "born": date(1815, 12, 10),
    "at_local": datetime(2024, 2, 29, 23, 59, 59, 120000),  # noqa: DTZ001
    "at_instant": datetime(2024, 2, 29, 22, 59, 59, 1, tzinfo=UTC), "took": "P1DT2H3M",
    "noon": "12:00:00", "doc": {"a": [1, None]}, "docb": {"b": "é"}, "raw": "\\x00ff",
    "feeling": "so so", "tags": '{a,"b c"}', "address": "10.0.0.1/8", "code": "x",
}  # fmt: skip
INSERT = f"""
INSERT INTO things VALUES (1, -32768, {2**63 - 1}, -0.5, 12345678901234567890.123456789, 9.99,
  0.1, 1e300, true, E'ünï \U0001f600\\n', 'abc', 'ab', 'Ada', 'Ada', 'Äpfel',
  '0188C0DE-0000-7000-8000-00000000000A', '1815-12-10', '2024-02-29 23:59:59.12',
  '2024-02-29 23:59:59.000001+01', '1 day 2:03', '12:00', '{{"a": [1, null]}}', '{{"b": "é"}}',
  '\\x00ff', 'so so', '{{a,b c}}', '10.0.0.1/8', 'x');
INSERT INTO things (id, price, any_number, paid, ratio, exact, born, at_local, at_instant, name,
  feeling, german, loosely) VALUES
  (2, NULL, 'NaN', 1, 'NaN', 'Infinity', '0044-03-15 BC', 'infinity', '-infinity', 'ADA',
   'happy', 'zebra', 'ADA'),
  (3, 1, 'NaN', 1, 3.4e38, 0, 'infinity', '0044-03-15 BC', '12000-01-01', 'bob', 'Angry',
   'Zebra', 'bob'),
  (4, 1, 1, 1, 1, 1, '9999-12-31', '9999-12-31 23:59:59.999999', '0001-01-01 00:00+00', 'Zoë',
   NULL, 'apfel', 'zoe');
INSERT INTO lines VALUES (1, 1, 10.10, '2024-01-01', 'a'), (2, 1, 0.1, 'infinity', 'B'),
  (3, 2, 5, NULL, NULL), (4, NULL, 7, NULL, 'c');
"""
SLOW = "SELECT a.int4 AS c0 FROM keys AS a CROSS JOIN keys AS b CROSS JOIN keys AS c WHERE a.int4 + b.int4 + c.int4 < 0"


@pytest.fixture(scope="module")
async def server(postgres: PostgresServer) -> AsyncIterator[PostgresServer]:
    await postgres.make(DATABASE, SCRIPT + INSERT)
    admin = await postgres.admin(DATABASE)
    await admin.execute(f"REVOKE SELECT ON secret FROM {READER}")
    await admin.close()
    yield postgres
    await postgres.drop(DATABASE)


@pytest.fixture(scope="module")
async def tables(server: PostgresServer) -> dict[str, SourceTable]:
    connector = opened(source(server))
    found = await connector.introspect()
    await connector.close()
    return dict(found)


@pytest.fixture
async def connector(server: PostgresServer, tables: dict[str, SourceTable]) -> Any:
    connector = opened(source(server, tables))
    yield connector
    await connector.close()


def source(
    server: PostgresServer,
    tables: dict[str, SourceTable] | None = None,
    limits: Limits | None = None,
    *,
    user: str = READER,
    database: str = DATABASE,
    port: int | None = None,
    **connection: Any,
) -> Source:
    url = server.url(database, user, port=port)
    return world.source("crm", "postgres", {"url": url, **connection}, tables or {}, limits)


async def asked(
    connector: Any, sql: str, params: dict[str, Any] | None = None, **options: Any
) -> Any:
    call = connector.compile(fragment(sql, **options))
    return await connector.rows(call, params or {}, Deadline.after(10.0))


async def failing(connector: Any, sql: str = "SELECT t.id AS c0 FROM things AS t") -> SourceError:
    with pytest.raises(SourceError) as caught:
        await asked(connector, sql, is_scan=True)
    shown = f"{caught.value} {caught.value.extensions}"
    for part in (PASSWORD, "127.0.0.1", DATABASE, "t.id", "things"):
        assert part not in shown
    assert caught.value.source == "crm"
    assert caught.value.__cause__ is None
    await connector.close()
    return caught.value


async def running(admin: Any) -> int:
    """Returns how many statements of ours the server runs.

    Between the messages of one statement it is active too, and waits for us.
    """
    count = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = $1"
        " AND application_name = 'roundview' AND wait_event_type IS DISTINCT FROM 'Client'",
        DATABASE,
    )
    return int(count)


@pytest.fixture
async def admin(server: PostgresServer) -> AsyncIterator[Any]:
    connection = await server.admin()
    yield connection
    await connection.close()


# -- types -----------------------------------------------------------------------------------


def selecting(columns: dict[str, SourceColumn]) -> str:
    shown = ", ".join(f't."{name}" AS c{at}' for at, name in enumerate(columns))
    return f"SELECT {shown} FROM things AS t WHERE t.id = ANY(:keys)"


def decoded(columns: dict[str, SourceColumn], row: tuple[Any, ...]) -> dict[str, Any]:
    """Returns a row as arrival code reads it; what is none of its type is the text 'problem'."""
    result = {}
    for column, value in zip(columns.values(), row, strict=True):
        decode = coerce.decoder(column.type)
        try:
            result[column.name] = decode(value) if decode else value
        except ValueError:
            result[column.name] = "problem"
    return result


async def test_every_type_arrives_exactly(connector: Any, tables: dict[str, SourceTable]) -> None:
    columns = dict(tables["things"].columns)
    (row,) = (await asked(connector, selecting(columns), {"keys": [1]})).rows
    assert decoded(columns, row) == FIRST


async def test_what_a_type_cannot_say_is_a_problem_and_costs_no_other_value(
    connector: Any, tables: dict[str, SourceTable]
) -> None:
    columns = dict(tables["things"].columns)
    answer = await asked(connector, selecting(columns), {"keys": [2, 3, 4]})
    second, third, fourth = (decoded(columns, row) for row in sorted(answer.rows))
    odd = ("any_number", "ratio", "born", "at_local", "at_instant")
    assert {name: second[name] for name in odd} == dict.fromkeys(odd, "problem")
    assert (second["paid"], second["price"], second["name"]) == (Decimal(1), None, "ADA")
    assert [third[name] for name in ("any_number", "born", "at_local", "at_instant")] == [
        "problem"
    ] * 4
    assert third["ratio"] == 3.4e38
    assert fourth["born"] == date(9999, 12, 31)
    assert fourth["at_local"] == datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
    assert fourth["at_instant"] == datetime(1, 1, 1, tzinfo=UTC)


async def test_children_carry_the_same_values(
    connector: Any, tables: dict[str, SourceTable]
) -> None:
    columns = dict(tables["things"].columns)
    shown = ", ".join(f'k."{name}"' for name in columns)
    child = f"SELECT {shown} FROM things AS k WHERE k.id = t.id"
    sql = "SELECT t.id AS c0 FROM things AS t WHERE t.id = ANY(:keys)"
    ((_, (row,)),) = (await asked(connector, sql, {"keys": [1]}, children={"k": child})).rows
    assert decoded(columns, tuple(row)) == FIRST


async def test_introspection_tells_types_keys_indexes_and_references(
    tables: dict[str, SourceTable],
) -> None:
    assert sorted(tables) == [
        "app_note", "app_user", "keys", "lines", "months", "shown", "things",
    ]  # fmt: skip
    things = tables["things"].columns
    assert {name: str(column.type) for name, column in things.items()} == {
        "id": "integer", "small": "integer", "big": "bigint", "price": "decimal(12,3)",
        "any_number": "decimal", "paid": "decimal(9,2)", "ratio": "float", "exact": "float",
        "is_on": "boolean", "plain": "text", "short": "text", "fixed": "text", "name": "text",
        "loosely": "text", "german": "text", "token": "uuid", "born": "date",
        "at_local": "timestamp", "at_instant": "timestamptz", "took": "text", "noon": "text",
        "doc": "json", "docb": "json", "raw": "text", "feeling": "enum(so so, happy, Angry)",
        "tags": "text", "address": "text", "code": "text",
    }  # fmt: skip
    assert things["fixed"].native == 'character(6) COLLATE "C"'
    assert things["german"].native == ""
    assert things["took"].native == "interval"
    assert {name for name, c in things.items() if c.collation == "ci"} == {"name", "loosely"}
    assert {name for name, c in things.items() if not c.is_nullable} == {"id", "paid"}
    lines = tables["lines"]
    assert lines.primary_key == ("id",)
    assert lines.unique == (("thing", "what"),)
    assert lines.indexes == (("thing",),)
    assert lines.columns["thing"].references == "things.id"
    assert tables["keys"].rows_estimate == 5_000
    assert tables["keys"].distinct["int4"] == 5_000


async def test_a_schema_file_keeps_what_was_found(tables: dict[str, SourceTable]) -> None:
    from roundview_catalog.document import read
    from roundview_catalog.report import Report

    report = Report()
    document = read(schema_file.text(tables), "sources/crm.schema.yaml", report)
    assert document is not None
    assert schema_file.read(document, report) == tables
    assert report.problems == []


async def test_a_prefix_is_left_out_and_only_readable_tables_are_seen(
    server: PostgresServer,
) -> None:
    connector = opened(source(server, table_prefix="app_"))
    found = await connector.introspect()
    await connector.close()
    assert sorted(found) == ["note", "user"]
    assert found["note"].physical == "app_note"
    assert found["note"].columns["author"].references == "user.id"


# -- keys and comparisons --------------------------------------------------------------------

KEYS: dict[str, list[Any]] = {
    "int2": [7, 8, 40_000], "int4": [7, 8, 2**31], "int8": [7, 8, 2**63], "num": ["7", 8, "x"],
    "token": ["8f14e45f-ceea-167a-5a36-dedd4bea2543", "C9F0F895-FB98-AB91-59F5-1FD0297E236D", "no"],
    "fixed": ["c9f0f895-fb98-ab91-59f5-1fd0297e236d"], "short": ["k7", "k8", "K9"],
    "plain": ["k7", "k8", "K9", "k\0"], "name": ["Name 7", "Name 8", "name 9"],
    "loosely": ["Name 7", "Name 8", "name 9"], "born": ["1970-01-08", "1970-01-09", "soon"],
}  # fmt: skip


@pytest.mark.row("B1")
@pytest.mark.parametrize("column", KEYS)
async def test_keys_of_each_type_use_the_index_of_their_column(connector: Any, column: str) -> None:
    call = connector.compile(
        fragment(f"SELECT k.int4 AS c0 FROM keys AS k WHERE k.{column} = ANY(:keys)")
    )
    fitting = KEYS[column][:1]
    if column == "born":
        fitting = [date(1970, 1, 8)]
    plan = await connector.explain_plan(call, {"keys": fitting}, Deadline.after(5))
    assert f"keys_{column}_idx" in plan
    assert "Index Cond" in plan
    assert "Seq Scan" not in plan
    rows = (await connector.rows(call, {"keys": KEYS[column]}, Deadline.after(5))).rows
    found = {"fixed": [(8,)]}.get(column, [(7,), (8,)])
    assert sorted(rows) == found


async def test_text_that_ignores_case_is_found_by_index_and_compared_again(
    connector: Any,
) -> None:
    for column in ("name", "loosely"):
        sql = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} = :v"
        assert (await asked(connector, sql, {"v": "ADA"})).rows == [(2,)]
        assert (await asked(connector, sql, {"v": "ada"})).rows == []
        others = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} <> :v"
        assert sorted((await asked(connector, others, {"v": "ADA"}, is_scan=True)).rows) == [
            (1,), (3,), (4,),
        ]  # fmt: skip
        like = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} LIKE 'A%'"
        assert sorted((await asked(connector, like, is_scan=True)).rows) == [(1,), (2,)]


async def test_order_and_ranges_are_by_code_point(connector: Any) -> None:
    for column, last in (("german", "Äpfel"), ("name", "bob"), ("feeling", "so so")):
        sql = f"SELECT t.{column} AS c0 FROM things AS t ORDER BY t.{column} LIMIT :n"
        rows = [r[0] for r in (await asked(connector, sql, {"n": None}, is_scan=True)).rows]
        texts = [text for text in rows if text is not None]
        assert texts == sorted(texts)
        assert texts[-1] == last
    sql = "SELECT t.german AS c0 FROM things AS t WHERE t.german > 'Zebra'"
    assert sorted((await asked(connector, sql, is_scan=True)).rows) == [
        ("apfel",), ("zebra",), ("Äpfel",),
    ]  # fmt: skip


async def test_texts_with_rules_of_their_own_compare_as_text(connector: Any) -> None:
    for column, value, found in (
        ("feeling", "happy", [(2,)]), ("feeling", "no label", []), ("took", "P1DT2H3M", [(1,)]),
        ("took", "no interval", []), ("address", "10.0.0.1/8", [(1,)]), ("raw", "\\x00ff", [(1,)]),
        ("tags", '{a,"b c"}', [(1,)]), ("fixed", "ab", [(1,)]),
    ):  # fmt: skip
        sql = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} = :v"
        assert (await asked(connector, sql, {"v": value})).rows == found
        keys = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} = ANY(:keys)"
        assert (await asked(connector, keys, {"keys": [value]})).rows == found
    sql = "SELECT t.id AS c0 FROM things AS t WHERE COALESCE(t.feeling, 'none') = 'none'"
    assert (await asked(connector, sql, is_scan=True)).rows == [(4,)]


async def test_values_that_fit_no_column_find_nothing(connector: Any) -> None:
    for column, value in (("id", 2**40), ("token", "no uuid"), ("plain", "a\0b"), ("born", "x")):
        sql = f"SELECT t.id AS c0 FROM things AS t WHERE t.{column} = :v"
        assert (await asked(connector, sql, {"v": value})).rows == []
    sql = "SELECT t.id AS c0 FROM things AS t WHERE t.id < :v"
    with pytest.raises(RequestError) as caught:
        await asked(connector, sql, {"v": 2**70}, is_scan=True)
    assert caught.value.code == "RV105"


# -- children --------------------------------------------------------------------------------

THINGS = "SELECT t.id AS c0 FROM things AS t"
LINES = "SELECT l.id, l.amount, l.at_local, l.what FROM lines AS l WHERE l.thing = t.id"


async def test_children_are_bound_by_keys_and_grouped_for_a_scan(connector: Any) -> None:
    children = {
        "l": LINES + " AND l.amount > 0",
        "m": "SELECT m.id FROM lines AS m WHERE m.thing = t.id",
    }
    bound = connector.compile(fragment(THINGS + " WHERE t.id = ANY(:keys)", children=children))
    grouped = connector.compile(fragment(THINGS, children=children, is_scan=True))
    assert (bound.form, grouped.form) == ("bound", "grouped")
    assert "LATERAL" in bound.text
    assert "GROUP BY" in grouped.text
    keys = {"keys": [1, 2, 3, 4]}
    rows = [
        sorted((await connector.rows(call, params, Deadline.after(5))).rows, key=lambda r: r[0])
        for call, params in ((bound, keys), (grouped, {}))
    ]
    as_sets = [[(r[0], sorted(r[1]), sorted(r[2])) for r in one] for one in rows]
    assert as_sets[0] == as_sets[1]
    assert as_sets[0] == [
        (1, [[1, "10.10", "2024-01-01 00:00:00", "a"], [2, "0.1", "infinity", "B"]], [[1], [2]]),
        (2, [[3, "5", None, None]], [[3]]),
        (3, [], []),
        (4, [], []),
    ]
    plan = await connector.explain_plan(bound, {"keys": [1]}, Deadline.after(5))
    assert "lines_thing_idx" in plan or "Seq Scan on lines" in plan


@pytest.mark.parametrize(
    "where",
    [
        "l.thing < t.id",
        "l.thing = t.id AND l.amount > t.price",
        "l.what = t.name",
        "l.id = t.ratio",
    ],
)
async def test_other_links_are_bound_even_for_a_scan(connector: Any, where: str) -> None:
    call = connector.compile(
        fragment(THINGS, children={"l": f"SELECT l.id FROM lines AS l WHERE {where}"}, is_scan=True)
    )
    assert call.form == "bound"
    assert len((await connector.rows(call, {}, Deadline.after(5))).rows) == 4


# -- time and cancelling ---------------------------------------------------------------------


@pytest.mark.row("B3")
async def test_a_cancelled_statement_is_gone_from_the_server(connector: Any, admin: Any) -> None:
    call = connector.compile(fragment(SLOW, is_scan=True))
    tasks = [asyncio.create_task(connector.rows(call, {}, Deadline.after(30))) for _ in range(3)]
    while await running(admin) < 3:
        await asyncio.wait(tasks, timeout=0.01)
    for task in tasks:
        task.cancel()
    cancelled_at = time.monotonic()
    await asyncio.gather(*tasks, return_exceptions=True)
    while await running(admin):
        assert time.monotonic() < cancelled_at + 0.25
    assert all(task.cancelled() for task in tasks)


async def test_at_the_deadline_the_statement_is_gone_from_the_server(
    connector: Any, admin: Any
) -> None:
    call = connector.compile(fragment(SLOW, is_scan=True))
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {}, Deadline.after(0.2))
    late_at = time.monotonic()
    assert caught.value.code == "RV401"
    while await running(admin):
        assert time.monotonic() < late_at + 0.25


class Relay:
    """Carries bytes to the server until it is frozen; then nothing arrives, cancels neither."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._thaw = asyncio.Event()
        self._thaw.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        self._thaw.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back, forth = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, forth))
                group.create_task(self._copy(back, writer))
        except asyncio.CancelledError:
            # The end of the test; asyncio would report a callback that was cancelled.
            return
        finally:
            writer.close()
            forth.close()
            self._tasks.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._thaw.wait()
            writer.write(data)
        await self._thaw.wait()
        writer.close()


async def test_the_server_ends_a_statement_itself_when_no_cancel_arrives(
    server: PostgresServer, tables: dict[str, SourceTable], admin: Any
) -> None:
    async with Relay(server.port) as relay:
        connector = opened(source(server, tables, Limits(timeout=1.0), port=relay.port))
        assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4
        call = connector.compile(fragment(SLOW, is_scan=True))
        task = asyncio.create_task(connector.rows(call, {}, Deadline.after(0.9)))
        while not await running(admin):
            assert not task.done()
        relay.freeze()
        with pytest.raises(SourceError) as caught:
            await task
        assert caught.value.code == "RV401"
        while await running(admin):
            pass
        await connector.close()


# -- read-only proof -------------------------------------------------------------------------

POWERS = {
    "superuser": ("ALTER ROLE {login} SUPERUSER", "superuser"),
    "createrole": ("ALTER ROLE {login} CREATEROLE", "create roles"),
    "createdb": ("ALTER ROLE {login} CREATEDB", "create databases"),
    "replication": ("ALTER ROLE {login} REPLICATION", "replicate"),
    "insert": ("GRANT INSERT ON things TO {login}", "change tables"),
    "update of a column": ("GRANT UPDATE (plain) ON things TO {login}", "change tables"),
    "delete": ("GRANT DELETE ON things TO {login}", "change tables"),
    "truncate": ("GRANT TRUNCATE ON lines TO {login}", "change tables"),
    "trigger": ("GRANT TRIGGER ON lines TO {login}", "change tables"),
    "view": ("GRANT INSERT ON shown TO {login}", "change tables"),
    "create": ("GRANT CREATE ON SCHEMA public TO {login}", "create tables"),
    "new schema": ("GRANT CREATE ON DATABASE {database} TO {login}", "create tables"),
    "owner": ("ALTER TABLE secret OWNER TO {login}", "owns"),
    "member": ("GRANT pg_write_all_data TO {login}", "change tables"),
    "not inherited": (
        "CREATE ROLE {login}_more; GRANT DELETE ON things TO {login}_more;"
        "ALTER ROLE {login} NOINHERIT; GRANT {login}_more TO {login}",
        "change tables",
    ),
    "sequence": ("CREATE SEQUENCE n; GRANT USAGE ON SEQUENCE n TO {login}", "sequences"),
}


@pytest.fixture
async def login(server: PostgresServer) -> AsyncIterator[tuple[str, Any]]:
    """Makes a login that may read, and gives it back with an administrator's connection."""
    admin = await server.admin(DATABASE)
    name = f"login_{DATABASE}"
    await admin.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA public TO {name};"
        f"GRANT SELECT ON things TO {name}"
    )
    yield name, admin
    await admin.execute(
        f"REASSIGN OWNED BY {name} TO boss; DROP OWNED BY {name}; DROP ROLE {name};"
        "DROP SEQUENCE IF EXISTS n"
    )
    more = f"{name}_more"
    if await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", more):
        await admin.execute(f"DROP OWNED BY {more}; DROP ROLE {more}")
    await admin.close()


@pytest.mark.row("E2")
@pytest.mark.parametrize("power", POWERS)
async def test_a_login_that_can_write_is_not_asked(
    server: PostgresServer, tables: dict[str, SourceTable], login: Any, power: str
) -> None:
    name, admin = login
    script, word = POWERS[power]
    await admin.execute(script.format(login=name, database=DATABASE))
    connector = opened(source(server, tables, user=name))
    with pytest.raises(SourceError) as proof:
        await connector.prove_read_only()
    assert proof.value.code == "RV407"
    assert word in proof.value.message
    assert "REVOKE" in proof.value.hint
    assert (await failing(connector)).code == "RV407"


async def test_a_login_that_can_only_read_is_proven(
    server: PostgresServer, tables: dict[str, SourceTable], login: Any
) -> None:
    name, admin = login
    connector = opened(source(server, tables, user=name))
    assert "read" in await connector.prove_read_only()
    assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4
    await admin.execute(f"GRANT DELETE ON things TO {name}")
    with pytest.raises(SourceError):
        await connector.prove_read_only()
    with pytest.raises(SourceError) as caught:
        await asked(connector, THINGS, is_scan=True)
    assert caught.value.code == "RV407"
    await admin.execute(f"REVOKE DELETE ON things FROM {name}")
    await connector.prove_read_only()
    assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4
    await connector.close()


async def test_every_transaction_is_read_only(server: PostgresServer) -> None:
    connector = PostgresConnector(source(server), env={})
    async with connector._sessions.session() as session:
        for name, value in (("transaction_read_only", "on"), ("TimeZone", "UTC")):
            assert await session.connection.fetchval(f"SHOW {name}") == value
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await session.connection.execute("CREATE TABLE made (id integer)")
    await connector.close()


# -- what goes wrong -------------------------------------------------------------------------


async def test_a_wrong_password_is_named(server: PostgresServer) -> None:
    declared = {"things": table("things", id="integer")}
    made = source(server, declared)
    wrong = replace(
        made, connection={"url": f"postgresql://reader:wrong@127.0.0.1:{server.port}/{DATABASE}"}
    )
    error = await failing(opened(wrong))
    assert (error.code, "password" in error.hint) == ("RV404", True)


async def test_a_missing_database_and_a_missing_server_are_named(server: PostgresServer) -> None:
    declared = {"things": table("things", id="integer")}
    assert (await failing(opened(source(server, declared, database="none")))).code == "RV402"
    error = await failing(opened(source(server, declared, port=1)))
    assert (error.code, "connection.url" in error.hint) == ("RV402", True)
    made = source(server, declared)
    unknown = replace(
        made, connection={"url": "postgresql://a:b@nowhere.invalid/c", "tls": "require"}
    )
    error = await failing(opened(unknown))
    assert error.code == "RV402"
    assert "nowhere" not in str(error)


async def test_tls_is_as_the_connection_says(
    server: PostgresServer, tables: dict[str, SourceTable]
) -> None:
    for options in ({"tls": "require"}, {"tls": "verify", "ca": str(server.ca)}):
        connector = opened(source(server, tables, **options))
        assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4
        async with connector._sessions.session() as session:  # type: ignore[attr-defined]
            sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert await session.connection.fetchval(sql) is True
        await connector.close()
    error = await failing(opened(source(server, tables, tls="verify")))
    assert (error.code, "TLS" in error.message, "connection.ca" in error.hint) == (
        "RV402", True, True,
    )  # fmt: skip


async def test_a_server_that_cannot_encrypt_is_named(server: PostgresServer) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"N")
        await reader.read(1)
        writer.close()

    plain = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    declared = {"things": table("things", id="integer")}
    error = await failing(opened(source(server, declared, port=port, tls="require")))
    plain.close()
    assert (error.code, "TLS" in error.message) == ("RV402", True)


async def test_tables_that_changed_are_named(server: PostgresServer) -> None:
    declared = {
        "things": table("gone", id="integer"),
        "keys": table("keys", plain="integer"),
        "lines": table("lines", gone="integer"),
        "hidden": table("secret", id="integer"),
    }
    connector = opened(source(server, declared))
    assert (await failing(connector)).code == "RV403"
    for sql, params in (
        ("SELECT k.plain AS c0 FROM keys AS k WHERE k.plain = ANY(:keys)", {"keys": [1]}),
        ("SELECT l.gone AS c0 FROM lines AS l", {}),
    ):
        connector = opened(source(server, declared))
        with pytest.raises(SourceError) as caught:
            await asked(connector, sql, params)
        assert caught.value.code == "RV403"
        assert "introspect crm" in caught.value.hint
        await connector.close()
    connector = opened(source(server, declared))
    with pytest.raises(SourceError) as caught:
        await asked(connector, "SELECT h.id AS c0 FROM hidden AS h", is_scan=True)
    assert (caught.value.code, "grant" in caught.value.hint) == ("RV404", True)
    await connector.close()


async def test_a_changed_column_is_asked_again_at_once(
    server: PostgresServer,
) -> None:
    admin = await server.admin(DATABASE)
    await admin.execute(
        f"CREATE TABLE moving (id integer); INSERT INTO moving VALUES (7); GRANT SELECT ON moving TO {READER}"
    )
    declared = {"moving": table("moving", id="integer")}
    connector = opened(source(server, declared))
    sql = "SELECT m.id AS c0 FROM moving AS m WHERE m.id = ANY(:keys)"
    assert (await asked(connector, sql, {"keys": [7]})).rows == [(7,)]
    for change in (
        "ALTER TABLE moving ALTER id TYPE bigint",
        "ALTER TABLE moving RENAME TO old; CREATE TABLE moving AS TABLE old; GRANT SELECT ON moving TO reader",
        "ALTER TABLE moving ALTER id TYPE numeric",
    ):
        await admin.execute(change)
        assert (await asked(connector, sql, {"keys": [7]})).rows == [(7,)]
    await admin.execute("DROP TABLE moving, old")
    await admin.close()
    await connector.close()


async def test_an_idle_connection_that_was_ended_costs_nothing(
    connector: Any, server: PostgresServer
) -> None:
    assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4
    admin = await server.admin(DATABASE)
    ended = await admin.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'roundview' AND datname = current_database()"
    )
    await admin.close()
    assert ended >= 1
    assert len((await asked(connector, THINGS, is_scan=True)).rows) == 4


async def test_text_that_is_not_utf_8_is_named(postgres: PostgresServer) -> None:
    name = f"ascii_{DATABASE}"
    await postgres.make(
        name,
        r"CREATE TABLE t (id integer, plain text); INSERT INTO t VALUES (1, 'ok'), (2, E'\xff')",
        options="ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
    )
    declared = {"t": table("t", id="integer", plain="text")}
    connector = opened(source(postgres, declared, database=name))
    sql = "SELECT t.plain AS c0 FROM t AS t WHERE t.id = ANY(:keys)"
    assert (await asked(connector, sql, {"keys": [1]})).rows == [("ok",)]
    with pytest.raises(SourceError) as caught:
        await asked(connector, sql, {"keys": [1, 2]})
    assert (caught.value.code, "UTF-8" in caught.value.message) == ("RV403", True)
    assert (await asked(connector, sql, {"keys": [1]})).rows == [("ok",)]
    await connector.close()
    await postgres.drop(name)


async def test_huge_values_are_refused_or_cut_in_bounded_memory(postgres: PostgresServer) -> None:
    name = f"large_{DATABASE}"
    await postgres.make(
        name,
        "CREATE TABLE t (id integer PRIMARY KEY, plain text);"
        "INSERT INTO t SELECT n, repeat('x', 100000) FROM generate_series(1, 60) AS n;"
        "INSERT INTO t VALUES (100, repeat('x', 60000000))",
    )
    declared = {"t": table("t", id="integer", plain="text")}
    limits = Limits(bytes=1024 * 1024, timeout=10.0)
    connector = opened(source(postgres, declared, limits, database=name))
    sql = "SELECT t.id AS c0, t.plain AS c1 FROM t AS t WHERE t.id = ANY(:keys)"
    small = await asked(connector, sql, {"keys": [1, 2, 3]})
    assert (len(small.rows), small.is_truncated) == (3, False)
    for keys in (range(1, 16), range(1, 61)):
        cut = await asked(connector, sql, {"keys": list(keys)})
        assert cut.is_truncated
        assert 8 <= len(cut.rows) < len(keys)
    with pytest.raises(SourceError) as caught:
        await asked(connector, sql, {"keys": [100]})
    assert (caught.value.code, "limits.bytes" in caught.value.hint) == ("RV405", True)
    # From now on lengths are asked for first, and no large value is read.
    assert (await asked(connector, sql, {"keys": [1]})).rows == [(1, "x" * 100_000)]
    with pytest.raises(SourceError) as caught:
        await asked(connector, sql, {"keys": [1, 100]})
    assert (caught.value.code, "limits.bytes" in caught.value.hint) == ("RV405", True)
    admin = await postgres.admin(name)
    last = await admin.fetchval(
        "SELECT query FROM pg_stat_activity WHERE datname = $1 AND application_name = 'roundview'"
        " ORDER BY query_start DESC LIMIT 1",
        name,
    )
    await admin.close()
    assert "OCTET_LENGTH" in last
    await connector.close()
    await postgres.drop(name)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://a:b@127.0.0.1/c", "postgresql://127.0.0.1/c", "postgresql://a:b@127.0.0.1",
        "postgresql://a:b@127.0.0.1:x/c", "postgresql://a:b@127.0.0.1/c?sslmode=disable", "nothing",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_is_refused_early(url: str) -> None:
    from roundview_catalog.errors import CatalogError

    with pytest.raises(CatalogError) as caught:
        opened(world.source("crm", "postgres", {"url": url}, {}))
    assert "127.0.0.1/c" not in str(caught.value)


def table(physical: str, **columns: str) -> SourceTable:
    return SourceTable(
        name=physical,
        physical=physical,
        columns={
            name: SourceColumn(name, Type(Kind.TEXT) if type_ == "text" else parse_type(type_))
            for name, type_ in columns.items()
        },
    )
