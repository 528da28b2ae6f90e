"""Decides which HTTP clients the REST connector is tested with."""

from __future__ import annotations

import ssl
from typing import Protocol

from tests.connectors import rest_app
from tests.connectors.opening import rest_source

from roundview_catalog.model import Limits
from roundview_federation.connectors.http_aiohttp import AiohttpPort
from roundview_federation.connectors.http_httpx import HttpxPort
from roundview_federation.connectors.http_port import HttpPort, Origin
from roundview_federation.connectors.rest.connector import RestConnector


class Client(Protocol):
    """How a client is made."""

    __name__: str

    def __call__(
        self, origin: Origin, *, private: bool, connections: int, tls: ssl.SSLContext | None = None
    ) -> HttpPort: ...


CLIENTS = (HttpxPort, AiohttpPort)


def rest_with(client: Client, port: int, limits: Limits | None = None) -> RestConnector:
    """Opens the REST source at a loopback port with a client."""
    source = rest_source(port, limits)
    http = client(
        Origin("http", "127.0.0.1", port), private=True, connections=source.limits.concurrency
    )
    return RestConnector(source, env={"TOKEN": rest_app.TOKEN}, port=http)
