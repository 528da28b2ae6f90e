"""Proves that ADBC, which copies binary rows into Arrow, works unmodified."""

from __future__ import annotations

from typing import Any

from adbc_driver_postgresql import dbapi
from tests.clients.comparing import ALL, seen
from tests.wire.served import Place, Served


async def test_rows_as_arrow(served: Served) -> None:
    def read(place: Place) -> Any:
        with dbapi.connect(place.url()) as connection, connection.cursor() as cursor:
            cursor.execute(ALL)
            return cursor.fetch_arrow_table()

    ours, theirs = await seen(served, read)
    assert ours.num_rows == 12
    assert ours.equals(theirs)


async def test_arrays_and_instants(served: Served) -> None:
    def read(place: Place) -> Any:
        with dbapi.connect(place.url()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT ident, sent_at, weight::float8 AS w, ARRAY[ident, 1] AS both"
                " FROM parcel ORDER BY ident"
            )
            return cursor.fetch_arrow_table()

    ours, theirs = await seen(served, read)
    assert ours.equals(theirs)


async def test_parameters(served: Served) -> None:
    def read(place: Place) -> Any:
        with dbapi.connect(place.url()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT ident FROM depot WHERE city = $1 ORDER BY 1", ["Ulm"])
            return cursor.fetchall()

    ours, theirs = await seen(served, read)
    assert ours == theirs
    assert ours


async def test_relations_and_their_schemas(served: Served) -> None:
    def read(place: Place) -> Any:
        with dbapi.connect(place.url()) as connection:
            objects = connection.adbc_get_objects(
                depth="columns", db_schema_filter="c360", table_name_filter="depot"
            ).read_all()
            return objects.to_pylist(), connection.adbc_get_table_schema(
                "depot", db_schema_filter="c360"
            )

    (objects, schema), _ = await seen(served, read, is_compared=False)
    catalog = next(one for one in objects if one["catalog_name"] == "c360")
    (table,) = catalog["catalog_db_schemas"][0]["db_schema_tables"]
    columns = {one["column_name"] for one in table["table_columns"]}
    assert {"ident", "city", "as_of"} <= columns
    assert str(schema.field("opened").type) == "date32[day]"
