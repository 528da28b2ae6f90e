"""Decides how an asynchronous Python program asks: one connection, each question a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from roundview.sql.answers import AsyncSqlAnswer
    from roundview.view import CustomerView
    from roundview_catalog.model import Catalog
    from roundview_federation.federation import Federation
    from roundview_federation.plan import Identifier
    from roundview_federation.refresh import Progress, Refreshed
    from roundview_federation.request import Principal, Request
    from roundview_federation.reveal import Revealed
    from roundview_federation.snapshot import SourceState
    from roundview_federation.sql.explanation import Explanation as SqlExplanation
    from roundview_identity.explain import Explanation

Record = tuple[str, str]


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
        reason: str = "",
        emergency: bool = False,
        **identifier: str,
    ) -> CustomerView | None:
        """Finds a customer by one identifier and returns everything known of them, live.

        `first` records of each list are read. `purpose` says what it is for (default: the asker's
        own); `emergency` breaks the glass, which needs a `reason` and raises an alarm. Returns None
        for an unknown identifier; raises
        RequestError for an impossible one and IdentityError (with
        `extensions["candidates"]`) where it leads to several customers. Sources that fail
        are named in the view.
        """
        return await self.find(
            self._identifier(identifier),
            first=first,
            timeout_seconds=timeout_seconds,
            purpose=purpose,
            reason=reason,
            emergency=emergency,
        )

    async def find(
        self,
        identifier: Identifier,
        *,
        first: int = 20,
        timeout_seconds: float | None = None,
        purpose: str = "",
        reason: str = "",
        emergency: bool = False,
    ) -> CustomerView | None:
        """Does what `customer` does, for an identifier whose kind is data."""
        from roundview.view import view_of

        request = await self._request(purpose, timeout_seconds, reason=reason, emergency=emergency)
        return view_of(*await self.federation.customer(identifier, request, first=first))

    async def reveal(
        self, field: str, *, reason: str, purpose: str = "", **identifier: str
    ) -> Revealed | None:
        """Shows one masked field of one customer's records, for a reason that is kept on record.

        `field` is ENTITY.FIELD. Hide the values again at `expires_at`. Returns None for an unknown
        identifier; raises AccessError where the asker may not, or says no reason.
        """
        return await self.reveal_of(
            self._identifier(identifier), field, reason=reason, purpose=purpose
        )

    async def reveal_of(
        self, identifier: Identifier, field: str, *, reason: str, purpose: str = ""
    ) -> Revealed | None:
        """Does what `reveal` does, for an identifier whose kind is data."""
        from roundview_federation.reveal import place_of, reveal

        request = await self._request(purpose, None, reason=reason)
        return await reveal(self.federation, identifier, place_of(field), request)

    async def relations(
        self, purpose: str = "", *, emergency: bool = False
    ) -> dict[str, dict[str, str]]:
        """Returns what can be asked in SQL: relation -> column -> PostgreSQL's type."""
        from roundview_federation.dialect.types import of_column
        from roundview_federation.sql.relations import visible

        decision = self.federation.decide(await self._principal(), purpose, is_emergency=emergency)
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
        reason: str = "",
        emergency: bool = False,
    ) -> AsyncSqlAnswer:
        """Answers one SELECT over the canonical schema; read the answer, or close it.

        `engine` is auto, direct (refused where one is needed), embedded or trino. `allow_scan`
        reads more of a source than its limits say; `partial` answers without the sources that
        fail and names them. Raises RequestError with `extensions["position"]` for what cannot be
        asked, SourceError where a source failed, EngineError where finishing did.
        """
        from roundview.sql.answers import AsyncSqlAnswer

        request = await self._request(
            purpose,
            timeout_seconds,
            allow_scan=allow_scan,
            partial=partial,
            reason=reason,
            emergency=emergency,
        )
        return AsyncSqlAnswer(await self.federation.sql(text, request, engine=engine))

    async def explain_sql(
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
        """Says how one SELECT is answered; with `analyze` it is answered, its rows dropped."""
        request = await self._request(
            purpose,
            timeout_seconds,
            allow_scan=allow_scan,
            partial=partial,
            reason=reason,
            emergency=emergency,
        )
        return await self.federation.explain_sql(text, request, analyze=analyze, engine=engine)

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

    def _identifier(self, named: Mapping[str, str]) -> Identifier:
        from roundview_catalog.errors import RequestError
        from roundview_federation.plan import Identifier

        if len(named) != 1:
            kinds = ", ".join(self.catalog.canonical.identifiers)
            raise RequestError("name exactly one identifier", code="RV101", hint=f"one of {kinds}")
        ((kind, value),) = named.items()
        return Identifier(kind, value)

    async def _request(
        self,
        purpose: str,
        timeout_seconds: float | None,
        *,
        allow_scan: bool = False,
        partial: bool = False,
        reason: str = "",
        emergency: bool = False,
    ) -> Request:
        from roundview_federation.request import Request

        return Request(
            await self._principal(),
            purpose,
            timeout_seconds,
            allow_scan=allow_scan,
            is_partial=partial,
            reason=reason,
            is_emergency=emergency,
        )

    async def _principal(self) -> Principal:
        # Asked for every question: a token or key may have ended meanwhile.
        return await self.federation.authenticate(self._token, is_local=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
