"""Decides how each call of Trino's Thrift connector is answered, from the current catalog."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from roundview_catalog.errors import InternalError, RequestError, RoundviewError
from roundview_catalog.model import Catalog
from roundview_federation.bridge import frames
from roundview_federation.bridge.blocks import page
from roundview_federation.bridge.domains import NothingError
from roundview_federation.bridge.frames import Call, MalformedError, decode, encode
from roundview_federation.bridge.messages import (
    GetIndexSplits,
    GetRows,
    GetSplits,
    GetTable,
    Id,
    ListSchemas,
    ListTables,
    Schemas,
    Split,
    Splits,
    TableName,
    TableOrNull,
    Tables,
)
from roundview_federation.bridge.reading import Wanted, batches, reading
from roundview_federation.bridge.scans import Batches, Scan, Scans
from roundview_federation.bridge.tables import BridgedTable, bridged_tables
from roundview_federation.bridge.xref import Links, xref_batches
from roundview_federation.federation import Federation
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.snapshot import Snapshot

_SPLIT, _INDEX_SPLIT = b"s", b"i"
_XREF_SCANS: Final = 8
_LARGE_SPLIT: Final = 64 * 1024
"""Bytes of a split from which on reading it would hold up everyone else."""
_LOG = logging.getLogger("roundview.bridge")


class Bridge:
    """Answers the calls of any number of connections.

    A reading of a source has `seconds` (None: the catalog's deadline for SQL) from its first
    page to its last. With `allow_scan` it may have any number of rows.
    """

    def __init__(
        self, federation: Federation, *, allow_scan: bool = False, seconds: float | None = None
    ) -> None:
        self._federation = federation
        self._allow_scan = allow_scan
        self._seconds = seconds
        self._snapshots: dict[bytes, Snapshot] = {}
        self._scans = Scans(self._released)
        self._catalog: Catalog | None = None
        self._known: Mapping[tuple[str, str], BridgedTable] = {}

    @property
    def scans(self) -> tuple[Scan, ...]:
        """Returns the readings that have begun and not ended."""
        return self._scans.open

    async def answer(self, call: Call) -> bytes:
        """Returns the frame that answers a call; raises MalformedError for what is no call."""
        try:
            return await self._answer(call)
        except RoundviewError as error:
            return frames.failure(call, str(error))
        except MalformedError:
            raise
        except Exception as error:  # noqa: BLE001 - Trino is told that we failed, not how
            name = type(error).__name__
            _LOG.warning("a call failed: %s", name)
            return frames.failure(call, str(InternalError(f"unexpected {name}")))

    async def close(self) -> None:
        """Ends every reading."""
        await self._scans.close()

    async def _answer(self, call: Call) -> bytes:
        if call.method is GetRows:
            return frames.answer(call, await self._rows(decode(call.data, GetRows)))
        if call.method is GetSplits or call.method is GetIndexSplits:
            # A split is its question: any bridge over the same catalog can answer it.
            asked = _SPLIT if call.method is GetSplits else _INDEX_SPLIT
            split = Split(id=Id(id=asked + call.data), hosts=[])
            return frames.answer(call, encode(Splits(splits=[split])))
        if call.method is GetTable:
            return frames.answer(call, encode(self._described(decode(call.data, GetTable))))
        if call.method is ListTables:
            return frames.answer_list(call, self._names(decode(call.data, ListTables)))
        if call.method is ListSchemas:
            found = sorted({schema for schema, _ in self._tables()})
            return frames.answer_list(call, Schemas(found=found))
        return frames.unknown_method(call)

    # -- metadata ----------------------------------------------------------------------------

    def _tables(self) -> Mapping[tuple[str, str], BridgedTable]:
        catalog = self._federation.catalog
        if catalog is not self._catalog:
            self._catalog, self._known = catalog, bridged_tables(catalog)
        return self._known

    def _names(self, asked: ListTables) -> Tables:
        schema = asked.of.schema if asked.of is not None else None
        found = [
            TableName(schema=one.schema, table=one.name)
            for one in self._tables().values()
            if schema in (None, one.schema)
        ]
        return Tables(found=found)

    def _described(self, asked: GetTable) -> TableOrNull:
        table = self._tables().get(_place(asked.table))
        if table is None:
            return TableOrNull()
        connector = self._federation.current.connectors.get(table.source)
        return TableOrNull(table=table.described(connector))

    # -- rows --------------------------------------------------------------------------------

    async def _rows(self, asked: GetRows) -> bytes:
        if asked.split is None or asked.columns is None or asked.most_bytes is None:
            raise MalformedError
        token = asked.next.token if asked.next is not None else None
        if token is not None:
            scan, number = self._scans.of(token.id or b"")
        else:
            try:
                scan, number = await self._begun(asked.split.id or b"", asked.columns), 0
            except NothingError:
                return page([], 0, None)
        is_over = True
        try:
            encoded, is_over = await scan.page(number, asked.most_bytes)
        except NothingError:
            return page([], 0, None)
        finally:
            if is_over:
                await self._scans.end(scan)
        return encoded

    async def _begun(self, split: bytes, columns: list[str]) -> Scan:
        """Starts what a split stands for; raises NothingError where no row can match."""
        snapshot = self._federation.current
        if len(split) > _LARGE_SPLIT:
            prepared = await asyncio.to_thread(self._prepared, split, columns, snapshot)
        else:
            prepared = self._prepared(split, columns, snapshot)
        scan = Scan(*prepared[:-1])
        await self._scans.begin(scan, prepared[-1])
        self._snapshots[scan.id] = snapshot
        snapshot.in_flight += 1
        return scan

    def _prepared(
        self, split: bytes, columns: list[str], snapshot: Snapshot
    ) -> tuple[str, Batches, tuple[str, ...], Deadline, int]:
        """Returns what makes a scan, and how many its source takes at once."""
        wanted = self._wanted(split, columns)
        table = wanted.table
        deadline = Deadline.after(self._seconds or snapshot.catalog.deadlines.sql)
        types = tuple(table.types[name].trino for name in wanted.columns)
        if not table.source:
            links = Links.of(snapshot.catalog, self._federation.xref, snapshot.planner.sealing)
            return "", xref_batches(wanted, links, deadline), types, deadline, _XREF_SCANS
        connector = snapshot.connectors[table.source]
        limits = snapshot.catalog.sources[table.source].limits
        one = reading(wanted, connector.capabilities, limits, allow_scan=self._allow_scan)
        rows = batches(connector, one, table, limits, deadline)
        return table.source, rows, types, deadline, limits.concurrency

    def _wanted(self, split: bytes, columns: list[str]) -> Wanted:
        asked: GetSplits | GetIndexSplits
        key_columns: list[str] = []
        keys = None
        if split[:1] == _INDEX_SPLIT:
            asked = indexed = decode(split[1:], GetIndexSplits)
            key_columns, keys = indexed.key_columns or [], indexed.keys
            if not key_columns:
                raise MalformedError
        elif split[:1] == _SPLIT:
            asked = decode(split[1:], GetSplits)
        else:
            raise MalformedError
        table = self._tables().get(_place(asked.table))
        if table is None or not {*columns, *key_columns} <= table.columns.keys():
            raise RequestError(
                "the table or a column is not there any more",
                code="RV102",
                hint="the catalog changed; Trino forgets what it knew of it after ten minutes",
            )
        return Wanted(table, tuple(columns), asked.constraint, tuple(key_columns), keys)

    def _released(self, scan: Scan) -> None:
        snapshot = self._snapshots.pop(scan.id, None)
        if snapshot is not None:
            snapshot.in_flight -= 1


def _place(name: TableName | None) -> tuple[str, str]:
    return (name.schema or "", name.table or "") if name is not None else ("", "")
