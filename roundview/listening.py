"""Decides where we listen: on loopback, bound before anything slow happens."""

from __future__ import annotations

import socket

from roundview.settings import loopback
from roundview_catalog.errors import RequestError


def listen(host: str, port: int) -> socket.socket:
    """Binds a loopback address; raises AccessError RV300, or RequestError for a port in use."""
    return bind(loopback(host), port)


def bind(address: str, port: int) -> socket.socket:
    """Binds an address that was looked at; raises RequestError where that is impossible."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise RequestError(
            f"port {port} cannot be listened on", hint="choose another one with --port"
        ) from None
    listener.set_inheritable(True)
    return listener
