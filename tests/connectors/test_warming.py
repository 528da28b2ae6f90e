"""Proves that first questions find what they need: connections, the proof, prepared statements."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server
from tests.connectors.opening import TECHNOLOGIES, Places, fragment, opened

from roundview_federation.resilience.deadline import Deadline

BY_KEY = "SELECT p.id AS c0, p.name AS c1 FROM people AS p WHERE p.id = ANY(:keys)"
OURS = {
    "postgres": "SELECT pid FROM pg_stat_activity WHERE application_name = 'roundview'"
    " AND datname = $1",
    "mysql": "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND db = %s",
}


@pytest.mark.parametrize("technology", TECHNOLOGIES)
async def test_asking_after_warming_gives_the_rows(technology: str, places: Places) -> None:
    connector = opened(places.source(technology))
    try:
        call = connector.compile(fragment(BY_KEY))
        hits = len(places.rest_hits)
        await connector.warm([call], Deadline.after(5))
        # What an API counts or is paid for is not asked ahead.
        assert len(places.rest_hits) == hits
        answer = await connector.rows(call, {"keys": [3]}, Deadline.after(5))
        assert answer.rows == [(3, places.rows.people[3][1])]
    finally:
        await connector.close()


@pytest.mark.parametrize("technology", ["postgres", "mysql"])
async def test_the_first_questions_open_no_connection(technology: str, places: Places) -> None:
    connector = opened(places.source(technology, concurrency=5))
    try:
        before = await _sessions(technology, places)
        call = connector.compile(fragment(BY_KEY))
        await connector.warm([call], Deadline.after(5))
        warm = await _sessions(technology, places) - before
        assert len(warm) == 4
        asked = [connector.rows(call, {"keys": [at]}, Deadline.after(5)) for at in range(4)]
        answers = await asyncio.gather(*asked)
        assert [answer.rows[0][0] for answer in answers] == [0, 1, 2, 3]
        assert await _sessions(technology, places) - before == warm
    finally:
        await connector.close()


@pytest.mark.parametrize("technology", ["postgres", "mysql"])
@pytest.mark.parametrize("size", [1, 2])
async def test_a_small_pool_is_not_used_up(technology: str, size: int, places: Places) -> None:
    connector = opened(places.source(technology, concurrency=size))
    try:
        call = connector.compile(fragment(BY_KEY))
        warming = asyncio.create_task(connector.warm([call], Deadline.after(5)))
        answer = await connector.rows(call, {"keys": [1]}, Deadline.after(5))
        await warming
        assert [row[0] for row in answer.rows] == [1]
    finally:
        await connector.close()


async def _sessions(technology: str, places: Places) -> set[Any]:
    if technology == "postgres":
        assert places.postgres is not None
        admin = await places.postgres.admin()
        try:
            return {row[0] for row in await admin.fetch(OURS[technology], postgres_server.WORLD)}
        finally:
            await admin.close()
    assert places.mariadb is not None
    rows = await places.mariadb.ask(OURS[technology], (mariadb_server.WORLD,))
    return {row[0] for row in rows}
