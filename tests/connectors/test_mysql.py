"""Proves what is special about MySQL and MariaDB: types, collations, indexes, logins, cancelling."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import sqlglot
from asyncmy.errors import MySQLError
from sqlglot import exp
from tests.connectors import mariadb_server, world
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import Places, ask, fragment, mysql_source, opened

from roundview_catalog import coerce, expressions
from roundview_catalog.errors import CatalogError, SourceError
from roundview_catalog.model import Limits, SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.mysql.connector import MysqlConnector
from roundview_federation.connectors.mysql.grants import writing_privileges
from roundview_federation.connectors.mysql.layout import Layout, NativeColumn
from roundview_federation.connectors.mysql.sessions import is_too_old
from roundview_federation.connectors.mysql.statement import MysqlCall, compile_call, finish
from roundview_federation.connectors.mysql.values import Nature, json_keys, one_key, parameter
from roundview_federation.resilience.deadline import Deadline

DATABASE = f"own_{mariadb_server.WORLD}"
HINT_OF_SCHEMA = "run roundview introspect own"


@pytest.fixture
async def shop(places: Places) -> AsyncIterator[MysqlConnector]:
    connector = opened(places.source("mysql"))
    assert isinstance(connector, MysqlConnector)
    yield connector
    await connector.close()


@pytest.fixture
async def own(mariadb: MariadbServer) -> AsyncIterator[Callable[..., Any]]:
    """Returns `make(statements)`: a connector over a database of one's own, introspected."""
    opened_here: list[MysqlConnector] = []

    async def make(
        statements: list[str], limits: Limits | None = None, **connection: Any
    ) -> MysqlConnector:
        await mariadb.make(DATABASE, statements)
        base = {"url": mariadb.url(DATABASE), **connection}
        first = opened(world.source("own", "mysql", base, {}, limits))
        tables = await first.introspect()
        await first.close()
        connector = opened(world.source("own", "mysql", base, tables, limits))
        assert isinstance(connector, MysqlConnector)
        opened_here.append(connector)
        return connector

    yield make
    for connector in opened_here:
        await connector.close()


async def explained(
    server: MariadbServer, connector: MysqlConnector, call: MysqlCall, keys: list[Any]
) -> list[tuple[str, str, str | None]]:
    """Returns (table, access, index) of the server's own EXPLAIN."""
    statement = await connector.statement(call)
    (name,) = statement.many.keys
    (column,) = statement.many.keys[name]
    found = []
    for text, value in (
        (
            statement.many.text,
            json_keys(keys, column.nature, is_unsigned=column.is_unsigned, scale=column.scale),
        ),
        (
            statement.one.text,
            one_key(keys[0], column.nature, is_unsigned=column.is_unsigned, scale=column.scale),
        ),
    ):
        params = {**statement.many.constants, name: value, "most": 1_001, "seconds": 5}
        plan = await server.ask(
            text.replace(" FOR SELECT", " FOR EXPLAIN SELECT", 1), params, DATABASE
        )
        found += [(row[2], row[3], row[5]) for row in plan]
    return found


# -- indexes ---------------------------------------------------------------------------------

INDEXED = {
    "whole": ("INT", "seq", 5),
    "wide": ("BIGINT UNSIGNED", "9223372036854775807 + seq", 9223372036854775812),
    "blind": ("VARCHAR(80) COLLATE utf8mb4_unicode_ci", "concat('U', seq)", "U5"),
    "latin": ("VARCHAR(80) CHARACTER SET latin1", "concat('ü', seq)", "ü5"),
    "exact": ("VARCHAR(80) COLLATE utf8mb4_bin", "concat('U', seq)", "U5"),
    "fixed": ("CHAR(36) CHARACTER SET ascii", "concat('0000-', seq)", "0000-5"),
    "raw": ("BINARY(16)", "unhex(md5(seq))", "e4da3b7fbbce2345d7772b0674a318d5"),
    "bytes": ("VARBINARY(20)", "concat('b', seq)", "b5"),
    "long": ("TEXT", "concat('long ', seq)", "long 5"),
    "exactly": ("DECIMAL(12,0)", "seq", 5),
    "amount": ("DECIMAL(30,2)", "12345678901234567890 + seq / 4", Decimal("12345678901234567891.25")),
    "day": ("DATE", "date_add('0999-12-27', INTERVAL seq DAY)", date(1000, 1, 1)),
    "id": ("UUID", "cast(concat('00000000-0000-0000-0000-', lpad(seq, 12, '0')) as uuid)",
           "00000000-0000-0000-0000-000000000005"),
}  # fmt: skip


async def test_key_sets_use_the_index_of_every_type(
    own: Callable[..., Any], mariadb: MariadbServer
) -> None:
    columns = ", ".join(f"`{name}` {type_}" for name, (type_, _, _) in INDEXED.items())
    indexes = ", ".join(
        f"KEY by_{name} (`{name}`{'(20)' if name == 'long' else ''})" for name in INDEXED
    )
    values = ", ".join(value for _, value, _ in INDEXED.values())
    connector = await own(
        [
            f"CREATE TABLE wide (at INT PRIMARY KEY, {columns}, {indexes})",
            f"INSERT INTO wide SELECT seq, {values} FROM seq_1_to_2000",
            "ANALYZE TABLE wide",
        ]
    )
    for name, (_, _, key) in INDEXED.items():
        sql = f'SELECT w.at AS c0, w."{name}" AS c1 FROM wide AS w WHERE w."{name}" = ANY(:keys)'
        call = connector.compile(fragment(sql))
        for keys in ([key], [key, key if isinstance(key, int) else "none"]):
            answer = await connector.rows(call, {"keys": keys}, Deadline.after(10))
            assert answer.rows == [(5, key)], name
        accesses = await explained(mariadb, connector, call, [key])
        own_access = [(access, index) for table, access, index in accesses if table == "w"]
        assert len(own_access) == 2, name
        assert all(
            access in ("ref", "eq_ref", "const", "range") and index == f"by_{name}"
            for access, index in own_access
        ), (name, accesses)


async def test_children_and_joins_search_by_their_link(
    own: Callable[..., Any], mariadb: MariadbServer
) -> None:
    connector = await own(
        [
            "CREATE TABLE p (id INT PRIMARY KEY, email VARCHAR(80), KEY by_email (email))",
            "CREATE TABLE o (id INT PRIMARY KEY, p INT, total DECIMAL(12,2), KEY by_p (p))",
            "INSERT INTO p SELECT seq, concat('u', seq) FROM seq_1_to_2000",
            "INSERT INTO o SELECT seq, 1 + seq % 2000, seq / 100 FROM seq_1_to_8000",
            "ANALYZE TABLE p, o",
        ]
    )
    call = connector.compile(
        fragment(
            "SELECT p.id AS c0, x.id AS c1 FROM p JOIN o AS x ON x.p = p.id"
            " WHERE p.email = ANY(:keys)",
            children={"c": "SELECT c.id, c.total FROM o AS c WHERE c.p = p.id"},
        )
    )
    accesses = await explained(mariadb, connector, call, ["u5"])
    used = {(table, index) for table, _, index in accesses if table in ("p", "x", "c")}
    assert used == {("p", "by_email"), ("x", "by_p"), ("c", "by_p")}
    assert not any(access == "ALL" for table, access, _ in accesses if table in ("p", "x", "c"))


async def test_children_of_a_scan_are_read_once(
    own: Callable[..., Any], mariadb: MariadbServer
) -> None:
    connector = await own(
        [
            "CREATE TABLE p (id INT PRIMARY KEY, email VARCHAR(80))",
            "CREATE TABLE o (id INT PRIMARY KEY, p BIGINT, e VARCHAR(80), t DECIMAL(12,2),"
            " note VARCHAR(20), KEY by_p (p))",
            "INSERT INTO p SELECT seq, concat('u', seq) FROM seq_1_to_300",
            "INSERT INTO o SELECT seq, nullif(seq % 250, 9), concat('U', seq), seq / 100,"
            " if(seq % 3, 'open', 'shut') FROM seq_1_to_2000",
            "ANALYZE TABLE p, o",
        ]
    )
    sql = "SELECT p.id AS c0, p.email AS c1 FROM p"
    children = {
        "a": "SELECT a.id, a.t FROM o AS a WHERE a.p = p.id AND a.note = 'open'",
        "b": "SELECT b.id FROM o AS b WHERE b.e = p.email",
    }
    scan = connector.compile(fragment(sql, children=children, is_scan=True))
    bound = connector.compile(fragment(f"{sql} WHERE p.id = ANY(:keys)", children=children))
    # Only the exact link groups: rows that ignore case would fall into one group.
    assert connector.explain(scan).count("GROUP BY") == 1
    assert "GROUP BY" not in connector.explain(bound)
    rows = [
        sorted(
            (*row[:2], *(sorted(below) for below in row[2:]))
            for row in (
                await connector.rows(call, {"keys": list(range(1, 301))}, Deadline.after(10))
            ).rows
        )
        for call in (scan, bound)
    ]
    assert rows[0] == rows[1]
    assert sum(len(row[2]) for row in rows[0]) > 1_000
    text = (await connector.statement(scan)).many.text.replace(
        " FOR SELECT", " FOR EXPLAIN SELECT", 1
    )
    params = {"most": 1_001, "seconds": 5, "c0": "open", "c1": "open"}
    plan = await mariadb.ask(text, params, DATABASE)
    assert {row[1] for row in plan if row[2] == "a"} == {"DERIVED"}


# -- text ------------------------------------------------------------------------------------


async def test_text_is_exact_whatever_collation_and_padding(own: Callable[..., Any]) -> None:
    texts = ["abc", "ABC", "abc ", "äbc", "straße", "strasse"]
    rows = ", ".join(f"({at}, '{text}', '{text}', '{text}')" for at, text in enumerate(texts))
    connector = await own(
        [
            "CREATE TABLE t (id INT PRIMARY KEY, ci VARCHAR(20) COLLATE utf8mb4_unicode_ci,"
            " bin VARCHAR(20) COLLATE utf8mb4_bin, l VARCHAR(20) CHARACTER SET latin1)",
            f"INSERT INTO t VALUES {rows}",
        ]
    )
    for column in ("ci", "bin", "l"):
        for at, text in enumerate(texts):
            for sql, value in (
                (f"SELECT t.id AS c0 FROM t WHERE t.{column} = ANY(:keys)", [text]),
                (f"SELECT t.id AS c0 FROM t WHERE t.{column} = ANY(:keys)", [text, "Ж"]),
                (f"SELECT t.id AS c0 FROM t WHERE t.{column} = :v", text),
                (f"SELECT t.id AS c0 FROM t WHERE t.{column} IN ('{text}', 'zzz')", None),
                (f"SELECT t.id AS c0 FROM t WHERE '{text}' = t.{column}", None),
            ):
                params = {"keys": value, "v": value}
                assert (await ask(connector, sql, params)).rows == [(at,)], (column, text, sql)
        unknown = f"SELECT t.id AS c0 FROM t WHERE t.{column} = ANY(:keys)"
        # In latin1 the letter would become a question mark.
        assert (await ask(connector, unknown, {"keys": ["Ж"]})).rows == []
        sql = f"SELECT t.{column} AS c0 FROM t ORDER BY t.{column} LIMIT :n"
        answer = await ask(connector, sql, {"n": None}, is_scan=True)
        assert [row[0] for row in answer.rows] == sorted(texts)
        below = f"SELECT t.id AS c0 FROM t WHERE t.{column} < 'abc'"
        assert (await ask(connector, below, is_scan=True)).rows == [(1,)]
        other = f"SELECT t.id AS c0 FROM t WHERE t.{column} <> 'abc'"
        assert len((await ask(connector, other, is_scan=True)).rows) == len(texts) - 1


@pytest.mark.parametrize(
    "where",
    [
        "t.name = 'abc'",
        "t.name <> 'abc'",
        "NOT t.name = 'abc'",
        "t.name IN ('abc', 'straße')",
        "t.name NOT IN ('abc', 'straße')",
        "t.name BETWEEN 'A' AND 'abc'",
        "t.name > 'abc' OR t.name IS NULL",
        "CASE WHEN t.name = 'abc' THEN 1 ELSE 2 END = 1",
        "coalesce(t.id, 7) = 4",
        "EXISTS (SELECT 1 FROM t AS o WHERE o.id = t.id AND o.name = 'abc')",
    ],
)
async def test_conditions_that_are_pushed_mean_what_they_mean_on_arrival(
    own: Callable[..., Any], where: str
) -> None:
    texts = ["abc", "ABC", "abc ", "äbc", "straße", "strasse", "\\", "it's", None]
    values = ", ".join(
        f"({at}, {'NULL' if text is None else 'x' + repr(text.encode().hex())})"
        for at, text in enumerate(texts)
    )
    connector = await own(
        [
            "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_unicode_ci)",
            f"INSERT INTO t VALUES {values}",
        ]
    )
    node = sqlglot.parse_one(where, read="postgres")
    types = {"id": Type(Kind.INTEGER), "name": Type(Kind.TEXT)}
    if node.find(exp.Select) is None:
        assert expressions.pushable(node, "mysql", lambda column: types[column.name])
    answer = await ask(connector, f"SELECT t.id AS c0 FROM t WHERE {where}", is_scan=True)
    with sqlite3.connect(":memory:") as arbiter:
        arbiter.execute("CREATE TABLE t (id INT, name TEXT)")
        arbiter.executemany("INSERT INTO t VALUES (?, ?)", enumerate(texts))
        wanted = arbiter.execute(f"SELECT t.id FROM t WHERE {where}").fetchall()
    arbiter.close()
    assert sorted(answer.rows) == sorted(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "t.name = t.other",
        "nullif(t.name, 'abc') = 'x'",
        "CASE t.name WHEN 'abc' THEN 1 END = 1",
        "t.name IS DISTINCT FROM 'abc'",
        "t.name LIKE 'a%'",
        "t.name || 'x' = 'abcx'",
        "lower(t.name) = 'abc'",
        "t.id / 2 = 1",
    ],
)
def test_what_mysql_computes_otherwise_is_not_pushed(text: str) -> None:
    types = {"id": Type(Kind.INTEGER), "name": Type(Kind.TEXT), "other": Type(Kind.TEXT)}
    node = sqlglot.parse_one(text, read="postgres")
    assert not expressions.pushable(node, "mysql", lambda column: types[column.name])


async def test_numbers_and_texts_are_never_compared(own: Callable[..., Any]) -> None:
    """MySQL makes a number of '5abc' and scans for it."""
    connector = await own(
        [
            "CREATE TABLE t (id INT PRIMARY KEY, code VARCHAR(20), KEY by_code (code))",
            "INSERT INTO t VALUES (1, '5'), (2, '5abc'), (3, '05'), (4, '7')",
        ]
    )
    by_code = "SELECT t.id AS c0 FROM t WHERE t.code = ANY(:keys)"
    assert (await ask(connector, by_code, {"keys": [5]})).rows == [(1,)]
    assert (await ask(connector, by_code, {"keys": [5, 7]})).rows == [(1,), (4,)]
    assert (await ask(connector, "SELECT t.id AS c0 FROM t WHERE t.code = 5")).rows == [(1,)]
    by_id = "SELECT t.id AS c0 FROM t WHERE t.id = ANY(:keys)"
    for keys in (["2x"], ["2x", "02", "4"], ["4"]):
        wanted = [(4,)] if "4" in keys else []
        assert (await ask(connector, by_id, {"keys": keys})).rows == wanted
    one = "SELECT t.id AS c0 FROM t WHERE t.id = :v"
    assert (await ask(connector, one, {"v": "2x"})).rows == []
    assert (await ask(connector, one, {"v": "2"})).rows == [(2,)]


# -- types -----------------------------------------------------------------------------------

TYPES: dict[str, tuple[str, str, str, Any, Any]] = {
    # column: (declaration, literal, canonical type, value, value in a child's row)
    "d": ("DECIMAL(30,10)", "-12345678901234567890.1234567890", "decimal(30,10)",
          Decimal("-12345678901234567890.1234567890"), "-12345678901234567890.1234567890"),
    "f": ("FLOAT", "1234567.5", "float", 1234567.5, 1234567.5),
    "g": ("DOUBLE", "0.30000000000000004", "float", 0.30000000000000004, 0.30000000000000004),
    "yes": ("TINYINT(1)", "1", "boolean", 1, 1),
    "tiny": ("TINYINT", "-128", "integer", -128, -128),
    "u": ("INT UNSIGNED", "4294967295", "bigint", 4294967295, 4294967295),
    "b": ("BIGINT UNSIGNED", "18446744073709551615", "bigint", 2**64 - 1, 2**64 - 1),
    "bit1": ("BIT(1)", "1", "boolean", 1, 1),
    "bits": ("BIT(12)", "2049", "bigint", 2049, 2049),
    "y": ("YEAR", "1999", "integer", 1999, 1999),
    "day": ("DATE", "'2024-02-29'", "date", date(2024, 2, 29), "2024-02-29"),
    "at": ("DATETIME(6)", "'2024-03-31 02:30:00.123456'", "timestamp",
           datetime(2024, 3, 31, 2, 30, 0, 123456), "2024-03-31 02:30:00.123456"),  # noqa: DTZ001
    "stamp": ("TIMESTAMP NULL", "'2024-03-31 01:30:00'", "timestamptz",
              datetime(2024, 3, 31, 1, 30), "2024-03-31 01:30:00"),  # noqa: DTZ001
    "long": ("TIME", "'-30:01:02'", "text", "-30:01:02", "-30:01:02"),
    "e": ("ENUM('a', 'ß')", "'ß'", "text", "ß", "ß"),
    "s": ("SET('x', 'y')", "'x,y'", "text", "x,y", "x,y"),
    "j": ("JSON", """'{"a": [1, "é"]}'""", "json", '{"a": [1, "é"]}', {"a": [1, "é"]}),
    "l": ("VARCHAR(20) CHARACTER SET latin1", "'é\\\\\\\"\\n'", "text", 'é\\"\n', 'é\\"\n'),
    "raw": ("BINARY(4)", "x'00FF10AB'", "text", "00ff10ab", "00ff10ab"),
    "bytes": ("VARBINARY(9)", "'héllo'", "text", "héllo", "héllo"),
    "id": ("UUID", "'123e4567-E89B-12d3-a456-426655440000'", "uuid",
           "123e4567-e89b-12d3-a456-426655440000", "123e4567-e89b-12d3-a456-426655440000"),
    "c": ("CHAR(8)", "'ab'", "text", "ab", "ab"),
}  # fmt: skip


async def test_types_and_values_are_exact(own: Callable[..., Any]) -> None:
    columns = ", ".join(f"`{name}` {given[0]}" for name, given in TYPES.items())
    values = ", ".join(given[1] for given in TYPES.values())
    connector = await own(
        [
            f"CREATE TABLE v (k INT PRIMARY KEY, {columns}, pic LONGBLOB, place POINT)",
            "SET time_zone = '+00:00'",
            f"INSERT INTO v VALUES (1, {values}, 'x', NULL)",
            "INSERT INTO v (k) VALUES (2)",
        ]
    )
    declared = (await connector.introspect())["v"].columns
    assert {name: str(declared[name].type) for name in TYPES} == {
        name: given[2] for name, given in TYPES.items()
    }
    assert {name: declared[name].native for name in ("e", "b", "raw", "d")} == {
        "e": "enum('a','ß')",
        "b": "bigint(20) unsigned",
        "raw": "binary(4)",
        "d": "",
    }
    assert "pic" not in declared
    assert "place" not in declared
    shown = ", ".join(f'v."{name}" AS c{at}' for at, name in enumerate(TYPES))
    cells = ", ".join(f'w."{name}"' for name in TYPES)
    answer = await ask(
        connector,
        f"SELECT {shown} FROM v WHERE v.k = ANY(:keys)",
        {"keys": [1, 2]},
        children={"w": f"SELECT {cells} FROM v AS w WHERE w.k = v.k"},
    )
    (*first, below), (*second, _) = answer.rows
    assert dict(zip(TYPES, first, strict=True)) == {n: given[3] for n, given in TYPES.items()}
    assert dict(zip(TYPES, below[0], strict=True)) == {n: given[4] for n, given in TYPES.items()}
    assert second == [None] * len(TYPES)
    for name, value in zip(TYPES, first, strict=True):
        decode = coerce.decoder(declared[name].type)
        assert decode is None or decode(value) is not None
    stamp = coerce.decoder(declared["stamp"].type)
    assert stamp is not None
    assert stamp(first[list(TYPES).index("stamp")]) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


async def test_zero_dates_cost_no_rows(own: Callable[..., Any]) -> None:
    """They arrive as what no date is, which is counted as a problem of the field."""
    connector = await own(
        [
            "SET SESSION sql_mode = ''",
            "CREATE TABLE z (k INT PRIMARY KEY, d DATE, t DATETIME, s TIMESTAMP NULL)",
            "INSERT INTO z VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00')",
            "INSERT INTO z VALUES (2, '2024-00-31', '2024-01-00 10:00:00', NULL)",
        ]
    )
    columns = (await connector.introspect())["z"].columns
    sql = "SELECT z.d AS c0, z.t AS c1, z.s AS c2 FROM z WHERE z.k = ANY(:keys)"
    answer = await ask(connector, sql, {"keys": [1, 2]})
    assert len(answer.rows) == 2
    for row in answer.rows:
        for name, value in zip(("d", "t", "s"), row, strict=True):
            decode = coerce.decoder(columns[name].type)
            assert decode is not None
            if value is not None:
                with pytest.raises(ValueError):
                    decode(value)


def test_keys_leave_out_what_no_column_can_hold() -> None:
    assert json_keys([1, 2**63, -(2**63), "7", "07", "x"], Nature.NUMBER) == (
        "[1,-9223372036854775808,7]"
    )
    assert json_keys([-1, 2**64 - 1, 2**64], Nature.NUMBER, is_unsigned=True) == (
        "[18446744073709551615]"
    )
    assert json_keys(["00ff", "zz", "0"], Nature.BYTES) == '["00ff"]'
    assert json_keys(["a", "\ud800"], Nature.TEXT) == '["a"]'
    amounts = [Decimal("1.5"), Decimal("0.125"), Decimal("Infinity"), 7, "8", "1.5", None]
    assert json_keys(amounts, Nature.NUMBER, scale=2) == '["1.5","7","8"]'
    assert one_key(Decimal("0.125"), Nature.NUMBER, scale=2) is None
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert parameter(moment, Nature.TIME) == datetime(2024, 1, 1, 12)  # noqa: DTZ001
    assert parameter("nan", Nature.NUMBER) is None


# -- life of statements ----------------------------------------------------------------------

SLOW = (
    "SELECT a.id AS c0 FROM orders AS a CROSS JOIN orders AS b CROSS JOIN orders AS c"
    " WHERE a.id + b.id + c.id < 0"
)
LEFT_SECONDS = 0.25


async def running(server: MariadbServer) -> list[Any]:
    """Returns the statements that our login runs."""
    return await server.ask(
        "SELECT info FROM information_schema.processlist"
        " WHERE user = %s AND info IS NOT NULL AND db = %s",
        (mariadb_server.READER, mariadb_server.WORLD),
    )


async def until_running(server: MariadbServer, task: asyncio.Task[Any]) -> None:
    while not await running(server):
        assert not task.done()


@pytest.mark.parametrize("how", ["cancelled", "late", "closed"])
async def test_nothing_is_left_in_the_source(
    shop: MysqlConnector, mariadb: MariadbServer, how: str
) -> None:
    call = shop.compile(fragment(SLOW, is_scan=True))
    await ask(shop, "SELECT p.id AS c0 FROM people AS p WHERE p.id = 1")
    seconds = 0.3 if how == "late" else 30
    task = asyncio.create_task(shop.rows(call, {}, Deadline.after(seconds)))
    await until_running(mariadb, task)
    if how == "cancelled":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif how == "late":
        with pytest.raises(SourceError) as caught:
            await task
        assert caught.value.code == "RV401"
    else:
        await shop.close()
        with pytest.raises(SourceError) as caught:
            await task
        assert caught.value.code == "RV402"
    ended = time.monotonic()
    while await running(mariadb):
        assert time.monotonic() - ended < LEFT_SECONDS
    if how != "closed":
        answer = await ask(shop, "SELECT p.id AS c0 FROM people AS p WHERE p.id = 1")
        assert answer.rows == [(1,)]


async def test_the_server_itself_ends_a_late_statement(
    shop: MysqlConnector, mariadb: MariadbServer
) -> None:
    """Whoever runs the statement: its text carries the deadline."""
    statement = await shop.statement(shop.compile(fragment(SLOW, is_scan=True)))
    with pytest.raises(MySQLError) as caught:
        await mariadb.ask(statement.many.text, {"most": 10, "seconds": 0.05}, mariadb_server.WORLD)
    assert caught.value.args[0] == 1969


async def test_a_connection_that_the_server_closed_costs_no_answer(
    shop: MysqlConnector, mariadb: MariadbServer
) -> None:
    sql = "SELECT p.id AS c0 FROM people AS p WHERE p.id = 1"
    for _ in range(3):
        assert (await ask(shop, sql)).rows == [(1,)]
        ids = await mariadb.ask(
            "SELECT id FROM information_schema.processlist WHERE user = %s AND db = %s",
            (mariadb_server.READER, mariadb_server.WORLD),
        )
        assert len(ids) == 1
        await mariadb.run([f"KILL {ids[0][0]}"])


async def test_connections_are_bounded_and_used_again(
    places: Places, mariadb: MariadbServer
) -> None:
    connector = opened(places.source("mysql", concurrency=3))
    call = connector.compile(fragment("SELECT p.id AS c0 FROM people AS p WHERE p.id = ANY(:keys)"))
    for _ in range(2):
        await asyncio.gather(
            *(connector.rows(call, {"keys": [at]}, Deadline.after(10)) for at in range(40))
        )
    (count,) = await mariadb.ask(
        "SELECT count(*) FROM information_schema.processlist WHERE user = %s AND db = %s",
        (mariadb_server.READER, mariadb_server.WORLD),
    )
    assert count[0] == 3
    await connector.close()


async def test_a_huge_value_is_refused_before_it_is_in_memory(own: Callable[..., Any]) -> None:
    connector = await own(
        [
            "CREATE TABLE h (k INT PRIMARY KEY, t LONGTEXT)",
            "INSERT INTO h VALUES (1, repeat('x', 34000000)), (2, 'small')",
        ],
        Limits(timeout=10.0, bytes=17_500_000),
    )
    sql = "SELECT h.t AS c0 FROM h WHERE h.k = ANY(:keys)"
    with pytest.raises(SourceError) as caught:
        await ask(connector, sql, {"keys": [1]})
    assert caught.value.code == "RV405"
    assert "limits.bytes" in str(caught.value)
    assert (await ask(connector, sql, {"keys": [2]})).rows == [("small",)]


async def test_children_above_the_limit_are_refused_not_cut(own: Callable[..., Any]) -> None:
    connector = await own(
        [
            "CREATE TABLE h (k INT PRIMARY KEY, t LONGTEXT)",
            "INSERT INTO h VALUES (1, repeat('x', 200000)), (2, 'small')",
        ],
        Limits(timeout=10.0, bytes=100_000),
    )
    sql = "SELECT h.k AS c0 FROM h WHERE h.k = ANY(:keys)"
    children = {"c": "SELECT c.t FROM h AS c WHERE c.k = h.k"}
    with pytest.raises(SourceError) as caught:
        await ask(connector, sql, {"keys": [1]}, children=children)
    assert caught.value.code == "RV405"
    answer = await ask(connector, sql, {"keys": [2]}, children=children)
    assert answer.rows == [(2, [["small"]])]


async def test_the_drivers_warnings_are_not_logged(
    own: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """They hold the values that the server could not convert."""
    connector = await own(
        [
            "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20))",
            "INSERT INTO t VALUES (1, 'Erika')",
        ]
    )
    with caplog.at_level(logging.DEBUG):
        call = compile_call(
            fragment("SELECT t.id AS c0 FROM t WHERE t.name + 0 = t.id"), await schema(connector)
        )
        await connector.rows(call, {}, Deadline.after(5))
    assert "Erika" not in caplog.text


async def schema(connector: MysqlConnector) -> dict[str, SourceTable]:
    return dict(await connector.introspect())


# -- read-only -------------------------------------------------------------------------------

WRITERS = {
    "insert on a table": ["GRANT INSERT ON {d}.t TO {u}"],
    "update of a column": ["GRANT UPDATE (id) ON {d}.t TO {u}"],
    "everything": ["GRANT ALL PRIVILEGES ON {d}.* TO {u}"],
    "files": ["GRANT FILE ON *.* TO {u}"],
    "routines": ["GRANT EXECUTE ON {d}.* TO {u}"],
    "locks": ["GRANT LOCK TABLES ON {d}.* TO {u}"],
    "grants": ["GRANT SELECT ON {d}.* TO {u} WITH GRANT OPTION"],
    "a proxy": ["GRANT PROXY ON boss@'%' TO {u}"],
    "a role": ["CREATE OR REPLACE ROLE {r}", "GRANT DELETE ON {d}.* TO {r}", "GRANT {r} TO {u}"],
    "a role's role": [
        "CREATE OR REPLACE ROLE {r}",
        "CREATE OR REPLACE ROLE {r}_inner",
        "GRANT DROP ON {d}.* TO {r}_inner",
        "GRANT {r}_inner TO {r}",
        "GRANT {r} TO {u}",
    ],
}


@pytest.mark.parametrize("how", WRITERS)
async def test_a_login_that_can_write_is_not_used(mariadb: MariadbServer, how: str) -> None:
    names = {
        "d": DATABASE,
        "u": f"writer_{mariadb_server.WORLD}@'%'",
        "r": f"role_{mariadb_server.WORLD}",
    }
    secret = mariadb_server.PASSWORD
    await mariadb.make(
        DATABASE, ["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)"]
    )
    await mariadb.run(
        [
            "CREATE OR REPLACE USER {u} IDENTIFIED BY '{p}'".format(**names, p=secret),
            "GRANT SELECT ON {d}.* TO {u}".format(**names),
        ]
    )
    url = mariadb.url(DATABASE, names["u"].partition("@")[0])
    declared = await schema_of(url)
    connector = opened(world.source("own", "mysql", {"url": url}, declared))
    assert "SELECT" in await connector.prove_read_only()
    await mariadb.run([text.format(**names) for text in WRITERS[how]])
    with pytest.raises(SourceError) as caught:
        await connector.prove_read_only()
    assert caught.value.code == "RV407"
    assert "SELECT only" in caught.value.hint
    await connector.close()
    fresh = opened(world.source("own", "mysql", {"url": url}, declared))
    before = await statements_of(mariadb)
    with pytest.raises(SourceError) as caught:
        await ask(fresh, "SELECT t.id AS c0 FROM t", is_scan=True)
    assert caught.value.code == "RV407"
    assert (await statements_of(mariadb)) == before
    await fresh.close()


async def schema_of(url: str) -> dict[str, SourceTable]:
    first = opened(world.source("own", "mysql", {"url": url}, {}))
    tables = dict(await first.introspect())
    await first.close()
    return tables


async def statements_of(server: MariadbServer) -> int:
    """Returns how often the table was opened for reading, as the server counts."""
    await server.run(["SET GLOBAL userstat = 1"])
    rows = await server.ask(
        "SELECT rows_read FROM information_schema.table_statistics WHERE table_schema = %s",
        (DATABASE,),
    )
    return int(rows[0][0]) if rows else 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*A'", ()),
        ("GRANT SELECT, SHOW VIEW ON `INSERT ON x TO y`.* TO `u`@`%`", ()),
        ("GRANT SELECT (`a`, `DELETE, b`) ON `s`.`t` TO `u`@`%`", ()),
        ("GRANT `r``s`@`%`,`b`@`%` TO `u`@`%`", ()),
        ("GRANT `r` TO `u`@`%` WITH ADMIN OPTION", ("GRANT OPTION",)),
        ("GRANT SELECT, INSERT (`a`) ON `s`.`t` TO `u`@`%`", ("INSERT",)),
        ("GRANT SELECT ON `s`.* TO `u`@`%` WITH GRANT OPTION", ("GRANT OPTION",)),
        ("GRANT PROXY ON ``@`` TO `u`@`%`", ("PROXY",)),
        ("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO `u`@`%`", ("APPLICATION_PASSWORD_ADMIN",)),
        ("REVOKE SELECT ON `s`.* FROM `u`@`%`", ("UNKNOWN",)),
        ("nonsense", ("UNKNOWN",)),
    ],
)
def test_grants_are_read_to_the_word(line: str, found: tuple[str, ...]) -> None:
    assert writing_privileges([line]) == found


async def test_a_session_writes_nothing_even_where_the_login_could(
    mariadb: MariadbServer,
) -> None:
    await mariadb.make(DATABASE, ["CREATE TABLE t (id INT PRIMARY KEY)"])
    url = mariadb.url(DATABASE, mariadb_server.ADMIN)
    connector = opened(world.source("own", "mysql", {"url": url}, {}))
    assert isinstance(connector, MysqlConnector)
    with pytest.raises(MySQLError) as caught:
        async with connector._sessions.lend() as session:
            await session.select("INSERT INTO t VALUES (1)")
    assert caught.value.args[0] == 1792
    await connector.close()


# -- connections -----------------------------------------------------------------------------


async def refused(url: str, **connection: Any) -> SourceError:
    """Returns the error of the first question."""
    source = world.source("own", "mysql", {"url": url, **connection}, world.tables({}, {}))
    connector = opened(source)
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT p.id AS c0 FROM people AS p WHERE p.id = 1")
    await connector.close()
    error = caught.value
    assert error.source == "own"
    assert error.hint
    shown = f"{error} {error.extensions}"
    for part in ("127.0.0.1", "pa:ss", "SELECT p", mariadb_server.READER, "nowhere.invalid"):
        assert part not in shown
    assert error.__cause__ is None
    return error


async def test_what_is_wrong_with_a_connection_is_said(mariadb: MariadbServer) -> None:
    good = mariadb.url(mariadb_server.WORLD)
    secret = quote(mariadb_server.PASSWORD, safe="")
    assert (await refused(good.replace(secret, "wrong"))).code == "RV404"
    assert (await refused(mariadb.url("no_such_database"))).code == "RV404"
    assert (await refused(good.replace("127.0.0.1", "nowhere.invalid"), tls="disable")).code == (
        "RV402"
    )
    assert "TLS" in (await refused(good, tls="verify")).message
    elsewhere = good.replace("127.0.0.1", "localhost")
    assert "TLS" in (await refused(elsewhere, tls="verify", ca=str(mariadb.ca))).message


@pytest.mark.parametrize("mode", ["verify", "require"])
async def test_tls(mariadb: MariadbServer, mode: str) -> None:
    connection = {"tls": mode, "ca": str(mariadb.ca)}
    connector = opened(mysql_source(mariadb, None, **connection))
    assert isinstance(connector, MysqlConnector)
    async with connector._sessions.lend() as session:
        ((_, cipher),) = await session.select("SHOW STATUS LIKE 'Ssl_cipher'")
    assert cipher
    answer = await ask(connector, "SELECT p.id AS c0 FROM people AS p WHERE p.id = ANY(:keys)",
                       {"keys": list(range(900))})  # fmt: skip
    assert len(answer.rows) == 900
    await connector.close()


def test_addresses_that_cannot_be_meant_are_refused() -> None:
    for url in ("mysql://u:p@h:99999/d", "http://u:p@h/d", "mysql://u:p@h", "mysql://h/d"):
        with pytest.raises(CatalogError) as caught:
            opened(world.source("own", "mysql", {"url": url}, {}))
        assert caught.value.problems[0].code == "RV206"


# -- differences from the schema file --------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("DROP TABLE t", "no table t"),
        ("ALTER TABLE t DROP COLUMN name", "no column t.name"),
        ("ALTER TABLE t MODIFY name INT", "another type than declared in t.name"),
        ("ALTER TABLE t MODIFY id VARCHAR(20)", "another type than declared in t.id"),
    ],
)
async def test_a_difference_from_the_schema_is_said(
    own: Callable[..., Any], mariadb: MariadbServer, change: str, what: str
) -> None:
    connector = await own(
        ["CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20))", "INSERT INTO t VALUES (1, '1')"]
    )
    await mariadb.run([change], DATABASE)
    with pytest.raises(SourceError) as caught:
        await ask(connector, "SELECT t.id AS c0, t.name AS c1 FROM t", is_scan=True)
    assert caught.value.code == "RV403"
    assert what in caught.value.message
    assert caught.value.hint == HINT_OF_SCHEMA


async def test_a_change_under_a_running_connector_is_noticed(
    own: Callable[..., Any], mariadb: MariadbServer
) -> None:
    connector = await own(
        ["CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20))", "INSERT INTO t VALUES (1, '1')"]
    )
    sql = "SELECT t.id AS c0, t.name AS c1 FROM t"
    assert (await ask(connector, sql, is_scan=True)).rows == [(1, "1")]
    await mariadb.run(["ALTER TABLE t CHANGE name title VARCHAR(20)"], DATABASE)
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await ask(connector, sql, is_scan=True)
        assert caught.value.code == "RV403"
        assert caught.value.hint == HINT_OF_SCHEMA
    await mariadb.run(["ALTER TABLE t CHANGE title name VARCHAR(20)"], DATABASE)
    assert (await ask(connector, sql, is_scan=True)).rows == [(1, "1")]


# -- introspection ---------------------------------------------------------------------------


async def test_introspection_reads_keys_indexes_links_and_collations(
    own: Callable[..., Any],
) -> None:
    connector = await own(
        [
            "CREATE TABLE ospos_people (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
            " email VARCHAR(80) NOT NULL, code VARCHAR(20) COLLATE utf8mb4_bin, note TEXT,"
            " `first name` VARCHAR(20), j JSON, photo BLOB, low VARCHAR(80) AS (lower(email)),"
            " UNIQUE KEY (email), KEY (note(20)), KEY by_both (code, `first name`))",
            "CREATE TABLE ospos_links (a INT, b INT UNSIGNED, PRIMARY KEY (b, a),"
            " FOREIGN KEY (b) REFERENCES ospos_people (id))",
            "CREATE VIEW ospos_shown AS SELECT id, email FROM ospos_people",
            "CREATE TABLE other (x INT)",
            "INSERT INTO ospos_people (email) SELECT seq FROM seq_1_to_500",
            "ANALYZE TABLE ospos_people",
        ],
        table_prefix="ospos_",
    )
    tables = await connector.introspect()
    assert set(tables) == {"people", "links", "shown"}
    people = tables["people"]
    assert people.physical == "ospos_people"
    assert {name: str(c.type) for name, c in people.columns.items()} == {
        "id": "bigint",
        "email": "text",
        "code": "text",
        "note": "text",
        "first name": "text",
        "j": "json",
        "low": "text",
    }
    assert people.columns["email"].collation == "ci"
    assert people.columns["code"].collation == "exact"
    assert not people.columns["email"].is_nullable
    assert people.columns["note"].is_nullable
    assert people.primary_key == ("id",)
    assert people.unique == (("email",),)
    assert people.indexes == (("code", "first name"),)
    assert people.rows_estimate == 500
    assert people.distinct["email"] == 500
    assert "note" not in people.distinct
    assert tables["links"].primary_key == ("b", "a")
    assert tables["links"].columns["b"].references == "people.id"
    assert tables["shown"].rows_estimate is None
    sql = 'SELECT p."first name" AS c0 FROM people AS p WHERE p.email = ANY(:keys)'
    assert (await ask(connector, sql, {"keys": ["7"]})).rows == [(None,)]


@pytest.mark.parametrize(
    ("greeting", "is_old"),
    [
        ("5.5.5-10.3.39-MariaDB-0+deb10u1", True),
        ("5.5.5-10.11.19-MariaDB-0+deb12u1", False),
        ("11.4.2-MariaDB-ubu2404", False),
        ("10.11.19-MariaDB-0+deb12u1-1.2.3", False),
        ("5.7.44-log", True),
        ("8.0.18", True),
        ("8.0.36-0ubuntu0.22.04.1", False),
        ("9.1.0", False),
    ],
)
def test_servers_without_json_tables_are_refused(greeting: str, is_old: bool) -> None:
    assert is_too_old(greeting) is is_old


# -- MySQL itself ----------------------------------------------------------------------------


def test_mysql_takes_its_deadline_as_a_hint() -> None:
    text = NativeColumn("varchar", "varchar(80)", "utf8mb4", "utf8mb4_0900_ai_ci", 80)
    whole = NativeColumn("bigint", "bigint")
    layout = Layout("mysql", {("people", "id"): whole, ("people", "email"): text})
    sql = "SELECT p.id AS c0 FROM people AS p WHERE p.email = ANY(:keys)"
    statement = finish(compile_call(fragment(sql), world.tables({}, {})), layout)
    for one in (statement.many.text, statement.one.text):
        assert re.match(r"SELECT /\*\+ MAX_EXECUTION_TIME\(%\(seconds\)s\) \*/ `p`", one)
    assert "utf8mb4_0900_ai_ci" in statement.many.text
