"""Decides how a Python program asks: one connection, with or without `await`."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from roundview.sql.answers import AsyncSqlAnswer, SqlAnswer
    from roundview.view import CustomerView
    from roundview_catalog.model import Catalog
    from roundview_federation.federation import Federation
    from roundview_federation.plan import Identifier
    from roundview_federation.refresh import Progress, Refreshed
    from roundview_federation.request import Principal, Request
    from roundview_federation.snapshot import SourceState
    from roundview_federation.sql.explanation import Explanation as SqlExplanation
    from roundview_identity.explain import Explanation

T = TypeVar("T")
Record = tuple[str, str]

_CANCEL_SECONDS = 10.0


def connect(
    catalog: Path | str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    token: str | None = None,
) -> Connection:
    """Opens a catalog folder for plain calls; no source is asked yet.

    `env` adds values for the catalog's `${env:…}`. `token` is the access token or API key of who
    asks (default: the setting ROUNDVIEW_TOKEN). Raises CatalogError with every problem.

    >>> with connect(".demo/catalog") as rv:  # doctest: +SKIP
    ...     view = rv.customer(phone="0171 234 567")
    """
    return Connection(connect_async(catalog, env=env, token=token))


def connect_async(
    catalog: Path | str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    token: str | None = None,
) -> AsyncConnection:
    """Opens a catalog folder for `await`; otherwise like `connect`."""
    from roundview.settings import token_of

    return AsyncConnection(open_federation(catalog, env=env), token_of(token))


def open_federation(
    catalog: Path | str | None = None, *, env: Mapping[str, str] | None = None
) -> Federation:
    """Opens the federation of a catalog folder with the files that lie beside it."""
    # Imported here: `import roundview` and the command line's help need none of it.
    from roundview.auditing import audit_place
    from roundview.settings import find_workspace
    from roundview_federation.federation import Federation

    place = find_workspace(catalog)
    return Federation.open(
        place.catalog,
        data_dir=place.data_dir,
        secret=place.secret_file,
        env={**place.env, **(env or {})},
        audit=audit_place(place),
    )


class AsyncConnection:
    """An open catalog for asynchronous programs; close it, or use `async with`."""

    def __init__(self, federation: Federation, token: str | None = None) -> None:
        self.federation = federation
        self._token = token

    @property
    def catalog(self) -> Catalog:
        """Returns the catalog in use."""
        return self.federation.catalog

    async def customer(
        self,
        *,
        first: int = 20,
        timeout_seconds: float | None = None,
        purpose: str = "",
        **identifier: str,
    ) -> CustomerView | None:
        """Finds a customer by one identifier and returns everything known of them, live.

        `first` records of each list are read. Returns None for an unknown identifier; raises
        RequestError for an impossible one and IdentityError (with
        `extensions["candidates"]`) where it leads to several customers. Sources that fail
        are named in the view.
        """
        from roundview_catalog.errors import RequestError
        from roundview_federation.plan import Identifier

        if len(identifier) != 1:
            kinds = ", ".join(self.catalog.canonical.identifiers)
            raise RequestError("name exactly one identifier", code="RV101", hint=f"one of {kinds}")
        ((kind, value),) = identifier.items()
        return await self.find(
            Identifier(kind, value), first=first, timeout_seconds=timeout_seconds, purpose=purpose
        )

    async def find(
        self,
        identifier: Identifier,
        *,
        first: int = 20,
        timeout_seconds: float | None = None,
        purpose: str = "",
    ) -> CustomerView | None:
        """Does what `customer` does, for an identifier whose kind is data."""
        from roundview.view import view_of

        request = await self._request(purpose, timeout_seconds)
        return view_of(*await self.federation.customer(identifier, request, first=first))

    async def relations(self, purpose: str = "") -> dict[str, dict[str, str]]:
        """Returns what can be asked in SQL: relation -> column -> PostgreSQL's type."""
        from roundview_federation.dialect.types import of_column
        from roundview_federation.sql.relations import visible

        decision = self.federation.decide(await self._principal(), purpose)
        schema = visible(self.catalog, decision)
        return {
            relation: {column: str(of_column(type_)) for column, type_ in columns.items()}
            for relation, columns in schema.items()
        }

    async def sql(
        self,
        text: str,
        *,
        engine: str = "auto",
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
    ) -> AsyncSqlAnswer:
        """Answers one SELECT over the canonical schema; read the answer, or close it.

        `engine` is auto, direct (refused where an engine is needed) or embedded. `allow_scan`
        reads more of a source than its limits say; `partial` answers without the sources that
        fail and names them. Raises RequestError with `extensions["position"]` for what cannot be
        asked, SourceError where a source failed, EngineError where finishing did.
        """
        from roundview.sql.answers import AsyncSqlAnswer

        request = await self._request(
            purpose, timeout_seconds, allow_scan=allow_scan, partial=partial
        )
        return AsyncSqlAnswer(await self.federation.sql(text, request, engine=engine))

    async def explain_sql(
        self,
        text: str,
        *,
        analyze: bool = False,
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
    ) -> SqlExplanation:
        """Says how one SELECT is answered; with `analyze` it is answered, its rows dropped."""
        request = await self._request(
            purpose, timeout_seconds, allow_scan=allow_scan, partial=partial
        )
        return await self.federation.explain_sql(text, request, analyze=analyze)

    async def sources(self) -> tuple[SourceState, ...]:
        """Returns whether each source may be asked, proved now."""
        return await self.federation.states()

    async def refresh_identity(self, *sources: str, progress: Progress | None = None) -> Refreshed:
        """Reads the key columns of some sources (default: all) and links their records."""
        from roundview_federation.refresh import refresh_identity

        return await refresh_identity(self.federation, sources or None, progress)

    async def known_records(self, identifier: Identifier) -> dict[str, tuple[tuple[str, str], ...]]:
        """Returns customer_id -> (source, source_key) of the records that the identity store
        knows by an identifier; no source is asked."""
        from roundview_catalog.errors import RequestError

        kind = self.catalog.canonical.identifiers.get(identifier.kind)
        if kind is not None and kind.is_live:
            raise RequestError(
                f"{kind.name} is looked up in its source",
                code="RV103",
                hint="roundview customer finds it",
            )
        xref = self.federation.xref
        forms = self.federation.normalized(identifier)
        if identifier.kind == "customer_id":
            ids = [known for form in forms if (known := xref.resolve_id(form)) is not None]
        else:
            ids = [one for form in forms for one in xref.lookup(identifier.kind, form)]
        return {one: xref.members(one) for one in ids}

    async def explain(self, first: Record, second: Record) -> Explanation:
        """Says why two records, as (source, source_key), are or are not one customer.

        Told from the identity store: no source is asked.
        """
        from roundview_identity.explain import explain

        return explain(self.federation.xref, first, second, self.federation.rules())

    async def close(self) -> None:
        """Closes every source and the identity store."""
        await self.federation.close()

    async def _request(
        self,
        purpose: str,
        timeout_seconds: float | None,
        allow_scan: bool = False,
        partial: bool = False,
    ) -> Request:
        from roundview_federation.request import Request

        who = await self._principal()
        return Request(who, purpose, timeout_seconds, allow_scan=allow_scan, is_partial=partial)

    async def _principal(self) -> Principal:
        # Asked for every question: a token or key may have ended meanwhile.
        return await self.federation.authenticate(self._token, is_local=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Connection:
    """An open catalog for plain programs; close it, or use `with`.

    Calls run on an event loop in a thread of their own, so that they work where a loop is
    already running (notebooks), and may come from several threads.
    """

    def __init__(self, inner: AsyncConnection) -> None:
        self._inner = inner
        self._answers: weakref.WeakSet[AsyncSqlAnswer] = weakref.WeakSet()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="roundview", daemon=True
        )
        self._thread.start()

    @property
    def catalog(self) -> Catalog:
        """Returns the catalog in use."""
        return self._inner.catalog

    def customer(
        self,
        *,
        first: int = 20,
        timeout_seconds: float | None = None,
        purpose: str = "",
        **identifier: str,
    ) -> CustomerView | None:
        """Finds a customer by one identifier; see `AsyncConnection.customer`."""
        return self._wait(
            self._inner.customer(
                first=first, timeout_seconds=timeout_seconds, purpose=purpose, **identifier
            )
        )

    def find(self, identifier: Identifier, *, first: int = 20) -> CustomerView | None:
        """Does what `customer` does, for an identifier whose kind is data."""
        return self._wait(self._inner.find(identifier, first=first))

    def relations(self) -> dict[str, dict[str, str]]:
        """Returns what can be asked in SQL: relation -> column -> PostgreSQL's type."""
        return self._wait(self._inner.relations())

    def sql(
        self,
        text: str,
        *,
        engine: str = "auto",
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
    ) -> SqlAnswer:
        """Answers one SELECT over the canonical schema; see `AsyncConnection.sql`.

        >>> rv.sql("SELECT count(*) FROM sales_order").rows()  # doctest: +SKIP
        [(1163,)]
        """
        from roundview.sql.answers import SqlAnswer

        inner = self._wait(
            self._inner.sql(
                text,
                engine=engine,
                allow_scan=allow_scan,
                partial=partial,
                timeout_seconds=timeout_seconds,
                purpose=purpose,
            )
        )
        self._answers.add(inner)
        answer = SqlAnswer(inner, self._wait)
        # Nobody can read what is forgotten: its engine is free for others then.
        weakref.finalize(answer, self._forget, inner).atexit = False
        return answer

    def explain_sql(
        self,
        text: str,
        *,
        analyze: bool = False,
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
    ) -> SqlExplanation:
        """Says how one SELECT is answered; see `AsyncConnection.explain_sql`."""
        return self._wait(
            self._inner.explain_sql(
                text,
                analyze=analyze,
                allow_scan=allow_scan,
                partial=partial,
                timeout_seconds=timeout_seconds,
                purpose=purpose,
            )
        )

    def sources(self) -> tuple[SourceState, ...]:
        """Returns whether each source may be asked, proved now."""
        return self._wait(self._inner.sources())

    def refresh_identity(self, *sources: str, progress: Progress | None = None) -> Refreshed:
        """Reads the key columns of some sources (default: all) and links their records."""
        return self._wait(self._inner.refresh_identity(*sources, progress=progress))

    def known_records(self, identifier: Identifier) -> dict[str, tuple[tuple[str, str], ...]]:
        """Returns the records that the identity store knows; see `AsyncConnection`."""
        return self._wait(self._inner.known_records(identifier))

    def explain(self, first: Record, second: Record) -> Explanation:
        """Says why two records are or are not one customer; see `AsyncConnection.explain`."""
        return self._wait(self._inner.explain(first, second))

    def close(self) -> None:
        """Closes every source and the identity store."""
        if self._loop.is_closed():
            return
        for answer in tuple(self._answers):
            self._wait(answer.close())
        self._wait(self._inner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work on the loop; an interrupt cancels it and waits until it ended."""
        ended = threading.Event()

        async def run() -> T:
            try:
                return await work
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            ended.wait(_CANCEL_SECONDS)
            raise

    def _forget(self, answer: AsyncSqlAnswer) -> None:
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(answer.close(), self._loop)
