"""Decides the bytes of each message: those of the server, and how those of clients are read.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from roundview_sql.failures import WireError
from roundview_sql.type_codes import Column

AUTHENTICATION_OK: Final = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
CLEARTEXT_PASSWORD: Final = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
PARSE_COMPLETE: Final = b"1\x00\x00\x00\x04"
BIND_COMPLETE: Final = b"2\x00\x00\x00\x04"
CLOSE_COMPLETE: Final = b"3\x00\x00\x00\x04"
NO_DATA: Final = b"n\x00\x00\x00\x04"
EMPTY_QUERY: Final = b"I\x00\x00\x00\x04"
PORTAL_SUSPENDED: Final = b"s\x00\x00\x00\x04"
COPY_DONE: Final = b"c\x00\x00\x00\x04"
_MOST_PARAMETERS = 65_535


@dataclass(frozen=True, slots=True)
class Parse:
    """Names a statement: its text, and the OIDs of its parameters as far as they are declared."""

    name: str
    text: str
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """Makes a portal of a statement: parameters, their formats, the formats of its columns."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


class Reader:
    """Reads the body of one message; raises WireError 08P01 where it is not what it should be."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def text(self) -> str:
        """Reads a text that ends with a zero."""
        end = self._body.find(b"\x00", self._at)
        if end < 0:
            raise broken()
        raw = self._body[self._at : end]
        self._at = end + 1
        return utf8(raw)

    def int16(self) -> int:
        """Reads a whole number of 2 bytes, without a sign."""
        return int.from_bytes(self.raw(2), "big")

    def int32(self) -> int:
        """Reads a whole number of 4 bytes."""
        return int.from_bytes(self.raw(4), "big", signed=True)

    def raw(self, count: int) -> bytes:
        """Reads that many bytes."""
        found = self._body[self._at : self._at + count]
        if count < 0 or len(found) != count:
            raise broken()
        self._at += count
        return found

    def rest(self) -> bytes:
        """Reads what is left."""
        return self.raw(len(self._body) - self._at)

    def end(self) -> None:
        """Checks that nothing is left."""
        if self._at != len(self._body):
            raise broken()


def read_parse(body: bytes) -> Parse:
    """Reads a Parse message."""
    reader = Reader(body)
    name, text = reader.text(), reader.text()
    types = tuple(reader.int32() & 0xFFFFFFFF for _ in range(reader.int16()))
    reader.end()
    return Parse(name, text, types)


def read_bind(body: bytes) -> Bind:
    """Reads a Bind message."""
    reader = Reader(body)
    portal, statement = reader.text(), reader.text()
    formats = tuple(reader.int16() for _ in range(reader.int16()))
    values: list[bytes | None] = []
    for _ in range(reader.int16()):
        size = reader.int32()
        values.append(None if size == -1 else reader.raw(size))
    results = tuple(reader.int16() for _ in range(reader.int16()))
    reader.end()
    if any(one not in (0, 1) for one in (*formats, *results)):
        raise WireError("22023", "a format is 0 for text or 1 for binary")
    return Bind(portal, statement, formats, tuple(values), results)


def each_format(formats: Sequence[int], count: int, what: str) -> tuple[int, ...]:
    """Returns one format for each of so many values: none means text, one stands for all."""
    if len(formats) <= 1:
        return (formats[0] if formats else 0,) * count
    if len(formats) != count:
        raise WireError("08P01", f"the message has {len(formats)} formats for {count} {what}")
    return tuple(formats)


def message(tag: bytes, *parts: bytes) -> bytes:
    """Returns one message."""
    body = b"".join(parts)
    return tag + struct.pack(">i", len(body) + 4) + body


def authentication(kind: int, *parts: bytes) -> bytes:
    """Returns a message of a login: 10 offers mechanisms, 11 goes on, 12 ends it."""
    return message(b"R", struct.pack(">i", kind), *parts)


def parameter_status(name: str, value: str) -> bytes:
    """Returns what tells a client the value of a setting."""
    return message(b"S", zero(name), zero(value))


def backend_key(process: int, secret: bytes) -> bytes:
    """Returns what a client needs to cancel."""
    return message(b"K", struct.pack(">I", process), secret)


def ready(status: bytes) -> bytes:
    """Returns ReadyForQuery: `I` idle, `T` in a transaction, `E` in one that failed."""
    return b"Z\x00\x00\x00\x05" + status


def complete(tag: str) -> bytes:
    """Returns CommandComplete."""
    return message(b"C", zero(tag))


def negotiate(minor: int, unknown: Iterable[str]) -> bytes:
    """Returns what tells which version is spoken, and which options are not known."""
    names = [zero(name) for name in unknown]
    return message(b"v", struct.pack(">ii", minor, len(names)), *names)


def parameter_description(oids: Sequence[int]) -> bytes:
    """Returns the types of a statement's parameters."""
    return message(b"t", struct.pack(f">H{len(oids)}I", len(oids), *oids))


def row_description(columns: Sequence[Column], formats: Sequence[int]) -> bytes:
    """Returns the names and types of columns."""
    parts = [struct.pack(">H", len(columns))]
    for column, format_ in zip(columns, formats, strict=True):
        described = struct.pack(
            ">IhIhih",
            column.table,
            column.number,
            column.oid,
            column.size,
            column.typmod,
            format_,
        )
        parts += (zero(column.name), described)
    return message(b"T", *parts)


def data_row(values: Iterable[bytes | None]) -> bytes:
    """Returns one row of values that are encoded already."""
    parts = []
    for value in values:
        parts.append(b"\xff\xff\xff\xff" if value is None else struct.pack(">i", len(value)))
        parts.append(value or b"")
    return message(b"D", struct.pack(">H", len(parts) // 2), *parts)


def copy_out(format_: int, count: int) -> bytes:
    """Returns what begins a COPY to the client."""
    return message(b"H", struct.pack(f">BH{count}H", format_, count, *([format_] * count)))


def fields(tag: bytes, told: Mapping[str, str]) -> bytes:
    """Returns an error (`E`) or a notice (`N`) of its fields."""
    parts = [name.encode() + zero(value) for name, value in told.items() if value]
    return message(tag, *parts, b"\x00")


def zero(text: str) -> bytes:
    """Returns a text as it stands in messages: UTF-8, a zero behind it."""
    return text.encode("utf-8", "replace").replace(b"\x00", b"") + b"\x00"


def utf8(raw: bytes) -> str:
    """Returns a text of a client; raises WireError 22021 for what is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise WireError("22021", "a text of the client is not UTF-8") from None


def broken() -> WireError:
    """Returns the error for a message that cannot be read."""
    return WireError("08P01", "a message of the client cannot be read")
