"""Decides what the benchmark of Trino asks: estates in two servers, and the same by hand.

By hand each relation is a SELECT over the source tables, as whoever writes for Trino would have it:
its catalog, the source's names, plain casts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from tests.sql.estate import Entity, Form, Part, Split
from tests.sql.tpch_estate import HORIZONTAL, VERTICAL

PEOPLE, ORDERS = 200_000, 200_000
DAY = "2024-03-01"

BUYER = Entity(
    "buyer",
    {"ident": "bigint", "number": "text", "email": "text", "joined": "date", "segment": "text"},
    ("ident",),
    ("number", "email", "joined"),
)
PURCHASE = Entity(
    "purchase",
    {"ident": "bigint", "buyer": "bigint", "number": "text", "total": "decimal(12,2)"},
    ("ident",),
    ("buyer", "number"),
)
KEYED = Split(
    "keyed",
    {"crm": "postgres", "till": "mariadb"},
    (
        Part("buyer", "crm", "clients", forms={"email": Form("{c}", "lower({c})")}),
        Part("purchase", "till", "sales"),
    ),
)
TPCH = tuple(
    replace(split, sources={
        source: {"sqlite": "postgres", "parquet": "mariadb"}.get(technology, technology)
        for source, technology in split.sources.items()
    })
    for split in (VERTICAL, HORIZONTAL)
)  # fmt: skip
"""The splits of the tests with servers only, which Trino reads without us."""


def keyed_rows() -> duckdb.DuckDBPyConnection:
    """Returns buyers and purchases as plain tables."""
    database = duckdb.connect()
    database.execute(
        "CREATE TABLE buyer AS SELECT i AS ident, 'C' || (i * 7919 % 1000003) AS number,"
        " 'Person' || i || '@Example.org' AS email, DATE '2020-01-01' + (i % 2000)::INTEGER"
        f" AS joined, 'S' || (i % 5) AS segment FROM range({PEOPLE}) r(i)"
    )
    database.execute(
        "CREATE TABLE purchase AS SELECT i AS ident, i * 31 % "
        f"{PEOPLE} AS buyer, 'C' || (i * 31 % {PEOPLE} * 7919 % 1000003) AS number,"
        f" (i % 100000 / 100)::DECIMAL(12,2) AS total FROM range({ORDERS}) r(i)"
    )
    return database


def keyed_questions() -> Mapping[str, str]:
    """Returns questions that identifiers, text keys or a range decide."""

    def numbers(count: int) -> str:
        return ", ".join(f"'C{at * 7919 % 1000003}'" for at in range(count))

    first = date.fromisoformat(DAY)
    days = ", ".join(f"DATE '{first + timedelta(days=at)}'" for at in range(100))
    return {
        "257 text keys": f"SELECT count(*), min(email) FROM buyer WHERE number IN ({numbers(257)})",
        "5,000 text keys": (
            f"SELECT count(*), min(email) FROM buyer WHERE number IN ({numbers(5_000)})"
        ),
        "10,000 text keys of another source": (
            "SELECT count(*) AS n, sum(p.total) AS total FROM buyer b"
            " JOIN purchase p ON p.number = b.number"
            f" WHERE b.joined IN ({days})"
        ),
        "lower(email)": "SELECT ident FROM buyer WHERE email = 'person4711@example.org'",
        "LEFT JOIN by a range": (
            "SELECT b.segment, count(*) AS buyers, sum(p.total) AS total FROM buyer b"
            f" LEFT JOIN purchase p ON p.buyer = b.ident WHERE b.joined = DATE '{DAY}'"
            " GROUP BY b.segment ORDER BY b.segment"
        ),
        "text GROUP BY": (
            "SELECT segment, count(*) AS n FROM buyer GROUP BY segment ORDER BY segment"
        ),
    }


def by_hand(question: str, entities: tuple[Entity, ...], split: Split) -> str:
    """Returns a question over the source tables, in Trino's SQL."""
    schema = {entity.name: dict(entity.fields) for entity in entities}
    tree = qualify(sqlglot.parse_one(question, read="postgres"), schema=schema, dialect="postgres")
    relations = {entity.name: _relation(entity, split) for entity in entities}
    for table in list(tree.find_all(exp.Table)):
        if table.name in relations:
            table.replace(exp.Subquery(this=relations[table.name].copy(), alias=table.alias))
    return tree.sql(dialect="trino")


def _relation(entity: Entity, split: Split) -> exp.Query:
    arms = [_arm(entity, part, split) for part in split.parts if part.entity == entity.name]
    made: exp.Query = arms[0]
    for arm in arms[1:]:
        made = exp.Union(this=made, expression=arm, distinct=False)
    return made


def _arm(entity: Entity, part: Part, split: Split) -> exp.Select:
    columns = []
    for name, type_ in entity.fields.items():
        column = exp.column(part.rename(name).lower(), quoted=True)
        decode = part.forms[name].decode if name in part.forms else "{c}"
        text = str(decode).format(c='"c"')
        value = sqlglot.parse_one(text, read="postgres")
        if "/" in text:
            value = sqlglot.parse_one('CAST("c" AS DECIMAL(17, 2)) / 100', read="trino")
            value.args.update(typed=True, safe=False)
        if isinstance(value, exp.Column):
            value = column
        else:
            for own in list(value.find_all(exp.Column)):
                own.replace(column.copy())
        if text != '"c"':
            value = exp.cast(value, type_)
        columns.append(exp.alias_(value, name))
    catalog = f"{split.name}_{part.source}"
    schema = "public" if split.sources[part.source] == "postgres" else catalog
    table = exp.table_(part.table.lower(), db=schema, catalog=catalog, quoted=True)
    return exp.select(*columns).from_(table)
