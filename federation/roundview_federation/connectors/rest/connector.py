"""Reads a JSON API as tables: which calls a fragment needs, and which rows of them count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.tables import AccessPath, RestTable
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.http_client import open_port
from roundview_federation.connectors.http_port import HttpPort
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.rest.arriving import ForeignRowsError, Wanted
from roundview_federation.connectors.rest.authorization import authorization
from roundview_federation.connectors.rest.columns import COMPARE, Named
from roundview_federation.connectors.rest.failures import failed
from roundview_federation.connectors.rest.fetch import Fetch, Meter
from roundview_federation.connectors.rest.held import HeldTable, held_join
from roundview_federation.connectors.rest.lists import ListReader, together
from roundview_federation.connectors.rest.origin import origin_of
from roundview_federation.connectors.rest.routes import Call, Route, routes
from roundview_federation.connectors.rest.sharing import SharedFetch
from roundview_federation.connectors.rest.tables import ColumnValue, RestRows, rest_rows
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

    from roundview_federation.connectors.streaming import Relay

_WHOLE = Call("", (), None, {})
"""What rows of a held table came by: nothing was asked of them."""


@dataclass(frozen=True, slots=True)
class RestCall:
    """What a fragment needs: the routes that can answer it, or the held table that it reads."""

    wanted: Wanted
    routes: tuple[Route, ...]
    held: HeldTable | None
    fields: frozenset[str]
    keysets: tuple[str, ...]
    fragment: Fragment
    row_cap: int
    is_scan: bool

    @property
    def keys_per_call(self) -> int:
        """Returns how many keys one call takes, 0 where keys are not sent."""
        return max((route.per_call for route in self.routes), default=0)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The rows of each call, and whether some were left out by a cap."""

    lists: Sequence[tuple[Route, Call, list[Any]]]
    is_truncated: bool


class RestConnector:
    """One API under one base URL. Only GET is sent, and POST where the catalog declares it."""

    capabilities = Capabilities(dialect="", filters=frozenset(COMPARE), pages=True, batches=True)

    def __init__(
        self, source: Source, *, env: Mapping[str, str], port: HttpPort | None = None
    ) -> None:
        self.source = source.name
        self._tables = source.tables
        self._limits = source.limits
        address = connections.text(source, "base_url", env)
        self._origin, path = origin_of(source, "base_url", address)
        self._base = path.rstrip("/")
        is_private = source.connection.get("private") is True
        self._authorization = authorization(source, env)
        self._port = port or open_port(
            self._origin, private=is_private, connections=source.limits.concurrency
        )
        fetch = Fetch(source.name, self._port, source.limits, self._authorization)
        self._fetch = SharedFetch(fetch)
        self._held: dict[str, HeldTable] = {}

    def compile(self, fragment: Fragment) -> RestCall:
        """Returns the routes that can answer; raises RequestError RV117 if only a scan can."""
        tree = fragment.tree
        if fragment.children:
            raise RequestError(f"{self.source} has no rows below rows", code="RV103")
        if tree.args.get("order") or tree.args.get("limit"):
            raise RequestError(f"{self.source} cannot order or limit", code="RV103")
        named = self._named(tree)
        rows = named.rows
        columns = tuple(named.column(node) for node in tree.expressions)
        conditions = tuple(named.conditions(tree))
        held = self._held_table(rows)
        usable: tuple[Route, ...] = ()
        if held is None:
            found = routes(rows.declared, named.on_resource(conditions), fragment.keysets)
            usable = tuple(route for route in found if route.is_bound)
            if not usable and fragment.is_scan:
                usable = found
            if not usable:
                raise RequestError(
                    f"{rows.name} of {self.source} can only be asked by "
                    + (" or ".join(_ways(rows)) or "a scan"),
                    code="RV117",
                    hint="bind one of these columns, or allow a scan",
                )
        return RestCall(
            wanted=Wanted(named, columns, conditions),
            routes=usable,
            held=held,
            fields=named.fields(columns, conditions),
            keysets=fragment.keysets,
            fragment=fragment,
            row_cap=fragment.row_cap,
            is_scan=fragment.is_scan,
        )

    async def rows(self, call: RestCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Makes the calls; rows that were not asked for are dropped and counted.

        Cancelling the task or passing the deadline closes the connections in use.
        """
        if not all(params[name] for name in call.keysets):
            return Answer([], calls=0)
        try:
            async with asyncio.timeout(deadline.left):
                return await self._rows(call, params, deadline)
        except TimeoutError:
            raise failed(self.source, "did not answer in time", "RV401") from None

    async def pages(self, call: RestCall, deadline: Deadline) -> AsyncIterator[Answer]:
        """Yields a scan page by page; each page has to come within limits.timeout."""
        if call.held is not None:
            yield await self.rows(call, {}, deadline)
            return
        for join in call.wanted.named.joins:
            if join.held.is_stale:
                await join.held.refresh(deadline, Meter())
        route, _ = self._chosen(call, {})
        declared = call.wanted.named.rows.declared
        reader = self._reader(declared, call.fields, most=0, is_view=False)
        for one in route.calls((), {}):
            async for rows, calls in reader.pages(one, route.rows, deadline):
                kept, dropped = self._kept(call, [(route, one, rows)], {})
                yield Answer(kept, calls=calls, dropped=dropped)

    async def batches(
        self, call: RestCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows as Arrow; a scan is asked for its next page when the reader is there."""
        from roundview_federation.connectors.columns import outline_of
        from roundview_federation.connectors.rest.bulk import send
        from roundview_federation.connectors.streaming import streamed

        outline = outline_of(self.source, call.fragment, self._tables)
        if not all(params[name] for name in call.keysets):
            return

        async def produce(relay: Relay[pa.RecordBatch]) -> None:
            try:
                async with asyncio.timeout(deadline.left):
                    brought = self._brought(call, params, deadline)
                    await send(brought, outline, relay, call.row_cap + 1)
            except TimeoutError:
                raise failed(self.source, "did not answer in time", "RV401") from None

        async with aclosing(streamed(produce)) as batches:
            async for batch in batches:
                yield batch

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns the tables as the catalog declares them: an API says nothing of itself."""
        return self._tables

    async def prove_read_only(self) -> str:
        """Returns why nothing can be written."""
        found = [one.access for one in self._tables.values() if isinstance(one.access, RestTable)]
        posted = sorted({path.post for access in found for path in access.get if path.post})
        if not posted:
            return "only GET is sent"
        return f"only GET is sent, and POST declared to be a query to {', '.join(posted)}"

    async def warm(self, calls: Sequence[RestCall], deadline: Deadline) -> None:
        """Does nothing: a request ahead would be one more for the source to answer."""

    def explain(self, call: RestCall) -> str:
        """Returns the calls that may be made, without values."""
        if call.held is not None:
            return f"{call.wanted.named.rows.name} is held in memory"
        return "\nor ".join(_explained(route, self._base) for route in call.routes)

    async def accesses(
        self, call: RestCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns by which path the table is asked; one without bound columns reads all of it."""
        alias = call.wanted.named.alias
        if call.held is not None:
            return (Access(alias, "memory"),)
        route, _ = self._chosen(call, params)
        if not route.is_bound:
            return (Access(alias, "", is_scan=True),)
        sent = "&".join(one.filter.send for one in route.sent)
        return (Access(alias, route.access.target + (f"?{sent}" if sent else "")),)

    async def close(self) -> None:
        """Closes every connection."""
        await self._port.close()
        await self._authorization.close()

    async def _rows(self, call: RestCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        meter = Meter()
        joined = {id(join.held): join.held for join in call.wanted.named.joins}
        waiting: list[Awaitable[Any]] = [
            held.refresh(deadline, meter) for held in joined.values() if held.is_stale
        ]
        if call.held is not None:
            await together([*waiting, call.held.refresh(deadline, meter)])
            rows, dropped = call.wanted.kept(None, _WHOLE, call.held.rows, params)
            is_truncated = False
        else:
            reading = self._asked(call, params, deadline, meter)
            # A task more costs more than what is usual here: one call, and nothing to refresh.
            asked = (await together([*waiting, reading]))[-1] if waiting else await reading
            rows, dropped = self._kept(call, asked.lists, params)
            is_truncated = asked.is_truncated
        is_truncated |= len(rows) > call.row_cap
        del rows[call.row_cap :]
        return Answer(rows, is_truncated=is_truncated, calls=meter.calls, dropped=dropped)

    async def _brought(
        self, call: RestCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[list[tuple[Any, ...]]]:
        """Yields rows as they come: a scan by pages, several calls a few at a time."""
        meter = Meter()
        stale = [join.held for join in call.wanted.named.joins if join.held.is_stale]
        await together(held.refresh(deadline, meter) for held in stale)
        if call.held is not None:
            await call.held.refresh(deadline, meter)
            yield call.wanted.kept(None, _WHOLE, call.held.rows, params)[0]
            return
        route, calls, reader = self._planned(call, params)
        if not route.is_bound and len(calls) == 1:
            async for page in reader.capped_pages(calls[0], route.rows, deadline):
                yield self._kept(call, [(route, calls[0], page)], params)[0]
            return
        count = 0
        for at in range(0, len(calls), self._limits.concurrency):
            some = calls[at : at + self._limits.concurrency]
            lists = await together(reader.rows(c, route.rows, deadline, meter) for c in some)
            brought = [(route, one, rows) for one, (rows, _) in zip(some, lists, strict=True)]
            rows = self._kept(call, brought, params)[0]
            count += len(rows)
            yield rows
            if any(is_cut for _, is_cut in lists) and count <= call.row_cap:
                raise failed(self.source, "has more rows than its limits allow", "RV405")

    def _planned(
        self, call: RestCall, params: Mapping[str, Any]
    ) -> tuple[Route, list[Call], ListReader]:
        """Returns the calls to make; raises SourceError RV405 above limits.calls."""
        route, keys = self._chosen(call, params)
        calls = list(route.calls(keys, params))
        if len(calls) > self._limits.calls:
            most = self._limits.calls
            what = f"would need {len(calls)} calls, limits.calls is {most}"
            raise failed(self.source, what, "RV405", retryable=False)
        declared = call.wanted.named.rows.declared
        most = call.row_cap + 1
        is_view = not call.is_scan
        return route, calls, self._reader(declared, call.fields, most=most, is_view=is_view)

    async def _asked(
        self, call: RestCall, params: Mapping[str, Any], deadline: Deadline, meter: Meter
    ) -> _Asked:
        route, calls, reader = self._planned(call, params)
        if len(calls) == 1:
            lists = [await reader.rows(calls[0], route.rows, deadline, meter)]
        else:
            lists = await together(reader.rows(c, route.rows, deadline, meter) for c in calls)
        return _Asked(
            [(route, one, rows) for one, (rows, _) in zip(calls, lists, strict=True)],
            any(is_cut for _, is_cut in lists),
        )

    def _kept(
        self,
        call: RestCall,
        lists: Sequence[tuple[Route, Call, list[Any]]],
        params: Mapping[str, Any],
    ) -> tuple[list[tuple[Any, ...]], int]:
        rows: list[tuple[Any, ...]] = []
        dropped = 0
        for route, one, brought in lists:
            try:
                kept, wrong = call.wanted.kept(route, one, brought, params)
            except ForeignRowsError:
                what = "answered with records that were not asked for"
                raise failed(self.source, what, "RV403", "check filters") from None
            dropped += wrong
            rows += kept
        return rows, dropped

    def _chosen(self, call: RestCall, params: Mapping[str, Any]) -> tuple[Route, Sequence[Any]]:
        def cost(route: Route) -> tuple[bool, int, int]:
            name = route.keys or (call.keysets[0] if call.keysets else "")
            return route.cost(len(params[name]) if name else 0)

        route = min(call.routes, key=cost)
        return route, params[route.keys] if route.keys else ()

    def _reader(
        self, declared: RestTable, fields: frozenset[str], *, most: int, is_view: bool
    ) -> ListReader:
        return ListReader(
            source=self.source,
            fetch=self._fetch,
            limits=self._limits,
            table=declared,
            origin=self._origin,
            base=self._base,
            fields=fields,
            key=tuple(declared.columns[column].path or column for column in declared.key),
            most=most,
            is_view=is_view,
        )

    def _named(self, tree: exp.Select) -> Named:
        table = tree.args["from_"].this
        named = Named(rest_rows(table.name, self._tables), table.alias_or_name)
        for join in tree.args.get("joins") or ():
            rows = rest_rows(join.this.name, self._tables)
            held = self._held_table(rows)
            if held is None or join.side not in ("", "LEFT"):
                raise RequestError(f"{self.source} cannot join", code="RV103")
            before = named

            def value_of(column: exp.Column, before: Named = before) -> ColumnValue:
                return before.value(before.column(column))

            found = held_join(join, named.alias, held, rows, value_of)
            named = replace(named, joins=(*named.joins, found))
        return named

    def _held_table(self, rows: RestRows) -> HeldTable | None:
        """Returns where the rows of a table are held, None for one that is asked."""
        declared = rows.declared
        if declared.hold is None:
            return None
        name = rows.resource.name
        if name not in self._held:
            whole = next(path for path in declared.get if not path.columns)
            self._held[name] = HeldTable(declared.hold, partial(self._whole, declared, whole))
        return self._held[name]

    async def _whole(
        self, declared: RestTable, path: AccessPath, deadline: Deadline, meter: Meter
    ) -> list[Any]:
        most = self._limits.scan_rows
        reader = self._reader(declared, frozenset(), most=most, is_view=True)
        call = Call(path.target, (), None, {}, path.body if path.post else None)
        rows_path = declared.rows if path.rows is None else path.rows
        rows, is_cut = await reader.rows(call, rows_path, deadline, meter)
        if is_cut or len(rows) > most:
            what = f"has too many rows at {path.target} to hold them"
            raise failed(self.source, what, "RV405", "take `hold` out", retryable=False)
        return rows


def _ways(rows: RestRows) -> Iterator[str]:
    for access in rows.declared.get:
        if access.columns:
            yield " and ".join(access.columns)
    for column, offered in rows.declared.filters.items():
        if "eq" in offered or "in" in offered:
            yield column


def _explained(route: Route, base: str) -> str:
    access = route.access
    sent = [f"{one.filter.send}={{{one.condition.column}}}" for one in route.sent]
    if access.post:
        given = ", ".join([*access.placeholders(), *sent])
        text = f"POST {base}{access.post}" + (f" ({given})" if given else "")
    else:
        text = f"GET {base}{access.path}" + (f"?{'&'.join(sent)}" if sent else "")
    if route.per_call > 1:
        return f"{text} ({route.per_call} keys a call)"
    return f"{text} (one key a call)" if route.per_call else text
