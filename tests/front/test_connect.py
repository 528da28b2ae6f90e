"""Proves that Python asks in both ways and gets what the command line gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import roundview
from roundview import Connection, IdentityError, RequestError, connect, connect_async
from roundview.demo.estate import Estate


@pytest.fixture(scope="module")
def connection(made_estate: Estate) -> Iterator[Connection]:
    """Returns an open connection with linked identities."""
    with connect(made_estate.catalog) as opened:
        opened.refresh_identity()
        yield opened


def test_the_public_names() -> None:
    assert sorted(roundview.__all__) == [
        "AccessError",
        "AsyncConnection",
        "AsyncSqlAnswer",
        "CatalogError",
        "Connection",
        "CustomerView",
        "EngineError",
        "IdentityError",
        "RequestError",
        "RoundviewError",
        "SourceError",
        "SqlAnswer",
        "connect",
        "connect_async",
    ]
    assert all(hasattr(roundview, name) for name in roundview.__all__)


def test_a_view_holds_records_with_their_children(connection: Connection) -> None:
    view = connection.customer(loyalty_no="RC10004711")
    assert view is not None
    assert view.complete
    orders = view["sales_order"].rows
    assert orders
    assert all(order["source"] == "pos" for order in orders)
    assert any(order["sales_order_product"] for order in orders)
    assert view.provenance["full_name"].source in ("crm", "pos")
    assert view.to_dict()["entities"]["sales_order"]["rows"][0]["source_key"]


def test_lists_are_cut_and_say_so(connection: Connection) -> None:
    whole = connection.customer(loyalty_no="RC10004711")
    cut = connection.customer(loyalty_no="RC10004711", first=1)
    assert whole is not None
    assert cut is not None
    assert len(cut["sales_order"].rows) == 1
    assert cut["sales_order"].has_more is (len(whole["sales_order"].rows) > 1)


def test_nobody_is_none(connection: Connection) -> None:
    assert connection.customer(email="nobody@nowhere.example") is None


def test_one_identifier_at_a_time(connection: Connection) -> None:
    with pytest.raises(RequestError, match="exactly one"):
        connection.customer()
    with pytest.raises(RequestError, match="exactly one"):
        connection.customer(email="a@b.example", phone="030 123456")


def test_numbers_that_live_in_their_source_are_not_known_records(connection: Connection) -> None:
    from roundview_federation.plan import Identifier

    with pytest.raises(RequestError) as refused:
        connection.known_records(Identifier("order_number", "INV-204711"))
    assert refused.value.code == "RV103"


async def test_the_same_with_await(made_estate: Estate, connection: Connection) -> None:
    async with connect_async(made_estate.catalog) as opened:
        view = await opened.customer(loyalty_no="RC10004711")
    same = connection.customer(loyalty_no="RC10004711")
    assert view is not None
    assert same is not None
    assert view.fields == same.fields


async def test_plain_calls_work_inside_a_running_loop(made_estate: Estate) -> None:
    with connect(made_estate.catalog) as opened:
        assert {one.name for one in opened.sources()} >= {"crm", "pos"}


def test_closing_twice_is_harmless(made_estate: Estate) -> None:
    opened = connect(made_estate.catalog)
    opened.close()
    opened.close()


def test_errors_can_be_told_apart() -> None:
    assert issubclass(IdentityError, roundview.RoundviewError)
