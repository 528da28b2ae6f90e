"""Makes the demo estate with one customer who has 20 orders, 20 tickets and 50 events."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import duckdb

from roundview.client import AsyncConnection, connect_async
from roundview.demo import estate, support

PHONE = "+491713920042"
ORDERS, TICKETS, EVENTS = 20, 20, 50
BUCKETS = 16


@asynccontextmanager
async def busy_estate(directory: Path, people: int = 2000) -> AsyncIterator[AsyncConnection]:
    """Opens a linked estate over its four systems, the support app running."""
    made = estate.make(directory, people)
    keys = dict(one.split("/") for one in made.personas["heroine"]["records"])
    with closing(sqlite3.connect(directory / "pos.db")) as pos, pos:
        pos.execute(
            "UPDATE ospos_sales SET customer_id = :who WHERE sale_id IN (SELECT sale_id FROM"
            " ospos_sales WHERE customer_id IS NULL AND sale_type IN (0, 1, 4) AND sale_status = 0"
            " LIMIT :count - (SELECT count(*) FROM ospos_sales WHERE customer_id = :who"
            " AND sale_type IN (0, 1, 4) AND sale_status = 0))",
            {"who": int(keys["pos"]), "count": ORDERS},
        )
    with closing(sqlite3.connect(directory / "support.db")) as desk, desk:
        desk.execute(
            "UPDATE ost_ticket SET user_id = :who WHERE ticket_id IN (SELECT ticket_id FROM"
            " ost_ticket WHERE user_id <> :who ORDER BY ticket_id LIMIT :count -"
            " (SELECT count(*) FROM ost_ticket WHERE user_id = :who))",
            {"who": int(keys["support"]), "count": TICKETS},
        )
    _send_mails(directory / "mail/campaign_views", int(keys["mail"]))
    process = support.start(directory)
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    try:
        async with connect_async(made.catalog, env=env) as connection:
            await connection.refresh_identity()
            yield connection
    finally:
        process.stop()


def _send_mails(folder: Path, who: int) -> None:
    file = folder / f"bucket={who % BUCKETS:03}" / "part.parquet"
    added = f"SELECT 9000000 + i AS id, 1 AS campaign_id, {who} AS subscriber_id"
    with duckdb.connect() as engine:
        old = engine.read_parquet(str(file))
        wanted = EVENTS - len(old.filter(f"subscriber_id = {who}"))
        more = engine.sql(
            f"{added}, TIMESTAMPTZ '2025-01-01 09:00:00+00' + i * INTERVAL 5 DAY AS created_at"
            f" FROM range({max(wanted, 0)}) t(i)"
        )
        columns = ", ".join(old.columns)
        old.union(more.project(columns)).write_parquet(str(file.with_suffix(".new")))
    file.with_suffix(".new").replace(file)
