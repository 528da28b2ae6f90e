"""Decides how one document is fetched: rate, gate, retries, revalidation, what errors mean."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final

import orjson
from cachetools import LRUCache

from roundview_catalog.model import Limits
from roundview_catalog.tables import FailWhen, RestTable, RetryAfter
from roundview_federation.connectors.http_port import HttpAnswer, HttpError, HttpPort
from roundview_federation.connectors.rest.authorization import Authorization
from roundview_federation.connectors.rest.failures import broken, failed, refused
from roundview_federation.connectors.rest.values import getter
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.resilience.rate import BusyError, RateLimit

_OURS: Final = MappingProxyType({"Accept": "application/json", "User-Agent": "roundview"})
_TRANSIENT: Final = (429, 502, 503, 504)
_MOST_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.05
_CACHE_BYTES: Final = 4 * 1024 * 1024
_LARGEST_CACHED: Final = 256 * 1024


@dataclass(slots=True)
class Meter:
    """Counts what one question costs."""

    calls: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """One document and the Link header beside it."""

    document: Any
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: str
    body: bytes
    link: str


class Fetch:
    """Fetches documents of one source; shared by all its questions.

    Bodies are kept in memory only, to be sent again by a 304; nothing is served without
    asking the source.
    """

    def __init__(
        self, source: str, port: HttpPort, limits: Limits, authorization: Authorization
    ) -> None:
        self._source = source
        self._port = port
        self._limits = limits
        self._authorization = authorization
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._rate = RateLimit(limits.rate_per_second, limits.reserve_for_views)
        self._kept: LRUCache[tuple[str, str], _Kept] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda kept: len(kept.body)
        )

    async def document(
        self,
        target: str,
        body: bytes,
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> Fetched | None:
        """Returns the JSON at a target, None where there is nothing; raises SourceError.

        With a body it is asked for by POST.
        """
        kept = await self._kept_or_new(
            target, body, table, deadline, meter, is_view=is_view, may_be_absent=may_be_absent
        )
        if kept is None:
            return None
        try:
            document = orjson.loads(kept.body)
        except orjson.JSONDecodeError:
            what = "answered with something that is not JSON"
            raise failed(self._source, what, "RV403") from None
        if table.fail_when is not None and _says_failed(document, table.fail_when):
            raise failed(self._source, "says that it failed", "RV400")
        return Fetched(document, kept.link)

    async def _kept_or_new(
        self,
        target: str,
        body: bytes,
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> _Kept | None:
        name = (target, str(sorted(table.headers.items())))
        kept = None if body else self._kept.get(name)
        headers = {**table.headers, **_OURS}
        if kept is not None:
            headers["If-None-Match"] = kept.etag
        if body:
            headers["Content-Type"] = "application/json"
        for attempt in range(_MOST_TRIES):
            answer = await self._authorized(target, body, headers, deadline, meter, is_view=is_view)
            if answer.status not in _TRANSIENT:
                break
            pause = retry_seconds(answer.headers, table.retry_after)
            if answer.status == 429 or pause is not None:
                self._rate.close_for(pause if pause is not None else _pause(attempt))
            else:
                pause = _pause(attempt)
                if pause < deadline.left:
                    await asyncio.sleep(pause)
            if attempt + 1 == _MOST_TRIES or (pause or 0.0) >= deadline.left:
                raise refused(self._source, answer.status)
        if answer.status == 304 and kept is not None:
            return kept
        if may_be_absent and (answer.status == 404 or answer.status in table.absent):
            return None
        if answer.status != 200:
            raise refused(self._source, answer.status)
        if not _is_json(answer.headers.get("content-type", "")):
            raise failed(self._source, "answered with something that is not JSON", "RV403")
        meter.bytes += len(answer.body)
        etag = answer.headers.get("etag", "")
        new = _Kept(etag, answer.body, answer.headers.get("link", ""))
        if etag and not body and len(answer.body) <= _LARGEST_CACHED:
            self._kept[name] = new
        return new

    async def _authorized(
        self,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
    ) -> HttpAnswer:
        """Returns the answer; what is refused is asked once more if it can be proven anew."""
        proof = await self._authorization.headers()
        sent = {**headers, **proof}
        answer = await self._answer(target, body, sent, deadline, meter, is_view=is_view)
        if answer.status != 401 or not self._authorization.renew(proof):
            return answer
        sent = {**headers, **await self._authorization.headers()}
        return await self._answer(target, body, sent, deadline, meter, is_view=is_view)

    async def _answer(
        self,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
    ) -> HttpAnswer:
        async with self._slots:
            try:
                await self._rate.admit(deadline, is_view=is_view)
            except BusyError:
                what = "is busy: its rate limit leaves no time"
                raise failed(self._source, what, "RV406") from None
            meter.calls += 1
            try:
                return await self._sent(target, body, headers)
            except HttpError as error:
                if not error.is_stale_connection:
                    raise broken(self._source, error) from None
            try:
                # The server closed a kept connection just as it was used again.
                return await self._sent(target, body, headers)
            except HttpError as error:
                raise broken(self._source, error) from None

    async def _sent(self, target: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        if body:
            return await self._port.post(target, headers, self._limits.bytes, body)
        return await self._port.get(target, headers, self._limits.bytes)


def retry_seconds(headers: Mapping[str, str], declared: RetryAfter) -> float | None:
    """Returns how long a busy source asks us to wait, None where it does not say.

    >>> retry_seconds({"retry-after": "3"}, RetryAfter())
    3.0
    """
    text = headers.get(declared.header.lower(), "").strip()
    if not text:
        return None
    form = declared.format
    try:
        if form in ("seconds", "auto") and text.replace(".", "", 1).isdecimal():
            return float(text)
        if form in ("epoch_s", "epoch_ms"):
            moment = float(text) / (1000 if form == "epoch_ms" else 1)
            return max(0.0, moment - time.time())
        if form in ("http_date", "auto"):
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
    return None


def _pause(attempt: int) -> float:
    longest = _FIRST_PAUSE_SECONDS * 2.0**attempt
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads retries, keeps no secret


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _says_failed(document: Any, declared: FailWhen) -> bool:
    found = getter(declared.path)(document)
    return bool(found == declared.equals and type(found) is type(declared.equals))
