"""Decides how a Python program asks: one connection, with or without `await`."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from roundview.async_client import AsyncConnection, Record

if TYPE_CHECKING:
    from roundview.sql.answers import AsyncSqlAnswer, SqlAnswer
    from roundview.view import CustomerView
    from roundview_catalog.model import Catalog
    from roundview_federation.federation import Federation
    from roundview_federation.plan import Identifier
    from roundview_federation.refresh import Progress, Refreshed
    from roundview_federation.reveal import Revealed
    from roundview_federation.snapshot import SourceState
    from roundview_federation.sql.explanation import Explanation as SqlExplanation
    from roundview_identity.explain import Explanation

T = TypeVar("T")

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
    catalog: Path | str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Federation:
    """Opens the federation of a catalog folder with the files that lie beside it.

    `processes` tells how many serve it and share the limits of its sources.
    """
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
        processes=processes,
        audit=audit_place(place),
    )


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
        reason: str = "",
        emergency: bool = False,
        **identifier: str,
    ) -> CustomerView | None:
        """Finds a customer by one identifier; see `AsyncConnection.customer`."""
        return self._wait(
            self._inner.customer(
                first=first,
                timeout_seconds=timeout_seconds,
                purpose=purpose,
                reason=reason,
                emergency=emergency,
                **identifier,
            )
        )

    def find(
        self,
        identifier: Identifier,
        *,
        first: int = 20,
        purpose: str = "",
        reason: str = "",
        emergency: bool = False,
    ) -> CustomerView | None:
        """Does what `customer` does, for an identifier whose kind is data."""
        return self._wait(
            self._inner.find(
                identifier, first=first, purpose=purpose, reason=reason, emergency=emergency
            )
        )

    def reveal(
        self, field: str, *, reason: str, purpose: str = "", **identifier: str
    ) -> Revealed | None:
        """Shows one masked field of one customer for a reason; see `AsyncConnection.reveal`."""
        return self._wait(self._inner.reveal(field, reason=reason, purpose=purpose, **identifier))

    def reveal_of(
        self, identifier: Identifier, field: str, *, reason: str, purpose: str = ""
    ) -> Revealed | None:
        """Does what `reveal` does, for an identifier whose kind is data."""
        return self._wait(self._inner.reveal_of(identifier, field, reason=reason, purpose=purpose))

    def relations(self, purpose: str = "", *, emergency: bool = False) -> dict[str, dict[str, str]]:
        """Returns what can be asked in SQL: relation -> column -> PostgreSQL's type."""
        return self._wait(self._inner.relations(purpose, emergency=emergency))

    def sql(
        self,
        text: str,
        *,
        engine: str = "auto",
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
        reason: str = "",
        emergency: bool = False,
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
                reason=reason,
                emergency=emergency,
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
        engine: str = "auto",
        allow_scan: bool = False,
        partial: bool = False,
        timeout_seconds: float | None = None,
        purpose: str = "",
        reason: str = "",
        emergency: bool = False,
    ) -> SqlExplanation:
        """Says how one SELECT is answered; see `AsyncConnection.explain_sql`."""
        return self._wait(
            self._inner.explain_sql(
                text,
                analyze=analyze,
                engine=engine,
                allow_scan=allow_scan,
                partial=partial,
                timeout_seconds=timeout_seconds,
                purpose=purpose,
                reason=reason,
                emergency=emergency,
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
