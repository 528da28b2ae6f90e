"""Decides how a source's connection is read: references resolved, what is missing refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roundview_catalog.errors import CatalogError, Problem
from roundview_catalog.model import Source
from roundview_catalog.secrets import resolve


def text(source: Source, key: str, env: Mapping[str, str]) -> str:
    """Returns one text of the connection; raises CatalogError where it is missing."""
    value = source.connection.get(key)
    if not isinstance(value, str) or not value:
        raise refused(source, f"connection.{key} is missing", f"write {key}: … under connection")
    return resolve(value, env, file=source.position.file)


def path(source: Source, key: str, env: Mapping[str, str]) -> Path:
    """Returns a path of the connection, relative ones below the catalog's folder."""
    return source.root / text(source, key, env)


def refused(source: Source, message: str, hint: str = "") -> CatalogError:
    """Returns the error for a connection that cannot be meant."""
    return CatalogError([Problem(source.position, "RV206", message, hint)])
