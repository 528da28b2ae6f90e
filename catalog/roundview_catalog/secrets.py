"""Resolves `${env:…}` and `${file:…}`; values never appear in messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roundview_catalog.errors import CatalogError, Position, Problem

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_SECRET_KEYS = re.compile(r"password|token|secret|bearer|api[_-]?key", re.IGNORECASE)


def resolve(value: str, env: Mapping[str, str], *, file: str = "") -> str:
    """Returns a text with its references replaced.

    Raises CatalogError that names a reference which leads nowhere, never a value.
    """

    def replaced(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "env" and name in env:
            return env[name]
        if kind == "file" and Path(name).is_file():
            return Path(name).read_text(encoding="utf-8").strip()
        problem = Problem(
            Position(file or "connection", 1, 1),
            "RV223",
            f"{kind} {name} is not there",
            "set it" if kind == "env" else "make the file readable",
        )
        raise CatalogError([problem])

    return _REFERENCE.sub(replaced, value)


def literal_secrets(
    connection: Any, path: tuple[str | int, ...] = ()
) -> list[tuple[str | int, ...]]:
    """Returns the paths of values under secret keys that are not references."""
    found = []
    if isinstance(connection, dict):
        for key, value in connection.items():
            at = (*path, key)
            is_secret = isinstance(value, str) and _SECRET_KEYS.search(str(key))
            if is_secret and not _REFERENCE.fullmatch(value):
                found.append(at)
            found += literal_secrets(value, at)
    return found
