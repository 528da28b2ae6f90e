"""Decides where a SQL server is and how we are known there: one URL, TLS unless loopback.

Shared by the connectors of database servers: `login_of(source, env, ("mysql", "mariadb"), 3306)`.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from roundview_catalog.model import Source
from roundview_federation.connectors import connection as connections

_TLS: Final = ("verify", "require", "disable")


@dataclass(frozen=True, slots=True)
class Login:
    """One account of one database; `tls` is None where the connection is not encrypted."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: ssl.SSLContext | None = field(repr=False)


def login_of(source: Source, env: Mapping[str, str], schemes: tuple[str, ...], port: int) -> Login:
    """Returns the login of a source's connection; raises CatalogError RV206.

    `url` is scheme://user:password@host:port/database, parts percent-encoded. `tls` is verify
    (certificate and name), require (encrypted only) or disable; without it a loopback address
    is asked in clear and everything else is verified.
    """
    shape = f"{schemes[0]}://user:password@host:{port}/database"
    given = connections.text(source, "url", env)
    try:
        parts = urlsplit(given)
        host, port = parts.hostname or "", parts.port or port
    except ValueError:
        raise connections.refused(source, "connection.url is not an address", shape) from None
    database = unquote(parts.path[1:])
    if parts.scheme not in schemes or not host or not database or "/" in database:
        raise connections.refused(source, "connection.url is not an address", shape)
    if parts.query or parts.fragment:
        raise connections.refused(
            source, "connection.url holds options", "use connection.tls, ca …"
        )
    if not parts.username:
        raise connections.refused(source, "connection.url names no user", shape)
    return Login(
        host=host,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
        tls=_tls(source, host, env),
    )


def tls_mode(source: Source, host: str) -> str:
    """Returns verify, require or disable for a source at a host; raises CatalogError RV206."""
    mode = str(source.connection.get("tls") or ("disable" if _is_loopback(host) else "verify"))
    if mode not in _TLS:
        raise connections.refused(source, "connection.tls is unknown", f"one of {', '.join(_TLS)}")
    return mode


def _tls(source: Source, host: str, env: Mapping[str, str]) -> ssl.SSLContext | None:
    mode = tls_mode(source, host)
    if mode == "disable":
        return None
    try:
        authority = connections.path(source, "ca", env) if source.connection.get("ca") else None
        context = ssl.create_default_context(cafile=authority)
        if source.connection.get("cert"):
            key = connections.path(source, "key", env) if source.connection.get("key") else None
            context.load_cert_chain(connections.path(source, "cert", env), key)
    except (OSError, ssl.SSLError):
        raise connections.refused(
            source, "a certificate of connection cannot be read", "check ca, cert and key"
        ) from None
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
