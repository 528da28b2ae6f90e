"""Runs one statement on Trino as a stream of batches, and ends it there when it must end."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from uuid import uuid4

import pyarrow as pa
import requests
from requests.adapters import HTTPAdapter
from trino.auth import BasicAuthentication
from trino.client import ClientSession, TrinoRequest
from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

from roundview_federation.dialect.types import PgType
from roundview_federation.engines.failures import too_late
from roundview_federation.engines.trino.columns import batch_of, schema_of
from roundview_federation.engines.trino.failures import refused, reported, unreachable
from roundview_federation.engines.trino.settings import TrinoSettings
from roundview_federation.resilience.deadline import Deadline

_MOST_AT_ONCE = 16
_CONNECT_SECONDS, _READ_SECONDS = 3.0, 30.0
_SPARE_SECONDS = 0.5
"""What Trino has above our own deadline, so that the error is ours."""
_REFUSALS = ("401", "403")
_Result = TypeVar("_Result")


class TrinoEngine:
    """Asks one Trino; answers of several questions come side by side."""

    def __init__(self, settings: TrinoSettings) -> None:
        self.settings = settings
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="trino")
        self._http = requests.Session()
        self._http.mount("http://", HTTPAdapter(pool_maxsize=2 * _MOST_AT_ONCE))
        self._http.mount("https://", HTTPAdapter(pool_maxsize=2 * _MOST_AT_ONCE))
        self._http.verify = settings.ca or True
        # Neither the machine's proxies nor its .netrc speak for us.
        self._http.trust_env = False

    async def stream(
        self,
        text: str,
        types: Sequence[PgType],
        deadline: Deadline,
        *,
        properties: Mapping[str, str] | None = None,
        tags: Sequence[str] = (),
        trace: str = "",
    ) -> Answer:
        """Returns the answer to one SELECT once Trino has taken it.

        `types` are those of the columns, `properties` those of the session, `trace` a token that
        sources may log. Raises EngineError RV501-RV506, RequestError for what the values of the
        question or Trino's own means make impossible.
        """
        schema = schema_of(types)
        session = ClientSession(
            user=self.settings.user,
            source="roundview",
            properties={
                "query_max_run_time": f"{(deadline.left + _SPARE_SECONDS) * 1000:.0f}ms",
                **(properties or {}),
            },
            client_tags=["roundview", *tags],
            headers={"X-Trino-Trace-Token": trace or uuid4().hex},
            timezone="UTC",
        )
        settings = self.settings
        request = TrinoRequest(
            host=settings.host,
            port=settings.port,
            client_session=session,
            http_session=self._session(),
            http_scheme=settings.scheme,
            auth=BasicAuthentication(settings.user, settings.password)
            if settings.password
            else None,
            max_attempts=1,
            request_timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )
        answer = Answer(self, request, schema, deadline)
        await answer.begin(text)
        return answer

    async def call(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Runs a blocking call in a thread of the engine's own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *arguments))

    async def close(self) -> None:
        """Frees connections and threads."""
        self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _session(self) -> requests.Session:
        """Returns a session of its own headers over the shared connections."""
        made = requests.Session()
        made.adapters = self._http.adapters
        made.verify, made.trust_env = self._http.verify, False
        return made


class Answer(AsyncIterator[pa.RecordBatch]):
    """The batches of one statement; ends in Trino when it is closed."""

    def __init__(
        self, engine: TrinoEngine, request: TrinoRequest, schema: pa.Schema, deadline: Deadline
    ) -> None:
        self.schema = schema
        self._engine = engine
        self._request = request
        self._deadline = deadline
        self.rows_read = self.bytes_read = 0
        """what Trino says that it has read of its sources so far"""
        self._next = ""
        self._batch: pa.RecordBatch | None = None
        self._is_over = False

    async def begin(self, text: str) -> None:
        """Sends the statement and waits until it has an answer, or failed."""
        await self._ask(self._request.post, text)

    async def __anext__(self) -> pa.RecordBatch:
        if self._batch is None and self._next:
            await self._ask(self._request.get, self._next)
        if self._batch is None:
            self._is_over = True
            raise StopAsyncIteration
        batch, self._batch = self._batch, None
        return batch

    async def aclose(self) -> None:
        """Ends the statement in Trino, and with it what it runs in sources."""
        if self._is_over:
            return
        # First of all: a thread that asks looks at it once it knows what to end.
        self._is_over = True
        where, self._next = self._next, ""
        if not where:
            return
        with suppress(requests.RequestException, RuntimeError):
            await asyncio.shield(self._engine.call(self._request.delete, where))

    async def _ask(self, send: Callable[[str], Any], what: str) -> None:
        work = asyncio.ensure_future(self._engine.call(self._until_rows, send, what))
        try:
            async with asyncio.timeout(self._deadline.left):
                await asyncio.shield(work)
        except TimeoutError:
            await self._abandon(work)
            raise too_late() from None
        except asyncio.CancelledError:
            await self._abandon(work)
            raise
        except TrinoQueryError as error:
            self._is_over = True
            raise reported(
                str(error.error_name), str(error.error_type), str(error.message)
            ) from None
        except HttpError as error:
            raise (
                refused() if any(sign in str(error) for sign in _REFUSALS) else unreachable()
            ) from None
        except (requests.RequestException, TrinoConnectionError, ValueError):
            raise unreachable() from None

    def _until_rows(self, send: Callable[[str], Any], what: str) -> None:
        """Asks until there are rows or no more of them, in one thread: each hop has its price."""
        while True:
            status = self._request.process(send(what))
            self._next = status.next_uri or ""
            read: Mapping[str, Any] = status.stats
            self.rows_read = int(read.get("processedRows") or 0)
            self.bytes_read = int(read.get("processedBytes") or 0)
            if self._is_over:
                # Trino named it only after nobody waited for it any more.
                if self._next:
                    self._request.delete(self._next)
                return
            rows = list(status.rows)
            if rows:
                self._batch = batch_of(rows, self.schema)
            if rows or not self._next:
                return
            send, what = self._request.get, self._next

    async def _abandon(self, work: asyncio.Future[None]) -> None:
        """Ends the statement while a thread may still ask for it."""
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        await self.aclose()
