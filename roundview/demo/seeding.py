"""Puts the demo's estate into systems that run already: containers beside each other.

    python -m roundview.demo.seeding --dir /estate --secrets /run/secrets --postgres-port 5432 …

What was put there once stays: another start finds its mark and does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from asyncmy.connection import Connection

from roundview.demo import estate as estates
from roundview.demo import server_estate
from roundview.demo.servers import MARIADB, POSTGRES, Logins, url_of
from roundview.demo.support import TOKEN_VARIABLE

POSTGRES_OWNER, MARIADB_OWNER, READER = "demo_owner", "root", "demo_reader"
_MARK = "seeded.json"
_ENGINES = """
# Where the data outgrows one machine: Trino reads the same sources.
engines:
  trino: {url: "${env:TRINO_URL}", user: roundview, bridge: roundview}
"""
# Names and values are quoted by the server: a role cannot be a parameter.
_ROLE = """
SELECT format(
  CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1::text)
    THEN 'ALTER ROLE %I LOGIN PASSWORD %L' ELSE 'CREATE ROLE %I LOGIN PASSWORD %L' END,
  $1::text, $2::text)
"""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the systems know us by: owners write once, the reader is Roundview's and Trino's."""

    owner_password: str
    reader_password: str
    support_token: str

    @classmethod
    def read(cls, folder: Path) -> Secrets:
        """Reads a file for each; raises FileNotFoundError."""
        names = ("owner_password", "reader_password", "support_token")
        return cls(*((folder / name).read_text(encoding="utf-8").strip() for name in names))


@dataclass(frozen=True, slots=True)
class Place:
    """A database server on loopback, and who owns what is in it."""

    port: int
    logins: Logins


def main(arguments: list[str] | None = None) -> None:
    """Makes the estate, fills both servers, says in `env` where everything is."""
    parser = argparse.ArgumentParser(prog="roundview.demo.seeding", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="folder of the estate")
    parser.add_argument("--secrets", type=Path, required=True, help="folder of the secrets")
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--postgres-port", type=int, required=True)
    parser.add_argument("--mariadb-port", type=int, required=True)
    parser.add_argument("--support-url", required=True)
    parser.add_argument("--trino-url", required=True)
    given = parser.parse_args(arguments)
    known = Secrets.read(given.secrets)
    estate = estates.make(given.dir, given.people, on_servers=True)
    name_trino(estate.catalog / "roundview.yaml")
    reader = Logins(READER, READER, known.reader_password)
    _write_private(
        given.dir / "env",
        {
            "ROUNDVIEW_DEMO": str(given.dir.resolve()),
            "SUPPORT_URL": given.support_url,
            TOKEN_VARIABLE: known.support_token,
            "CRM_URL": url_of(POSTGRES, given.postgres_port, reader, "crm"),
            "MAIL_URL": url_of(POSTGRES, given.postgres_port, reader, "mail"),
            "POS_URL": url_of(MARIADB, given.mariadb_port, reader, "pos"),
            "TRINO_URL": given.trino_url,
        },
    )
    mark = given.dir / _MARK
    made = orjson.loads((given.dir / "estate.json").read_bytes())
    made.pop("catalog", None)
    if mark.exists() and orjson.loads(mark.read_bytes()) == made:
        return
    postgres = Place(given.postgres_port, Logins(POSTGRES_OWNER, READER, known.owner_password))
    mariadb = Place(given.mariadb_port, Logins(MARIADB_OWNER, READER, known.owner_password))
    asyncio.run(_seed(given.dir, postgres, mariadb, known.reader_password))
    mark.write_bytes(orjson.dumps(made))


def name_trino(file: Path) -> None:
    """Adds the Trino to a catalog that names none."""
    text = file.read_text(encoding="utf-8")
    if "\nengines:" not in text:
        file.write_text(text.rstrip("\n") + "\n" + _ENGINES, encoding="utf-8")


async def _seed(directory: Path, postgres: Place, mariadb: Place, password: str) -> None:
    owner = await asyncpg.connect(
        host="127.0.0.1", port=postgres.port, user=postgres.logins.admin,
        password=postgres.logins.password, database="postgres", ssl=False,
    )  # fmt: skip
    await owner.execute(await owner.fetchval(_ROLE, READER, password))
    await owner.close()
    driver: Any = Connection
    root = driver(
        host="127.0.0.1", port=mariadb.port, user=mariadb.logins.admin,
        password=mariadb.logins.password.encode(), database="mysql", charset="utf8mb4",
    )  # fmt: skip
    await root.connect()
    cursor = root.cursor()
    await cursor.execute(f"CREATE OR REPLACE USER {READER}@'%%' IDENTIFIED BY %s", (password,))
    await cursor.close()
    await root.ensure_closed()
    await server_estate.fill(directory, postgres, mariadb, _report)


def _write_private(path: Path, values: dict[str, str]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def _report(stage: str, done: int, total: int | None) -> None:
    sys.stdout.write(f"{stage}: {done}\n")


if __name__ == "__main__":
    main()
