"""Decides the properties of the Trino catalog that reads a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

_CONNECT_SECONDS: Final = 3
_SOCKET_SECONDS: Final = 60
_COMMENT: Final = "roundview query=$QUERY_ID source=$SOURCE trace=$TRACE_TOKEN"
_SHARED: Final[Mapping[str, str]] = {
    "metadata.cache-ttl": "10m",
    "metadata.cache-missing": "true",
    # Trino writes names in lower case; sources may not.
    "case-insensitive-name-matching": "true",
    "query.comment-format": _COMMENT,
}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a database answers; `password` may be a reference of Trino's own, `${ENV:NAME}`."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    is_encrypted: bool = False


def server_properties(connector: str, address: ServerAddress) -> dict[str, str]:
    """Returns the properties of the catalog of a database server, `connector.name` first.

    `connector` is postgres or mysql.
    """
    at = f"{address.host}:{address.port}"
    if connector == "postgres":
        options = {
            "connectTimeout": str(_CONNECT_SECONDS),
            "loginTimeout": str(_CONNECT_SECONDS),
            "socketTimeout": str(_SOCKET_SECONDS),
            "sslmode": "verify-full" if address.is_encrypted else "disable",
        }
        name, url = "postgresql", f"jdbc:postgresql://{at}/{quote(address.database)}"
    else:
        # The driver counts in milliseconds.
        options = {
            "connectTimeout": str(_CONNECT_SECONDS * 1000),
            "socketTimeout": str(_SOCKET_SECONDS * 1000),
            "sslMode": "verify-full" if address.is_encrypted else "disable",
        }
        name, url = "mariadb", f"jdbc:mariadb://{at}"
    told = "&".join(f"{key}={value}" for key, value in options.items())
    return {
        "connector.name": name,
        "connection-url": f"{url}{'/?' if name == 'mariadb' else '?'}{told}",
        "connection-user": address.user,
        "connection-password": address.password,
        **_SHARED,
    }


def bridge_properties(address: str) -> dict[str, str]:
    """Returns the properties of the catalog that reads through our bridge at HOST:PORT."""
    return {
        "connector.name": "trino_thrift",
        "trino.thrift.client.addresses": address,
        "trino.thrift.client.connect-timeout": f"{_CONNECT_SECONDS}s",
        "trino.thrift.client.request-timeout": f"{_SOCKET_SECONDS}s",
    }
