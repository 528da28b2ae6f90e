"""Makes the estate that SQL is measured over: a million orders in each of three systems.

CRM, web shop and help desk are databases of one PostgreSQL, the tills are on MariaDB, old orders
in SQLite and mailings in Parquet. Each server makes its rows itself, by the same arithmetic, so
that nothing is random and nothing has to be copied: order i of a system belongs to account
1 + i * 7919 % accounts, and every account has a record in each system.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
from asyncmy.connection import Connection
from benchmarks.federation_catalog import PEOPLE, write_catalog

from roundview.client import AsyncConnection, connect_async
from roundview.demo.servers import MARIADB, POSTGRES, Logins, Server, initialise, start
from roundview_identity.records import Record
from roundview_identity.refresh import refresh

LOGINS = Logins("bench_owner", "bench_reader", "bench:pa/ss")
MOST_ORDERS = 1_000_000
MARIADB_SETTINGS = ("innodb-buffer-pool-size=512M", "innodb-log-file-size=256M")
ACCOUNTS_SHARE = 10
"""An account for so many orders of a system."""


@dataclass(frozen=True, slots=True)
class Estate:
    """The open estate; `made_seconds` and `linked_seconds` say what it took."""

    connection: AsyncConnection
    postgres: Server
    mariadb: Server
    folder: Path
    env: Mapping[str, str]
    orders: int
    made_seconds: float
    linked_seconds: float

    @property
    def accounts(self) -> int:
        """Counts the accounts, who all have a record in every system."""
        return self.orders // ACCOUNTS_SHARE

    @property
    def catalog(self) -> Path:
        """Returns the catalog's folder."""
        return self.folder / "catalog"


def email(account: int) -> str:
    """Returns the address that an account has in every system."""
    return f"person.{account}@mail{account % 9}.example"


@asynccontextmanager
async def federation_estate(orders: int = MOST_ORDERS) -> AsyncIterator[Estate]:
    """Makes the estate anew and opens it; its servers and files end with the block.

    `orders` is how many each of the three systems has, 1,000 to 1,000,000. Raises RuntimeError
    where a server is not installed.
    """
    accounts = orders // ACCOUNTS_SHARE
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="roundview-estate-") as temporary:
        folder = Path(temporary)
        # Servers run under accounts of their own where we are root.
        folder.chmod(0o755)
        postgres = _started(POSTGRES, folder)
        try:
            mariadb = _started(MARIADB, folder, MARIADB_SETTINGS)
            try:
                await asyncio.gather(
                    _fill_postgres(postgres, orders, accounts),
                    _fill_mariadb(mariadb, orders, accounts),
                    asyncio.to_thread(_write_files, folder, orders, accounts),
                )
                env = await write_catalog(folder, postgres, mariadb)
                made = time.perf_counter() - started
                async with connect_async(folder / "catalog", env=env) as connection:
                    started = time.perf_counter()
                    _link(connection, accounts)
                    linked = time.perf_counter() - started
                    yield Estate(
                        connection, postgres, mariadb, folder, env, orders, made, linked
                    )  # fmt: skip
            finally:
                mariadb.stop()
        finally:
            postgres.stop()


def _started(kind: Any, folder: Path, settings: Sequence[str] = ()) -> Server:
    place = folder / kind.name
    place.mkdir()
    initialise(kind, place, LOGINS)
    return start(kind, place, LOGINS, settings)


def _link(connection: AsyncConnection, accounts: int) -> None:
    """Links the records of every account by its address.

    They are handed to identity as a refresh would hand them, without being read from the sources.
    """
    federation = connection.federation
    refresh(federation.xref, _records(accounts), federation.rules(), sources=PEOPLE)


def _records(accounts: int) -> Iterator[Record]:
    for account in range(1, accounts + 1):
        known = (("email", email(account)),)
        for source in PEOPLE:
            yield Record(source, str(account), known, "Ada", f"Name{account}")


_CRM = (
    """CREATE TABLE accounts (
        id integer PRIMARY KEY, given_name text NOT NULL, family_name text NOT NULL,
        email text NOT NULL, segment text NOT NULL, region text NOT NULL, since date NOT NULL)""",
    """INSERT INTO accounts SELECT
        i, 'Ada', 'Name' || i, 'person.' || i || '@mail' || i % 9 || '.example',
        (ARRAY['vip','gold','silver','bronze','none','none','none','none','none','none'])
            [1 + i % 20 / 2],
        (ARRAY['emea','apac','amer','anz'])[1 + i / 20 % 4],
        DATE '2011-01-01' + (i::bigint * 7919 % 5479)::integer
        FROM generate_series(1, $1::integer) i""",
    "CREATE INDEX accounts_by_email ON accounts (email)",
    "CREATE INDEX accounts_by_name ON accounts (family_name)",
)
_SHOP = (
    "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL)",
    """INSERT INTO customers SELECT
        i, 'Name' || i, 'person.' || i || '@mail' || i % 9 || '.example'
        FROM generate_series(1, $1::integer) i""",
    """CREATE TABLE orders (
        id integer PRIMARY KEY, customer_id integer NOT NULL, ordered_at timestamptz NOT NULL,
        status integer NOT NULL, total numeric(12,2) NOT NULL)""",
    """INSERT INTO orders SELECT
        i, 1 + (i::bigint * 7919 % $1::integer)::integer,
        timestamptz '2021-01-01 00:00:00Z' + (i::bigint * 104729 % 157680000) * interval '1 second',
        i % 3, (100 + i % 50000) / 100.0
        FROM generate_series(1, $2::integer) i""",
    "CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at)",
    "CREATE INDEX customers_by_email ON customers (email)",
)
_DESK = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL)",
    """INSERT INTO users SELECT
        i, 'Name' || i, 'person.' || i || '@mail' || i % 9 || '.example'
        FROM generate_series(1, $1::integer) i""",
    """CREATE TABLE tickets (
        id integer PRIMARY KEY, user_id integer NOT NULL, subject text NOT NULL,
        opened_at timestamptz NOT NULL, status text NOT NULL)""",
    """INSERT INTO tickets SELECT
        i, 1 + (i::bigint * 104729 % $1::integer)::integer, 'Where is order ' || i,
        timestamptz '2021-01-01 00:00:00Z' + (i::bigint * 7919 % 157680000) * interval '1 second',
        (ARRAY['open','pending','resolved','closed'])[1 + i % 4]
        FROM generate_series(1, $1::integer) i""",
    "CREATE INDEX tickets_by_user ON tickets (user_id)",
)
_TILLS = (
    """CREATE TABLE customers (
        id int PRIMARY KEY, name varchar(80) NOT NULL, email varchar(120) NOT NULL)""",
    """INSERT INTO customers SELECT
        seq, concat('Name', seq), concat('person.', seq, '@mail', seq %% 9, '.example')
        FROM seq_1_to_1000000 WHERE seq <= %(accounts)s""",
    """CREATE TABLE orders (
        id int PRIMARY KEY, customer_id int NOT NULL, ordered_at datetime NOT NULL,
        status tinyint NOT NULL, total decimal(12,2) NOT NULL)""",
    """INSERT INTO orders SELECT
        seq, 1 + seq * 7919 %% %(accounts)s,
        timestamp '2021-01-01 00:00:00' + INTERVAL seq * 104729 %% 157680000 SECOND,
        seq %% 3, (100 + seq %% 50000) / 100
        FROM seq_1_to_1000000 WHERE seq <= %(orders)s""",
    "CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at)",
    "CREATE INDEX customers_by_email ON customers (email)",
    "ANALYZE TABLE customers, orders",
)
_OLD = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)",
    """WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < :accounts)
        INSERT INTO customers SELECT
        i, 'Name' || i, 'person.' || i || '@mail' || i % 9 || '.example' FROM s""",
    """CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, ordered_at TIMESTAMP NOT NULL,
        status INTEGER NOT NULL, cents BIGINT NOT NULL)""",
    """WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < :orders)
        INSERT INTO orders SELECT
        i, 1 + i * 7919 % :accounts,
        datetime('2021-01-01 00:00:00', (i * 104729 % 157680000) || ' seconds'),
        i % 3, 100 + i % 50000 FROM s""",
    "CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at)",
    "ANALYZE",
)
_MAILINGS = (
    """SELECT i::integer AS id, 'Name' || i AS name,
        'person.' || i || '@mail' || i % 9 || '.example' AS email
        FROM range(1, 1 + $accounts) t(i)""",
    """SELECT i::integer AS id, (1 + i * 7919 % $accounts)::integer AS subscriber_id,
        TIMESTAMPTZ '2021-01-01 00:00:00+00' + INTERVAL (i * 7919 % 157680000) SECOND AS opened_at
        FROM range(1, 1 + $accounts) t(i)""",
)


async def _fill_postgres(server: Server, orders: int, accounts: int) -> None:
    for database, statements in (("crm", _CRM), ("shop", _SHOP), ("desk", _DESK)):
        owner = await _owner(server, "postgres")
        await owner.execute(f"CREATE DATABASE {database}")
        await owner.close()
        owner = await _owner(server, database)
        for statement in statements:
            params = (accounts, orders) if "$2" in statement else (accounts,)
            await owner.execute(statement, *(params if "$1" in statement else ()))
        await owner.execute("VACUUM ANALYZE")
        await owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {LOGINS.reader}")
        await owner.close()


async def _owner(server: Server, database: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        host="127.0.0.1", port=server.port, user=LOGINS.admin, password=LOGINS.password,
        database=database, ssl=False,
    )  # fmt: skip


async def _fill_mariadb(server: Server, orders: int, accounts: int) -> None:
    driver: Any = Connection
    owner = driver(
        host="127.0.0.1", port=server.port, user=LOGINS.admin, password=LOGINS.password.encode(),
        database="mysql", charset="utf8mb4", autocommit=True,
    )  # fmt: skip
    await owner.connect()
    await owner.query("CREATE DATABASE pos")
    await owner.query(f"GRANT SELECT, SHOW VIEW ON pos.* TO {LOGINS.reader}@'%'")
    await owner.select_db("pos")
    cursor = owner.cursor()
    for statement in _TILLS:
        params = {"accounts": accounts, "orders": orders} if "%(" in statement else None
        await cursor.execute(statement, params)
    await cursor.close()
    await owner.ensure_closed()


def _write_files(folder: Path, orders: int, accounts: int) -> None:
    sizes = {"accounts": accounts, "orders": orders}
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        for statement in _OLD:
            old.execute(statement, sizes)
    place = folder / "mailings"
    place.mkdir()
    with duckdb.connect() as engine:
        for name, statement in zip(("subscribers", "opened"), _MAILINGS, strict=True):
            rows = engine.sql(statement, params={"accounts": accounts})
            rows.write_parquet(str(place / f"{name}.parquet"))
