"""Proves derived relations of SQL: their rows, what they read, and who sees what of them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview_catalog import schema_file, statistics_file
from roundview_catalog.errors import RequestError
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.dialect.translate import translate
from roundview_federation.dialect.types import of_column
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Principal, Request
from roundview_federation.sql.answered import SqlResult
from roundview_federation.sql.expansion import expand
from roundview_federation.sql.explained import as_text
from roundview_federation.sql.relations import visible

SOURCES = ("crm", "till", "till.south")
PEOPLE = 60
START = datetime(2026, 1, 1, tzinfo=UTC)

RULES = {
    "recent": "most_recent",
    "frequent": "most_frequent",
    "complete": "most_complete",
    "united": "union",
    "a system": "{trusted: [till]}",
    "a source": "{trusted: [till.south, crm]}",
}

MAIN = """\
roundview: 1
name: derived
version: 1
deadlines: {view: 60s, probe: 10s, sql: 60s}
survivorship: {default: most_recent}
"""

POLICY = """\
roles:
  demo:
    purposes: [service]
    sees: {"*": all}
  masked:
    purposes: [service]
    sees: {"*": all}
    mask: {individual.family_name: "left(family_name, 1)"}
    row_filter: {individual: "source <> 'crm'"}
  orders:
    purposes: [service]
    sees: {sales_order: [ordered_at, currency]}
  names:
    purposes: [service]
    sees: {individual: [given_name], contact_point_email: [is_primary], support_case: [status]}
"""

SOURCE = """\
source: {name}
connector: sqlite
connection: {{path: "${{env:DERIVED}}/{name}.db"}}
limits: {{timeout: 60s}}
defaults: {{time_zone: UTC, currency: EUR}}
freshness: {{column: sales.at, warn_after: 1h}}
entities:
  individual:
    from: people p
    key: p.id
    fields:
      given_name: p.given
      family_name: p.family
      birth_date: p.born
      customer_since: p.since
      source_updated_at: p.changed
    also:
      loyalty_membership:
        fields: {{member_no: p.card, program: {{const: Card}}, source_updated_at: p.changed}}
      contact_point_email:
        each:
          first: {{email_address: p.mail, is_primary: p.best, source_updated_at: p.changed}}
          second: {{email_address: p.mail2}}
  sales_order:
    from: sales s
    key: s.id
    person: s.person
    fields:
      ordered_at: s.at
      status: s.state
      grand_total: s.total
      currency: s.money
"""

TABLES = """
CREATE TABLE people (
  id INTEGER PRIMARY KEY, given TEXT, family TEXT, born DATE, since TIMESTAMP, changed TIMESTAMP,
  card TEXT, mail TEXT, mail2 TEXT, best BOOLEAN
);
CREATE INDEX by_family ON people (family);
CREATE INDEX by_card ON people (card);
CREATE INDEX by_change ON people (changed);
CREATE TABLE sales (
  id INTEGER PRIMARY KEY, person INTEGER, at TIMESTAMP, state TEXT, total DECIMAL(18, 4),
  money TEXT
);
CREATE INDEX by_person ON sales (person);
"""


@dataclass(slots=True)
class World:
    """Three sources that disagree about the same people."""

    root: Path
    connection: AsyncConnection

    async def sql(self, text: str, role: str = "demo") -> tuple[list[dict[str, Any]], SqlResult]:
        """Returns the rows of a question and how it was answered."""
        result = await self.connection.federation.sql(text, Request(_who(role)))
        names = [column.name for column in result.columns]
        table = (await result.table()).rename_columns(names)
        return table.to_pylist(), result

    async def survive(self, rules: str) -> None:
        """Lets customers survive by another rule from now on."""
        text = MAIN.replace("most_recent", "most_recent" if "{" in rules else rules)
        if "{" in rules:
            fields = ("given_name", "family_name", "birth_date", "customer_since", "email")
            listed = ", ".join(f"{name}: {rules}" for name in fields)
            text = text.replace("{default: most_recent}", f"{{default: most_recent, {listed}}}")
        (self.root / "roundview.yaml").write_text(text, encoding="utf-8")
        await self.connection.federation.reload()
        assert self.connection.federation.reload_problem is None


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Returns the sources, linked."""
    folder = tmp_path_factory.mktemp("derived")
    root = folder / "catalog"
    (root / "sources").mkdir(parents=True)
    (root / "roundview.yaml").write_text(MAIN, encoding="utf-8")
    (root / "policy.yaml").write_text(POLICY, encoding="utf-8")
    env = {"DERIVED": str(folder)}
    dice = random.Random(5)
    for name in SOURCES:
        _fill(folder / f"{name}.db", dice)
        (root / f"sources/{name}.yaml").write_text(SOURCE.format(name=name), encoding="utf-8")
        schema = root / f"sources/{name}.schema.yaml"
        schema_file.write(schema, await introspect_source(root, name, env))
    async with connect_async(root, env=env) as connection:
        await connection.refresh_identity()
        yield World(root, connection)


def _fill(path: Path, dice: random.Random) -> None:
    """Writes people whom a card makes one across sources; little else of them agrees."""
    people, sales = [], []
    for number in range(1, 2 * PEOPLE):
        person = dice.randrange(PEOPLE)
        born = START - timedelta(days=9000 + person * 50 + dice.randrange(2))
        since = START + timedelta(seconds=dice.randrange(3), microseconds=dice.choice((0, 5000)))
        changed = dice.choice((None, START, START + timedelta(days=1)))
        people.append(
            (
                number,
                dice.choice(("Ann", "ann", "Anna", "Bob", None)),
                dice.choice((f"Vogt{person}", f"vogt{person}", f"Weber{person}", None)),
                dice.choice((born.date().isoformat(), None)),
                dice.choice((_at(since), None)),
                None if changed is None else _at(changed),
                f"CARD-{person:05}",
                dice.choice((f"{dice.choice('ab')}{person}@x.example", None)),
                dice.choice((f"{dice.choice('abc')}{person}@x.example", None)),
                dice.choice((True, False, None)),
            )
        )
        sales += [
            (
                len(sales) + at,
                number,
                _at(START + timedelta(hours=dice.randrange(9000))),
                dice.choice(("completed", "cancelled", None)),
                dice.choice((10, 5.25, None)),
                dice.choice(("EUR", "EUR", "EUR", "USD", None)),
            )
            for at in range(dice.choice((0, 1, 3)))
        ]
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    database.executemany(f"INSERT INTO people VALUES ({', '.join('?' * 10)})", people)
    database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?)", sales)
    database.commit()
    database.close()


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _who(role: str) -> Principal:
    return Principal(role, (role,), {}, ("service",), "service")


async def _viewed(world: World, role: str, customers: list[str]) -> list[dict[str, Any]]:
    """Returns customers as views have them."""
    federation = world.connection.federation
    decision = federation.decide(_who(role))
    known = federation.catalog.canonical.customer_fields
    names = [n for n, (entity, field) in known.items() if field in decision.fields.get(entity, ())]
    section = Section("customer", "customer", selecting("customer", names), "c")
    question = Question(f"viewed {role} {names}", (Lookup("c"),), (section,))
    found = await federation.run(
        question, {"c": [Identifier("customer_id", one) for one in customers]}, Request(_who(role))
    )
    assert found.complete
    groups = found.outputs["customer"].groups
    return [
        dict(zip(names, groups[at].rows[0][len(ROW_HEAD) :], strict=True))
        for at in range(len(customers))
    ]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
async def test_customers_are_those_of_views_whatever_the_rule(world: World, rule: str) -> None:
    await world.survive(rule)
    rows, result = await world.sql("SELECT * FROM customer ORDER BY customer_id")
    assert result.engine == "embedded"
    records, _ = await world.sql("SELECT customer_id, count(*) AS n FROM individual GROUP BY 1")
    assert sorted(row["customer_id"] for row in records) == [row["customer_id"] for row in rows]
    assert sum(row["n"] > 3 for row in records) > PEOPLE / 2
    viewed = await _viewed(world, "demo", [row["customer_id"] for row in rows])
    for row, other in zip(rows, viewed, strict=True):
        assert {name: row[name] for name in other} == other
        assert row["link_state"] == "linked"


async def test_customers_survive_from_what_the_asker_sees(world: World) -> None:
    rows, _ = await world.sql("SELECT * FROM customer ORDER BY customer_id", "masked")
    assert all(len(row["family_name"] or "V") == 1 for row in rows)
    viewed = await _viewed(world, "masked", [row["customer_id"] for row in rows])
    assert [{name: row[name] for name in viewed[0]} for row in rows] == viewed
    rows, result = await world.sql("SELECT * FROM c360.customer", "names")
    names = [column.name for column in result.columns]
    assert names == ["customer_id", "link_state", "given_name"]
    assert any(row["given_name"] for row in rows)


@pytest.mark.parametrize(
    ("condition", "is_chosen"),
    [
        ("family_name = '{family}'", True),
        ("family_name IN ('{family}', 'Nobody')", True),
        ("given_name = 'Bob' AND family_name >= '{family}' AND family_name < '{family}~'", True),
        ("email = '{email}'", True),
        ("birth_date = DATE '{born}'", True),
        ("family_name <> '{family}'", False),
        ("family_name IS NULL", False),
        ("family_name = '{family}' OR given_name IS NULL", False),
    ],
)
@pytest.mark.parametrize("rule", ["most_recent", "union"])
async def test_what_is_asked_of_survivors_chooses_candidates(
    world: World, rule: str, condition: str, is_chosen: bool
) -> None:
    await world.survive(rule)
    # Ids are new in every run: their order would choose another customer each time.
    every, scanned = await world.sql("SELECT * FROM customer ORDER BY email, family_name")
    whole = (row for row in every if row["family_name"] and row["email"] and row["birth_date"])
    some = next(row for row in whole if row["given_name"] == "Bob" or rule == "union")
    condition = condition.format(
        family=some["family_name"], email=some["email"], born=some["birth_date"]
    )
    text = f"SELECT * FROM customer AS c WHERE {condition} ORDER BY customer_id"
    rows, result = await world.sql(text)
    # The same condition where it can choose nobody: behind all customers.
    behind, _ = await world.sql(
        f"SELECT * FROM (SELECT * FROM customer ORDER BY customer_id LIMIT 10000) AS c"
        f" WHERE {condition} ORDER BY customer_id"
    )
    assert rows == behind
    # All values of a union survive as one, which none of them is.
    is_chosen = is_chosen and (rule != "union" or "birth_date" in condition)
    chosen = {name for name in result.planned.reads if "candidates" in _place(result, name)}
    assert bool(chosen) == is_chosen
    runs = result.fetched.runs
    fetched = {name: sum(one.rows for one in run.statuses) for name, run in runs.items()}
    if is_chosen and "email" not in condition:
        # All that is known of the candidates is read, and of nobody else.
        assert 0 < sum(fetched[name] for name in fetched if name not in chosen) < 60
    if is_chosen and condition.startswith("family"):
        assert result.rows_fetched < scanned.rows_fetched / 10


def _place(result: SqlResult, name: str) -> str:
    """Returns under which alias a read stands in the residual."""
    tables = result.planned.residual.find_all(exp.Table)
    return next(table.alias for table in tables if table.name == name)


async def test_a_customer_who_is_looked_up_is_read_alone(world: World) -> None:
    await world.survive("most_recent")
    (first, *_), _ = await world.sql(
        "SELECT max(customer_id) AS customer_id, member_no, count(*) AS records"
        " FROM loyalty_membership GROUP BY member_no HAVING count(DISTINCT customer_id) = 1"
        " ORDER BY records DESC, member_no"
    )
    for text in (
        f"SELECT c.* FROM lookup('loyalty_no', '{first['member_no']}') AS l"
        " JOIN customer AS c ON c.customer_id = l.customer_id",
        f"SELECT * FROM customer WHERE customer_id = '{first['customer_id']}'",
    ):
        (row,), result = await world.sql(text)
        assert row["customer_id"] == first["customer_id"]
        runs = result.fetched.runs.values()
        for run in runs:
            assert sum(status.rows for status in run.statuses) <= 2 * first["records"]
        # Nobody waits for the records of the individual to ask for the rest.
        binds = [one.choice.bind for one in result.planned.reads.values() if one.choice.bind]
        assert {name for bind in binds for name, _ in bind.of} <= {"r0"}
    counted, result = await world.sql(
        f"SELECT c.orders FROM lookup('loyalty_no', '{first['member_no']}') AS l"
        " JOIN customer_360 AS c ON c.customer_id = l.customer_id"
    )
    assert len(counted) == 1
    relations = {one.read.relation for one in result.planned.reads.values()}
    assert relations == {"lookup", "individual", "sales_order"}
    assert result.rows_fetched < 200


async def test_the_whole_view_has_one_row_per_customer_and_their_figures(world: World) -> None:
    await world.survive("most_recent")
    rows, _ = await world.sql("SELECT * FROM customer_360 ORDER BY customer_id")
    known, _ = await world.sql("SELECT customer_id FROM customer ORDER BY customer_id")
    assert [row["customer_id"] for row in rows] == [row["customer_id"] for row in known]
    sales, _ = await world.sql("SELECT * FROM sales_order WHERE customer_id IS NOT NULL")
    for row in rows:
        own = [
            sale
            for sale in sales
            if sale["customer_id"] == row["customer_id"] and sale["status"] != "cancelled"
        ]
        paid = [sale for sale in own if sale["grand_total"] is not None]
        money = {sale["currency"] for sale in paid}
        has_one = len(money) == 1 and None not in money
        assert row["orders"] == len(own)
        assert row["ltv_currency"] == (money.pop() if has_one else None)
        assert row["ltv_total"] == (sum(sale["grand_total"] for sale in paid) if has_one else None)
        assert row["last_order_at"] == max((sale["ordered_at"] for sale in own), default=None)
    assert {row["ltv_currency"] for row in rows} >= {None, "EUR"}
    assert {row["open_cases"] for row in rows} == {0}


async def test_a_timeline_has_what_happened_and_reads_only_what_was_asked(world: World) -> None:
    rows, result = await world.sql(
        "SELECT * FROM customer_timeline WHERE kind IN ('order', 'x') ORDER BY at DESC, source_key"
    )
    (counted,), _ = await world.sql("SELECT count(customer_id) AS n FROM sales_order")
    assert len(rows) == counted["n"] > PEOPLE
    assert {row["kind"] for row in rows} == {"order"}
    assert [one.read.relation for one in result.planned.reads.values()] == ["sales_order"]
    rows, result = await world.sql("SELECT * FROM customer_timeline", "orders")
    assert [column.name for column in result.columns] == [
        "customer_id", "at", "kind", "currency", "source", "source_key", "slot",
    ]  # fmt: skip
    assert len(rows) == counted["n"]


async def test_coverage_counts_the_records_of_each_source(world: World) -> None:
    rows, result = await world.sql(
        "SELECT * FROM identity_coverage WHERE relation = 'individual' ORDER BY source"
    )
    assert [row["source"] for row in rows] == list(SOURCES)
    assert {(row["records"], row["identified"], row["linked"]) for row in rows} == {(119, 119, 119)}
    assert {row["share"] for row in rows} == {1}
    assert [one.read.relation for one in result.planned.reads.values()] == ["individual"]


async def test_the_newest_row_of_a_source_is_told_where_a_column_tells_it(world: World) -> None:
    rows, result = await world.sql("SELECT * FROM data_freshness WHERE source = 'till'")
    newest = {row["relation"]: row["newest_row_at"] for row in rows}
    assert {row["warn_after_seconds"] for row in rows} == {3600}
    assert result.rows_fetched == 0
    for relation, column in (
        ("sales_order", "ordered_at"), ("individual", "source_updated_at"),
        ("loyalty_membership", "source_updated_at"),
    ):  # fmt: skip
        text = f"SELECT max({column}) AS at FROM {relation} WHERE source = 'till'"
        ((row,), _) = await world.sql(text)
        assert newest[relation] == row["at"], relation


async def test_the_age_of_rows_that_a_role_does_not_see_is_not_told(world: World) -> None:
    text = "SELECT relation, newest_row_at FROM data_freshness WHERE source = 'till'"
    rows, _ = await world.sql(text, "masked")
    told = {row["relation"] for row in rows if row["newest_row_at"] is not None}
    assert told == {"sales_order", "loyalty_membership", "contact_point_email"}


async def test_sources_are_known_without_reading_them(world: World) -> None:
    rows, result = await world.sql(
        "SELECT s.name, s.system, s.instance, s.entities, f.status FROM sources AS s"
        " JOIN data_freshness AS f ON f.source = s.name"
        " WHERE s.system = 'till' AND f.relation = 'individual' ORDER BY s.name"
    )
    assert [(row["name"], row["instance"], row["status"]) for row in rows] == [
        ("till", "", "ready"),
        ("till.south", "south", "ready"),
    ]
    assert "individual, loyalty_membership, sales_order" in rows[0]["entities"]
    assert result.rows_fetched == 0
    rows, _ = await world.sql("SELECT DISTINCT relation FROM data_freshness", "orders")
    assert rows == [{"relation": "sales_order"}]
    rows, _ = await world.sql("SELECT name, entities FROM sources", "orders")
    assert {row["entities"] for row in rows} == {"sales_order"}
    rows, _ = await world.sql("SELECT name FROM sources WHERE name = 'crm'")
    assert rows == [{"name": "crm"}]


@pytest.mark.parametrize("role", ["demo", "masked", "orders", "names"])
def test_every_derived_relation_is_what_it_is_declared(world: World, role: str) -> None:
    catalog = world.connection.catalog
    schema = visible(catalog, world.connection.federation.decide(_who(role)))
    derived = [name for name in schema if name in catalog.canonical.derived]
    for name in derived:
        tree = expand(resolve(gate(f"SELECT * FROM {name}"), schema), schema)
        translated = translate(tree, schema)
        declared = {column: of_column(type_).name for column, type_ in schema[name].items()}
        assert {column.name: column.type.name for column in translated.columns} == declared
        comments = catalog.canonical.derived[name].columns.values()
        assert all(column.comment.endswith(".") for column in comments)
    assert "sources" in derived
    assert ("customer_360" in derived) == (role != "orders")


async def test_who_sees_no_people_has_no_customers(world: World) -> None:
    for name in ("customer", "customer_360", "identity_coverage"):
        with pytest.raises(RequestError, match=f"there is no relation {name}"):
            await world.sql(f"SELECT * FROM {name}", "orders")


async def test_names_of_derived_relations_can_be_taken_by_queries(world: World) -> None:
    rows, _ = await world.sql("WITH customer AS (SELECT 1 AS a) SELECT * FROM customer")
    assert rows == [{"a": 1}]
    rows, _ = await world.sql(
        "WITH sources AS (SELECT customer_id, count(*) AS n FROM customer GROUP BY customer_id)"
        " SELECT max(s.n) AS n FROM sources AS s, customer AS a JOIN customer AS b"
        " ON a.customer_id = b.customer_id WHERE s.customer_id = b.customer_id"
    )
    assert rows == [{"n": 1}]


async def test_noted_sizes_choose_how_a_source_is_asked_without_opening_it_anew(
    world: World,
) -> None:
    federation = world.connection.federation
    connectors = dict(federation.current.connectors)
    text = "SELECT family_name FROM individual WHERE source = 'crm'"
    request = Request(_who("demo"))
    before = await federation.explain_sql(text, request)
    moment = federation.clock() - timedelta(days=3, hours=1)
    file = world.root / "sources/crm.statistics.yaml"
    statistics_file.write(file, {"people": 1_234_567}, moment)
    assert await federation.reload()
    after = await federation.explain_sql(text, request)
    assert before.reads[0].why.endswith(f" of {3 * (2 * PEOPLE - 1)} rows")
    assert after.reads[0].why.endswith(f" of {1_234_567 + 2 * (2 * PEOPLE - 1)} rows")
    assert (before.measured, list(after.measured)) == ({}, ["crm"])
    assert "sizes     noted of crm 3 days ago" in as_text(after)
    assert federation.current.connectors == connectors
    file.unlink()
    assert await federation.reload()
