"""Serves the conforming world over real HTTP: pages, filters, field selection, ETags."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.connectors.world import ORDERS, PEOPLE, World

TOKEN = "conformance-token"


def application(rows: World, hits: list[str]) -> Starlette:
    """Returns the API; `hits` gets the target of every call."""
    people = {row[0]: _person(row) for row in rows.people}
    orders = [dict(zip(ORDERS, row, strict=True)) for row in rows.orders]
    for order in orders:
        order["lines"] = [{"sku": f"s{order['id']}-{at}"} for at in range(order["id"] % 3)]

    def answer(request: Request, document: Any) -> Response:
        body = json.dumps(document).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type="application/json", headers={"etag": etag})

    def selected(request: Request, row: dict[str, Any]) -> dict[str, Any]:
        fields = request.query_params.get("fields")
        return row if not fields else {k: v for k, v in row.items() if k in fields.split(",")}

    def allowed(request: Request) -> bool:
        hits.append(str(request.url.path) + "?" + str(request.url.query))
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    async def list_people(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"error": "who are you"}, 401)
        query = request.query_params
        found = list(people.values())
        if "ids" in query:
            wanted = set(query["ids"].split(","))
            found = [p for p in found if str(p["id"]) in wanted]
        if "email" in query:
            found = [p for p in found if p["email"] == query["email"]]
        size = min(int(query.get("size", 20)), 500)
        page = int(query.get("page", 1))
        pages = -(-len(found) // size)
        cut = [selected(request, p) for p in found[(page - 1) * size : page * size]]
        return answer(request, {"items": cut, "meta": {"pages": pages}})

    async def one_person(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"error": "who are you"}, 401)
        found = people.get(int(request.path_params["id"]))
        if found is None:
            return JSONResponse({"error": "none"}, 404)
        return answer(request, selected(request, found))

    async def named(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"error": "who are you"}, 401)
        name = request.path_params["name"]
        found = [p for p in people.values() if p["name"] == name]
        return answer(request, {"items": found, "meta": {"pages": 1}})

    async def list_orders(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"error": "who are you"}, 401)
        query = request.query_params
        found = orders
        person = request.path_params.get("person")
        if person is not None:
            found = [{**o} for o in found if o["person_id"] == person]
            for order in found:
                del order["person_id"]
        if "person_ids" in query:
            wanted = set(query["person_ids"].split(","))
            found = [o for o in found if str(o["person_id"]) in wanted]
        if "status" in query:
            found = [o for o in found if o["status"] == query["status"]]
        start = int(query.get("after", 0))
        following = start + 200 if start + 200 < len(found) else None
        return answer(request, {"data": found[start : start + 200], "next": following})

    async def endless(request: Request) -> Response:
        hits.append("endless")
        await asyncio.sleep(30)
        return JSONResponse([])

    return Starlette(
        routes=[
            Route("/api/people", list_people),
            Route("/api/people/{id:int}", one_person),
            Route("/api/people/{person:int}/orders", list_orders),
            Route("/api/named/{name:path}", named),
            Route("/api/orders", list_orders),
            Route("/api/endless", endless),
        ]
    )


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """Serves an application on a free loopback port; yields the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    started = threading.Event()

    async def serve() -> None:
        task = asyncio.ensure_future(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        started.set()
        await task

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            started.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait()
    assert server.started
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(5)


def _person(row: tuple[Any, ...]) -> dict[str, Any]:
    person = dict(zip(PEOPLE, row, strict=True))
    note = person.pop("note")
    person["custom_fields"] = [{"name": "note", "value": note}]
    return person
