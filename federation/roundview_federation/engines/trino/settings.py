"""Decides where Trino answers and who asks: references resolved, an address that can be meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from roundview_catalog.engines import Trino
from roundview_catalog.errors import CatalogError, Position, Problem
from roundview_catalog.secrets import resolve

_POSITION = Position("roundview.yaml", 1, 1)


@dataclass(frozen=True, slots=True)
class TrinoSettings:
    """One Trino and one user of it; `ca` is the file of authorities to trust, "" for usual ones."""

    host: str
    port: int
    scheme: str
    user: str
    password: str = field(default="", repr=False)
    ca: str = ""


def settings_of(
    told: Trino, root: Path, env: Mapping[str, str], position: Position = _POSITION
) -> TrinoSettings:
    """Returns the settings that a catalog says at a position; raises CatalogError RV206.

    A password goes over https only.
    """
    shape = "https://host:port"
    file = position.file
    try:
        parts = urlsplit(resolve(told.url, env, file=file))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(position, "url is not the address of a Trino", shape) from None
    is_bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not host or not is_bare:
        raise _refused(position, "url is not the address of a Trino", shape)
    password = resolve(told.password, env, file=file)
    if password and parts.scheme != "https":
        raise _refused(position, "a password for Trino needs an address with https", shape)
    return TrinoSettings(
        host=host,
        port=port or (443 if parts.scheme == "https" else 80),
        scheme=parts.scheme,
        user=resolve(told.user, env, file=file),
        password=password,
        ca=str(root / resolve(told.ca, env, file=file)) if told.ca else "",
    )


def _refused(position: Position, message: str, hint: str) -> CatalogError:
    return CatalogError([Problem(position, "RV206", message, hint)])
