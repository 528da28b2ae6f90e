"""Decides how one document is fetched: rate, gate, retries, revalidation, what errors mean."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from cachetools import LRUCache

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_catalog.tables import FailWhen, RestTable, RetryAfter
from roundview_federation.connectors.http_port import Failure, HttpAnswer, HttpError, HttpPort
from roundview_federation.connectors.rest.values import getter
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.resilience.rate import BusyError, RateLimit

ABSENT: Final = object()
"""What a path with a {column} answers where there is nothing."""

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
class _Kept:
    etag: str
    body: bytes


class Fetch:
    """Fetches documents of one source; shared by all its questions.

    Bodies are kept in memory only, to be sent again by a 304; nothing is served without
    asking the source.
    """

    def __init__(
        self, source: str, port: HttpPort, limits: Limits, headers: Mapping[str, str]
    ) -> None:
        self._source = source
        self._port = port
        self._limits = limits
        self._headers = {"Accept": "application/json", "User-Agent": "roundview", **headers}
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._rate = RateLimit(limits.rate_per_second, limits.reserve_for_views)
        self._kept: LRUCache[tuple[str, str], _Kept] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda kept: len(kept.body)
        )

    async def document(
        self,
        target: str,
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> Any:
        """Returns the JSON at a target, or ABSENT; raises SourceError."""
        body = await self._body(
            target, table, deadline, meter, is_view=is_view, may_be_absent=may_be_absent
        )
        if body is None:
            return ABSENT
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._failed("answered with something that is not JSON", "RV403") from None
        if table.fail_when is not None and _says_failed(document, table.fail_when):
            raise self._failed("says that it failed", "RV400")
        return document

    async def _body(
        self,
        target: str,
        table: RestTable,
        deadline: Deadline,
        meter: Meter,
        *,
        is_view: bool,
        may_be_absent: bool,
    ) -> bytes | None:
        name = (target, str(sorted(table.headers.items())))
        kept = self._kept.get(name)
        headers = {**table.headers, **self._headers}
        if kept is not None:
            headers["If-None-Match"] = kept.etag
        for attempt in range(_MOST_TRIES):
            answer = await self._answer(target, headers, deadline, meter, is_view=is_view)
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
                raise self._refused(answer.status)
        if answer.status == 304 and kept is not None:
            return kept.body
        if may_be_absent and (answer.status == 404 or answer.status in table.absent):
            return None
        if answer.status != 200:
            raise self._refused(answer.status)
        if not _is_json(answer.headers.get("content-type", "")):
            raise self._failed("answered with something that is not JSON", "RV403")
        meter.bytes += len(answer.body)
        etag = answer.headers.get("etag")
        if etag and len(answer.body) <= _LARGEST_CACHED:
            self._kept[name] = _Kept(etag, answer.body)
        return answer.body

    async def _answer(
        self,
        target: str,
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
                raise self._failed("is busy: its rate limit leaves no time", "RV406") from None
            meter.calls += 1
            try:
                return await self._port.get(target, headers, self._limits.bytes)
            except HttpError as error:
                if not error.is_stale_connection:
                    raise self._broken(error) from None
            try:
                # The server closed a kept connection just as it was used again.
                return await self._port.get(target, headers, self._limits.bytes)
            except HttpError as error:
                raise self._broken(error) from None

    def _broken(self, error: HttpError) -> SourceError:
        if error.failure is Failure.TOO_LARGE:
            return self._failed("sent more than limits.bytes", "RV405", "ask for fewer fields")
        if error.failure is Failure.GARBAGE:
            return self._failed("answered with something that is not HTTP", "RV403")
        if error.failure is Failure.FORBIDDEN_ADDRESS:
            return self._failed(
                "is at an address that is not allowed",
                "RV402",
                "private: true under connection allows loopback and private addresses",
                retryable=False,
            )
        if error.failure is Failure.CUT:
            return self._failed("broke off", "RV402")
        return self._failed("cannot be reached", "RV402")

    def _refused(self, status: int) -> SourceError:
        if status == 429:
            return self._failed("is busy: it asks to come back later", "RV406")
        if status in (401, 403):
            return self._failed(
                f"refuses us (status {status})", "RV404", "check connection.auth", retryable=False
            )
        if 300 <= status < 400:
            return self._failed(
                "sends us elsewhere, which is not followed", "RV403", "check base_url"
            )
        if status >= 500:
            return self._failed(f"failed (status {status})", "RV400")
        return self._failed(
            f"does not know this call (status {status})", "RV403", "check get and filters"
        )

    def _failed(
        self, what: str, code: str, hint: str = "", *, retryable: bool = True
    ) -> SourceError:
        return SourceError(
            self._source, f"{self._source} {what}", code=code, hint=hint, retryable=retryable
        )


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
