"""Decides where we listen: on loopback, elsewhere only where callers are known and over TLS."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from roundview.settings import Settings, is_loopback
from roundview_catalog.access_file import Access
from roundview_catalog.errors import AccessError, RequestError


def listen(host: str, port: int) -> socket.socket:
    """Binds a loopback address; raises AccessError RV300, or RequestError for a port in use."""
    if not is_loopback(host):
        raise AccessError(
            "only loopback addresses can be listened on here",
            hint="use 127.0.0.1, ::1 or localhost",
        )
    return bind(host, port)


def listen_openly(host: str, port: int, access: Access, settings: Settings) -> socket.socket:
    """Binds any address; raises AccessError RV300 where that would let others in, or listen."""
    if not is_loopback(host):
        if not access.is_configured:
            raise AccessError(
                "only loopback addresses can be served without access.yaml",
                hint="use 127.0.0.1, ::1 or localhost, or say in access.yaml who is believed",
            )
        if settings.tls_certificate is None:
            raise AccessError(
                "tokens go over TLS only",
                hint="set ROUNDVIEW_TLS_CERTIFICATE and ROUNDVIEW_TLS_KEY",
            )
        try:
            ip_address(host)
        except ValueError:
            raise RequestError("this is no address to listen on", hint="for example ::") from None
    return bind(host, port)


def bind(
    address: str, port: int, *, option: str = "--port", is_shared: bool = False
) -> socket.socket:
    """Binds an address that was looked at; raises RequestError where that is impossible.

    Several processes of one user can bind a shared one. `option` is that which says the port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise RequestError(
            f"port {port} cannot be listened on", hint=f"choose another one with {option}"
        ) from None
    listener.set_inheritable(True)
    return listener
