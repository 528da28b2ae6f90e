"""Proves that clients see the values, types, names and failures that PostgreSQL shows them."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from tests.wire.questions import QUESTIONS, REFUSALS
from tests.wire.served import Served


async def answered(dsn: str, text: str, values: tuple[Any, ...], *, binary: bool) -> Any:
    """Returns what psycopg makes of an answer: names, OIDs, rows as Python values, the tag."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = connection.cursor(binary=binary)
        await cursor.execute(text, values or None)
        described = [(column.name, column.type_code) for column in cursor.description or ()]
        rows = [tuple(map(repr, row)) for row in await cursor.fetchall()]
        return described, rows, cursor.statusmessage


async def raw_text(dsn: str, text: str) -> list[tuple[bytes | None, ...]]:
    """Returns the very bytes of a simple query's rows."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = connection.cursor()
        await cursor.execute(text)
        result = cursor.pgresult
        assert result is not None
        return [
            tuple(result.get_value(row, column) for column in range(result.nfields))
            for row in range(result.ntuples)
        ]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("text", "values"), QUESTIONS, ids=range(len(QUESTIONS)))
async def test_answers_are_those_of_postgresql(
    served: Served, text: str, values: tuple[Any, ...], binary: bool
) -> None:
    ours, theirs = await asyncio.gather(
        answered(served.ours, text, values, binary=binary),
        answered(served.theirs, text, values, binary=binary),
    )
    assert ours == theirs


@pytest.mark.parametrize("text", [one for one, values in QUESTIONS if not values])
async def test_texts_are_those_of_postgresql(served: Served, text: str) -> None:
    assert await raw_text(served.ours, text) == await raw_text(served.theirs, text)


@pytest.mark.parametrize("text", REFUSALS)
async def test_refusals_have_the_sqlstate_of_postgresql(served: Served, text: str) -> None:
    async def sqlstate(dsn: str) -> str | None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            with pytest.raises(psycopg.Error) as raised:
                await connection.execute(text)
            return raised.value.sqlstate

    ours, theirs = await asyncio.gather(sqlstate(served.ours), sqlstate(served.theirs))
    assert ours == theirs
