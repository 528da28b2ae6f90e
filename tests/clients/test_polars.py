"""Proves that Polars reads frames, over ADBC and over connections of Python."""

from __future__ import annotations

from typing import Any

import polars
import psycopg
import pytest
from tests.clients.comparing import ALL, seen
from tests.wire.served import Place, Served

SOME = "SELECT ident, code, grade, opened, active FROM depot ORDER BY ident"


def by_adbc(place: Place) -> Any:
    """Returns what Polars reads with ADBC."""
    return polars.read_database_uri(SOME, place.url(), engine="adbc")


def by_psycopg(place: Place) -> Any:
    """Returns what Polars reads of psycopg."""
    with psycopg.connect(place.url()) as connection:
        return polars.read_database(SOME, connection)


@pytest.mark.parametrize("read", [by_adbc, by_psycopg], ids=["ADBC", "psycopg"])
async def test_frames(served: Served, read: Any) -> None:
    ours, theirs = await seen(served, read)
    assert ours.shape == (12, 5)
    assert ours.equals(theirs)
    assert ours.schema == theirs.schema


async def test_frames_in_batches(served: Served) -> None:
    def read(place: Place) -> Any:
        with psycopg.connect(place.url()) as connection:
            batches = polars.read_database(ALL, connection, iter_batches=True, batch_size=5)
            return polars.concat(batches)

    ours, theirs = await seen(served, read)
    assert ours.equals(theirs)


async def test_parameters(served: Served) -> None:
    def read(place: Place) -> Any:
        with psycopg.connect(place.url()) as connection:
            text = "SELECT ident FROM depot WHERE city = %s ORDER BY ident"
            return polars.read_database(text, connection, execute_options={"params": ["Ulm"]})

    ours, theirs = await seen(served, read)
    assert ours.equals(theirs)
