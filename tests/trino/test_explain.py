"""Proves that an explanation shows what Trino gets, why, and how many rows it read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sql.conftest import Estate
from tests.trino.trino_server import TrinoServer

from roundview_catalog.errors import RequestError
from roundview_federation.request import Request
from roundview_federation.sql.explained import as_text

CHEAP = "SELECT name FROM item WHERE ident = 7 AND source = 'north'"


def request(estate: Estate) -> Request:
    federation: Any = estate.connection.federation
    return Request(federation.principal, timeout_seconds=60, allow_scan=True)


async def test_the_statement_is_shown_and_can_be_asked(estate: Estate, server: TrinoServer) -> None:
    told = await estate.connection.federation.explain_sql(CHEAP, request(estate), engine="trino")
    assert (told.engine, told.reason) == ("trino", "asked for")
    assert server.ask(told.statement) == [["item 7"]]
    assert told.pruned == ("east.item",)
    text = as_text(told)
    assert "asks Trino\n  skips     east.item: no row of it can match" in text
    assert "asks north" not in text


async def test_rows_that_trino_read_are_told(estate: Estate) -> None:
    told = await estate.connection.federation.explain_sql(
        "SELECT sum(price) AS total FROM item", request(estate), analyze=True, engine="trino"
    )
    assert (told.rows_fetched, told.rows_needed) == (20, 1)
    assert "20 fetched, 1 in the answer" in as_text(told)


async def test_a_large_question_shows_its_statement(estate: Estate) -> None:
    federation: Any = estate.connection.federation
    catalog = federation.current.catalog
    federation.current.catalog = replace(
        catalog, engines=replace(catalog.engines, embedded_up_to=100)
    )
    try:
        told = await federation.explain_sql("SELECT name FROM item", request(estate))
        assert told.engine == "trino"
        assert "UNION ALL" in told.statement
        refused = "SELECT DISTINCT ON (name) name FROM item"
        told = await federation.explain_sql(refused, request(estate))
        assert told.engine == "embedded"
        assert "DISTINCT ON" in told.reason
        assert told.statement == ""
    finally:
        federation.current.catalog = catalog


async def test_what_trino_is_not_asked_cannot_be_explained_for_it(estate: Estate) -> None:
    with pytest.raises(RequestError) as raised:
        await estate.connection.federation.explain_sql(
            "SELECT DISTINCT ON (name) name FROM item", request(estate), engine="trino"
        )
    assert raised.value.code == "RV103"
