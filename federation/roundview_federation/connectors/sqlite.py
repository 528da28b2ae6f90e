"""Reads SQLite files in place: read-only, in own threads, interruptible."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlglot import exp

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Source, SourceColumn, SourceTable
from roundview_catalog.secrets import resolve
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Capabilities
from roundview_federation.plan import Answer, Fragment, keyset_of
from roundview_federation.resilience.deadline import Deadline

_THREADS = 4


@dataclass(frozen=True, slots=True)
class SqlCall:
    """One statement; `names` are its parameters, `keysets` those sent as JSON arrays."""

    text: str
    names: tuple[str, ...]
    keysets: tuple[str, ...]
    children: tuple[int, ...]
    row_cap: int


class SqliteConnector:
    """One SQLite file. Statements run in a small pool, one connection per thread."""

    capabilities = Capabilities(
        dialect="sqlite",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Is"}),
        joins=True,
        children=True,
    )

    def __init__(self, source: Source, *, env: Mapping[str, str]) -> None:
        self.source = source.name
        self._tables = source.tables
        path = Path(resolve(str(source.connection.get("path", "")), env))
        self._path = path if path.is_absolute() else source.root / path
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"sqlite-{source.name}")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []

    def compile(self, fragment: Fragment) -> SqlCall:
        """Returns the statement: key sets as JSON arrays, children as JSON columns."""
        tree = self._physical(fragment.tree)
        count = len(tree.expressions)
        for child in fragment.children:
            inner = self._physical(child.tree)
            row = exp.Anonymous(this="json_array", expressions=list(inner.expressions))
            inner.set("expressions", [exp.Anonymous(this="json_group_array", expressions=[row])])
            tree.append("expressions", exp.alias_(exp.Subquery(this=inner), f"rows_{child.alias}"))
        tree = tree.limit(fragment.row_cap + 1, copy=False)
        return SqlCall(
            text=tree.sql(dialect="sqlite"),
            names=(*fragment.keysets, *fragment.params),
            keysets=fragment.keysets,
            children=tuple(range(count, count + len(fragment.children))),
            row_cap=fragment.row_cap,
        )

    async def rows(self, call: SqlCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Runs the statement; cancelling the task or passing the deadline interrupts it."""
        bound = {
            name: orjson.dumps(params[name]).decode() if name in call.keysets else params[name]
            for name in call.names
        }
        running: list[sqlite3.Connection] = []
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, self._run, call, bound, running)
        try:
            async with asyncio.timeout(deadline.left):
                return await asyncio.shield(future)
        except TimeoutError:
            raise SourceError(
                self.source, f"{self.source} did not answer in time", code="RV401"
            ) from None
        finally:
            if not future.done():
                for connection in running:
                    connection.interrupt()
                future.add_done_callback(_swallow)

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns tables, columns, keys and indexes from SQLite's own catalog."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._introspect)

    async def prove_read_only(self) -> str:
        """Proves that the file is opened read-only: SQLite then refuses every write."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._prove)

    def explain(self, call: SqlCall) -> str:
        """Returns the statement."""
        return call.text

    async def close(self) -> None:
        """Ends the threads and closes their connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._open:
            connection.close()
        self._open.clear()

    # -- in the pool's threads ---------------------------------------------------------------

    def _run(
        self, call: SqlCall, bound: Mapping[str, Any], running: list[sqlite3.Connection]
    ) -> Answer:
        connection = self._connection()
        running.append(connection)
        try:
            rows = connection.execute(call.text, bound).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise SourceError(
                    self.source, f"{self.source} did not answer in time", code="RV401"
                ) from None
            raise SourceError(
                self.source,
                f"{self.source} refused a statement",
                code="RV403",
                hint="compare the schema file with the source: roundview introspect",
            ) from None
        except (sqlite3.DatabaseError, OverflowError):
            raise SourceError(self.source, f"{self.source} failed", code="RV400") from None
        finally:
            running.clear()
        is_truncated = len(rows) > call.row_cap
        if is_truncated:
            rows = rows[: call.row_cap]
        if call.children:
            first = call.children[0]
            rows = [
                (*row[:first], *(orjson.loads(row[at]) for at in call.children)) for row in rows
            ]
        return Answer(rows, is_truncated=is_truncated)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                uri = f"{self._path.resolve().as_uri()}?mode=ro"
                connection = sqlite3.connect(
                    uri, uri=True, check_same_thread=False, cached_statements=256
                )
                connection.execute("PRAGMA query_only = on")
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            except sqlite3.Error:
                raise SourceError(
                    self.source,
                    f"{self.source} cannot be opened",
                    code="RV402",
                    hint="check connection.path",
                ) from None
            self._local.connection = connection
            self._open.append(connection)
        return connection

    def _prove(self) -> str:
        connection = self._connection()
        try:
            connection.execute("PRAGMA user_version = 1")
        except sqlite3.OperationalError:
            return "the file is open read-only"
        raise SourceError(self.source, f"{self.source} can be written", code="RV407")

    def _introspect(self) -> Mapping[str, SourceTable]:
        connection = self._connection()
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        rows = connection.execute(
            'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_schema m,'
            " pragma_table_info(m.name) c WHERE m.type IN ('table', 'view') ORDER BY m.name, c.cid"
        ).fetchall()
        indexes = connection.execute(
            'SELECT m.name, i.name, i."unique", c.name FROM sqlite_schema m,'
            " pragma_index_list(m.name) i, pragma_index_info(i.name) c"
            " WHERE m.type = 'table' AND i.partial = 0 ORDER BY m.name, i.name, c.seqno"
        ).fetchall()
        return {name: _table(name, rows, indexes) for (name,) in names}

    def _physical(self, tree: exp.Select) -> exp.Select:
        tree = tree.copy()
        for table in tree.find_all(exp.Table):
            known = self._tables.get(table.name)
            if known is not None:
                table.set("this", exp.to_identifier(known.physical, quoted=True))
        for node in list(tree.find_all(exp.EQ)):
            bound = keyset_of(node)
            if bound is not None:
                values = exp.select("value").from_(
                    exp.Anonymous(this="json_each", expressions=[exp.Placeholder(this=bound[1])])
                )
                node.replace(exp.In(this=bound[0].copy(), query=exp.Subquery(this=values)))
        return tree


def _swallow(future: Any) -> None:
    if not future.cancelled():
        future.exception()


def _table(name: str, rows: list[Any], indexes: list[Any]) -> SourceTable:
    columns = {
        column: SourceColumn(column, _type(declared), is_nullable=not required)
        for table, column, declared, required, _ in rows
        if table == name
    }
    key = sorted((pk, column) for table, column, _, _, pk in rows if table == name and pk)
    grouped: dict[tuple[str, bool], list[str]] = {}
    for table, index, is_unique, column in indexes:
        if table == name and column is not None:
            grouped.setdefault((index, bool(is_unique)), []).append(column)
    return SourceTable(
        name=name,
        physical=name,
        columns=columns,
        primary_key=tuple(column for _, column in key),
        unique=tuple(tuple(c) for (_, is_unique), c in grouped.items() if is_unique),
        indexes=tuple(tuple(c) for (_, is_unique), c in grouped.items() if not is_unique),
    )


def _type(declared: str) -> Type:
    text = declared.lower()
    base, _, inner = text.partition("(")
    if "bool" in base:
        return Type(Kind.BOOLEAN)
    if "int" in base:
        return Type(Kind.BIGINT)
    if base.strip() in ("decimal", "numeric"):
        sizes = [int(part) for part in inner.rstrip(") ").split(",") if part.strip().isdigit()]
        return Type(Kind.DECIMAL, sizes[0], sizes[1]) if len(sizes) > 1 else Type(Kind.DECIMAL)
    if "timestamp" in base or "datetime" in base:
        return Type(Kind.TIMESTAMP)
    if base.strip() == "date":
        return Type(Kind.DATE)
    if "real" in base or "floa" in base or "doub" in base:
        return Type(Kind.FLOAT)
    if base.strip() in ("json", "jsonb"):
        return Type(Kind.JSON)
    return Type(Kind.TEXT)
