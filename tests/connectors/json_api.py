"""Serves small APIs over real HTTP, each answered by a function of its test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tests.connectors import world
from tests.connectors.opening import opened
from tests.connectors.rest_app import serving

from roundview_catalog.model import Limits, SourceColumn, SourceTable
from roundview_catalog.tables import RestTable
from roundview_catalog.types import parse_type
from roundview_federation.connectors.port import Connector

Answerer = Callable[[Request], Response]
Opener = Callable[..., Connector]


@dataclass
class Api:
    """One API of a test: answers every call with a function, remembers what was asked."""

    name: str
    answer: Answerer
    requests: list[Request] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        """Returns path and query of every call, below the API's own path."""
        return [
            request.scope["raw_path"].decode().removeprefix(f"/{self.name}")
            + (f"?{request.url.query}" if request.url.query else "")
            for request in self.requests
        ]

    @property
    def bodies(self) -> list[Any]:
        """Returns what was POSTed, in order."""
        return [posted(request) for request in self.requests if request.method == "POST"]


@dataclass
class Apis:
    """All running APIs at one port, each below its name."""

    port: int
    running: dict[str, Api]

    def run(self, answer: Answerer) -> tuple[Api, Opener]:
        """Returns a running API and what opens a connector to it."""
        name = f"api{len(self.running)}"
        self.running[name] = Api(name, answer)

        def open_tables(
            declared: dict[str, dict[str, Any]], limits: Limits | None = None, **connection: Any
        ) -> Connector:
            address = f"http://127.0.0.1:{self.port}/{name}/v1"
            base = {"base_url": address, "private": True, **connection}
            return opened(world.source("api", "rest", base, tables(declared), limits))

        return self.running[name], open_tables


@contextmanager
def serving_apis() -> Iterator[Apis]:
    """Serves APIs that tests add."""
    running: dict[str, Api] = {}

    async def every(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        api = running[scope["path"].split("/")[1]]
        await request.body()
        api.requests.append(request)
        await api.answer(request)(scope, receive, send)

    with serving(every) as port:
        yield Apis(port, running)


def posted(request: Request) -> Any:
    """Returns the JSON of a request that was read."""
    return json.loads(request._body)


def tables(declared: dict[str, dict[str, Any]]) -> dict[str, SourceTable]:
    """Returns tables as the catalog loads them."""
    found = {}
    for name, text in declared.items():
        access = RestTable.model_validate(text)
        columns = {
            column: SourceColumn(column, parse_type(one.type))
            for column, one in access.columns.items()
        }
        found[name] = SourceTable(name=name, physical=name, columns=columns, access=access)
    return found
