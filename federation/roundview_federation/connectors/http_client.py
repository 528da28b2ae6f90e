"""Decides which client speaks HTTP: the faster one where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

from roundview_federation.connectors.http_httpx import HttpxPort
from roundview_federation.connectors.http_port import HttpPort, Origin


def open_port(origin: Origin, *, private: bool, connections: int) -> HttpPort:
    """Returns a client of an origin: aiohttp's where it is installed, httpx's otherwise."""
    if find_spec("aiohttp") is None:
        return HttpxPort(origin, private=private, connections=connections)
    # Here: without REST sources nobody waits for the import.
    from roundview_federation.connectors.http_aiohttp import AiohttpPort

    return AiohttpPort(origin, private=private, connections=connections)
