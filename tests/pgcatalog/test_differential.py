"""Proves that questions about the catalog are answered as a real PostgreSQL answers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.pgcatalog.answers import CORPUS, Client, Statement, same, statements
from tests.pgcatalog.conftest import Doors

STATEMENTS = [one for path in sorted(CORPUS.glob("*.sql")) for one in statements(path)]


@pytest.fixture(scope="module")
async def clients(doors: Doors) -> AsyncIterator[tuple[Client, Client]]:
    """Connects to both servers."""
    ours, theirs = await asyncio.to_thread(lambda: (Client(doors.ours), Client(doors.theirs)))
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one.title)
async def test_the_answer_is_postgresqls(
    clients: tuple[Client, Client], statement: Statement
) -> None:
    ours, theirs = clients
    own = await asyncio.to_thread(ours.answer, statement)
    real = await asyncio.to_thread(theirs.answer, statement)
    assert same(own, real, statement.text), (own, real)
