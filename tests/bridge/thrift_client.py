"""Decides how tests ask the bridge: as Trino's Thrift connector does, one call after the other."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from roundview_federation.bridge import messages
from roundview_federation.bridge.blocks import values
from roundview_federation.bridge.frames import decode, encode
from roundview_federation.bridge.messages import Struct

CALL, REPLY, EXCEPTION = 1, 2, 3
MOST = 16 * 1024 * 1024

S = TypeVar("S", bound=Struct)


class RefusedError(Exception):
    """What the bridge said instead of an answer."""


class ThriftClient:
    """One connection; `pages` counts those of the last scan."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.pages = 0
        self._sequence = 0

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> ThriftClient:
        """Opens a connection to a port of loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    async def close(self) -> None:
        """Ends the connection."""
        self.writer.transport.abort()

    def send(self, arguments: Any) -> None:
        """Sends a call."""
        self._sequence += 1
        body = message(arguments.name, encode(arguments), self._sequence)
        self.writer.write(struct.pack(">I", len(body)) + body)

    async def receive(self) -> bytes:
        """Returns the body of an answer; raises RefusedError for a failure."""
        (length,) = struct.unpack(">I", await self.reader.readexactly(4))
        frame = await self.reader.readexactly(length)
        version, size = struct.unpack_from(">Ii", frame)
        data = frame[8 + size + 4 :]
        (sequence,) = struct.unpack_from(">i", frame, 8 + size)
        assert sequence == self._sequence
        if version == 0x80010000 | EXCEPTION:
            raise RefusedError(decode(data, messages.Unknown).message)
        assert version == 0x80010000 | REPLY
        failed = decode(data, messages.Failed)
        if failed.failure is not None:
            assert failed.failure.retryable is False
            raise RefusedError(failed.failure.message)
        return data

    async def call(self, arguments: Any, of: type[S]) -> S:
        """Returns the answer to a call, which is field 0 or, of lists, has it."""
        self.send(arguments)
        data = await self.receive()
        if of in (messages.Schemas, messages.Tables):
            return decode(data, of)
        assert data[:3] == b"\x0c\x00\x00"
        return decode(data[3:], of)

    async def tables(self) -> list[messages.Table]:
        """Returns every table with its columns."""
        named = await self.call(messages.ListTables(of=messages.SchemaOrNull()), messages.Tables)
        found = []
        for name in named.found or []:
            asked = messages.GetTable(table=name)
            table = (await self.call(asked, messages.TableOrNull)).table
            assert table is not None
            found.append(table)
        return found

    async def split(
        self,
        schema: str,
        table: str,
        *,
        where: Mapping[str, messages.Domain] | None = None,
        keys: tuple[Sequence[str], Sequence[messages.Block]] | None = None,
    ) -> messages.Id:
        """Returns the split of a scan, or of an index join where there are keys."""
        name = messages.TableName(schema=schema, table=table)
        constraint = messages.Constraint(domains=dict(where or {}))
        asked: Any = messages.GetSplits(
            table=name,
            desired=messages.ColumnsOrNull(),
            constraint=constraint,
            most=10,
            next=messages.Token(),
        )
        if keys is not None:
            rows = len(values(keys[1][0]))
            asked = messages.GetIndexSplits(
                table=name,
                key_columns=list(keys[0]),
                columns=[],
                keys=messages.Page(blocks=list(keys[1]), rows=rows),
                constraint=constraint,
                most=10,
                next=messages.Token(),
            )
        (split,) = (await self.call(asked, messages.Splits)).splits or []
        assert split.id is not None
        return split.id

    async def page(
        self,
        split: messages.Id,
        columns: Sequence[str],
        token: messages.Id | None = None,
        most: int = MOST,
    ) -> messages.Page:
        """Returns a page of a split."""
        asked = messages.GetRows(
            split=split, columns=list(columns), most_bytes=most, next=messages.Token(token=token)
        )
        return await self.call(asked, messages.Page)

    async def rows(
        self, split: messages.Id, columns: Sequence[str], most: int = MOST
    ) -> list[tuple[Any, ...]]:
        """Returns all rows of a split."""
        found: list[tuple[Any, ...]] = []
        token = None
        self.pages = 0
        while True:
            page = await self.page(split, columns, token, most)
            self.pages += 1
            blocks = [values(block) for block in page.blocks or []]
            assert all(len(block) == page.rows for block in blocks)
            found += zip(*blocks, strict=True) if columns else [()] * (page.rows or 0)
            token = page.next
            if token is None:
                return found

    async def scan(
        self, schema: str, table: str, columns: Sequence[str], **how: Any
    ) -> list[tuple[Any, ...]]:
        """Returns all rows of a table, or those of keys or a constraint."""
        return await self.rows(await self.split(schema, table, **how), columns)


def message(name: str, data: bytes, sequence: int = 1, kind: int = CALL) -> bytes:
    """Returns the body of a call's frame."""
    named = name.encode()
    head = struct.pack(">Ii", 0x80010000 | kind, len(named)) + named
    return head + struct.pack(">i", sequence) + data


def integers(*found: int) -> messages.Block:
    """Returns a block of bigints."""
    return messages.Block(bigint=messages.Bigints(values=list(found)))


def texts(*found: str) -> messages.Block:
    """Returns a block of varchars."""
    encoded = [one.encode() for one in found]
    sizes = [len(one) for one in encoded]
    return messages.Block(varchar=messages.Texts(sizes=sizes, bytes=b"".join(encoded)))


def block(one: Any) -> messages.Block:
    """Returns the block of one value."""
    return texts(one) if isinstance(one, str) else integers(one)


def among(*found: Any, nulls: bool = False) -> messages.Domain:
    """Returns the domain of some values."""
    exact = [messages.Marker(value=block(one), bound=messages.EXACTLY) for one in found]
    ranges = [messages.Range(low=one, high=one) for one in exact]
    known = messages.ValueSet(ranges=messages.Ranges(ranges=ranges))
    return messages.Domain(values=known, nulls=nulls)


def between(
    low: Any = None, high: Any = None, *, inclusive: bool = True, nulls: bool = False
) -> messages.Domain:
    """Returns the domain of a range; a bound that is None is none."""
    exactly = messages.EXACTLY
    low_bound = exactly if inclusive and low is not None else messages.ABOVE
    high_bound = exactly if inclusive and high is not None else messages.BELOW
    one = messages.Range(
        low=messages.Marker(value=None if low is None else block(low), bound=low_bound),
        high=messages.Marker(value=None if high is None else block(high), bound=high_bound),
    )
    known = messages.ValueSet(ranges=messages.Ranges(ranges=[one]))
    return messages.Domain(values=known, nulls=nulls)


def everything(*, values: bool, nulls: bool) -> messages.Domain:
    """Returns the domain of all values or none, with or without NULL."""
    known = messages.ValueSet(everything=messages.Everything(all=values))
    return messages.Domain(values=known, nulls=nulls)
