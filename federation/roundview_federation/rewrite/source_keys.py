"""Decides how the key of a record is written as text and read back as its column holds it."""

from __future__ import annotations

from typing import Any

from roundview_catalog.types import Kind, Type

INTEGERS = (Kind.INTEGER, Kind.BIGINT)


def escape_key(value: Any) -> str:
    """Returns a key part as text: `%`, `/` and `:` percent-encoded, everything else as is."""
    text = str(value)
    if "%" in text or "/" in text or ":" in text:
        return text.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
    return text


def unescape_key(text: str) -> str:
    """Returns the key part that `escape_key` encoded."""
    return text.replace("%3A", ":").replace("%2F", "/").replace("%25", "%")


def split_key(source_key: str) -> tuple[str, str]:
    """Splits `guest:17` into branch and key; a key without branch has an empty one."""
    branch, colon, key = source_key.partition(":")
    return (branch, key) if colon else ("", source_key)


def native_key(text: str, types: tuple[Type, ...], prefixes: tuple[str, ...] = ("",)) -> Any:
    """Returns a key as its columns hold it, None where that is impossible.

    >>> native_key("de/17", (Type(Kind.TEXT), Type(Kind.BIGINT)), ("", ""))
    ('de', 17)
    """
    if len(types) == 1:
        return native_value(unescape_key(text), types[0], prefixes[0])
    parts = text.split("/")
    if len(parts) != len(types):
        return None
    values = tuple(
        native_value(unescape_key(part), type_, prefix)
        for part, type_, prefix in zip(parts, types, prefixes, strict=True)
    )
    return None if None in values else values


def native_value(value: Any, type_: Type, prefix: str = "") -> Any:
    """Returns a known value as a column of another type holds it, None where it cannot.

    `prefix` is what the mapping puts before the column.

    >>> native_value("t:17", Type(Kind.BIGINT), "t:")
    17
    """
    if prefix:
        text = str(value)
        if not text.startswith(prefix):
            return None
        value = text[len(prefix) :]
    if type_.kind in INTEGERS:
        try:
            number = int(value)
        except ValueError:
            return None
        # 007 is another key than 7.
        return number if not isinstance(value, str) or str(number) == value else None
    return value if isinstance(value, str) or type_.kind is not Kind.TEXT else str(value)


class _OwnKeys:
    """Stands for the customers where nobody was asked for: a row names its person's key."""

    def __getitem__(self, owner: Any) -> Any:
        return owner


OWN_KEYS: Any = _OwnKeys()
"""What a row is said to belong to where nothing binds customers: its person's own key."""
