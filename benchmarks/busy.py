"""Makes the demo estate with one customer who has many orders, tickets and events."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from roundview.client import AsyncConnection, connect_async
from roundview.demo import estate, server_estate, support

PHONE = "+491713920042"
BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Busy:
    """How many records the customer of PHONE has."""

    orders: int = 20
    tickets: int = 20
    events: int = 50


@dataclass(frozen=True, slots=True)
class BusyEstate:
    """The open estate; `env` is what its catalog's `${env:…}` resolve to, secrets among them."""

    connection: AsyncConnection
    env: Mapping[str, str] = field(repr=False)


@asynccontextmanager
async def busy_estate(
    directory: Path, busy: Busy, *, people: int = 2000, on_servers: bool = False
) -> AsyncIterator[BusyEstate]:
    """Opens a linked estate over its four systems, the support app running.

    With `on_servers` CRM and mail are on PostgreSQL, the tills on MariaDB.
    """
    made = estate.make(directory, people, on_servers=on_servers)
    keys = dict(one.split("/") for one in made.personas["heroine"]["records"])
    with closing(sqlite3.connect(directory / "pos.db")) as pos, pos:
        pos.execute(
            "UPDATE ospos_sales SET customer_id = :who WHERE sale_id IN (SELECT sale_id FROM"
            " ospos_sales WHERE customer_id IS NULL AND sale_type IN (0, 1, 4) AND sale_status = 0"
            " LIMIT :count - (SELECT count(*) FROM ospos_sales WHERE customer_id = :who"
            " AND sale_type IN (0, 1, 4) AND sale_status = 0))",
            {"who": int(keys["pos"]), "count": busy.orders},
        )
    with closing(sqlite3.connect(directory / "support.db")) as desk, desk:
        desk.execute(
            "UPDATE ost_ticket SET user_id = :who WHERE ticket_id IN (SELECT ticket_id FROM"
            " ost_ticket WHERE user_id <> :who ORDER BY ticket_id LIMIT :count -"
            " (SELECT count(*) FROM ost_ticket WHERE user_id = :who))",
            {"who": int(keys["support"]), "count": busy.tickets},
        )
    _send_mails(directory / "mail/campaign_views", int(keys["mail"]), busy.events)
    process = support.start(directory)
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    with ExitStack() as stack:
        stack.callback(process.stop)
        if on_servers:
            env |= stack.enter_context(server_estate.serving(made)).env
        async with connect_async(made.catalog, env=env) as connection:
            await connection.refresh_identity()
            yield BusyEstate(connection, env)


def _send_mails(folder: Path, who: int, events: int) -> None:
    file = folder / f"bucket={who % BUCKETS:03}" / "part.parquet"
    added = f"SELECT 9000000 + i AS id, 1 AS campaign_id, {who} AS subscriber_id"
    with duckdb.connect() as engine:
        old = engine.read_parquet(str(file))
        wanted = events - len(old.filter(f"subscriber_id = {who}"))
        more = engine.sql(
            f"{added}, TIMESTAMPTZ '2025-01-01 09:00:00+00' + i * INTERVAL 5 DAY AS created_at"
            f" FROM range({max(wanted, 0)}) t(i)"
        )
        columns = ", ".join(old.columns)
        old.union(more.project(columns)).write_parquet(str(file.with_suffix(".new")))
    file.with_suffix(".new").replace(file)
