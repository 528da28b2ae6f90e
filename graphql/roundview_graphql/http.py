"""Decides how GraphQL travels over HTTP: one POST, persisted GETs, status codes, caps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote

import orjson
from fastapi import APIRouter
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response

from roundview_catalog.errors import AccessError, RequestError, RoundviewError
from roundview_federation.access.policy import purpose_of
from roundview_federation.access.principals import bearer, is_this_machine
from roundview_federation.request import OPEN_GRAPHQL, Principal, Request
from roundview_graphql.door import Answer, Answers, Ask, Documents, Door
from roundview_graphql.failures import shown
from roundview_graphql.limits import Limits

RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
_UTF8 = "; charset=utf-8"
_BODY_SECONDS = 10.0
_METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
_DOCUMENT_ID = re.compile(r"sha256:[0-9a-f]{64}")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Authorization",
}
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


class Served(Answers, Protocol):
    """A federation that knows its callers."""

    async def authenticate(
        self, credential: str | None, *, is_local: bool, address: str = ""
    ) -> Principal:
        """Returns who asks; raises AccessError for nobody who may."""


def graphql_app(
    federation: Served,
    documents: Documents | None = None,
    *,
    introspection: bool = True,
    limits: Limits | None = None,
    door: Door | None = None,
) -> APIRouter:
    """Returns the routes `/graphql` and `/graphql/schema`.

    `documents(request)` returns the operations that may be asked by id (`sha256:…` -> text).
    Mount it at the root: `app.include_router(graphql_app(federation))`. To make the schema before
    the first request, pass a `door` and await `door.prepare(principal)`.

    Follows "GraphQL over HTTP" (GraphQL Foundation, draft).
    """
    known = door or Door(
        federation, documents=documents, introspection=introspection, limits=limits
    )
    endpoint = _Endpoint(federation, known)
    router = APIRouter()
    # Every method comes here, so that the refusal of a wrong one is ours too.
    router.add_route("/graphql", endpoint.graphql, methods=list(_METHODS))
    router.add_route("/graphql/schema", endpoint.schema, methods=["GET"])
    return router


async def asker(http: HttpRequest, federation: Served) -> Principal:
    """Returns who sent a request; raises AccessError RV302 for nobody who is known, RV306 after too
    many attempts."""
    peer = http.client.host if http.client is not None else ""
    credential = bearer(http.headers.getlist("authorization"))
    is_local = is_this_machine(peer)
    return await federation.authenticate(credential, is_local=is_local, address=peer)


def asked(http: HttpRequest, principal: Principal) -> Request:
    """Returns what the headers of a request say of it: purpose, reason, whether it is an emergency.

    `Roundview-Reason` is percent-encoded UTF-8. Raises RequestError for what cannot be read.
    """
    told = http.headers
    try:
        reason = unquote(told.get("roundview-reason", ""), errors="strict")
    except UnicodeDecodeError:
        raise RequestError("Roundview-Reason is percent-encoded UTF-8") from None
    emergency = told.get("roundview-emergency", "false").lower()
    if emergency not in ("true", "false"):
        raise RequestError("Roundview-Emergency is true or false")
    purpose = told.get("roundview-purpose", "")
    return Request(principal, purpose, reason=reason, is_emergency=emergency == "true")


def challenge(error: RoundviewError, http: HttpRequest) -> dict[str, str]:
    """Returns the header that tells how, or when, to be let in (RFC 6750, RFC 9110)."""
    if error.code == "RV302":
        was_sent = "authorization" in http.headers
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if was_sent else "Bearer"}
    if error.code == "RV306":
        return {"Retry-After": str(error.extensions["retryAfter"])}
    if error.extensions.get("scope"):
        scope = error.extensions["scope"]
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
    return {}


def encode(body: Mapping[str, Any]) -> bytes:
    """Returns an answer as JSON; instants end in Z."""
    return orjson.dumps(body, option=_JSON_OPTIONS)


class _Endpoint:
    def __init__(self, federation: Served, door: Door) -> None:
        self._federation = federation
        self._door = door

    async def graphql(self, http: HttpRequest) -> Response:
        """Answers one GraphQL request."""
        media = _negotiated(http.headers.get("accept", ""))
        if media is None:
            return _text(406, f"this speaks {RESPONSE_JSON} and {PLAIN_JSON}")
        if http.method not in ("GET", "POST"):
            return _text(405, "send a POST", {"Allow": "GET, POST"})
        try:
            request = asked(http, await asker(http, self._federation))
            ask = (
                _from_query(http, self._door.limits)
                if http.method == "GET"
                else await self._from_body(http)
            )
            if not ask.document_id:
                _require_open(request.principal)
        except AccessError as error:
            refused = Answer({"errors": [shown(error)]}, error.row.http)
            return _json(refused, media, headers=challenge(error, http))
        except RequestError as error:
            status = 415 if error.extensions.get("media") else error.row.http
            error.extensions.pop("media", None)
            return _json(Answer({"errors": [shown(error)]}, status), media)
        except TimeoutError:
            return _text(408, "the body did not arrive in time")
        except ClientDisconnect:
            return _text(400, "the body is not whole")
        answer = await self._door.answer(ask, request)
        accepts = http.headers.get("accept", "")
        return _json(answer, media, wants_200=media == PLAIN_JSON and PLAIN_JSON in accepts)

    async def schema(self, http: HttpRequest) -> Response:
        """Answers with the SDL as text."""
        try:
            request = asked(http, await asker(http, self._federation))
            _require_open(request.principal)
            purpose = purpose_of(request)
        except RoundviewError as error:
            return _text(error.row.http, str(error), challenge(error, http))
        text = await self._door.text(request, purpose)
        return PlainTextResponse(text, headers=_PAGE_HEADERS)

    async def _from_body(self, http: HttpRequest) -> Ask:
        declared, _, charset = http.headers.get("content-type", "").partition(";")
        if declared.strip().lower() != PLAIN_JSON:
            raise RequestError(
                f"the body is {PLAIN_JSON}", hint="send content-type", extensions={"media": True}
            )
        named = charset.replace('"', "").strip().lower()
        if named.startswith("charset=") and named not in ("charset=utf-8", "charset=utf8"):
            raise RequestError("the body is UTF-8", extensions={"media": True})
        async with asyncio.timeout(_BODY_SECONDS):
            body = await _body(http, self._door.limits)
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise RequestError("the body is not JSON") from None
        return self._asked(given)

    def _asked(self, given: Any) -> Ask:
        if not isinstance(given, dict):
            raise RequestError("the body is one JSON object", hint="batches are not supported")
        query, document = given.get("query"), given.get("documentId")
        name, variables = given.get("operationName"), given.get("variables")
        if query is not None and not isinstance(query, str):
            raise RequestError("`query` is text")
        if document is not None and not isinstance(document, str):
            raise RequestError("`documentId` is text")
        if (query is None) == (document is None):
            raise RequestError("send either `query` or `documentId`")
        if name is not None and not isinstance(name, str):
            raise RequestError("`operationName` is text")
        if variables is not None and not isinstance(variables, dict):
            raise RequestError("`variables` is an object")
        if not isinstance(given.get("extensions"), dict | None):
            raise RequestError("`extensions` is an object")
        if variables:
            _refuse_large(variables, self._door.limits)
        if document is not None and not _DOCUMENT_ID.fullmatch(document):
            raise RequestError("`documentId` is sha256: and 64 hex digits")
        return Ask(query or "", document or "", name or None, variables or {})


def _require_open(principal: Principal) -> None:
    if OPEN_GRAPHQL not in principal.scopes:
        raise AccessError(
            "only documents that are kept here may be asked",
            hint=f"send a documentId, or ask for the scope {OPEN_GRAPHQL}",
            extensions={"scope": OPEN_GRAPHQL},
        )


def _from_query(http: HttpRequest, limits: Limits) -> Ask:
    params = http.query_params
    document = params.get("documentId", "")
    if not document:
        raise RequestError("GET takes only persisted documents", code="RV103", hint="send a POST")
    if not _DOCUMENT_ID.fullmatch(document):
        raise RequestError("`documentId` is sha256: and 64 hex digits")
    variables: Any = {}
    if params.get("variables"):
        try:
            variables = orjson.loads(params["variables"])
        except orjson.JSONDecodeError:
            raise RequestError("`variables` is not JSON") from None
        if not isinstance(variables, dict):
            raise RequestError("`variables` is an object")
        _refuse_large(variables, limits)
    return Ask("", document, params.get("operationName") or None, variables, is_safe=True)


async def _body(http: HttpRequest, limits: Limits) -> bytes:
    too_large = RequestError(f"the body is larger than {limits.body_bytes} bytes", code="RV116")
    length = http.headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.body_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in http.stream():
        size += len(part)
        if size > limits.body_bytes:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _refuse_large(variables: Mapping[str, Any], limits: Limits) -> None:
    # Level by level, not recursively: coercion recurses, so nothing deep may reach it.
    level: list[Any] = [variables]
    seen = 0
    for _ in range(limits.variable_depth):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        seen += len(below)
        if seen > limits.variable_values:
            raise RequestError("`variables` holds too many values", code="RV115")
        if not below:
            return
        level = below
    raise RequestError("`variables` is nested too deeply", code="RV111")


def _negotiated(accept: str) -> str | None:
    if not accept.strip():
        return PLAIN_JSON
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        media, *options = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for option in options:
            if option.startswith("q="):
                try:
                    quality = float(option[2:])
                except ValueError:
                    quality = 0.0
        chosen = {
            RESPONSE_JSON: RESPONSE_JSON,
            PLAIN_JSON: PLAIN_JSON,
            "application/*": PLAIN_JSON,
            "*/*": PLAIN_JSON,
        }.get(media)
        if chosen and quality > 0 and (best is None or quality > best[0]):
            best = (quality, chosen)
    return best[1] if best else None


def _json(
    answer: Answer,
    media: str,
    *,
    wants_200: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    # A client that asks for plain JSON by name expects 200 for a document it can correct.
    status = 200 if wants_200 and answer.status == 400 else answer.status
    return Response(
        encode(answer.body),
        status_code=status,
        headers={**_HEADERS, "Content-Type": media + _UTF8, **(headers or {})},
    )


def _text(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(message, status_code=status, headers={**_HEADERS, **(headers or {})})
