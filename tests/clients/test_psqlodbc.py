"""Proves that psqlODBC works unmodified, through pyodbc."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyodbc
import pytest
from tests.clients.comparing import ALL, seen
from tests.wire.served import Place, Served

DRIVERS = sorted(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
MISSING = "psqlODBC is not here (Debian: odbc-postgresql, unixodbc)"


def asked(place: Place, tell: Callable[[Any], Any], **options: str) -> Any:
    """Returns what is told with a cursor."""
    if not DRIVERS:
        pytest.skip(MISSING)
    said = {
        "Driver": str(DRIVERS[-1]), "Server": "127.0.0.1", "Port": str(place.port),
        "Database": place.database, "Uid": place.user, "Pwd": f"{{{place.password or 'none'}}}",
        "SSLmode": "disable", **options,
    }  # fmt: skip
    connection = pyodbc.connect(";".join(f"{k}={v}" for k, v in said.items()))
    try:
        return tell(connection.cursor())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "options",
    [{}, {"UseDeclareFetch": "1", "Fetch": "5"}, {"UseServerSidePrepare": "0"}],
    ids=["plain", "cursors", "without prepared statements"],
)
async def test_rows(served: Served, options: dict[str, str]) -> None:
    def tell(cursor: Any) -> Any:
        rows = cursor.execute(ALL).fetchall()
        return [tuple(row) for row in rows], [one[:2] for one in cursor.description]

    ours, theirs = await seen(served, lambda place: asked(place, tell, **options))
    assert ours == theirs
    assert len(ours[0]) == 12


@pytest.mark.parametrize("prepares", ["0", "1"])
async def test_parameters(served: Served, prepares: str) -> None:
    def tell(cursor: Any) -> Any:
        found = []
        for text, value in (
            ("SELECT ident FROM depot WHERE city = ? ORDER BY 1", "Ulm"),
            ("SELECT ident FROM depot WHERE ident = ?", 3),
            ("SELECT ident FROM depot WHERE opened > ? ORDER BY 1", date(2020, 1, 1)),
            ("SELECT ident FROM depot WHERE budget > ? ORDER BY 1", Decimal("10.50")),
        ):
            found.append([tuple(row) for row in cursor.execute(text, value).fetchall()])
        return found

    ours, theirs = await seen(
        served, lambda place: asked(place, tell, UseServerSidePrepare=prepares)
    )
    assert ours == theirs


async def test_relations_and_columns(served: Served) -> None:
    def tell(cursor: Any) -> Any:
        relations = {row.table_name for row in cursor.tables(schema="c360")}
        columns = {
            row.column_name: (row.type_name, row.column_size)
            for row in cursor.columns(table="depot", schema="c360")
        }
        return relations, columns

    (relations, columns), _ = await seen(
        served, lambda place: asked(place, tell), is_compared=False
    )
    assert {"depot", "parcel", "ledger"} <= relations
    assert columns["ident"][0] == "int8"
    assert columns["budget"] == ("numeric", 12)


async def test_keys_and_statistics(served: Served) -> None:
    def tell(cursor: Any) -> Any:
        keys = [tuple(row) for row in cursor.primaryKeys(table="depot", schema="c360")]
        cursor.foreignKeys(foreignTable="parcel", foreignSchema="c360").fetchall()
        cursor.statistics(table="depot", schema="c360").fetchall()
        cursor.getTypeInfo().fetchall()
        return keys

    await seen(served, lambda place: asked(place, tell), is_compared=False)


async def test_failures(served: Served) -> None:
    def tell(cursor: Any) -> Any:
        found = []
        for text in ("SELECT nope FROM depot", "SELECT 1 / 0", "SELEC 1"):
            try:
                cursor.execute(text).fetchall()
            except pyodbc.Error as error:
                found.append(error.args[0])
                cursor.connection.rollback()
        return found

    ours, theirs = await seen(served, lambda place: asked(place, tell))
    assert ours == theirs
    assert len(ours) == 3
