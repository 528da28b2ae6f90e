"""Proves that the demo's catalog maps every row of every person, by rows found independently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from roundview import connect
from roundview.client import Connection
from roundview.demo import estate, support
from roundview.view import CustomerView

PEOPLE = 60
ENTITIES = (
    "individual",
    "contact_point_email",
    "contact_point_phone",
    "contact_point_address",
    "sales_order",
    "sales_order_product",
    "support_case",
    "engagement",
    "consent",
)
# Generous, since this proves rows: how fast they come is proved elsewhere.
SECONDS = 20.0


@dataclass(frozen=True)
class Whole:
    """Every customer of a small estate, and the rows that they must have."""

    views: tuple[CustomerView, ...]
    expected: Any


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Returns a connection to a linked estate of few people, its support app running."""
    made = estate.make(tmp_path_factory.mktemp("small"), PEOPLE)
    process = support.start(made.directory)
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    with connect(made.catalog, env=env) as opened:
        opened.refresh_identity()
        yield opened
    process.stop()


@pytest.fixture(scope="module")
def whole(connection: Connection, truth_rows_of: Any) -> Iterator[Whole]:
    """Returns the view of every customer."""
    directory = Path(connection.catalog.root).parent
    made = estate.make(directory, PEOPLE)
    xref = connection._inner.federation.xref
    records = [record.partition("/") for record in made.truth["records"]]
    owners = xref.owners((source, key) for source, _, key in records)
    views = []
    for customer_id in sorted(set(owners.values())):
        view = connection.customer(customer_id=customer_id, first=200, timeout_seconds=SECONDS)
        assert view is not None
        assert view.complete
        views.append(view)
    expected = truth_rows_of(directory)
    yield Whole(tuple(views), expected)
    expected.close()


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_row_is_equal(whole: Whole, entity: str) -> None:
    found = {place(row): row for view in whole.views for row in rows_of(view, entity)}
    expected = {
        place(row): row for person in range(PEOPLE) for row in whole.expected.rows(entity, person)
    }
    assert found.keys() == expected.keys()
    assert expected
    for key, row in expected.items():
        got = {name: found[key][name] for name in row}
        assert got == row, key


def test_amounts_have_no_negative_zero(whole: Whole) -> None:
    orders = [row for view in whole.views for row in rows_of(view, "sales_order")]
    amounts = [v for row in orders for v in row.values() if isinstance(v, Decimal)]
    assert amounts
    assert not [amount for amount in amounts if amount == 0 and amount.is_signed()]


def test_one_view_is_one_round(connection: Connection) -> None:
    """Each source is asked a number of times that does not depend on what it answers."""
    calls = []
    for identifier in ("leonie.vogt@mail.example", "jonas.keller@post.example"):
        view = connection.customer(email=identifier, timeout_seconds=SECONDS)
        assert view is not None
        calls.append({source.name: source.calls for source in view.sources})
    assert set(calls[0]) == {"crm", "pos", "mail", "support"}
    assert all(calls[0][source] >= number for source, number in calls[1].items())


@pytest.mark.parametrize("kind", ["email", "phone", "loyalty_no", "order_number", "case_number"])
def test_the_heroine_is_found_by_everything_she_may_say(connection: Connection, kind: str) -> None:
    made = estate.make(Path(connection.catalog.root).parent, PEOPLE)
    values = made.truth["personas"]["heroine"]["identifiers"][kind]
    found = set()
    for value in values:
        view = connection.customer(timeout_seconds=SECONDS, **{kind: value})
        assert view is not None, value
        assert view.fields["full_name"] == "Leonie Vogt"
        found.add(view.customer_id)
    assert len(found) == 1


def test_a_newcomer_is_found_live(connection: Connection) -> None:
    made = estate.make(Path(connection.catalog.root).parent, PEOPLE)
    record = estate.welcome(made)
    view = connection.customer(phone="0171 3920077", timeout_seconds=SECONDS)
    assert view is not None
    assert view.link_state == "provisional"
    assert [f"{r['source']}/{r['source_key']}" for r in view["individual"].rows] == [record]


def place(row: Any) -> tuple[str, str, str]:
    """Returns what names a row."""
    return row["source"], row["source_key"], row["slot"]


def rows_of(view: CustomerView, entity: str) -> list[Any]:
    """Returns the rows of an entity, also those below orders."""
    if entity == "sales_order_product":
        return [line for order in view["sales_order"].rows for line in order[entity]]
    return list(view[entity].rows)
