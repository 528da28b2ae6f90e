"""Proves of every connector what its Capabilities declare, over the same rows."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.opening import TECHNOLOGIES, Places, ask, fragment, opened
from tests.connectors.world import COLUMNS, ODD_TEXTS, ORDERS, PEOPLE

from roundview_catalog import coerce
from roundview_catalog.document import read
from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.mapping.views import read_views
from roundview_catalog.report import Report
from roundview_federation.connectors.port import Connector
from roundview_federation.resilience.deadline import Deadline

LOOSE_SECONDS = 0.25


def typed(
    table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Returns driver rows as values of the declared types, in order."""
    decode = [coerce.decoder(COLUMNS[table][column]) or (lambda v: v) for column in columns]
    return sorted((tuple(d(v) for d, v in zip(decode, row, strict=True)) for row in rows), key=repr)


def expected(
    places: Places, table: str, columns: tuple[str, ...], keep: Callable[[dict[str, Any]], bool]
) -> list[tuple[Any, ...]]:
    """Returns the same from the world itself."""
    names, rows = (
        (PEOPLE, places.rows.people) if table == "people" else (ORDERS, places.rows.orders)
    )
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    return typed(table, columns, [tuple(d[c] for c in columns) for d in dicts if keep(d)])


def selecting(table: str, columns: tuple[str, ...], where: str = "") -> str:
    """Returns a statement over one table under the alias t."""
    shown = ", ".join(f"t.{column} AS c{at}" for at, column in enumerate(columns))
    return f"SELECT {shown} FROM {table} AS t" + (f" WHERE {where}" if where else "")


def is_declared(connector: Connector, operator: str) -> bool:
    return operator in connector.capabilities.filters


# -- rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [PEOPLE, ("note", "id"), ("email",)], ids=" ".join)
async def test_projects_columns_in_order(
    connector: Connector, places: Places, columns: tuple[str, ...]
) -> None:
    answer = await ask(connector, selecting("people", columns), is_scan=True)
    assert typed("people", columns, answer.rows) == expected(
        places, "people", columns, lambda _: True
    )
    assert not answer.is_truncated


async def test_repeats_a_column_that_is_asked_twice(connector: Connector, places: Places) -> None:
    answer = await ask(
        connector, selecting("people", ("id", "name", "id"), "t.id = ANY(:keys)"), {"keys": [3]}
    )
    assert answer.rows == [(3, places.rows.people[3][1], 3)]


@pytest.mark.parametrize("count", [0, 1, 1_000])
@pytest.mark.parametrize("table", ["people", "orders"])
async def test_finds_exactly_the_rows_of_its_keys(
    connector: Connector, places: Places, table: str, count: int
) -> None:
    column = "id" if table == "people" else "person_id"
    keys = [5_000 + at if at % 50 == 49 else at * 3 for at in range(count)]
    columns = tuple(COLUMNS[table])
    answer = await ask(
        connector, selecting(table, columns, f"t.{column} = ANY(:keys)"), {"keys": keys}
    )
    wanted = set(keys)
    assert typed(table, columns, answer.rows) == expected(
        places, table, columns, lambda row: row[column] in wanted
    )


async def test_keys_that_no_column_can_hold_find_nothing(connector: Connector) -> None:
    sql = selecting("people", ("id", "name"), "t.name = ANY(:keys)")
    keys = ["plain\0", "\0", "\ud800", "a\0b", "no such name"]
    assert (await ask(connector, sql, {"keys": keys})).rows == []
    numbers = selecting("people", ("id",), "t.id = ANY(:keys)")
    assert (await ask(connector, numbers, {"keys": [2**63, -(2**63) - 1, 2**200]})).rows == []


async def test_one_statement_serves_any_number_of_keys(connector: Connector) -> None:
    call = connector.compile(fragment(selecting("people", ("id",), "t.id = ANY(:keys)")))
    before = connector.explain(call)
    for count in (1, 500, 2, 0):
        answer = await connector.rows(call, {"keys": list(range(count))}, Deadline.after(10))
        assert len(answer.rows) == count
    assert connector.explain(call) == before


# -- filters ---------------------------------------------------------------------------------

FILTERS: dict[str, tuple[str, dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "EQ": ("t.status = :v", {"v": "open"}, lambda r: r["status"] == "open"),
    "NEQ": ("t.status <> :v", {"v": "open"}, lambda r: r["status"] not in ("open", None)),
    "LT": ("t.id < :v", {"v": 10}, lambda r: r["id"] < 10),
    "LTE": ("t.id <= :v", {"v": 10}, lambda r: r["id"] <= 10),
    "GT": ("t.id > :v", {"v": 2_390}, lambda r: r["id"] > 2_390),
    "GTE": ("t.id >= :v", {"v": 2_390}, lambda r: r["id"] >= 2_390),
    "In": ("t.status IN ('open', 'closed')", {}, lambda r: r["status"] in ("open", "closed")),
    "Is": ("t.status IS NULL", {}, lambda r: r["status"] is None),
    "Like": ("t.status LIKE 'OP%'", {}, lambda r: False),
}


@pytest.mark.parametrize("operator", FILTERS)
async def test_filters_are_exact_or_refused(
    connector: Connector, places: Places, operator: str
) -> None:
    where, params, keep = FILTERS[operator]
    columns = ("id", "status")
    asked = ask(connector, selecting("orders", columns, where), params, is_scan=True)
    try:
        answer = await asked
        works = typed("orders", columns, answer.rows) == expected(places, "orders", columns, keep)
    except RequestError:
        works = False
    assert works is is_declared(connector, operator)


async def test_text_compares_by_code_point_whatever_the_column_says(connector: Connector) -> None:
    sql = selecting("people", ("id",), "t.email = :v")
    assert (await ask(connector, sql, {"v": "U5@Example.org"})).rows == [(5,)]
    assert (await ask(connector, sql, {"v": "u5@example.org"})).rows == []
    if connector.capabilities.dialect:
        keys = selecting("people", ("id",), "t.email = ANY(:keys)")
        assert (
            await ask(connector, keys, {"keys": ["u5@example.org", "U6@Example.org"]})
        ).rows == [(6,)]


async def test_null_equals_nothing(connector: Connector) -> None:
    sql = selecting("orders", ("id",), "t.status = :v")
    assert (await ask(connector, sql, {"v": None}, is_scan=True)).rows == []


async def test_conjuncts_all_hold(connector: Connector, places: Places) -> None:
    sql = selecting("orders", ("id", "status"), "t.person_id = ANY(:keys) AND t.status = :v")
    answer = await ask(connector, sql, {"keys": [7, 14, 21, 28], "v": "closed"})
    assert typed("orders", ("id", "status"), answer.rows) == expected(
        places,
        "orders",
        ("id", "status"),
        lambda r: r["person_id"] in (7, 14, 21, 28) and r["status"] == "closed",
    )


# -- odd text --------------------------------------------------------------------------------


def test_the_corpus_is_large_enough() -> None:
    assert len(ODD_TEXTS) >= 100


async def test_odd_text_comes_back_as_it_is(connector: Connector, places: Places) -> None:
    answer = await ask(
        connector,
        selecting("people", ("id", "name"), "t.id = ANY(:keys)"),
        {"keys": list(range(len(ODD_TEXTS)))},
    )
    assert dict(answer.rows) == dict(enumerate(ODD_TEXTS))


async def test_odd_text_as_a_key_is_a_value_and_nothing_else(
    connector: Connector, places: Places
) -> None:
    call = connector.compile(fragment(selecting("people", ("id", "name"), "t.name = ANY(:keys)")))
    for text in ODD_TEXTS:
        answer = await connector.rows(call, {"keys": [text]}, Deadline.after(10))
        wanted = [(ODD_TEXTS.index(text), text)]
        if connector.capabilities.dialect:
            assert answer.rows == wanted
        else:
            # A URL cannot carry every text; what it cannot carry finds nothing else.
            assert answer.rows in (wanted, [])
            assert answer.dropped == 0


async def test_odd_text_as_a_parameter_is_a_value_and_nothing_else(connector: Connector) -> None:
    sql = selecting("people", ("id", "name"), "t.name = :v")
    if not connector.capabilities.dialect:
        sql = selecting("people", ("id", "name"), "t.email = :v")
    call = connector.compile(fragment(sql))
    for text in ODD_TEXTS:
        answer = await connector.rows(call, {"v": text}, Deadline.after(10))
        found = [(ODD_TEXTS.index(text), text)] if connector.capabilities.dialect else []
        assert answer.rows == found


async def test_parameter_names_of_the_request_never_reach_the_statement(
    connector: Connector,
) -> None:
    sql = selecting("people", ("id",), "t.id = ANY(:keys)")
    made = fragment(sql)
    for node in made.tree.find_all(type(made.tree.args["where"].this.expression.this)):
        node.set("this", 'keys"; DROP TABLE people; --')
    odd = type(made)(
        **{
            **{name: getattr(made, name) for name in made.__slots__},
            "keysets": ('keys"; DROP TABLE people; --',),
        }
    )
    call = connector.compile(odd)
    assert "DROP" not in connector.explain(call)
    answer = await connector.rows(call, {'keys"; DROP TABLE people; --': [4]}, Deadline.after(10))
    assert answer.rows == [(4,)]


# -- joins, children, order, limit -----------------------------------------------------------

JOIN = (
    "SELECT p.id AS c0, o.id AS c1 FROM people AS p JOIN orders AS o ON o.person_id = p.id"
    " WHERE p.id = ANY(:keys) AND EXISTS (SELECT 1 FROM orders AS x WHERE x.person_id = p.id)"
)


async def test_joins_inside_the_source_or_refuses(connector: Connector, places: Places) -> None:
    if not connector.capabilities.joins:
        with pytest.raises(RequestError):
            connector.compile(fragment(JOIN))
        return
    answer = await ask(connector, JOIN, {"keys": [7, 14, 4_000]})
    assert sorted(answer.rows) == sorted(
        (row[1], row[0]) for row in places.rows.orders if row[1] in (7, 14)
    )


async def test_outer_joins_keep_rows_without_partner(connector: Connector, places: Places) -> None:
    if not connector.capabilities.joins:
        return
    sql = (
        "SELECT p.id AS c0, o.id AS c1 FROM people AS p LEFT JOIN orders AS o"
        " ON o.person_id = p.id AND o.status = 'open' WHERE p.id = ANY(:keys)"
    )
    answer = await ask(connector, sql, {"keys": [7, 1_150]})
    open_orders = [(7, r[0]) for r in places.rows.orders if r[1] == 7 and r[3] == "open"]
    assert sorted(answer.rows, key=repr) == sorted([*open_orders, (1_150, None)], key=repr) or (
        sorted(answer.rows, key=repr) == sorted([(7, None), (1_150, None)], key=repr)
        and not open_orders
    )


CHILD = "SELECT o.id, o.total, o.status FROM orders AS o WHERE o.person_id = p.id"


async def test_children_are_lists_of_rows_or_refused(connector: Connector, places: Places) -> None:
    sql = "SELECT p.id AS c0 FROM people AS p WHERE p.id = ANY(:keys)"
    if not connector.capabilities.children:
        with pytest.raises(RequestError):
            connector.compile(fragment(sql, children={"o": CHILD}))
        return
    answer = await ask(connector, sql, {"keys": [7, 21, 1_150]}, children={"o": CHILD})
    got = {key: sorted((i, Decimal(str(t)), s) for i, t, s in rows) for key, rows in answer.rows}
    wanted: dict[int, list[Any]] = {7: [], 21: [], 1_150: []}
    for order, person, total, status in places.rows.orders:
        if person in wanted:
            wanted[person].append((order, Decimal(str(total)), status))
    assert got == {key: sorted(rows) for key, rows in wanted.items()}


async def test_child_texts_and_numbers_are_exact(connector: Connector, places: Places) -> None:
    if not connector.capabilities.children:
        return
    child = "SELECT q.name, q.height, q.note FROM people AS q WHERE q.id = p.id"
    sql = "SELECT p.id AS c0 FROM people AS p WHERE p.id = ANY(:keys)"
    answer = await ask(connector, sql, {"keys": list(range(400))}, children={"q": child})
    got = {key: tuple(rows[0]) for key, rows in answer.rows}
    assert got == {row[0]: (row[1], row[3], row[4]) for row in places.rows.people[:400]}


async def test_the_first_row_below_a_row_comes_alone(connector: Connector, places: Places) -> None:
    if not connector.capabilities.first_rows:
        return
    sql = "SELECT p.id AS c0 FROM people AS p"
    child = f"{CHILD} ORDER BY o.status DESC NULLS LAST, o.id LIMIT 1"
    wanted: dict[int, list[Any]] = {}
    rows = sorted(places.rows.orders, key=lambda row: row[0])
    for order, person, total, status in sorted(rows, key=lambda row: row[3] or "", reverse=True):
        wanted.setdefault(person, [(order, Decimal(str(total)), status)])
    for where, given in (("", {}), (" WHERE p.id = ANY(:keys)", {"keys": [7, 21, 1_150]})):
        answer = await ask(connector, sql + where, given, children={"o": child}, is_scan=not where)
        got = {key: [(i, Decimal(str(t)), s) for i, t, s in below] for key, below in answer.rows}
        assert got == {key: wanted.get(key, []) for key in got}
        assert set(got) == set(given.get("keys", [row[0] for row in places.rows.people]))


@pytest.mark.parametrize("technology", [t for t in TECHNOLOGIES if t != "rest"])
async def test_a_view_is_its_select(technology: str, places: Places) -> None:
    source = places.source(technology)
    report = Report()
    given = {
        "named": "SELECT id, name AS called, 'a' AS arm FROM people p WHERE p.id < 500 UNION ALL"
        " SELECT q.id, q.name, 'b' FROM people q JOIN orders o ON o.person_id = q.id"
        " WHERE o.status = 'open'",
        "sums": "SELECT o.person_id, count(*) AS orders FROM orders o GROUP BY o.person_id",
    }
    document = read("views: " + json.dumps(given), "sources/any.yaml", report)
    assert document is not None
    views = read_views(given, source.connector, source.tables, document, report)
    assert report.problems == []
    connector = opened(replace(source, tables={**source.tables, **views}))
    names = {row[0]: row[1] for row in places.rows.people}
    opened_by = [r[1] for r in places.rows.orders if r[3] == "open" and r[1] in names]
    wanted = [(i, n, "a") for i, n in names.items() if i < 500]
    wanted += [(i, names[i], "b") for i in opened_by]
    counts = Counter(row[1] for row in places.rows.orders)
    sql = "SELECT v.id AS c0, v.called AS c1, v.arm AS c2 FROM named AS v"
    child = "SELECT s.orders FROM sums AS s WHERE s.person_id = v.id"
    try:
        for where, keys in (("", None), (" WHERE v.id = ANY(:keys)", [7, 21, 700, 5_000])):
            given_keys = {} if keys is None else {"keys": keys}
            answer = await ask(
                connector, sql + where, given_keys, children={"s": child}, is_scan=keys is None
            )
            kept = [row for row in wanted if keys is None or row[0] in keys]
            assert sorted(row[:3] for row in answer.rows) == sorted(kept)
            assert all(
                [n for (n,) in row[3]] == ([counts[row[0]]] if row[0] in counts else [])
                for row in answer.rows
            )
        grouped = "SELECT s.person_id AS c0, s.orders AS c1 FROM sums AS s"
        answer = await ask(connector, f"{grouped} WHERE s.person_id = ANY(:keys)", {"keys": [7]})
        assert answer.rows == [(7, counts[7])]
        named = "SELECT v.id AS c0 FROM named AS v WHERE v.called = :name"
        answer = await ask(connector, named, {"name": names[7]})
        assert sorted(answer.rows) == sorted((i,) for i, n, _ in wanted if n == names[7])
    finally:
        await connector.close()


async def test_keys_of_two_columns_find_their_rows(connector: Connector, places: Places) -> None:
    if not connector.capabilities.joins:
        return
    sql = selecting("orders", ("person_id", "status", "id"), "(t.person_id, t.status) = ANY(:keys)")
    keys = [(7, "open"), (14, "closed"), (21, "open"), (21, "nothing")]
    parts = [list(dict.fromkeys(part)) for part in zip(*keys, strict=True)]
    given = {"keys": keys, "keys__0": parts[0], "keys__1": parts[1]}
    answer = await ask(connector, sql, given)
    found = [row for row in answer.rows if row[:2] in keys]
    assert sorted(found) == sorted(
        (person, status, order)
        for order, person, _, status in places.rows.orders
        if (person, status) in keys
    )


async def test_orders_and_limits_exactly_or_refuses(connector: Connector, places: Places) -> None:
    sql = selecting("people", ("email", "id")) + " ORDER BY t.email DESC NULLS LAST, t.id LIMIT :n"
    if not (connector.capabilities.order and connector.capabilities.limit):
        with pytest.raises(RequestError):
            connector.compile(fragment(sql, is_scan=True))
        return
    rows = [(row[2], row[0]) for row in places.rows.people]
    with_email = sorted((r for r in rows if r[0] is not None), key=lambda r: r[0], reverse=True)
    wanted = with_email + sorted((r for r in rows if r[0] is None), key=lambda r: r[1])
    for size in (0, 7, None):
        answer = await ask(connector, sql, {"n": size}, is_scan=True)
        assert answer.rows == wanted[:size]


# -- caps, time, cancelling ------------------------------------------------------------------


async def test_a_row_cap_cuts_and_says_so(connector: Connector) -> None:
    sql = selecting("people", ("id",), "t.id = ANY(:keys)")
    keys = {"keys": list(range(50))}
    cut = await ask(connector, sql, keys, row_cap=20)
    assert len(cut.rows) == 20
    assert cut.is_truncated
    whole = await ask(connector, sql, keys, row_cap=50)
    assert len(whole.rows) == 50
    assert not whole.is_truncated


@pytest.mark.parametrize("technology", TECHNOLOGIES)
async def test_a_byte_cap_cuts_or_refuses_and_says_so(technology: str, places: Places) -> None:
    connector = opened(places.source(technology, bytes=9_000))
    everything = selecting("people", ("id", "name"))
    if connector.capabilities.dialect:
        answer = await ask(connector, everything, is_scan=True)
        assert answer.is_truncated
        assert 0 < len(answer.rows) < len(places.rows.people)
    else:
        # JSON cannot be cut in the middle.
        with pytest.raises(SourceError) as caught:
            await ask(connector, everything, is_scan=True)
        assert caught.value.code == "RV405"
    await connector.close()


@pytest.mark.row("E2")
async def test_no_time_left_is_a_timeout_at_once(connector: Connector) -> None:
    call = connector.compile(fragment(selecting("people", ("id",), "t.id = ANY(:keys)")))
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {"keys": list(range(100))}, Deadline(time.monotonic() - 1))
    assert caught.value.code == "RV401"
    assert time.monotonic() - started < LOOSE_SECONDS


SLOW = (
    "SELECT a.id AS c0 FROM orders AS a CROSS JOIN orders AS b CROSS JOIN orders AS c"
    " CROSS JOIN orders AS d WHERE a.id + b.id + c.id + d.id < 0"
)


async def test_a_slow_statement_ends_at_the_deadline(connector: Connector) -> None:
    if not connector.capabilities.joins:
        return
    call = connector.compile(fragment(SLOW, is_scan=True))
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {}, Deadline.after(0.2))
    assert caught.value.code == "RV401"
    assert time.monotonic() - started < 0.2 + LOOSE_SECONDS


@pytest.mark.parametrize("technology", ["sqlite", "files", "mysql", "postgres"])
async def test_cancelling_reaches_the_source(technology: str, places: Places) -> None:
    """One thread: the next statement runs only if the cancelled one is really gone."""
    connector = opened(places.source(technology, concurrency=1))
    slow = connector.compile(fragment(SLOW, is_scan=True))
    quick = connector.compile(fragment(selecting("people", ("id",), "t.id = ANY(:keys)")))
    await connector.rows(quick, {"keys": [1]}, Deadline.after(5))
    for _ in range(5):
        task = asyncio.create_task(connector.rows(slow, {}, Deadline.after(30)))
        waiting = asyncio.create_task(connector.rows(quick, {"keys": [1]}, Deadline.after(5)))
        await asyncio.wait([waiting], timeout=0.02)
        assert not waiting.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await waiting).rows == [(1,)]
    await connector.close()


async def test_many_calls_at_once_do_not_mix(connector: Connector, places: Places) -> None:
    call = connector.compile(fragment(selecting("people", ("id", "name"), "t.id = ANY(:keys)")))
    answers = await asyncio.gather(
        *(connector.rows(call, {"keys": [at]}, Deadline.after(10)) for at in range(60))
    )
    assert [a.rows for a in answers] == [[(at, places.rows.people[at][1])] for at in range(60)]


# -- what sources say of themselves ----------------------------------------------------------


async def test_introspection_names_every_declared_column(connector: Connector) -> None:
    tables = await connector.introspect()
    assert set(tables) == set(COLUMNS)
    for name, columns in COLUMNS.items():
        kinds = {column: tables[name].columns[column].type.kind for column in columns}
        assert kinds == {column: type_.kind for column, type_ in columns.items()}


async def test_is_proven_to_be_read_only(connector: Connector) -> None:
    assert await connector.prove_read_only()


async def test_explain_shows_no_values(connector: Connector) -> None:
    call = connector.compile(fragment(selecting("people", ("id",), "t.id = ANY(:keys)")))
    await connector.rows(call, {"keys": [987]}, Deadline.after(10))
    assert "987" not in connector.explain(call)
    assert "people" in connector.explain(call).replace("files0", "people")


async def test_unknown_columns_are_an_error_not_a_text(connector: Connector) -> None:
    """SQLite would read an unknown quoted name as a text constant."""
    for sql in ("SELECT t.gone AS c0 FROM people AS t", "SELECT gone AS c0 FROM people AS t"):
        with pytest.raises(RequestError) as caught:
            await ask(connector, sql, is_scan=True)
        assert caught.value.code == "RV102"


async def test_a_closed_connector_fails_by_name(connector: Connector) -> None:
    sql = selecting("people", ("id",), "t.id = ANY(:keys)")
    assert (await ask(connector, sql, {"keys": [1]})).rows == [(1,)]
    await connector.close()
    with pytest.raises(SourceError) as caught:
        await ask(connector, sql, {"keys": [1]})
    assert caught.value.code == "RV402"
