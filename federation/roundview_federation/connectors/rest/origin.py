"""Decides where the calls of a source may go, and that a link of an answer leads nowhere else."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from roundview_catalog.errors import CatalogError
from roundview_catalog.model import Source
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.http_port import Origin

_HINT: Final = "http(s)://host[:port]/path without user, query or fragment"


def origin_of(source: Source, key: str, address: str) -> tuple[Origin, str]:
    """Returns the origin and the path of an address under `connection`; raises CatalogError."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise connections.refused(source, f"connection.{key} cannot be read") from None
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise _not_an_address(source, key)
    if not _is_plain(parts.path) or _has_dots(parts.path):
        raise connections.refused(source, f"the path of connection.{key} is not a plain one")
    number = port or (443 if parts.scheme == "https" else 80)
    return Origin(parts.scheme, parts.hostname, number), parts.path


def target_of(link: str, here: str, origin: Origin, base: str) -> str:
    """Returns the target of a link that an answer to the target `here` holds.

    Raises ValueError where it leaves the origin or the path of the base URL.
    """
    own = f"{origin.scheme}://{origin.authority}"
    parts = urlsplit(urljoin(own + here, link.strip()))
    number = parts.port or (443 if parts.scheme == "https" else 80)
    place = (parts.scheme, parts.hostname, number)
    if place != (origin.scheme, origin.host, origin.port) or parts.username is not None:
        raise ValueError("another origin")
    is_below = parts.path == base or parts.path.startswith(f"{base}/")
    if not is_below or _has_dots(unquote(parts.path)):
        raise ValueError("another path")
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if not _is_plain(target):
        raise ValueError("not encoded")
    return target


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _has_dots(path: str) -> bool:
    return any(part in (".", "..") for part in re.split(r"[/\\]", path))


def _not_an_address(source: Source, key: str) -> CatalogError:
    message = f"connection.{key} is not scheme, host and path"
    return connections.refused(source, message, _HINT)
