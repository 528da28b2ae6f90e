"""Reads a JSON API as tables: which calls a fragment needs, and which rows of them count."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from sqlglot import exp

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.secrets import resolve
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.http_port import HttpPort, Origin, open_port
from roundview_federation.connectors.port import Capabilities
from roundview_federation.connectors.rest.fetch import Fetch, Meter
from roundview_federation.connectors.rest.lists import ListReader, together
from roundview_federation.connectors.rest.routes import (
    Call,
    Condition,
    Route,
    normal,
    normal_forms,
    routes,
)
from roundview_federation.connectors.rest.sharing import SharedFetch
from roundview_federation.connectors.rest.tables import ColumnValue, RestRows, rest_rows
from roundview_federation.connectors.rest.values import root_of
from roundview_federation.plan import Answer, Fragment, keyset_of
from roundview_federation.resilience.deadline import Deadline

_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {"EQ": eq, "NEQ": ne, "LT": lt, "LTE": le, "GT": gt, "GTE": ge}
)


@dataclass(frozen=True, slots=True)
class RestCall:
    """What a fragment needs: the routes that can answer it, its columns, its conditions."""

    rows: RestRows
    routes: tuple[Route, ...]
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    fields: frozenset[str]
    keysets: tuple[str, ...]
    row_cap: int
    is_scan: bool

    @property
    def keys_per_call(self) -> int:
        """Returns how many keys one call takes, 0 where keys are not sent."""
        return max((route.per_call for route in self.routes), default=0)


class _ForeignRowsError(Exception):
    """A call brought rows and none that it asked for."""


class RestConnector:
    """One API under one base URL. Only GET is ever sent."""

    capabilities = Capabilities(dialect="", filters=frozenset(_COMPARE))

    def __init__(
        self, source: Source, *, env: Mapping[str, str], port: HttpPort | None = None
    ) -> None:
        self.source = source.name
        self._tables = source.tables
        self._limits = source.limits
        origin, self._base = _origin(source, env)
        is_private = source.connection.get("private") is True
        self._port = port or open_port(
            origin, private=is_private, connections=source.limits.concurrency
        )
        self._fetch = SharedFetch(
            Fetch(source.name, self._port, source.limits, _authorization(source, env))
        )

    def compile(self, fragment: Fragment) -> RestCall:
        """Returns the routes that can answer; raises RequestError RV117 if only a scan can."""
        tree = fragment.tree
        if tree.args.get("joins") or fragment.children:
            raise RequestError(f"{self.source} cannot join", code="RV103")
        if tree.args.get("order") or tree.args.get("limit"):
            raise RequestError(f"{self.source} cannot order or limit", code="RV103")
        table = tree.args["from_"].this
        rows = rest_rows(table.name, self._tables)
        columns = tuple(_column(node, rows) for node in tree.expressions)
        conditions = tuple(_conditions(tree, rows))
        on_resource = [
            Condition(column, c.operator, c.keys, c.param, c.value)
            for c in conditions
            if (column := rows.columns[c.column].resource_column)
        ]
        found = routes(rows.declared, on_resource, fragment.keysets)
        usable = tuple(route for route in found if route.is_bound)
        if not usable and fragment.is_scan:
            usable = found
        if not usable:
            raise RequestError(
                f"{table.name} of {self.source} can only be asked by "
                + (" or ".join(_ways(rows)) or "a scan"),
                code="RV117",
                hint="bind one of these columns, or allow a scan",
            )
        return RestCall(
            rows=rows,
            routes=usable,
            columns=columns,
            conditions=conditions,
            fields=_fields(rows, columns, conditions),
            keysets=fragment.keysets,
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
            raise SourceError(
                self.source, f"{self.source} did not answer in time", code="RV401"
            ) from None

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns the tables as the catalog declares them: an API says nothing of itself."""
        return self._tables

    async def prove_read_only(self) -> str:
        """Returns why nothing can be written."""
        return "only GET is sent"

    def explain(self, call: RestCall) -> str:
        """Returns the calls that may be made, without values."""
        return "\nor ".join(_explained(route, self._base) for route in call.routes)

    async def close(self) -> None:
        """Closes every connection."""
        await self._port.close()

    async def _rows(self, call: RestCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        route, keys = self._chosen(call, params)
        calls = list(route.calls(keys, params))
        if len(calls) > self._limits.calls:
            raise SourceError(
                self.source,
                f"{self.source} would need {len(calls)} calls, limits.calls is"
                f" {self._limits.calls}",
                code="RV405",
                retryable=False,
            )
        reader = ListReader(
            source=self.source,
            fetch=self._fetch,
            limits=self._limits,
            table=call.rows.declared,
            base=self._base,
            fields=call.fields,
            key=tuple(
                call.rows.declared.columns[column].path or column
                for column in call.rows.declared.key
            ),
            most=call.row_cap + 1,
            is_view=not call.is_scan,
        )
        meter = Meter()
        if len(calls) == 1:
            lists = [await reader.rows(calls[0], route.rows, deadline, meter)]
        else:
            lists = await together(reader.rows(c, route.rows, deadline, meter) for c in calls)
        rows: list[tuple[Any, ...]] = []
        dropped = 0
        is_truncated = False
        for one, (found, is_cut) in zip(calls, lists, strict=True):
            is_truncated |= is_cut
            try:
                kept, wrong = _kept(call, route, one, found, params)
            except _ForeignRowsError:
                raise SourceError(
                    self.source,
                    f"{self.source} answered with records that were not asked for",
                    code="RV403",
                    hint="check filters",
                ) from None
            dropped += wrong
            rows += kept
        is_truncated |= len(rows) > call.row_cap
        del rows[call.row_cap :]
        return Answer(rows, is_truncated=is_truncated, calls=meter.calls, dropped=dropped)

    def _chosen(self, call: RestCall, params: Mapping[str, Any]) -> tuple[Route, Sequence[Any]]:
        def cost(route: Route) -> tuple[bool, int, int]:
            name = route.keys or (call.keysets[0] if call.keysets else "")
            return route.cost(len(params[name]) if name else 0)

        route = min(call.routes, key=cost)
        return route, params[route.keys] if route.keys else ()


def _kept(
    call: RestCall, route: Route, one: Call, found: list[Any], params: Mapping[str, Any]
) -> tuple[list[tuple[Any, ...]], int]:
    """Returns the rows of one call that were asked for, and how many were not.

    Raises _ForeignRowsError where none was: an answer to another question is no empty one.
    """
    rows = call.rows.unfold(found)
    forms = normal_forms(route)
    dropped = 0
    for condition in call.conditions:
        value = _carrying(call.rows.columns[condition.column], one)
        form = forms.get(value.resource_column, "")
        if condition.keys:
            keys = one.keys if one.keys and condition.keys == route.keys else params[condition.keys]
            wanted = frozenset(normal(key, form) for key in keys)
            kept = [row for row in rows if _is_among(row, value, wanted, form)]
            if condition.keys == route.keys:
                if rows and not kept:
                    raise _ForeignRowsError
                dropped += len(rows) - len(kept)
        else:
            asked = normal(condition.asked(params), form)
            compare = _COMPARE[condition.operator]
            kept = [row for row in rows if _is_true(row, value, compare, asked, form)]
        rows = kept
    gets = [_carrying(call.rows.columns[column], one).get for column in call.columns]
    return [tuple([get(row) for get in gets]) for row in rows], dropped


def _carrying(value: ColumnValue, one: Call) -> ColumnValue:
    """Returns a column that has the path's value where the answer lacks it."""
    if value.resource_column not in one.carried:
        return value
    carried = one.carried[value.resource_column]
    get = value.get

    def found(row: Any) -> Any:
        own = get(row)
        return carried if own is None else own

    return ColumnValue(found, value.decode, value.resource_column)


def _is_among(row: Any, value: ColumnValue, wanted: frozenset[Any], form: str) -> bool:
    try:
        return normal(value.decode(value.get(row)), form) in wanted
    except (ValueError, TypeError):
        return False


def _is_true(
    row: Any, value: ColumnValue, compare: Callable[[Any, Any], Any], asked: Any, form: str
) -> bool:
    try:
        own = normal(value.decode(value.get(row)), form)
        return own is not None and asked is not None and bool(compare(own, asked))
    except (ValueError, TypeError):
        return False


def _conditions(tree: exp.Select, rows: RestRows) -> Iterator[Condition]:
    where = tree.args.get("where")
    waiting = [where.this] if where is not None else []
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, exp.And):
            waiting[:0] = [node.left, node.right]
            continue
        if isinstance(node, exp.Paren):
            waiting.insert(0, node.this)
            continue
        operator = type(node).__name__
        if operator not in _COMPARE:
            raise RequestError(f"{rows.name} cannot be filtered like this", code="RV103")
        column = _column(node.this, rows)
        found = keyset_of(node)
        right = node.expression
        if found is not None:
            yield Condition(column, "EQ", keys=found[1])
        elif isinstance(right, exp.Placeholder):
            yield Condition(column, operator, param=right.name)
        elif isinstance(right, exp.Literal | exp.Boolean | exp.Neg):
            yield Condition(column, operator, value=right.to_py())
        else:
            raise RequestError(f"{rows.name} cannot be filtered like this", code="RV103")


def _column(node: exp.Expr, rows: RestRows) -> str:
    column = node.this if isinstance(node, exp.Alias) else node
    if not isinstance(column, exp.Column):
        raise RequestError(f"{rows.name} gives plain columns only", code="RV103")
    if column.name not in rows.columns:
        raise RequestError(f"{rows.name} has no column {column.name}", code="RV102")
    return column.name


def _fields(
    rows: RestRows, columns: Sequence[str], conditions: Sequence[Condition]
) -> frozenset[str]:
    """Returns the names of what is needed of each row; none for all, or if none can be named."""
    if rows.declared.fields is None:
        return frozenset()
    needed: set[str] = set()
    for name in (*columns, *(condition.column for condition in conditions)):
        needed |= rows.needs[name]
    for name in rows.declared.key:
        needed.add(root_of(rows.declared.columns[name].path or name))
    return frozenset(needed) if all(needed) else frozenset()


def _ways(rows: RestRows) -> Iterator[str]:
    for access in rows.declared.get:
        if access.columns:
            yield " and ".join(access.columns)
    for column, offered in rows.declared.filters.items():
        if "eq" in offered or "in" in offered:
            yield column


def _explained(route: Route, base: str) -> str:
    sent = "&".join(f"{one.filter.send}={{{one.condition.column}}}" for one in route.sent)
    text = f"GET {base}{route.access.path}" + (f"?{sent}" if sent else "")
    if route.per_call > 1:
        return f"{text} ({route.per_call} keys a call)"
    return f"{text} (one key a call)" if route.per_call else text


def _origin(source: Source, env: Mapping[str, str]) -> tuple[Origin, str]:
    text = connections.text(source, "base_url", env)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise connections.refused(source, "connection.base_url cannot be read") from None
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise connections.refused(
            source,
            "connection.base_url is not scheme, host and path",
            "http(s)://host[:port]/path without user, query or fragment",
        )
    base = parts.path.rstrip("/")
    if not base.isascii() or any(part in (".", "..") for part in base.split("/")):
        raise connections.refused(source, "the path of connection.base_url is not a plain one")
    number = port or (443 if parts.scheme == "https" else 80)
    return Origin(parts.scheme, parts.hostname, number), base


def _authorization(source: Source, env: Mapping[str, str]) -> Mapping[str, str]:
    auth = source.connection.get("auth")
    if auth is None:
        return {}

    def secret(value: Any) -> str:
        text = resolve(str(value), env, file=source.position.file)
        if not text or not text.isascii() or not text.isprintable():
            raise connections.refused(source, "a secret of connection.auth is no header text")
        return text

    if isinstance(auth, Mapping) and len(auth) == 1:
        way, value = next(iter(auth.items()))
        if way == "bearer":
            return {"Authorization": f"Bearer {secret(value)}"}
        if way == "basic" and isinstance(value, Mapping):
            pair = f"{secret(value.get('user', ''))}:{secret(value.get('password', ''))}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        if way == "header" and isinstance(value, Mapping):
            return {str(name): secret(text) for name, text in value.items()}
    raise connections.refused(
        source, "connection.auth is not understood", "bearer, basic: {user, password} or header"
    )
