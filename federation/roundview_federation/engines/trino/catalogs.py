"""Decides the properties of the Trino catalog that reads a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

_CONNECT_SECONDS: Final = 3
_SOCKET_SECONDS: Final = 60
_RETRY_SECONDS: Final = 5
_JAVA_TRUSTS: Final = "org.postgresql.ssl.DefaultJavaSSLFactory"
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
    """Where a database answers; `password` may be a reference of Trino's own, `${ENV:NAME}`.

    `tls` is verify, require or disable; `ca` the file with the authority to trust where Trino
    runs, "" for those that its Java trusts.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: str = "disable"
    ca: str = ""


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
            **_postgres_tls(address),
        }
        name, url = "postgresql", f"jdbc:postgresql://{at}/{quote(address.database)}"
    else:
        # The driver counts in milliseconds.
        options = {
            "connectTimeout": str(_CONNECT_SECONDS * 1000),
            "socketTimeout": str(_SOCKET_SECONDS * 1000),
            **_mariadb_tls(address),
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


def bridge_properties(address: str, *, is_encrypted: bool = False) -> dict[str, str]:
    """Returns the properties of the catalog that reads through our bridge at HOST:PORT.

    Encrypted, Trino shows a certificate of its own; `ROUNDVIEW_BRIDGE_CA` and
    `ROUNDVIEW_BRIDGE_KEY` of its environment name the files.
    """
    made = {
        "connector.name": "trino_thrift",
        "trino.thrift.client.addresses": address,
        "trino.thrift.client.connect-timeout": f"{_CONNECT_SECONDS}s",
        "trino.thrift.client.request-timeout": f"{_SOCKET_SECONDS}s",
        "trino.thrift.client.max-retry-time": f"{_RETRY_SECONDS}s",
    }
    if is_encrypted:
        made |= {
            "trino.thrift.client.ssl.enabled": "true",
            "trino.thrift.client.ssl.trust-certificate": "${ENV:ROUNDVIEW_BRIDGE_CA}",
            "trino.thrift.client.ssl.key": "${ENV:ROUNDVIEW_BRIDGE_KEY}",
        }
    return made


def _postgres_tls(address: ServerAddress) -> dict[str, str]:
    if address.tls != "verify":
        return {"sslmode": address.tls}
    # Without either, the driver looks for a file in the home of whoever runs Trino.
    trusted = {"sslrootcert": address.ca} if address.ca else {"sslfactory": _JAVA_TRUSTS}
    return {"sslmode": "verify-full", **trusted}


def _mariadb_tls(address: ServerAddress) -> dict[str, str]:
    mode = {"verify": "verify-full", "require": "trust"}.get(address.tls, "disable")
    return {"sslMode": mode, **({"serverSslCert": address.ca} if address.ca else {})}
