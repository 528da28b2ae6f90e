"""Mutates questions at random: what the gate lets through reads nothing but what was shown."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import duckdb
import pytest
from sqlglot import exp
from tests.dialect import oracle
from tests.dialect.oracle import SCHEMA
from tests.dialect.test_hostile import REFUSED

from roundview_catalog import expressions
from roundview_catalog.errors import RoundviewError
from roundview_catalog.expressions import ExpressionError
from roundview_federation.dialect import gate, resolve, translate

# ROUNDVIEW_MUTATIONS=1000000 ROUNDVIEW_SEED=… try more and others.
COUNT = int(os.environ.get("ROUNDVIEW_MUTATIONS", "20000"))
SEED = int(os.environ.get("ROUNDVIEW_SEED", "7"))
CANARY = "c4n4ry-value"
_RUN_EVERY = 8
_PIECES = (
    "secret", "SELECT canary FROM secret", "'", '"', "--", "/*", "*/", ";", "\x00", "\\", "$$", "(", ")",
    "UNION ALL SELECT canary FROM secret", "main.secret", "read_csv('/etc/passwd')", "::regclass",
    "duckdb_tables()", "query('SELECT * FROM secret')", "query_table('secret')", "getenv('HOME')",
    "pg_read_file('/etc/passwd')", "current_setting('x')", "ctid", "rowid", "U&\"secret\"", "E'\\x41'",
    "FROM secret", "secret.canary", "LATERAL", "COLUMNS(*)", "* EXCLUDE (id)", "WITH odd AS (",
    "information_schema.tables", "sqlite_master", "PRAGMA", "ATTACH 'x'", "INTO x", "FOR UPDATE",
    "TABLESAMPLE", "lookup('phone', '1')", "OPERATOR(pg_catalog.+)", "odd", "item", "NULL", "1", "AS",
)  # fmt: skip
_ENDLESS = ("generate_series", "recursive")
"""What may go on until an engine is stopped, which this one is not."""
_ALLOWED = frozenset(SCHEMA)


def statements(seed: int, count: int) -> Iterator[str]:
    """Yields texts made of the corpus, of hostile texts and of pieces."""
    chance = random.Random(seed)
    known = [text for text, _ in oracle.statements()] + [text for text, _, _ in REFUSED]
    for _ in range(count):
        text = chance.choice(known)
        for _ in range(chance.choice((1, 1, 2, 3))):
            text = _mutated(chance, text, known)
        yield text


def _mutated(chance: random.Random, text: str, known: list[str]) -> str:
    words = text.split(" ")
    at = chance.randrange(len(words) + 1)
    kind = chance.randrange(5)
    if kind == 0:
        words.insert(at, chance.choice(_PIECES))
    elif kind == 1 and words[at:]:
        words[at] = chance.choice(_PIECES)
    elif kind == 2 and words[at:]:
        del words[at : at + chance.randint(1, 3)]
    elif kind == 3:
        other = chance.choice(known).split(" ")
        from_ = chance.randrange(len(other))
        words[at:at] = other[from_ : from_ + chance.randint(1, 6)]
    elif text:
        place = chance.randrange(len(text))
        sign = chance.choice("'\"\\;()$-/*,.:\x00\u00a0\u202e%_[]{}")
        return f"{text[:place]}{sign}{text[place + chance.randint(0, 1) :]}"
    return " ".join(words)


@pytest.fixture(scope="module")
def place() -> Iterator[duckdb.DuckDBPyConnection]:
    """Returns an engine that has more than the asker may see, and nothing else within reach."""
    connection = oracle.open_duckdb()
    connection.execute("CREATE TABLE secret (canary VARCHAR)")
    connection.execute("INSERT INTO secret VALUES (?)", [CANARY])
    connection.execute("SET enable_external_access = false")
    yield connection
    connection.close()


@pytest.mark.timeout(max(120, COUNT // 100))
def test_nothing_that_passes_reads_more_than_it_may(place: duckdb.DuckDBPyConnection) -> None:
    passed = 0
    for text in statements(SEED, COUNT):
        try:
            made = translate(resolve(gate(text), SCHEMA), SCHEMA)
        except RoundviewError:
            continue
        passed += 1
        named = {
            one.name
            for one in made.tree.find_all(exp.Table)
            if isinstance(one.this, exp.Identifier)
        }
        ctes = {one.alias for one in made.tree.find_all(exp.CTE)}
        assert named <= _ALLOWED | ctes, text
        if passed % _RUN_EVERY == 0 and not any(word in text.lower() for word in _ENDLESS):
            _run(place, made.tree.sql("duckdb"), text)
    print(f"{passed} of {COUNT} passed")  # noqa: T201 - shown only where the test fails
    assert passed > COUNT // 100


def _run(place: duckdb.DuckDBPyConnection, sql: str, text: str) -> None:
    try:
        rows = place.execute(sql).fetchmany(200)
    except duckdb.Error:
        return
    assert CANARY not in repr(rows) or CANARY in text, text


def test_no_expression_of_a_catalog_leaves_its_row() -> None:
    """The gate of mappings, filters and masks knows the same corpus: no query, no table, no call."""
    chance = random.Random(SEED)
    rules = [
        "region = principal.region", "date_trunc('year', birth_date)", "'…' || right(phone, 3)",
        "CASE WHEN a THEN b ELSE NULL END", "status IN ('open', 'closed')", "coalesce(a, 'x')",
    ]  # fmt: skip
    hostile = [*_PIECES, *(text for text, _, _ in REFUSED)]
    for _ in range(COUNT // 5):
        text = chance.choice(rules)
        at = chance.randrange(len(text) + 1)
        text = f"{text[:at]} {chance.choice(hostile)} {text[at:]}"
        try:
            tree = expressions.parse(text)
        except ExpressionError:
            continue
        assert not list(tree.find_all(exp.Query, exp.Table, exp.Command)), text
