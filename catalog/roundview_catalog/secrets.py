"""Decides how secrets enter: by `${env:…}` and `${file:…}`, never as text in a catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from roundview_catalog.errors import CatalogError, Position, Problem

FOLDER_VARIABLE = "ROUNDVIEW_SECRETS"
DEFAULT_FOLDER = "/run/secrets"
_LARGEST_FILE = 64 * 1024

# A name ends where another reference begins, or many open ones take quadratic time.
_REFERENCE = re.compile(r"\$\{(env|file):([^${}\s]+)\}")
_SECRET_KEY = re.compile(
    r"passw|pwd|token(?!_url)|secret|bearer|api[_-]?key|credential|private[_-]?key|authorization|cookie",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"(?:[A-Za-z]+[ =])?\$\{(?:env|file):[^${}\s]+\}")
_USER_INFO = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#:@]*:(?!\$\{)[^/?#]*@", re.IGNORECASE)

KeyPath = tuple[str | int, ...]


class MissingReference(ValueError):
    """A reference leads nowhere; `reference` is its text, `hint` what to do."""

    def __init__(self, reference: str, hint: str) -> None:
        super().__init__(f"{reference} leads nowhere")
        self.reference = reference
        self.hint = hint


def resolve(value: str, env: Mapping[str, str], *, file: str = "") -> str:
    """Returns a text with its references replaced.

    `${file:NAME}` is read below the folder that the variable ROUNDVIEW_SECRETS names
    (default /run/secrets). Raises CatalogError that names a reference which leads nowhere,
    never a value.

    >>> resolve("${env:POS_URL}/v1", {"POS_URL": "https://pos"})
    'https://pos/v1'
    """
    try:
        return _REFERENCE.sub(lambda match: _found(match, env), value)
    except MissingReference as missing:
        at = Position(file or "connection", 1, 1)
        problem = Problem(at, "RV223", str(missing), missing.hint)
        raise CatalogError([problem]) from None


def missing_reference(value: str, env: Mapping[str, str]) -> MissingReference | None:
    """Returns the first reference of a text that leads nowhere."""
    for match in _REFERENCE.finditer(value):
        try:
            _found(match, env)
        except MissingReference as missing:
            return missing
    return None


def malformed_reference(value: str) -> bool:
    """Tells whether a text holds `${` that begins neither `${env:…}` nor `${file:…}`."""
    return "${" in _REFERENCE.sub("", value)


def literal_secrets(connection: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Returns the paths of secrets that are written out instead of referred to.

    These are values under keys such as password or token, every header of `auth`, and URLs
    with a password in them.
    """
    return list(_literal(connection, path, is_secret=False))


class Redactor:
    """Replaces known secret values in any text by `•••`."""

    def __init__(self, values: Iterable[str]) -> None:
        # The longest first, so that a secret that contains another leaves no rest.
        found = sorted({value for value in values if len(value) >= 4}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    @classmethod
    def of(cls, connections: Iterable[Any], env: Mapping[str, str]) -> Redactor:
        """Returns a redactor of every value that the connections' references stand for."""
        values = []
        for connection in connections:
            for _, text in texts(connection):
                for match in _REFERENCE.finditer(text):
                    try:
                        values.append(_found(match, env))
                    except MissingReference:
                        continue
        return cls(values)

    def redact(self, text: str) -> str:
        """Returns the text without secret values."""
        return self._pattern.sub("•••", text) if self._pattern else text


def texts(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yields every text of nested values with its path."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from texts(value, (*path, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from texts(value, (*path, index))


def _literal(data: Any, path: KeyPath, *, is_secret: bool) -> Iterator[KeyPath]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            below = is_secret or bool(_SECRET_KEY.search(str(key)))
            in_header = bool(path) and path[-1] == "header"
            yield from _literal(value, (*path, key), is_secret=below or in_header)
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _literal(value, (*path, index), is_secret=is_secret)
    elif data is not None and not isinstance(data, bool):
        text = str(data)
        if _USER_INFO.match(text) or (is_secret and not _SECRET_VALUE.fullmatch(text)):
            yield path


def _found(match: re.Match[str], env: Mapping[str, str]) -> str:
    kind, name = match.groups()
    if kind == "env":
        if name not in env:
            raise MissingReference(match[0], f"set the environment variable {name}")
        return env[name]
    folder = Path(env.get(FOLDER_VARIABLE, DEFAULT_FOLDER)).resolve()
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise MissingReference(match[0], f"secrets lie below the folder {FOLDER_VARIABLE}")
        if path.stat().st_size > _LARGEST_FILE:
            raise MissingReference(match[0], "the file is too large for a secret")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, MissingReference):
            raise
        raise MissingReference(match[0], f"put it into the folder {FOLDER_VARIABLE}") from None
