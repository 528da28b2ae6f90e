"""Proves that a catalog's claims about a database are proved, left open or refuted as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server
from tests.connectors.proving import about, at, proven, refuted

from roundview_catalog import schema_file
from roundview_catalog.loader import source_outline
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors import open_connector

PEOPLE = 1_500
ORDERS = 2_000
DATABASE = f"proofs_{postgres_server.WORLD}"
BLIND = {"sqlite": "varchar(40) COLLATE NOCASE", "postgres": "citext", "mysql": "varchar(40)"}
EXACT = {
    "sqlite": "varchar(40)",
    "postgres": "varchar(40)",
    "mysql": "varchar(40) COLLATE utf8mb4_bin",
}
TECHNOLOGIES = tuple(BLIND)
MAPPINGS = """
entities:
  individual:
    from: people p
    fields: {full_name: p.login}
    also:
      contact_point_email: {fields: {email_address: p.email}}
  sales_order:
    good:
      from: orders o
      person: {main: o.person_id}
      children:
        lines: {from: order_lines l, where: l.order_id = o.id}
      fields: {order_number: o.number, ordered_at: o.made, grand_total: sum(l.amount)}
"""
SLOW_PERSON = """
    slow:
      from: orders o
      person: {main: o.other}
      fields: {order_number: o.number, ordered_at: o.made}
"""
SLOW_CHILD = """
    deep:
      from: orders o
      person: {main: o.person_id}
      children:
        notes: {from: order_lines n, where: n.note = o.number}
      fields: {order_number: o.number, ordered_at: o.made, grand_total: sum(n.amount)}
"""


@dataclass(frozen=True)
class Shop:
    """One database with the same rows in each technology."""

    technology: str
    connection: str
    writing: str = ""

    def file(self, facts: str = "", more: str = "", *, connection: str = "") -> str:
        """Returns a source file with some claims and further branches."""
        return (
            f"source: shop\nconnector: {self.technology}\n"
            f"connection: {connection or self.connection}\n"
            "freshness: {column: orders.made, warn_after: 10m}\n"
            f"{facts and 'facts: '}{facts}\n{MAPPINGS}{more}"
        )


def statements(technology: str) -> list[str]:
    """Returns the DDL and the rows as one INSERT for each table."""
    people = [
        f"({at}, 'u{at}@shop.example', '+4930{4_000_000 + at}', 'Login{at}', 'LOGIN{at}',"
        f" '{('open', 'closed')[at % 2]}', '{('Gold', 'Silver')[at % 2]}', 'x{at}', 'x{at}', 1)"
        for at in range(PEOPLE)
    ]
    orders = [
        f"({at}, {at % PEOPLE}, {at * 7}, 'N-{at}', '2025-01-0{1 + at % 9} 10:00:00')"
        for at in range(ORDERS)
    ]
    lines = [f"({at}, {at}, 9.50, 'note {at}')" for at in range(ORDERS)]
    return [
        "CREATE TABLE people (id integer PRIMARY KEY, email varchar(80) UNIQUE,"
        " mobile varchar(40), login varchar(40), login_caps varchar(40), state varchar(10),"
        f" plan varchar(10), blind {BLIND[technology]}, exact_name {EXACT[technology]},"
        " is_on integer)",
        "CREATE TABLE orders (id integer PRIMARY KEY, person_id integer, other integer,"
        " number varchar(20), made timestamp NULL)",
        "CREATE INDEX orders_by_person ON orders (person_id)",
        "CREATE TABLE order_lines (id integer PRIMARY KEY, order_id integer,"
        " amount decimal(12,2), note varchar(40), FOREIGN KEY (order_id) REFERENCES orders (id))",
        "CREATE INDEX lines_by_order ON order_lines (order_id)",
        "CREATE TABLE spare (id integer PRIMARY KEY, code integer NOT NULL, name varchar(20))",
        "CREATE INDEX spare_by_code ON spare (code)",
        f"INSERT INTO people VALUES {', '.join(people)}",
        f"INSERT INTO orders VALUES {', '.join(orders)}",
        f"INSERT INTO order_lines VALUES {', '.join(lines)}",
    ]


@pytest.fixture(scope="module", params=TECHNOLOGIES)
async def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """Makes the shop in each technology in turn."""
    made = statements(request.param)
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("proofs") / "shop.db"
        database = sqlite3.connect(path)
        database.executescript(";".join(made))
        database.close()
        yield Shop("sqlite", f"{{path: '{path}'}}")
    elif request.param == "postgres":
        server = request.getfixturevalue("postgres")
        script = ";".join(["CREATE EXTENSION citext", *made])
        await server.make(DATABASE, script)
        # A literal password is refused; the address comes from the environment as a whole.
        yield Shop("postgres", f"{{url: '{server.url(DATABASE)}'}}",
                   f"{{url: '{server.url(DATABASE, postgres_server.ADMIN)}'}}")  # fmt: skip
        await server.drop(DATABASE)
    else:
        server = request.getfixturevalue("mariadb")
        await server.make(DATABASE, [*made, "ANALYZE TABLE people, orders, order_lines"])
        yield Shop("mysql", f"{{url: '{server.url(DATABASE)}'}}",
                   f"{{url: '{server.url(DATABASE, mariadb_server.ADMIN)}'}}")  # fmt: skip
        await server.run([f"DROP DATABASE {DATABASE}"])


@pytest.fixture
def prove(shop: Shop, tmp_path: Path) -> Callable[..., Any]:
    """Returns `prove(facts, more)`: what is known of the shop under some claims."""

    async def run(facts: str = "", more: str = "", connection: str = "", **options: Any) -> Any:
        text = shop.file(facts, more, connection="{url: '${env:SHOP_URL}'}")
        chosen = connection or shop.connection
        if shop.technology == "sqlite":
            text = shop.file(facts, more)
        url = chosen.removeprefix("{url: '").removesuffix("'}")
        return await proven(tmp_path, text, env={"SHOP_URL": url}, **options)

    return run


TRUE = """{
  people.email: {unique: true, normal_form: lower},
  people.mobile: {normal_form: phone},
  people.login: {unique: true, search: login_caps, normal_form: upper},
  people.state: {domain: [open, closed]},
  people.is_on: {domain: ["0", "1"]},
  people.blind: {collation: ci},
  people.exact_name: {collation: exact},
  orders: {unique: [person_id, number], index: [person_id]},
  orders.person_id: {references: people.id, index: true},
  orders.made: {time_zone: Europe/Berlin}}
"""
TOLD = {
    "people.email is unique": "proved",
    "people.email values": "not refuted",
    "people.mobile values": "not refuted",
    "people.login is unique": "not refuted",
    "people.login is searched": "not refuted",
    "people.login values": "not refuted",
    "people.state is one of": "not refuted",
    "people.is_on is one of": "not refuted",
    "people.blind compares": "proved",
    "people.exact_name compares": "proved",
    "orders is unique by person_id, number": "not refuted",
    "orders has an index on person_id": "proved",
    "orders.person_id references": "not refuted",
    "orders.person_id has an index": "proved",
    "orders.made is local": "cannot be proved",
}
FALSE = """{
  people.plan: {unique: true, normal_form: phone},
  people: {unique: [plan, state]},
  people.login: {normal_form: lower},
  people.email: {search: plan, normal_form: lower},
  people.state: {domain: [open]},
  orders.id: {domain: ['1']},
  orders.other: {references: people.id},
  orders.number: {index: true},
  people.blind: {collation: exact},
  people.exact_name: {collation: ci}}
"""
WRONG = {
    "people.plan is unique": ("unique: true", "2 values stand in several rows"),
    "people.plan values": ("normal_form: phone", "1,500 of 1,500 values (100 %)"),
    "people is unique by plan, state": ("unique: [plan, state]", "2 values stand in several rows"),
    "people.login values": ("normal_form: lower", "1,500 of 1,500 values (100 %)"),
    "people.email is searched": ("search: plan", "1,500 of 1,500 rows (100 %)"),
    "people.email values": ("normal_form: lower", "1,500 of 1,500 values (100 %)"),
    # What was claimed to be unique is taken for indexed.
    "email is found by people.plan": ("p.email", "of people are read for one customer"),
    "people.state is one of": ("domain: [open]", "1 of 2 values are not among the 1 named"),
    "orders.id is one of": ("domain: ['1']", "more than 1,000 values"),
    "orders.other references": ("references: people.id", "more than 999 of 2,000 rows refer"),
    "orders.number has an index": ("index: true", "the source has no such index"),
    # What was claimed to have an index is asked for by it.
    "order_number is found by orders.number": ("o.number", "of orders are read for one customer"),
    "people.blind compares": ("collation: exact", "without regard to case"),
    "people.exact_name compares": ("collation: ci", "the source compares exactly"),
}


async def test_what_is_true_is_not_refuted(prove: Callable[..., Any]) -> None:
    found = await prove(TRUE)
    assert {claim: str(about(found, claim).verdict) for claim in TOLD} == TOLD
    assert refuted(found) == []


async def test_what_is_not_true_is_refuted_at_its_place(
    prove: Callable[..., Any], tmp_path: Path
) -> None:
    found = await prove(FALSE)
    wrong = [one for one in found.findings if one.verdict == "refuted"]
    assert len(wrong) == len(WRONG), [str(one) for one in wrong]
    for claim, (place, seen) in WRONG.items():
        told = about(found, claim)
        assert told in wrong
        assert at(tmp_path, told).startswith(place), claim
        assert seen in told.seen, claim
        assert told.hint, claim
    # Values of a source are nobody's business.
    text = "\n".join(str(one) for one in found.findings)
    assert not any(value in text for value in ("Gold", "Login1", "shop.example", "+4930", "N-1"))


async def test_a_foreign_key_of_the_source_is_a_proof(
    prove: Callable[..., Any], shop: Shop
) -> None:
    found = await prove("{order_lines.order_id: {references: orders.id}}")
    expected = "not refuted" if shop.technology == "sqlite" else "proved"
    assert about(found, "order_lines.order_id references").verdict == expected


async def test_what_views_ask_is_found_by_index(prove: Callable[..., Any]) -> None:
    found = await prove("{people.email: {normal_form: lower}}")
    assert about(found, "rows of shop.individual are").verdict == "proved"
    orders = about(found, "rows of shop.sales_order/good are found by orders.person_id")
    assert orders.verdict == "proved", str(orders)
    assert "orders by orders_by_person" in orders.seen
    assert "order_lines by lines_by_order" in orders.seen
    assert about(found, "email is found by people.email").verdict == "proved"


async def test_what_views_ask_without_an_index_is_refuted(
    prove: Callable[..., Any], tmp_path: Path
) -> None:
    found = await prove(more=SLOW_PERSON)
    (wrong,) = [one for one in found.findings if one.verdict == "refuted"]
    assert wrong.claim == "rows of shop.sales_order/slow are found by orders.other"
    assert "of orders are read for one customer" in wrong.seen
    assert at(tmp_path, wrong) == "person: {main: o.other}"
    assert wrong.hint == "make an index on orders.other, or map another column"


async def test_rows_below_that_have_no_index_are_refuted_at_their_link(
    prove: Callable[..., Any], tmp_path: Path
) -> None:
    found = await prove(more=SLOW_CHILD)
    (wrong,) = [one for one in found.findings if one.verdict == "refuted"]
    assert "of order_lines are read for one customer" in wrong.seen
    assert at(tmp_path, wrong).startswith("where: n.note = o.number")


async def test_the_schema_file_is_compared_with_the_source(
    prove: Callable[..., Any], shop: Shop, tmp_path: Path
) -> None:
    assert refuted(await prove()) == []
    path = tmp_path / "sources/shop.schema.yaml"
    env = {"SHOP_URL": shop.connection.removeprefix("{url: '").removesuffix("'}")}
    connector = open_connector(source_outline(tmp_path, "shop"), env=env)
    tables = dict(await connector.introspect())
    await connector.close()
    spare = tables["spare"]
    columns = {name: one for name, one in spare.columns.items() if name != "id"}
    columns["code"] = replace(columns["code"], type=Type(Kind.TEXT), native="")
    columns["name"] = replace(columns["name"], is_nullable=False)
    columns["gone"] = replace(columns["name"], name="gone", is_nullable=True)
    tables["spare"] = replace(
        spare, columns=columns, primary_key=("code",), unique=(("name",),), indexes=(("gone",),)
    )
    tables["lost"] = replace(spare, name="lost", physical="lost")
    schema_file.write(path, tables)
    found = await prove()
    wrong = {one.claim: at(tmp_path, one) for one in found.findings if one.verdict == "refuted"}
    assert wrong.pop("spare.code is text").startswith("type: text")
    assert wrong.pop("spare.name is never NULL").startswith("nullable: false")
    assert wrong.pop("spare.gone exists").startswith("gone:")
    assert wrong.pop("spare has the primary key code").startswith("primary_key: [code]")
    assert wrong.pop("spare is unique by name").startswith("unique:")
    assert wrong.pop("spare has an index on gone").startswith("indexes:")
    assert wrong.pop("there is a table lost").startswith("lost:")
    assert wrong == {}


async def test_what_was_added_is_told_and_nothing_worse(
    prove: Callable[..., Any], shop: Shop, tmp_path: Path
) -> None:
    await prove()
    path = tmp_path / "sources/shop.schema.yaml"
    text = path.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.strip().startswith("is_on:"))
    path.write_text(text.replace(f"{line}\n", ""), encoding="utf-8")
    found = await prove()
    assert "1 more in the source" in about(found, "table people").seen
    assert refuted(found) == []


async def test_a_login_that_can_write_is_refuted(
    prove: Callable[..., Any], shop: Shop, tmp_path: Path
) -> None:
    assert about(await prove(), "nothing can be written").verdict == "proved"
    if not shop.writing:
        # A file is opened so that nothing can be written: there is no other login.
        return
    found = about(await prove(connection=shop.writing), "nothing can be written")
    assert found.verdict == "refuted"
    assert at(tmp_path, found).startswith("connection:")


async def test_the_age_of_the_data_can_be_read(prove: Callable[..., Any]) -> None:
    assert about(await prove(), "orders.made tells the age").verdict == "proved"


async def test_without_time_nothing_is_decided(prove: Callable[..., Any]) -> None:
    await prove()
    found = await prove("{people.plan: {unique: true}}", seconds=0.0)
    assert refuted(found) == []
    late = [one for one in found.findings if "time for this source is over" in one.seen]
    assert {one.verdict for one in late} == {"cannot be proved"}
    assert "all facts are looked at" in {one.claim for one in late}


async def test_what_takes_too_long_is_looked_for_in_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE people (id integer PRIMARY KEY, name text);"
        "WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < 3000)"
        " INSERT INTO people SELECT at, 'P' || at FROM n;"
        "CREATE VIEW pairs AS SELECT a.id * 3001 + b.id AS id, a.id * 7919 % 3001 AS mixed,"
        " b.id AS person"
        " FROM people AS a CROSS JOIN people AS b"
    )
    database.close()
    text = f"""\
        source: shop
        connector: sqlite
        connection: {{path: '{path}'}}
        facts:
          pairs.id: {{unique: true}}
          pairs.person: {{references: people.id}}
          pairs.mixed: {{unique: true}}
        entities: {{individual: {{from: people p, fields: {{full_name: p.name}}}}}}
        """
    found = await proven(tmp_path, text, statement_seconds=0.2)
    unique = about(found, "pairs.id is unique")
    assert (unique.verdict, unique.seen) == ("not refuted", "no value twice in 4,000 rows")
    assert "3,998 of 4,000 rows repeat" in about(found, "pairs.mixed is unique").seen
    followed = about(found, "pairs.person references")
    assert (followed.verdict, followed.seen) == (
        "not refuted", "50 values of 2,000 rows were followed"
    )  # fmt: skip


async def test_a_view_of_the_catalog_is_seen_through(
    prove: Callable[..., Any], tmp_path: Path
) -> None:
    views = """
views:
  recent: SELECT o.id, o.person_id, o.other, o.number, o.made FROM orders o
"""
    branches = """
    seen:
      from: recent r
      key: r.id
      person: {main: r.person_id}
      fields: {order_number: r.number, ordered_at: r.made}
    whole:
      from: recent r
      key: r.id
      person: {main: r.other}
      fields: {order_number: r.number, ordered_at: r.made}
"""
    found = await prove(more=branches + views)
    seen = about(found, "rows of shop.sales_order/seen are found by recent.person_id")
    assert (seen.verdict, seen.seen) == ("proved", "recent by orders_by_person")
    assert refuted(found) == ["rows of shop.sales_order/whole are found by recent.other"]


async def test_a_value_of_another_type_is_refuted(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE people (id integer PRIMARY KEY, born date, name text);"
        "INSERT INTO people VALUES (1, '1990-05-06', 'A'), (2, 'spring', 'B'), (3, NULL, 'C')"
    )
    database.close()
    text = f"""\
        source: shop
        connector: sqlite
        connection: {{path: '{path}'}}
        entities:
          individual: {{from: people p, fields: {{full_name: p.name, birth_date: p.born}}}}
        """
    found = await proven(tmp_path, text)
    assert refuted(found) == ["people.born is date"]
    assert about(found, "people.born is date").seen == "1 of 2 values (50 %) are none"
    assert "spring" not in str(found)


async def test_a_source_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    database = sqlite3.connect(path)
    database.executescript("CREATE TABLE people (id integer PRIMARY KEY, name text)")
    database.close()
    text = f"""\
        source: shop
        connector: sqlite
        connection: {{path: '{path}'}}
        entities: {{individual: {{from: people p, fields: {{full_name: p.name}}}}}}
        """
    assert (await proven(tmp_path, text)).failure is None
    path.unlink()
    found = await proven(tmp_path, text)
    assert found.failure is not None
    assert found.failure.code == "RV402"
    assert refuted(found) == []
