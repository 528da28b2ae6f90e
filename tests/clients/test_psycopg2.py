"""Proves that psycopg2 works unmodified."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg2
from tests.clients.comparing import ALL, alike
from tests.wire.served import Served


def asked(dsn: str, told: Any) -> Any:
    """Returns what is told with a cursor of a connection."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            return told(cursor)
    finally:
        connection.close()


async def test_rows(served: Served) -> None:
    def told(cursor: Any) -> Any:
        cursor.execute(ALL)
        return cursor.fetchall(), [one[:2] for one in cursor.description]

    await alike(served, lambda dsn: asked(dsn, told))


async def test_parameters(served: Served) -> None:
    def told(cursor: Any) -> Any:
        found = []
        for text, values in (
            ("SELECT ident FROM depot WHERE city = ANY(%s) ORDER BY 1", (["Ulm", "São Paulo"],)),
            ("SELECT ident FROM depot WHERE opened > %s ORDER BY 1", (date(2020, 1, 1),)),
            ("SELECT ident FROM depot WHERE budget > %s ORDER BY 1", (Decimal("10.5"),)),
            ("SELECT ident FROM depot WHERE active = %s AND code <> %s ORDER BY 1", (True, "x'y")),
        ):
            cursor.execute(text, values)
            found.append(cursor.fetchall())
        return found

    await alike(served, lambda dsn: asked(dsn, told))


async def test_server_cursors(served: Served) -> None:
    def told(dsn: str) -> Any:
        connection = psycopg2.connect(dsn)
        try:
            with connection.cursor("named") as cursor:
                cursor.itersize = 3
                cursor.execute(ALL)
                return list(cursor)
        finally:
            connection.close()

    await alike(served, told)


async def test_copy(served: Served) -> None:
    def told(cursor: Any) -> Any:
        kept = io.StringIO()
        cursor.copy_expert("COPY (SELECT ident, city FROM depot ORDER BY 1) TO STDOUT", kept)
        return kept.getvalue()

    await alike(served, lambda dsn: asked(dsn, told))
