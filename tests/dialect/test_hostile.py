"""Proves that what is no question is refused early, with a code and a place, echoing nothing."""

from __future__ import annotations

import sys

import duckdb
import pytest
from tests.dialect import oracle
from tests.dialect.oracle import SCHEMA

from roundview_catalog.errors import EngineError, RequestError
from roundview_federation.dialect import gate, resolve, translate
from roundview_federation.engines.duckdb.states import state_of
from roundview_federation.engines.failures import meant

SECRET = "s3cr3t-value"

# Text, SQLSTATE, place.
REFUSED: list[tuple[str, str, int | None]] = [
    ("", "42601", 1),
    (";;", "42601", 1),
    ("nonsense", "42601", 1),
    ("SELECT", "0A000", None),
    ("SELECT 1; SELECT 2", "42601", 9),
    ("SELECT 1; DROP TABLE odd", "42601", 9),
    ("SELECT id FROM odd WHERE", "42601", None),
    ("SELECT id FROM odd GROUP", "42601", None),
    ("SELECT (1", "42601", None),
    ("SELECT 'open", "42601", None),
    ("SELECT 1 /* open", "42601", None),
    ("SELECT 1\x00", "42601", 9),
    ("SELECT '\ud800'", "42601", 9),
    ("SELECT 1ex", "42601", 8),
    ("SELECT 1e", "42601", 8),
    ("SELECT 1e+", "42601", None),
    ("SELECT 1_000", "42601", 8),
    ("SELECT 'a' 'b'", "42601", 12),
    ("SELECT * FROM odd JOIN item", "42601", 19),
    ("INSERT INTO odd VALUES (1)", "0A000", 1),
    ("UPDATE odd SET i = 1", "0A000", 1),
    ("DELETE FROM odd", "0A000", 1),
    ("DROP TABLE odd", "0A000", 1),
    ("CREATE TABLE x AS SELECT 1", "0A000", 1),
    ("COPY odd TO '/tmp/x'", "0A000", 1),
    ("EXPLAIN ANALYZE DELETE FROM odd", "0A000", 1),
    ("SET search_path = x", "0A000", 1),
    ("CALL x()", "0A000", 1),
    ("DO $$x$$", "0A000", 1),
    ("PRAGMA database_list", "0A000", 1),
    ("ATTACH 'x.db'", "42601", 1),
    ("LISTEN x", "42601", 1),
    ("WITH x AS (INSERT INTO odd VALUES (1)) SELECT 1", "0A000", 24),
    ("WITH x AS (DELETE FROM odd RETURNING *) SELECT * FROM x", "0A000", None),
    ("SELECT id INTO x FROM odd", "0A000", None),
    ("SELECT id FROM odd FOR UPDATE", "0A000", None),
    ("SELECT id FROM odd TABLESAMPLE bernoulli (1)", "0A000", None),
    ("SELECT id FROM ONLY odd", "0A000", None),
    ("SELECT id FROM odd QUALIFY true", "0A000", None),
    ("SELECT * EXCLUDE (id) FROM odd", "0A000", None),
    ("SELECT id FROM odd GROUP BY ALL", "0A000", None),
    (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT max(n) FROM r) SELECT * FROM r",
        "0A000",
        None,
    ),
    ("SELECT * FROM odd, LATERAL item x", "0A000", None),
    ("SELECT * FROM read_csv('/etc/passwd')", "0A000", None),
    ("SELECT * FROM '/etc/passwd'", "42601", None),
    ("SELECT * FROM query('SELECT 1')", "0A000", None),
    ("SELECT * FROM postgres_scan('host=x', 'public', 'secret')", "0A000", None),
    ("SELECT * FROM generate_series(1, 2000000000)", "54000", None),
    ("SELECT * FROM generate_series(1, id)", "42703", 34),
    ("SELECT pg_sleep(10)", "42883", 8),
    ("SELECT pg_read_file('/etc/passwd')", "42883", 8),
    ("SELECT query_to_xml('x', true, true, '')", "42883", 8),
    ("SELECT nextval('x')", "42883", 8),
    ("SELECT set_config('a', 'b', false)", "42883", 8),
    ("SELECT version()", "0A000", None),
    ("SELECT current_user", "0A000", None),
    ("SELECT getenv('HOME')", "42883", 8),
    ("SELECT pg_catalog.lower('A')", "0A000", None),
    ('SELECT "lower"(s) FROM odd', "0A000", None),
    ("SELECT s::regclass FROM odd", "0A000", None),
    ("SELECT 1 OPERATOR(pg_catalog.+) 1", "0A000", None),
    ('SELECT U&"id" FROM odd', "0A000", 8),
    ("SELECT U&'\\0061'", "0A000", 8),
    ("SELECT E'\\x41'", "0A000", 8),
    ("SELECT $$a$$", "0A000", 8),
    ("SELECT :a", "42601", 8),
    ("SELECT ?", "42601", 8),
    ("SELECT $0", "42P02", None),
    ("SELECT ctid FROM odd", "42703", 8),
    ("SELECT xmin FROM odd", "42703", 8),
    ("SELECT odd FROM odd", "0A000", 8),
    ("SELECT nosuch FROM odd", "42703", 8),
    ("SELECT id FROM odd WHERE nosuch = 1", "42703", 26),
    ("SELECT id\nFROM odd\nWHERE  nosuch = 1", "42703", 27),
    ("SELECT o.nosuch FROM odd o", "42703", 10),
    ("SELECT x.id FROM odd", "42P01", 8),
    ("SELECT odd.id FROM odd o", "42P01", 8),
    ("SELECT id FROM nosuch", "42P01", 16),
    ("SELECT id FROM other.odd", "42P01", 16),
    ("SELECT * FROM pg_class", "42P01", 15),
    ("SELECT * FROM information_schema.tables", "42P01", 15),
    ("SELECT * FROM duckdb_secrets()", "0A000", None),
    ("SELECT id FROM odd, item", "42702", 8),
    ("SELECT 1 FROM odd, odd", "42712", 20),
    ("SELECT a.id FROM odd a, item b JOIN tag t ON t.odd_id = a.id", "42P01", 57),
    ("SELECT nosuch(1)", "42883", 8),
    ("SELECT upper(1)", "42883", 8),
    (f"SELECT i + s FROM odd WHERE s = '{SECRET}'", "42883", 8),
    ("SELECT ok + 1 FROM odd", "42883", 8),
    ("SELECT i FROM odd WHERE i", "42804", 25),
    (f"SELECT '{SECRET}'::integer", "22P02", 8),
    (f"SELECT i FROM odd WHERE i = '{SECRET}'", "22P02", 29),
    (f"SELECT date '{SECRET}'", "0A000", 13),
    ("SELECT date '2023-02-30'", "22008", 13),
    ("SELECT 99999999999::integer", "22003", None),
    ("SELECT count(*) FROM odd WHERE count(*) > 1", "42803", 32),
    ("SELECT s FROM odd GROUP BY i", "42803", 8),
    ("SELECT 1 UNION SELECT 1, 2", "42601", 23),
    ("SELECT id FROM odd ORDER BY 2", "42P10", 29),
    ("SELECT (SELECT 1, 2)", "42601", 9 + 7),
    ("SELECT repeat('x', 2000000000)", "0A000", 8),
    ("SELECT lpad('x', 2000000000)", "0A000", 8),
    ("SELECT s ~ '(a)\\1' FROM odd", "0A000", 8),
    ("SELECT id FROM odd WHERE id IN ()", "42601", None),
    ("SELECT (id, i) IN () FROM odd", "42601", None),
    ("SELECT id, FROM odd", "42601", 10),
    ("SELECT lower.(s) FROM odd", "42601", None),
    ("SELECT id FROM odd JOIN item USING 2", "42601", None),
    ("SELECT count(*) OVER (ORDER BY id ROWS 1) FROM odd", "42601", None),
    ("SELECT 1 CROSS JOIN odd", "42601", None),
    ("SELECT 1 'x'", "42601", None),
    ("SELECT id FROM odd WHERE user = 1", "0A000", None),
    ("SELECT id FROM odd order", "42601", None),
    ("SELECT current_setting('x') FILTER (WHERE true) FROM odd", "42883", None),
    ("SELECT x.a FROM item *(a, b)", "42601", None),
    ("SELECT avg(DISTINCT ) FROM odd", "42601", None),
    ("SELECT () IS NULL FROM odd", "42601", None),
]


@pytest.mark.parametrize(("text", "sqlstate", "position"), REFUSED)
def test_refused(text: str, sqlstate: str, position: int | None) -> None:
    if text == "SELECT 99999999999::integer":
        answer = oracle.ask_roundview(duckdb.connect(), text)
        assert answer.sqlstate == sqlstate
        return
    with pytest.raises(RequestError) as caught:
        translate(resolve(gate(text), SCHEMA), SCHEMA)
    error = caught.value
    assert (error.extensions.get("sqlstate") or error.row.sqlstate) == sqlstate
    if position is not None:
        assert error.extensions.get("position") == position
    assert SECRET not in f"{error} {error.hint} {error.extensions}"


# Each would hang or crash what reads it without limits.
LARGE = {
    "parentheses": ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "54001"),
    "subqueries": ("SELECT " + "(SELECT " * 500 + "1" + ")" * 500, "54001"),
    "cases": ("SELECT " + "CASE WHEN true THEN " * 500 + "1" + " END" * 500, "54001"),
    "brackets": ("SELECT " + "ARRAY[" * 500 + "1" + "]" * 500, "54001"),
    "signs": ("SELECT " + "- " * 5_000 + "1", "54001"),
    "nots": ("SELECT " + "NOT " * 5_000 + "true", "54001"),
    "list": (f"SELECT id FROM odd WHERE id IN ({','.join(map(str, range(100_000)))})", "54000"),
    "smaller list": (f"SELECT id FROM odd WHERE id IN ({','.join(['1'] * 5_500)})", "54000"),
    "bytes": ("SELECT '" + "x" * 200_000 + "'", "54000"),
    "sums": ("SELECT " + " + ".join(["id"] * 1_500) + " FROM odd", "54001"),
    "columns": ("SELECT " + ", ".join(["id"] * 3_000) + " FROM odd", "54000"),
    "unions": (" UNION ALL ".join(["SELECT 1"] * 200), "54000"),
    "casts": ("SELECT 1" + "::int" * 1_000, "54001"),
    "names": ("SELECT " + "x" * 100 + " FROM odd", "42602"),
}


@pytest.mark.parametrize("name", LARGE)
def test_too_large(name: str) -> None:
    text, sqlstate = LARGE[name]
    with pytest.raises(RequestError) as caught:
        gate(text)
    error = caught.value
    assert (error.extensions.get("sqlstate") or error.row.sqlstate) == sqlstate


def test_the_largest_that_is_allowed_is_read() -> None:
    """What the limits let through needs no more stack than there is."""
    depth = 25
    texts = [
        "SELECT " + "(" * depth + "1" + ")" * depth,
        "SELECT " + "(SELECT " * depth + "1" + ")" * depth,
        "SELECT " + "CASE WHEN true THEN " * depth + "1" + " END" * depth,
        "SELECT " + " + ".join(["id"] * 150) + " FROM odd",
        "SELECT id FROM odd WHERE " + " OR ".join(f"id = {at}" for at in range(300)),
        f"SELECT id FROM odd WHERE id IN ({','.join(['1'] * 5_000)})",
        " UNION ALL ".join(["SELECT 1"] * 50),
    ]
    before = sys.getrecursionlimit()
    try:
        for text in texts:
            made = translate(resolve(gate(text), SCHEMA), SCHEMA)
            assert made.tree.sql("duckdb")
    finally:
        sys.setrecursionlimit(before)


def test_a_failed_statement_says_nothing_of_its_values() -> None:
    engine = duckdb.connect()
    with pytest.raises(duckdb.Error) as caught:
        engine.execute("SELECT CAST(x AS INTEGER) FROM (VALUES ('s3cr3t-value')) t(x)").fetchall()
    error = meant(state_of(caught.value))
    assert isinstance(error, RequestError)
    assert error.row.sqlstate == "22P02"
    assert SECRET not in f"{error} {error.hint} {error.extensions}"


def test_a_failure_without_meaning_is_the_engines() -> None:
    error = meant(state_of(duckdb.IOException(f"cannot open {SECRET}")))
    assert isinstance(error, EngineError)
    assert SECRET not in str(error)
