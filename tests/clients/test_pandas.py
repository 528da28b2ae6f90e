"""Proves that pandas reads frames, over SQLAlchemy and over ADBC."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from pandas.testing import assert_frame_equal
from tests.clients.comparing import ALL, seen
from tests.wire.served import Place, Served


def by_sqlalchemy(place: Place, text: str, **options: Any) -> Any:
    """Returns what pandas reads of an engine."""
    engine = sa.create_engine(place.url("postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = pandas.read_sql(sa.text(text), connection, **options)
        return pandas.concat(found) if "chunksize" in options else found


def by_adbc(place: Place, text: str) -> Any:
    """Returns what pandas reads of a connection of ADBC."""
    with dbapi.connect(place.url()) as connection:
        return pandas.read_sql(text, connection)


@pytest.mark.parametrize("read", [by_sqlalchemy, by_adbc], ids=["SQLAlchemy", "ADBC"])
async def test_frames(served: Served, read: Any) -> None:
    ours, theirs = await seen(served, lambda place: read(place, ALL))
    assert len(ours) == 12
    assert_frame_equal(ours, theirs)


async def test_frames_in_chunks(served: Served) -> None:
    ours, theirs = await seen(served, lambda place: by_sqlalchemy(place, ALL, chunksize=5))
    assert_frame_equal(ours, theirs)


async def test_parameters(served: Served) -> None:
    asked = "SELECT ident, opened FROM depot WHERE city = :city ORDER BY ident"
    ours, theirs = await seen(
        served, lambda place: by_sqlalchemy(place, asked, params={"city": "Ulm"})
    )
    assert_frame_equal(ours, theirs)
