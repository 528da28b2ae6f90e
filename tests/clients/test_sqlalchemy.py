"""Proves that SQLAlchemy works unmodified, with all that it reflects, over two drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from tests.sql import odd_world
from tests.wire.served import Place, Served

SCHEMA = "c360"
pytestmark = pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])


def engine_of(place: Place, driver: str) -> sa.Engine:
    """Returns an engine that keeps no connection."""
    url = sa.URL.create(
        f"postgresql+{driver}", username=place.user, password=place.password or None,
        host="127.0.0.1", port=place.port, database=place.database,
    )  # fmt: skip
    return sa.create_engine(url, poolclass=sa.NullPool)


async def told(served: Served, driver: str, tell: Callable[[sa.Engine], Any]) -> Any:
    """Returns what an engine on our server tells."""
    return await asyncio.to_thread(tell, engine_of(served.places[0], driver))


async def test_schemas_and_relations(served: Served, driver: str) -> None:
    def tell(engine: sa.Engine) -> Any:
        inspected = sa.inspect(engine)
        assert inspected.default_schema_name == SCHEMA
        assert inspected.has_table("depot", schema=SCHEMA)
        assert not inspected.has_table("nope", schema=SCHEMA)
        return inspected.get_schema_names(), set(inspected.get_table_names(SCHEMA))

    schemas, relations = await told(served, driver, tell)
    assert SCHEMA in schemas
    assert {entity.name for entity in odd_world.ENTITIES} <= relations


async def test_columns_and_types(served: Served, driver: str) -> None:
    columns = await told(served, driver, lambda e: sa.inspect(e).get_columns("depot", SCHEMA))
    types = {one["name"]: one["type"] for one in columns}
    assert isinstance(types["ident"], sa.BIGINT)
    assert isinstance(types["code"], sa.TEXT)
    assert isinstance(types["grade"], sa.INTEGER)
    assert isinstance(types["opened"], sa.DATE)
    assert isinstance(types["active"], sa.BOOLEAN)
    assert isinstance(types["as_of"], postgresql.TIMESTAMP)
    assert types["as_of"].timezone
    assert (types["budget"].precision, types["budget"].scale) == (12, 2)


async def test_keys_indexes_and_comments(served: Served, driver: str) -> None:
    def tell(engine: sa.Engine) -> Any:
        inspected = sa.inspect(engine)
        for ask in (inspected.get_indexes, inspected.get_unique_constraints,
                    inspected.get_check_constraints):  # fmt: skip
            assert isinstance(ask("depot", SCHEMA), list)
        comment = inspected.get_table_comment("depot", SCHEMA)
        keys = inspected.get_foreign_keys("depot", SCHEMA)
        return inspected.get_pk_constraint("depot", SCHEMA), comment, keys

    primary, comment, foreign = await told(served, driver, tell)
    assert isinstance(primary["constrained_columns"], list)
    assert set(comment) == {"text"}
    assert isinstance(foreign, list)


async def test_reflection_of_everything(served: Served, driver: str) -> None:
    def tell(engine: sa.Engine) -> Any:
        meta = sa.MetaData(schema=SCHEMA)
        meta.reflect(engine, views=True)
        return meta

    meta = await told(served, driver, tell)
    for entity in odd_world.ENTITIES:
        assert set(entity.fields) <= set(meta.tables[f"{SCHEMA}.{entity.name}"].columns.keys())


async def test_questions_of_reflected_relations(served: Served, driver: str) -> None:
    def tell(engine: sa.Engine, schema: str | None) -> Any:
        depot = sa.Table("depot", sa.MetaData(schema=schema), autoload_with=engine)
        parcel = sa.Table("parcel", sa.MetaData(schema=schema), autoload_with=engine)
        asked = (
            sa.select(depot.c.city, sa.func.count(), sa.func.sum(parcel.c.weight))
            .join_from(depot, parcel, parcel.c.depot_ident == depot.c.ident)
            .where(depot.c.city.in_(["Ulm", "São Paulo", "Bad Tölz"]), depot.c.ident > 1)
            .group_by(depot.c.city)
            .order_by(depot.c.city)
        )
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(asked)]
            streamed = connection.execution_options(stream_results=True).execute(
                sa.select(depot.c.ident).order_by(depot.c.ident)
            )
            return rows, streamed.scalars().all()

    ours, theirs = await asyncio.gather(
        asyncio.to_thread(tell, engine_of(served.places[0], driver), SCHEMA),
        asyncio.to_thread(tell, engine_of(served.places[1], driver), None),
    )
    assert ours == theirs
    assert ours[0]
