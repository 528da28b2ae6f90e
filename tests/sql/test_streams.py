"""Proves what batches bring that rows would, and that one failure ends all that is read for it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.sql.asking import answer
from tests.sql.conftest import WORKER
from tests.sql.estate import Entity, Part, Split, build
from tests.sql.stores import Servers

from roundview_catalog.errors import RequestError

DOCUMENTS = ('{"a":[1,null]}', '"text"', "17", "[]", "true", "null", None)
TRIES = 400

# Whoever reads it waits for half a minute.
SLOW = """
DROP TABLE sums;
CREATE VIEW sums AS SELECT n AS ident, 1.00::numeric(20,2) + length(pg_sleep(0.01)::text) AS amount
FROM generate_series(1, 3000) AS n;
GRANT SELECT ON sums TO reader
"""
RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'reader' AND state = 'active'
"""


@pytest.mark.parametrize("technology", ["postgres", "mariadb", "sqlite", "parquet"])
async def test_documents_in_batches_are_texts_of_json(
    tmp_path: Path, servers: Servers, technology: str
) -> None:
    entity = Entity("document", {"ident": "bigint", "body": "json"}, ("ident",))
    split = Split(
        f"documents_{WORKER}", {"lake": technology}, (Part("document", "lake", "documents"),)
    )
    with duckdb.connect() as truth:
        truth.execute("CREATE TABLE document (ident BIGINT, body JSON)")
        truth.executemany("INSERT INTO document VALUES (?, ?)", list(enumerate(DOCUMENTS)))
        async with await build(tmp_path, [entity], split, truth, servers) as connection:
            got = await answer(connection, "SELECT ident, body FROM document ORDER BY ident")
    assert [body for _, body in got.rows] == [*DOCUMENTS[:-2], None, None]


async def test_what_cannot_be_answered_is_read_no_further(tmp_path: Path, servers: Servers) -> None:
    entity = Entity("sum", {"ident": "bigint", "amount": "decimal(10,2)"}, ("ident",))
    natives = {"amount": "numeric(20,2)"}
    split = Split(
        f"sums_{WORKER}",
        {"crm": "postgres", "pos": "postgres"},
        (
            Part("sum", "crm", "sums", natives=natives),
            Part("sum", "pos", "sums", "FALSE", natives=natives),
        ),
    )
    with duckdb.connect() as truth:
        truth.execute('CREATE TABLE "sum" AS SELECT 1 AS ident, 1e15::DECIMAL(20,2) AS amount')
        connection = await build(tmp_path, [entity], split, truth, servers)
    owner = await servers.postgres.admin(f"{split.name}_pos")
    await owner.execute(SLOW)
    try:
        async with connection:
            with pytest.raises(RequestError) as caught:
                await answer(connection, 'SELECT sum(amount) + 1 FROM "sum"')
            running = [await owner.fetchval(RUNNING) for _ in range(TRIES)]
    finally:
        await owner.close()
    assert caught.value.code == "RV105"
    assert running[-1] == 0
