"""Decides what listens: the doors put together, on loopback, with the catalog watched."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from roundview.connection_limits import LimitedHttp
from roundview.pages import Pages, usual
from roundview.settings import read_settings
from roundview.sql_door import SqlDoor
from roundview_catalog.errors import AccessError, RequestError
from roundview_desktop.app import desk_app
from roundview_desktop.page import PageContext
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity
from roundview_federation.watch import changed_sources, watch
from roundview_graphql.door import Ask, Door
from roundview_graphql.http import asked, asker, challenge, graphql_app

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_NO_STORE = {"cache-control": "no-store"}
_SHUTDOWN_SECONDS = 5
BACKLOG = 512
SWITCH_SECONDS = 0.0005
_NEW_OBJECTS = 20_000
_USUAL_KINDS = ("phone", "email", "customer_id")
_ANYBODY = "00000000-0000-7000-8000-000000000000"
_LOG = logging.getLogger("roundview.serve")


def make_app(
    federation: Federation,
    *,
    links: Callable[[], bool] = lambda: True,
    sql: SqlDoor | None = None,
) -> FastAPI:
    """Returns the server of one federation: `/graphql`, `/desk`, `/health`, `/ready`.

    Requests that name another host than this machine's loopback, or one of `hosts` in
    access.yaml, are refused: a page of somebody else's domain that resolves to 127.0.0.1 must
    not read answers. The federation is closed when the server ends. `links` tells whether this
    process links the records of a changed source, `sql` where SQL clients are let in.
    """

    pages = Pages(federation)
    door = Door(federation, documents=lambda request: pages.of(request).documents)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for principal in usual(federation):
            await door.prepare(principal)
        watcher = asyncio.create_task(_watch(federation, door, pages, links))
        opening = None if sql is None else asyncio.create_task(sql.open(federation))
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            if opening is not None:
                await (await opening).close()
            await federation.close()

    async def page(http: Request) -> PageContext:
        return pages.of(asked(http, await asker(http, federation)))

    async def refuse(http: Request, error: Exception) -> Response:
        assert isinstance(error, AccessError)  # noqa: S101  nothing else is sent here
        headers = {**_NO_STORE, **challenge(error, http)}
        return PlainTextResponse(str(error), error.row.http, headers=headers)

    app = FastAPI(
        title="Roundview", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.add_exception_handler(AccessError, refuse)
    # The names are compared as they stand in the header, without the port.
    names = [*_LOCAL_NAMES, *federation.catalog.access.hosts]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    app.include_router(desk_app(page))
    app.include_router(graphql_app(federation, door=door))

    async def root(_: Request) -> Response:
        return RedirectResponse("/desk", status_code=307)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

    async def ready(_: Request) -> Response:
        state = await readiness(federation)
        if federation.catalog.access.is_configured:
            # Whoever watches whether we run need not know over what.
            state = {"ready": state["ready"], "complete": state["complete"]}
        return JSONResponse(state, 200 if state["ready"] else 503, headers=_NO_STORE)

    app.add_route("/", root, methods=["GET"])
    app.add_route("/health", health, methods=["GET"])
    app.add_route("/ready", ready, methods=["GET"])
    return app


async def readiness(federation: Federation) -> dict[str, Any]:
    """Returns whether questions can be answered, source by source.

    `ready` needs one source, `complete` needs all of them; `catalog_problem` tells that a
    changed catalog was refused and the one before is still serving.
    """
    states = await federation.states()
    problem = federation.reload_problem
    return {
        "ready": any(one.state == "ready" for one in states),
        "complete": all(one.state == "ready" for one in states),
        "catalog": federation.catalog.name,
        "version": federation.catalog.version,
        "catalog_problem": [str(one) for one in problem.problems] if problem else [],
        "sources": [{"name": one.name, "state": one.state} for one in states],
    }


async def run(
    federation: Federation,
    listener: socket.socket,
    announce: Callable[[], None],
    sql: SqlDoor | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; running requests get some seconds to end.

    `announce` is called when connections are accepted.
    """
    config = server_config(make_app(federation, sql=sql))
    hasten_loop()
    # From here on connections wait in the queue instead of being refused.
    listener.listen(BACKLOG)
    if sql is not None:
        sql.listener.listen(BACKLOG)
    announce()
    await uvicorn.Server(config).serve(sockets=[listener])


def server_config(app: FastAPI | str, **further: Any) -> uvicorn.Config:
    """Returns how a server of an application, or of what a name makes one, behaves."""
    settings = read_settings()
    for file in (settings.tls_certificate, settings.tls_key):
        if file is not None and not file.is_file():
            raise RequestError("the certificate or its key is not there", hint="check its path")
    return uvicorn.Config(
        app,
        http=LimitedHttp,
        ws="none",
        backlog=BACKLOG,
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        **further,
    )


def hasten_loop() -> None:
    """Lets threads give way to the event loop sooner, and garbage be looked for less often."""
    # A catalog is read and planned in threads: at Python's 5 ms each turn of the event loop would
    # wait that long while it lasts, and a view has dozens (measured: 250 ms against 35 ms).
    sys.setswitchinterval(SWITCH_SECONDS)
    # Rows hold no cycles, but at Python's 700 objects every view of some size is searched for them
    # while it is made (measured: 0.15 of 5.5 ms).
    gc.set_threshold(_NEW_OBJECTS)


async def _rehearse(federation: Federation, door: Door, pages: Pages) -> None:
    """Compiles and plans what the desk asks, so that nobody's call waits for that."""
    for principal in usual(federation):
        for name in pages.newest(principal):
            ask = Ask(document_id=name, variables={"by": {"customerId": _ANYBODY}})
            await door.rehearse(ask, principal, _USUAL_KINDS)


async def _watch(
    federation: Federation, door: Door, pages: Pages, links: Callable[[], bool]
) -> None:
    async def link(changed: frozenset[str]) -> None:
        with _reported("identities of a changed source"):
            await _rehearse(federation, door, pages)
            await federation.warm(changed)
            if links():
                await refresh_identity(federation, changed)

    with _reported("compiling ahead"):
        # Connections first: a question that comes now needs them as well.
        await asyncio.gather(federation.warm(), _rehearse(federation, door, pages))
        await federation.warm()
    # The watcher compares with what it finds when it starts; identities were linked before.
    before = federation.catalog
    if await federation.reload():
        await link(changed_sources(before, federation.catalog))
    await watch(federation, link)


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Logs what failed, without its text: the watcher outlives one bad catalog or source."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it was, the watcher goes on
        _LOG.warning("%s: %s", what, type(error).__name__)
