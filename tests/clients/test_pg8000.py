"""Proves that pg8000, which is written in Python alone, works unmodified."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pg8000.dbapi
import pg8000.native
from tests.clients.comparing import ALL, alike_at
from tests.wire.served import Place, Served


def asked(place: Place, told: Callable[[pg8000.native.Connection], Any]) -> Any:
    """Returns what a connection tells."""
    connection = pg8000.native.Connection(
        place.user, host="127.0.0.1", port=place.port, database=place.database,
        password=place.password or None,
    )  # fmt: skip
    try:
        return told(connection)
    finally:
        connection.close()


async def test_rows(served: Served) -> None:
    def told(connection: pg8000.native.Connection) -> Any:
        return connection.run(ALL), [
            (one["name"], one["type_oid"]) for one in connection.columns or ()
        ]

    await alike_at(served, lambda place: asked(place, told))


async def test_parameters(served: Served) -> None:
    def told(connection: pg8000.native.Connection) -> Any:
        few = connection.run(f"{ALL} LIMIT :most", most=5)
        text = "SELECT ident FROM depot WHERE city = :city OR opened > :day ORDER BY 1"
        return few, connection.run(text, city="Ulm", day=date(2023, 1, 1))

    await alike_at(served, lambda place: asked(place, told))


async def test_prepared_statements(served: Served) -> None:
    def told(connection: pg8000.native.Connection) -> Any:
        statement = connection.prepare("SELECT code FROM depot WHERE ident = :ident")
        return [statement.run(ident=one) for one in range(4)]

    await alike_at(served, lambda place: asked(place, told))


async def test_the_interface_of_python_databases(served: Served) -> None:
    def told(place: Place) -> Any:
        connection = pg8000.dbapi.connect(
            place.user, host="127.0.0.1", port=place.port, database=place.database,
            password=place.password or None,
        )  # fmt: skip
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT ident, budget FROM depot WHERE grade > %s ORDER BY 1", (1,))
            return cursor.fetchall(), cursor.rowcount
        finally:
            connection.close()

    await alike_at(served, told)
