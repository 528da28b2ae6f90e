"""Decides where Trino answers and who asks: references resolved, an address that can be meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from roundview_catalog.engines import Trino
from roundview_catalog.errors import CatalogError, Position, Problem
from roundview_catalog.secrets import resolve

_FILE = "roundview.yaml"


@dataclass(frozen=True, slots=True)
class TrinoSettings:
    """One Trino and one user of it; `ca` is the file of authorities to trust, "" for usual ones."""

    host: str
    port: int
    scheme: str
    user: str
    password: str = field(default="", repr=False)
    ca: str = ""


def settings_of(told: Trino, root: Path, env: Mapping[str, str]) -> TrinoSettings:
    """Returns the settings that a catalog says; raises CatalogError RV206.

    A password goes over https only.
    """
    shape = "https://host:port"
    try:
        parts = urlsplit(resolve(told.url, env, file=_FILE))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("engines.trino.url is not an address", shape) from None
    is_bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not host or not is_bare:
        raise _refused("engines.trino.url is not an address", shape)
    password = resolve(told.password, env, file=_FILE)
    if password and parts.scheme != "https":
        raise _refused("a password for Trino needs an address with https", shape)
    return TrinoSettings(
        host=host,
        port=port or (443 if parts.scheme == "https" else 80),
        scheme=parts.scheme,
        user=resolve(told.user, env, file=_FILE),
        password=password,
        ca=str(root / resolve(told.ca, env, file=_FILE)) if told.ca else "",
    )


def _refused(message: str, hint: str) -> CatalogError:
    return CatalogError([Problem(Position(_FILE, 1, 1), "RV206", message, hint)])
