"""Proves that asyncpg, which declares no type and reads binary values, works unmodified."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from tests.clients.comparing import ALL, LONG
from tests.wire.served import Place, Served

Connection = asyncpg.Connection


async def opened(place: Place) -> Connection:
    """Returns a connection."""
    return await asyncpg.connect(
        host="127.0.0.1", port=place.port, user=place.user, password=place.password or None,
        database=place.database, ssl=False, server_settings={"timezone": "UTC"},
    )  # fmt: skip


async def alike(served: Served, told: Callable[[Connection], Awaitable[Any]]) -> None:
    """Checks that a connection tells the same of both servers."""

    async def asked(place: Place) -> Any:
        connection = await opened(place)
        try:
            return await told(connection)
        finally:
            await connection.close()

    ours, theirs = await asyncio.gather(*map(asked, served.places))
    assert ours == theirs


async def test_rows(served: Served) -> None:
    async def told(connection: Connection) -> Any:
        return [tuple(row.items()) for row in await connection.fetch(ALL)]

    await alike(served, told)


async def test_parameters_without_types(served: Served) -> None:
    async def told(connection: Connection) -> Any:
        found = []
        for text, value in (
            ("SELECT ident FROM depot WHERE city = $1 ORDER BY 1", "Ulm"),
            ("SELECT ident FROM depot WHERE grade >= $1 ORDER BY 1", 1),
            ("SELECT ident FROM depot WHERE city = ANY($1) ORDER BY 1", ["Ulm", "Bad Tölz"]),
            ("SELECT ident FROM depot WHERE opened < $1 ORDER BY 1", date(2022, 1, 1)),
            ("SELECT ident FROM depot WHERE budget > $1 ORDER BY 1", Decimal("10.5")),
            (
                "SELECT ident FROM parcel WHERE sent_at < $1 ORDER BY 1",
                datetime(2024, 3, 1, tzinfo=UTC),
            ),
            ("SELECT ident FROM depot ORDER BY 1 LIMIT $1", 2),
        ):
            found.append([tuple(row) for row in await connection.fetch(text, value)])
        return found

    await alike(served, told)


async def test_prepared_statements(served: Served) -> None:
    async def told(connection: Connection) -> Any:
        statement = await connection.prepare("SELECT code, city FROM depot WHERE ident = $1")
        described = [(one.name, one.type.name) for one in statement.get_attributes()]
        described += [(one.name, one.kind) for one in statement.get_parameters()]
        return described, [tuple(row) for at in range(4) for row in await statement.fetch(at)]

    await alike(served, told)


async def test_cursors(served: Served) -> None:
    async def told(connection: Connection) -> Any:
        async with connection.transaction(readonly=True):
            cursor = await connection.cursor("SELECT ident FROM depot ORDER BY 1")
            few = [tuple(row) for row in await cursor.fetch(2)]
            await cursor.forward(1)
            return few, [tuple(row) for row in await cursor.fetch(100)]

    await alike(served, told)


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
async def test_copy(served: Served, form: str) -> None:
    async def told(connection: Connection) -> Any:
        kept = io.BytesIO()
        tag = await connection.copy_from_query(
            "SELECT ident, code, budget, opened FROM depot ORDER BY 1", output=kept, format=form
        )
        return tag, kept.getvalue()

    await alike(served, told)


async def test_timeouts_cancel(served: Served) -> None:
    connection = await opened(served.places[0])
    with pytest.raises(TimeoutError):
        await connection.fetch(LONG, timeout=0.2)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
