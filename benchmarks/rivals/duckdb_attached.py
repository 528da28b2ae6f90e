"""Decides how a benchmark asks DuckDB over attached databases: a child process per DuckDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks.rivals.child import Child, child

PYTHON = Path(__file__).parents[2] / ".venv/.rivals/attached_duckdb/bin/python"
BEST: Mapping[str, Any] = MappingProxyType(
    {
        # A scan of one row in pieces by ctid is three transactions.
        "pg_use_ctid_scan": "false",
        "pg_pool_health_check_query": "",
        # By default four connections are kept, and every client above that dials for each answer.
        "pg_pool_max_connections": 64,
        "mysql_pool_size": 64,
        # Clients are threads already; more of them only cost.
        "threads": 1,
        "late_materialization_max_rows": 0,
        # Keys of the side that is read first reach MariaDB as an IN list up to this many.
        "dynamic_or_filter_threshold": 1_000,
        # A remote table counts as one row, so the order that is found is worse than the written.
        "disabled_optimizers": "join_order,build_side_probe_side",
        "TimeZone": "UTC",
    }
)
"""What is fastest for questions about one customer."""
DEFAULTS: Mapping[str, Any] = MappingProxyType({"TimeZone": "UTC"})
"""DuckDB as it comes, with the zone that answers are compared in."""

_KINDS = {"postgresql": "postgres", "mysql": "mysql"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is and who reads it."""

    kind: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Reads an address as catalogs have it."""
        at = urlsplit(url)
        return cls(
            _KINDS[at.scheme],
            str(at.hostname),
            int(at.port or 0),
            unquote(str(at.username)),
            unquote(str(at.password)),
            at.path.removeprefix("/"),
        )


@dataclass(frozen=True, slots=True)
class Timed:
    """What asking a statement took: milliseconds of each answer, seconds of all of them.

    `cpu` is CPU seconds of DuckDB's process; `answer` the rows of the last answer, if wanted.
    """

    walls: list[float]
    elapsed: float
    cpu: float
    rows: int
    answer: list[Any] = field(default_factory=list)


class AttachedDuckDB:
    """DuckDB in a process of its own."""

    def __init__(self, process: Child) -> None:
        self._process = process

    async def ask(
        self,
        statement: str,
        params: Mapping[str, Any],
        *,
        clients: int = 1,
        runs: int = 1,
        seconds: float | None = None,
        answer: bool = False,
    ) -> Timed:
        """Asks from so many clients at once, each `runs` times or for `seconds`.

        Raises RuntimeError with what DuckDB says.
        """
        asked = {
            "statement": statement, "params": dict(params), "clients": clients, "runs": runs,
            "seconds": seconds, "answer": answer,
        }  # fmt: skip
        return Timed(**await self._process.exchange(asked))


@asynccontextmanager
async def attached_duckdb(
    places: Mapping[str, Place], settings: Mapping[str, Any] = BEST
) -> AsyncIterator[AttachedDuckDB]:
    """Starts DuckDB with databases attached under their names; it ends with the block.

    Its environment is made by attached_duckdb.sh. Raises RuntimeError where it is not there.
    """
    if not PYTHON.exists():
        raise RuntimeError("the rival is not installed: run `make bench-rivals`")
    answering = Path(__file__).with_name("duckdb_attached_child.py")
    async with child(PYTHON, "-I", answering) as process:
        attach = {name: asdict(place) for name, place in places.items()}
        await process.exchange({"attach": attach, "settings": dict(settings)})
        yield AttachedDuckDB(process)
