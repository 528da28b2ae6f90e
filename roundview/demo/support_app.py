"""Serves the support desk over HTTP as such systems do: paged, limited, behind a token.

GET /api/users      pages by number; ?user_ids= ?email= ?phone=      also /api/users/{id}
GET /api/tickets    pages by cursor, newest first; ?user_ids= ?number=  also /api/tickets/{id}
GET /api/messages   pages by offset; ?user_ids= ?ticket_ids=
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import hashlib
import hmac
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from roundview.demo.support_data import Row, SupportData, json_keys, prepare_statements

TOKEN_VARIABLE = "SUPPORT_TOKEN"  # noqa: S105
MOST_ROWS = 100
MOST_IDS = 50
RATE = 200.0
"""Requests per second; twice as many at once."""

QueryParams: TypeAlias = Mapping[str, str]
_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class _BadRequestError(ValueError):
    """A parameter cannot be read; the text says which."""


@dataclass(slots=True)
class Allowance:
    """Counts requests: `per_second` on average, twice as many at once."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self.per_second * 2
        self._at = self.clock()

    def wait(self) -> float:
        """Takes one request; returns 0, or the seconds after which there is one again."""
        now = self.clock()
        self._left = min(self.per_second * 2, self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self.per_second


def make_app(
    data: SupportData, token: str, *, rate: float = RATE, latency_ms: float = 0
) -> FastAPI:
    """Returns the app over an open database."""

    async def users(request: Request) -> Response:
        asked = request.query_params
        filters = _given(asked, ids=("user_ids",), texts=("email",))
        if "phone" in asked:
            filters["phone_ids"] = json_keys(data.users_by_phone(asked["phone"]))
        size, page = _size(asked), max(1, _number(asked, "page", 1))
        total = data.count("users", filters)
        rows = data.users(filters, size, (page - 1) * size)
        meta = {"page": page, "last_page": max(1, -(-total // size)), "total": total}
        return _answer(request, {"data": _only(rows, asked), "meta": meta})

    async def user(request: Request) -> Response:
        ids = json_keys([int(request.path_params["user_id"])])
        return _one(request, data.users({"user_ids": ids}, 1, 0))

    async def tickets(request: Request) -> Response:
        asked = request.query_params
        filters = _given(asked, ids=("user_ids",), texts=("number",))
        size, offset = _size(asked), _from_cursor(asked.get("cursor", ""))
        rows = data.tickets(filters, size + 1, offset)
        following = _to_cursor(offset + size) if len(rows) > size else None
        meta = {"next_cursor": following}
        return _answer(request, {"data": _only(rows[:size], asked), "meta": meta})

    async def ticket(request: Request) -> Response:
        ids = json_keys([int(request.path_params["ticket_id"])])
        return _one(request, data.tickets({"ids": ids}, 1, 0))

    async def messages(request: Request) -> Response:
        asked = request.query_params
        filters = _given(asked, ids=("user_ids", "ticket_ids"))
        offset = max(0, _number(asked, "offset", 0))
        rows = data.messages(filters, _size(asked), offset)
        meta = {"offset": offset, "total": data.count("messages", filters)}
        return _answer(request, {"data": _only(rows, asked), "meta": meta})

    app = FastAPI(openapi_url=None)
    guard = _Guard(f"Bearer {token}".encode(), Allowance(rate), latency_ms / 1000)
    for path, endpoint in (
        ("/api/users", users),
        ("/api/users/{user_id:int}", user),
        ("/api/tickets", tickets),
        ("/api/tickets/{ticket_id:int}", ticket),
        ("/api/messages", messages),
    ):
        app.add_route(path, guard.before(endpoint), methods=["GET"])
    return app


@dataclass(frozen=True, slots=True)
class _Guard:
    """Stands before every endpoint: token, allowance, latency, unreadable parameters."""

    expected: bytes
    allowance: Allowance
    latency_seconds: float

    def before(self, endpoint: _Endpoint) -> _Endpoint:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self.expected):
                return _json({"error": "unauthorized"}, 401)
            seconds = self.allowance.wait()
            if seconds > 0:
                # The header knows whole seconds only.
                headers = {"Retry-After": str(math.ceil(seconds))}
                return _json({"error": "too many requests"}, 429, headers)
            if self.latency_seconds:
                await asyncio.sleep(self.latency_seconds)
            try:
                return await endpoint(request)
            except _BadRequestError as error:
                return _json({"error": str(error)}, 400)

        return guarded


def _given(
    asked: QueryParams, *, ids: tuple[str, ...], texts: tuple[str, ...] = ()
) -> dict[str, Any]:
    found: dict[str, Any] = {name: asked[name] for name in texts if name in asked}
    return found | {name: json_keys(_ids(asked[name], name)) for name in ids if name in asked}


def _number(asked: QueryParams, name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _BadRequestError(f"{name} takes a number")
    return int(text)


def _ids(text: str, name: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > MOST_IDS:
        raise _BadRequestError(f"{name} takes {MOST_IDS} values at most")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise _BadRequestError(f"{name} takes numbers")
    return [int(part) for part in parts]


def _size(asked: QueryParams) -> int:
    return min(max(_number(asked, "limit", MOST_ROWS), 1), MOST_ROWS)


def _to_cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(b"after:%d" % offset).decode()


def _from_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        name, _, offset = base64.urlsafe_b64decode(cursor).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _BadRequestError("cursor is not one of ours") from None
    if name != "after" or not offset.isdigit():
        raise _BadRequestError("cursor is not one of ours")
    return int(offset)


def _only(rows: list[Row], asked: QueryParams) -> list[Row]:
    wanted = {name.strip() for name in asked.get("fields", "").split(",")} - {""}
    if not wanted:
        return rows
    return [{name: value for name, value in row.items() if name in wanted} for row in rows]


def _one(request: Request, rows: list[Row]) -> Response:
    found = _only(rows, request.query_params)
    return _answer(request, found[0]) if found else _json({"error": "not found"}, 404)


def _answer(request: Request, content: dict[str, Any]) -> Response:
    body = orjson.dumps(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _json(content: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def main(arguments: list[str] | None = None) -> int:
    """Runs the app on loopback; prints its port on the first line."""
    parser = argparse.ArgumentParser(prog="roundview.demo.support_app", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the support database")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--token-file", type=Path, help=f"the token that callers show; else {TOKEN_VARIABLE}"
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="added to each answer")
    parser.add_argument("--rate", type=float, default=RATE, help="requests per second")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when whoever started it ends"
    )
    given = parser.parse_args(arguments)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if given.token_file is not None and given.token_file.is_file():
        token = given.token_file.read_text(encoding="utf-8").strip()
    if not token:
        print(f"set {TOKEN_VARIABLE}", file=sys.stderr)  # noqa: T201
        return 2
    if not given.data.is_file():
        print("there is no such database", file=sys.stderr)  # noqa: T201
        return 2
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", given.port))
    except OSError:
        print("the port is taken", file=sys.stderr)  # noqa: T201
        return 1
    listener.listen(128)
    data = SupportData(given.data)
    prepare_statements()
    app = make_app(data, token, rate=given.rate, latency_ms=given.latency_ms)
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    if given.until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_stdin, args=(server,), daemon=True).start()
    print(listener.getsockname()[1], flush=True)  # noqa: T201
    server.run(sockets=[listener])
    data.close()
    return 0


def _stop_at_end_of_stdin(server: uvicorn.Server) -> None:
    # The pipe closes when the parent ends, however it ends.
    while os.read(0, 4096):
        pass
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
