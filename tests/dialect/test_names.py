"""Proves what names mean after `resolve`, what types come out, and how parameters get theirs."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp
from tests.dialect.oracle import NOW, SCHEMA

from roundview_catalog.errors import RequestError
from roundview_federation.dialect import Translated, gate, resolve, translate


def resolved(text: str) -> exp.Query:
    return resolve(gate(text), SCHEMA)


def translated(text: str) -> Translated:
    return translate(resolved(text), SCHEMA)


def test_every_column_has_an_alias_around_it_and_aliases_are_unique() -> None:
    tree = resolved(
        "WITH item AS (SELECT id, kind FROM c360.item) "
        "SELECT *, (SELECT max(id) FROM item WHERE item.kind = t.kind) FROM tag t "
        "JOIN item USING (kind) WHERE EXISTS (SELECT 1 FROM tag t WHERE t.note = item.kind)"
    )
    aliases = [
        source.alias
        for source in tree.find_all(exp.Table)
        if isinstance(source.this, exp.Identifier)
    ]
    assert len(aliases) == len(set(aliases))
    assert all(column.table in aliases for column in tree.find_all(exp.Column))
    assert not list(tree.find_all(exp.Star))
    assert not any(join.args.get("using") for join in tree.find_all(exp.Join))


def test_projections_have_unique_aliases_and_postgres_names() -> None:
    tree = resolved("SELECT id, id, 1, 1, count(*) OVER () FROM odd")
    assert tree.meta["names"] == ("id", "id", "?column?", "?column?", "count")
    assert len(set(tree.named_selects)) == 5


def test_hidden_columns_are_not_there() -> None:
    seen = {"odd": {"id": SCHEMA["odd"]["id"]}}
    assert resolve(gate("SELECT * FROM odd"), seen).named_selects == ["id"]
    with pytest.raises(RequestError) as caught:
        resolve(gate("SELECT id FROM odd WHERE s = 'x'"), seen)
    assert caught.value.row.sqlstate == "42703"


def test_lookup_stays_a_function_with_constants() -> None:
    tree = resolved("SELECT l.customer_id FROM lookup('email', 'a@example.org') l")
    call = tree.find(exp.Anonymous)
    assert call is not None
    assert [part.name for part in call.expressions] == ["email", "a@example.org"]
    with pytest.raises(RequestError):
        resolved("SELECT * FROM odd, lookup('email', odd.s) l")


def test_a_tree_without_text_is_resolved() -> None:
    tree = exp.select("id").from_("odd").where(exp.column("nosuch").eq(1))
    with pytest.raises(RequestError) as caught:
        resolve(tree, SCHEMA)
    assert "position" not in caught.value.extensions


def test_parameters_get_the_type_of_the_other_side() -> None:
    made = translated(
        "SELECT id FROM odd WHERE i = $1 AND s LIKE $2 AND d > $3 AND $4 AND n < $5 LIMIT $6"
    )
    assert {at: str(type_) for at, type_ in made.parameters.items()} == {
        1: "integer",
        2: "text",
        3: "date",
        4: "boolean",
        5: "numeric",
        6: "bigint",
    }
    assert "$p1" in made.tree.sql("duckdb")


def test_a_parameter_that_is_two_types_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        translated("SELECT 1 FROM odd WHERE d = $1 AND i = $1")
    assert caught.value.extensions["sqlstate"] == "42P08"


def test_the_clock_is_given_once() -> None:
    made = translated("SELECT now(), current_timestamp, current_date, localtimestamp")
    assert made.uses_clock
    rows = duckdb.execute(made.tree.sql("duckdb"), {"now": NOW}).fetchall()
    assert rows[0][0] == rows[0][1] == NOW
    assert rows[0][2:] == (NOW.date(), NOW.replace(tzinfo=None))
    assert not translated("SELECT 1").uses_clock


def test_types_are_those_of_postgres() -> None:
    made = translated("SELECT sum(i), sum(big), avg(i), count(*), i / 2, n * 2, f, k, d - e FROM odd GROUP BY i, n, f, k, d, e")  # fmt: skip
    assert [str(column.type) for column in made.columns] == [
        "bigint",
        "numeric",
        "numeric",
        "bigint",
        "integer",
        "numeric",
        "double precision",
        "uuid",
        "integer",
    ]
