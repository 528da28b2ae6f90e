"""Puts the CRM and the mail tool on PostgreSQL, the tills on MariaDB: the rows of the files."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import duckdb
import orjson
from asyncmy.connection import Connection
from sqlglot import exp

from roundview.demo import crm, mail, pos
from roundview.demo.estate import Estate
from roundview.demo.server_tables import Schema, crm_schema, mail_schema, pos_schema
from roundview.demo.servers import (
    MARIADB,
    POSTGRES,
    Kind,
    Logins,
    Server,
    account,
    initialise,
    programs_of,
    start,
)

Progress = Callable[[str, int, int | None], None]
Rows = Iterator[Sequence[tuple[Any, ...]]]

FOLDER = "servers"
_ADMIN, _READER = "demo_owner", "demo_reader"
_BATCH = 5_000
_MARK = "copied.json"
_KINDS = (POSTGRES, MARIADB)
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Reached(Protocol):
    """A database server that answers on loopback."""

    @property
    def port(self) -> int:
        """Where it answers."""

    @property
    def logins(self) -> Logins:
        """Who fills it, and who reads it."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The running servers of an estate."""

    postgres: Server
    mariadb: Server

    @property
    def env(self) -> dict[str, str]:
        """Returns what the catalog names of them: addresses with the passwords of readers."""
        return {
            "CRM_URL": self.postgres.url("crm"),
            "MAIL_URL": self.postgres.url("mail"),
            "POS_URL": self.mariadb.url("pos"),
        }

    def stop(self) -> None:
        """Ends both."""
        self.postgres.stop()
        self.mariadb.stop()


def missing() -> tuple[str, ...]:
    """Returns what has to be installed first, one line for each server; empty if nothing."""
    return tuple(kind.missing for kind in _KINDS if programs_of(kind) is None)


@contextmanager
def serving(estate: Estate, progress: Progress | None = None) -> Iterator[Servers]:
    """Runs the servers of an estate, with its rows in them; they end with the block.

    Their data stays below `servers` of the estate and is taken again while the estate is the
    same. Raises RuntimeError where a server is not installed or does not start.
    """
    lacking = missing()
    if lacking:
        raise RuntimeError("; ".join(lacking))
    report = progress or _silent
    with _placed(estate) as folder:
        wanted = {"of": orjson.loads((estate.directory / "estate.json").read_bytes())}
        wanted["of"].pop("catalog", None)
        mark = folder / _MARK
        is_new = not mark.exists() or orjson.loads(mark.read_bytes()).get("of") != wanted["of"]
        if is_new:
            report("starting database servers", 0, None)
            _clear(folder)
            logins = Logins(_ADMIN, _READER, secrets.token_urlsafe(18))
            for kind in _KINDS:
                (folder / kind.name).mkdir()
                initialise(kind, folder / kind.name, logins)
        else:
            logins = Logins(_ADMIN, _READER, orjson.loads(mark.read_bytes())["password"])
        postgres = start(POSTGRES, folder / POSTGRES.name, logins)
        try:
            mariadb = start(MARIADB, folder / MARIADB.name, logins)
        except BaseException:
            postgres.stop()
            raise
        servers = Servers(postgres, mariadb)
        try:
            if is_new:
                _in_own_loop(lambda: fill(estate.directory, postgres, mariadb, report))
                _write_mark(mark, {**wanted, "password": logins.password})
            yield servers
        finally:
            servers.stop()


async def fill(directory: Path, postgres: Reached, mariadb: Reached, report: Progress) -> None:
    """Copies the rows of an estate's files into two servers; their readers may read them then.

    A database that is there is made anew.
    """
    files = directory / crm.FILE, directory / mail.FOLDER, directory / pos.FILE
    crm_, mail_, tills = crm_schema(), mail_schema(), pos_schema()
    await _fill_postgres(postgres, "crm", crm_, lambda table: _sqlite_rows(files[0], table), report)
    await _fill_postgres(
        postgres, "mail", mail_, lambda table: _parquet_rows(files[1], table), report
    )
    await _fill_mariadb(mariadb, "pos", tills, lambda table: _sqlite_rows(files[2], table), report)


@contextmanager
def _placed(estate: Estate) -> Iterator[Path]:
    """Yields the folder of the servers' data.

    Where we are root, servers run under accounts of their own: if those cannot come to the estate,
    the data lies in a temporary folder and is copied anew each time.
    """
    folder = estate.directory.resolve() / FOLDER
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    if all(_is_reachable(folder, kind) for kind in _KINDS):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="roundview-servers-") as temporary:
        Path(temporary).chmod(0o755)
        yield Path(temporary)


def _is_reachable(folder: Path, kind: Kind) -> bool:
    who = account(kind)
    if not who:
        return True
    come = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    return not subprocess.run(come, check=False, capture_output=True, cwd="/", **who).returncode  # noqa: S603


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _write_mark(mark: Path, content: Mapping[str, Any]) -> None:
    descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(content))


def _in_own_loop(work: Callable[[], Any]) -> None:
    """Runs a coroutine to its end, also where an event loop runs already."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


async def _fill_postgres(
    server: Reached,
    database: str,
    schema: Schema,
    rows_of: Callable[[str], Rows],
    report: Progress,
) -> None:
    connection = await _postgres(server, "postgres")
    await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {database}")
    await connection.close()
    connection = await _postgres(server, database)
    for statement in schema.tables:
        await connection.execute(statement)
    done = 0
    for table in schema.names:

        async def lines(table: str = table) -> AsyncIterator[bytes]:
            nonlocal done
            for batch in rows_of(table):
                yield "".join(map(_line, batch)).encode()
                done += len(batch)
                report(f"copying {database}", done, None)

        await connection.copy_to_table(table, source=lines(), format="text")
    for statement in schema.indexes:
        await connection.execute(statement)
    await connection.execute("ANALYZE")
    await connection.execute(
        f"GRANT USAGE ON SCHEMA public TO {server.logins.reader};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {server.logins.reader}"
    )
    await connection.close()


async def _postgres(server: Reached, database: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        host="127.0.0.1", port=server.port, user=server.logins.admin,
        password=server.logins.password, database=database, ssl=False,
    )  # fmt: skip


async def _fill_mariadb(
    server: Reached,
    database: str,
    schema: Schema,
    rows_of: Callable[[str], Rows],
    report: Progress,
) -> None:
    driver: Any = Connection
    connection = driver(
        host="127.0.0.1", port=server.port, user=server.logins.admin,
        password=server.logins.password.encode(), database="mysql", charset="utf8mb4",
        init_command="SET SESSION sql_mode = 'STRICT_ALL_TABLES', unique_checks = 0",
    )  # fmt: skip
    await connection.connect()
    await connection.query(f"CREATE OR REPLACE DATABASE {database}")
    await connection.query(f"GRANT SELECT, SHOW VIEW ON {database}.* TO {server.logins.reader}@'%'")
    await connection.select_db(database)
    for statement in schema.tables:
        await connection.query(statement)
    cursor = connection.cursor()
    done = 0
    for table in schema.names:
        for batch in rows_of(table):
            await cursor.executemany(_insert(table, len(batch[0])), batch)
            done += len(batch)
            report(f"copying {database}", done, None)
        await connection.commit()
    for statement in schema.indexes:
        await connection.query(statement)
    for table in schema.names:
        await cursor.execute(f"ANALYZE TABLE {table}")
    await cursor.close()
    await connection.ensure_closed()


def _insert(table: str, columns: int) -> str:
    values = exp.Tuple(expressions=[exp.Placeholder() for _ in range(columns)])
    text = exp.insert(exp.Values(expressions=[values]), table).sql(dialect="mysql")
    return text.replace("?", "%s")


def _sqlite_rows(path: Path, table: str) -> Rows:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        cursor = connection.execute(exp.select("*").from_(table).sql(dialect="sqlite"))
        while batch := cursor.fetchmany(_BATCH):
            yield batch


def _parquet_rows(folder: Path, table: str) -> Rows:
    """Yields the rows of a table as text: the server reads it as what its columns are."""
    whole = folder / f"{table}.parquet"
    files = [whole] if whole.exists() else sorted((folder / table).glob("bucket=*/part.parquet"))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for file in files:
            names = connection.read_parquet(str(file), hive_partitioning=False).columns
            texts = [exp.cast(exp.column(name, quoted=True), "varchar") for name in names]
            read = exp.Anonymous(this="read_parquet", expressions=[exp.Placeholder()])
            text = exp.select(*texts).from_(exp.Table(this=read)).sql(dialect="duckdb")
            connection.execute(text, [str(file)])
            while batch := connection.fetchmany(_BATCH):
                yield batch


def _line(row: Sequence[Any]) -> str:
    """Returns a row in PostgreSQL's text format for COPY."""
    return "\t".join(["\\N" if v is None else str(v).translate(_ESCAPED) for v in row]) + "\n"


def _silent(stage: str, done: int, total: int | None) -> None:
    """Reports nothing."""
