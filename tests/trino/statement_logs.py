"""Reads from the logs of PostgreSQL and MariaDB which statements Trino sent them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.sql.stores import Servers

MARK = "roundview query="
"""What the catalogs that we make for Trino write behind each statement."""


@asynccontextmanager
async def logging_statements(servers: Servers, database: str) -> AsyncIterator[None]:
    """Has both servers log statements: PostgreSQL those of a database, MariaDB all."""
    admin = await servers.postgres.admin()
    await admin.execute(f"ALTER DATABASE \"{database}\" SET log_statement = 'all'")
    await admin.close()
    await servers.mariadb.run(["SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON"])
    try:
        yield
    finally:
        await servers.mariadb.run(["SET GLOBAL general_log = OFF"])
        admin = await servers.postgres.admin()
        await admin.execute(f'ALTER DATABASE "{database}" RESET log_statement')
        await admin.close()


def postgres_log(servers: Servers) -> int:
    """Returns where PostgreSQL's log ends."""
    return (servers.postgres.folder / "log").stat().st_size


def seen_by_postgres(servers: Servers, table: str, since: int) -> list[str]:
    """Returns what PostgreSQL was asked of a table since a place in its log, with its values."""
    with (servers.postgres.folder / "log").open("rb") as log:
        log.seek(since)
        lines = log.read().decode("utf-8", "replace")
    # A line that begins with a date is an entry of its own; DETAIL has the values.
    entries = lines.replace("\n\t", " ").splitlines()
    found = []
    for at, entry in enumerate(entries):
        if f'"{table}"' in entry and MARK in entry:
            detail = (
                entries[at + 1] if at + 1 < len(entries) and "DETAIL:" in entries[at + 1] else ""
            )
            found.append(entry.partition(": ")[2] + detail.partition("DETAIL:")[2])
    return found


async def seen_by_mariadb(servers: Servers, table: str) -> list[str]:
    """Returns what MariaDB was asked of a table, and forgets it."""
    rows = await servers.mariadb.ask(
        "SELECT CAST(argument AS CHAR) FROM mysql.general_log"
        " WHERE command_type IN ('Query', 'Execute') AND argument LIKE %s AND argument LIKE %s"
        " AND argument NOT LIKE '%%general_log%%'"
        " ORDER BY event_time",
        (f"%`{table}`%", f"%{MARK}%"),
    )
    await servers.mariadb.run(["TRUNCATE TABLE mysql.general_log"])
    return [str(text) for (text,) in rows]
