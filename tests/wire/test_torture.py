"""Proves that broken, slow and rude clients get a coded answer, and harm nobody else."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from tests.wire.served import Served, serving

from roundview_sql.admission import Limits

LONG = (
    "SELECT sum(a.x * b.x) FROM generate_series(1, 100000) AS a(x)"
    " CROSS JOIN generate_series(1, 1000000) AS b(x)"
)
MANY = "SELECT a.x, b.x, 'some text' FROM generate_series(1, 2000) AS a(x) CROSS JOIN generate_series(1, 1000) AS b(x)"


def message(tag: bytes, body: bytes) -> bytes:
    """Returns one message of a client."""
    return tag + struct.pack(">i", len(body) + 4) + body


def startup(version: int = 0x30000, **parameters: str) -> bytes:
    """Returns the first message."""
    said = {"user": "demo", **parameters}
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in said.items())
    return struct.pack(">ii", len(body) + 9, version) + body + b"\0"


class Client:
    """Speaks the protocol byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def next(self) -> tuple[bytes, bytes]:
        """Returns tag and body of the next message; empty ones where there is none."""
        try:
            head = await self.reader.read(5)
        except ConnectionResetError:
            return b"", b""
        if len(head) < 5:
            return b"", b""
        return head[:1], await self.reader.readexactly(int.from_bytes(head[1:], "big") - 4)

    async def until(self, tag: bytes = b"Z") -> list[tuple[bytes, bytes]]:
        """Returns the messages up to one with a tag, or up to the end."""
        found = [await self.next()]
        while found[-1][0] not in (tag, b""):
            found.append(await self.next())
        return found

    async def asked(self, *messages: bytes) -> str:
        """Sends messages; returns the tags of the answers up to ReadyForQuery."""
        self.writer.write(b"".join(messages))
        return b"".join(tag for tag, _ in await self.until()).decode()


@asynccontextmanager
async def connected(port: int, first: bytes | None = None) -> AsyncIterator[Client]:
    """Connects and says the first message."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(startup() if first is None else first)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def parse(text: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    body = f"{name}\0{text}\0".encode() + struct.pack(f">h{len(types)}I", len(types), *types)
    return message(b"P", body)


def bind(name: str = "", portal: str = "") -> bytes:
    return message(b"B", f"{portal}\0{name}\0".encode() + struct.pack(">hhh", 0, 0, 0))


def execute(portal: str = "", most: int = 0) -> bytes:
    return message(b"E", f"{portal}\0".encode() + struct.pack(">i", most))


DESCRIBE = message(b"D", b"P\0")
SYNC = message(b"S", b"")


def fields(body: bytes) -> dict[str, str]:
    """Returns the fields of an error."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


async def test_answers_come_in_the_order_of_messages(served: Served) -> None:
    async with connected(served.port) as client:
        await client.until()
        one = (parse("SELECT 1"), bind(), DESCRIBE, execute())
        assert await client.asked(*one, *one, SYNC) == "12TDC12TDCZ"
        assert await client.asked(parse("SELECT nope"), bind(), execute(), SYNC) == "EZ"
        assert await client.asked(*one, parse("SELEC"), bind(), execute(), SYNC, SYNC) == "12TDCEZ"
        # The second Sync has an answer of its own.
        assert [tag for tag, _ in await client.until()] == [b"Z"]
        assert await client.asked(parse(""), bind(), DESCRIBE, execute(), SYNC) == "12nIZ"
        assert await client.asked(message(b"Q", b"\0")) == "IZ"
        assert await client.asked(message(b"Q", b"SELECT 1; SELECT nope; SELECT 2\0")) == "TDCEZ"


async def test_portals_are_read_in_parts_across_syncs(served: Served) -> None:
    values = parse("VALUES (1), (2), (3)", "v")
    async with connected(served.port) as client:
        await client.until()
        assert await client.asked(message(b"Q", b"BEGIN\0")) == "CZ"
        assert await client.asked(values, bind("v", "p"), execute("p", 2), SYNC) == "12DDsZ"
        assert await client.asked(execute("p", 2), SYNC) == "DCZ"
        assert await client.asked(execute("p", 2), SYNC) == "CZ"
        assert await client.asked(message(b"Q", b"COMMIT\0")) == "CZ"
        assert await client.asked(execute("p"), SYNC) == "EZ"
        # Outside of a transaction a portal ends with Sync.
        assert await client.asked(bind("v", "q"), execute("q", 1), SYNC) == "2DsZ"
        assert await client.asked(execute("q"), SYNC) == "EZ"


@pytest.mark.parametrize(
    ("sent", "sqlstate"),
    [
        (message(b"Q", b"SELECT 1"), "08P01"),
        (message(b"P", b"\0SELECT 1\0\0\1"), "08P01"),
        (message(b"B", b"\0"), "08P01"),
        (message(b"Q", b"SELECT '\xff'\0"), "22021"),
        (b"Q\x00\x00\x00\x00", "08P01"),
        (b"Q\x7f\xff\xff\xff", "08P01"),
        (b"Q\xff\xff\xff\xff", "08P01"),
        (b"!\x00\x00\x00\x04", "08P01"),
        (b"F\x00\x00\x00\x08abcd", "08P01"),
    ],
    ids=range(9),
)  # fmt: skip
async def test_broken_messages_are_told_of(served: Served, sent: bytes, sqlstate: str) -> None:
    async with connected(served.port) as client:
        await client.until()
        client.writer.write(sent)
        tag, body = await client.next()
        assert tag == b"E"
        assert fields(body)["C"] == sqlstate
    assert await alive(served)


@pytest.mark.parametrize(
    "first",
    [
        b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", struct.pack(">ii", 8, 0x30000),
        struct.pack(">ii", 100_000, 0x30000), startup(0x20000), startup(user=""), struct.pack(">ii", 16, 80877102) + bytes(8),
        startup(nonsense="1"), startup(options="-c"), startup(replication="true"),
    ],
    ids=range(12),
)  # fmt: skip
async def test_odd_beginnings_end_the_connection(served: Served, first: bytes) -> None:
    async with connected(served.port, first) as client:
        client.writer.write_eof()
        tags = b"".join(tag for tag, _ in await client.until())
    assert tags in (b"", b"E")
    assert await alive(served)


async def test_newer_versions_are_negotiated(served: Served) -> None:
    async with connected(served.port, startup(0x30002)) as client:
        told = dict(await client.until())
        assert len(told[b"K"]) == 4 + 32
        assert b"v" not in told
    async with connected(served.port, startup(0x3270F, **{"_pq_.odd": "1"})) as client:
        told = dict(await client.until())
        assert told[b"v"] == struct.pack(">ii", 2, 1) + b"_pq_.odd\0"


async def test_only_the_right_key_cancels(served: Served) -> None:
    async with connected(served.port) as client:
        key = dict(await client.until())[b"K"]
        client.writer.write(message(b"Q", LONG.encode() + b"\0"))
        for wrong in (bytes(8), key[:4] + bytes(4), key + b"\0"):
            async with connected(served.port, cancel(wrong)) as other:
                assert await other.reader.read() == b""
        answer = asyncio.ensure_future(client.until())
        done, _ = await asyncio.wait([answer], timeout=0.2)
        assert not done
        async with connected(served.port, cancel(key)) as other:
            assert await other.reader.read() == b""
        told = dict(await answer)
        assert fields(told[b"E"])["C"] == "57014"
        # A cancel that comes too late stops nothing.
        async with connected(served.port, cancel(key)) as other:
            assert await other.reader.read() == b""
        assert await client.asked(message(b"Q", b"SELECT 1\0")) == "TDCZ"


def cancel(key: bytes) -> bytes:
    return struct.pack(">ii", 8 + len(key), 80877102) + key


async def test_who_is_silent_or_idle_is_sent_away(served: Served) -> None:
    limits = Limits(startup_seconds=0.2, idle_seconds=0.2)
    async with serving(served.federation, limits) as (_, port):
        async with connected(port, b"\0\0") as client:
            assert await client.reader.read() == b""
        async with connected(port) as client:
            await client.until()
            told = dict(await client.until(b"E"))
            assert fields(told[b"E"])["C"] == "57P05"
        async with connected(port) as client:
            await client.until()
            await client.asked(message(b"Q", b"BEGIN\0"))
            told = dict(await client.until(b"E"))
            assert fields(told[b"E"])["C"] == "25P03"


async def test_connections_are_counted(served: Served) -> None:
    limits = Limits(connections_per_user=1)
    async with serving(served.federation, limits) as (_, port), connected(port) as first:
        await first.until()
        async with connected(port) as second:
            told = dict(await second.until(b"E"))
            assert fields(told[b"E"])["C"] == "53300"
        assert await first.asked(message(b"Q", b"SELECT 1\0")) == "TDCZ"


async def test_statements_of_a_user_take_turns(served: Served) -> None:
    limits = Limits(statements=1)
    async with (
        serving(served.federation, limits) as (_, port),
        connected(port) as first,
        connected(port) as second,
    ):
        key = dict(await first.until())[b"K"]
        await second.until()
        first.writer.write(message(b"Q", LONG.encode() + b"\0"))
        waiting = asyncio.ensure_future(second.asked(message(b"Q", b"SELECT 1\0")))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        async with connected(port, cancel(key)) as other:
            assert await other.reader.read() == b""
        assert fields(dict(await first.until())[b"E"])["C"] == "57014"
        assert await waiting == "TDCZ"


async def test_statements_end_at_their_timeout(served: Served) -> None:
    async with connected(served.port) as client:
        await client.until()
        for setting in (b"SET statement_timeout = 300", b"BEGIN"):
            await client.asked(message(b"Q", setting + b"\0"))
        client.writer.write(message(b"Q", LONG.encode() + b"\0"))
        told = dict(await client.until())
        assert fields(told[b"E"])["C"] == "57014"
        assert told[b"Z"] == b"E"
        assert await client.asked(message(b"Q", b"ROLLBACK\0")) == "CZ"
        assert await client.asked(message(b"Q", b"SELECT 1\0")) == "TDCZ"


async def test_clients_that_die_while_rows_come_leave_nothing_behind(served: Served) -> None:
    for size in (1, 100_000, 1_000_000):
        async with connected(served.port) as client:
            await client.until()
            client.writer.write(message(b"Q", MANY.encode() + b"\0"))
            await client.reader.readexactly(size)
            client.writer.transport.abort()
    async with connected(served.port) as client:
        await client.until()
        summed = b"SELECT sum(x) FROM generate_series(1, 10) AS s(x)\0"
        assert await client.asked(message(b"Q", summed)) == "TDCZ"


async def test_a_thousand_idle_connections(served: Served) -> None:
    clients = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(1000)]
    for _, writer in clients:
        writer.write(startup())
    for reader, _ in clients:
        await Client(reader, clients[0][1]).until()
    assert served.server.connections >= 1000
    assert await alive(served)
    for _, writer in clients:
        writer.close()


async def test_a_reader_that_stalls_holds_little(served: Served) -> None:
    async with connected(served.port) as client:
        await client.until()
        transport = client.writer.transport
        transport.pause_reading()
        client.writer.write(message(b"Q", MANY.encode() + b"\0"))
        assert await alive(served)
        transport.abort()
    assert await alive(served)


async def test_the_end_of_the_server_is_told(served: Served) -> None:
    async with (
        serving(served.federation) as (server, port),
        connected(port) as idle,
        connected(port) as busy,
    ):
        await idle.until()
        await busy.until()
        busy.writer.write(message(b"Q", LONG.encode() + b"\0"))
        await server.close()
        for client in (idle, busy):
            told = dict(await client.until(b"E"))
            assert fields(told[b"E"])["C"] == "57P01"


async def alive(served: Served) -> bool:
    """Tells whether another client is answered."""
    async with await psycopg.AsyncConnection.connect(served.ours) as connection:
        cursor = await connection.execute("SELECT 1")
        return await cursor.fetchone() == (1,)
