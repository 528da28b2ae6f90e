"""The bridge stays up and bounded whatever is sent to it, by however many at once."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bridge.conftest import Served
from tests.bridge.odd_shop import SCHEMA
from tests.bridge.thrift_client import RefusedError, ThriftClient, among, message

from roundview_federation.bridge import messages
from roundview_federation.bridge.frames import MalformedError, decode, encode, read_call
from roundview_federation.bridge.messages import CALLS
from roundview_federation.bridge.server import ConnectionLimits

LIST, STRUCT, TEXT, VOID = b"\x0f", b"\x0c", b"\x0b", b"\x01"
HOSTILE = {
    "list longer than the frame": LIST + b"\x00\x02" + TEXT + b"\x7f\xff\xff\xff",
    "list of negative length": LIST + b"\x00\x02" + TEXT + b"\xff\xff\xff\xff",
    "list of nothing": LIST + b"\x00\x09" + VOID + b"\x7f\xff\xff\xff",
    "text longer than the frame": TEXT + b"\x00\x09\x7f\xff\xff\xff",
    "text of negative length": TEXT + b"\x00\x09\xff\xff\xff\xff",
    "structs without end": (STRUCT + b"\x00\x09") * 200_000,
    "lists in lists": LIST + b"\x00\x09" + (LIST + b"\x00\x00\x00\x01") * 100_000,
    "a type that there is not": b"\x63\x00\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("call", CALLS[2:], ids=lambda call: call.name)
async def test_hostile_arguments_end_the_connection_only(odd: Served, name: str, call: Any) -> None:
    async with odd.client() as hostile, odd.client() as friendly:
        data = HOSTILE[name]
        if call in (messages.GetSplits, messages.GetIndexSplits):
            # They come back as the id of a split, and are read when its rows are asked for.
            kind = b"s" if call is messages.GetSplits else b"i"
            split = messages.Id(id=kind + data)
            data = encode(
                messages.GetRows(split=split, columns=[], most_bytes=1, next=messages.Token())
            )
            call = messages.GetRows
        body = message(call.name, data)
        hostile.writer.write(struct.pack(">I", len(body)) + body)
        assert await asyncio.wait_for(_until_closed(hostile), 5) == b""
        assert len(await friendly.tables()) > 1


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"\x7f\xff\xff\xff" + b"x" * 100,
        struct.pack(">I", 12) + b"\x80\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01",
        struct.pack(">I", 8) + b"\x80\x01\x00\x01\x7f\xff\xff\xff",
        struct.pack(">I", 8) + b"\x80\x02\x00\x01\x00\x00\x00\x00",
    ],
    ids=["HTTP", "empty", "oversized", "a reply", "endless name", "another version"],
)
async def test_what_is_no_call_ends_the_connection(odd: Served, sent: bytes) -> None:
    async with odd.client() as client:
        client.writer.write(sent)
        assert await asyncio.wait_for(_until_closed(client), 5) == b""


async def test_a_method_that_there_is_not_is_answered(odd: Served) -> None:
    class Drop(messages.ListSchemas):
        name = "dropEverything"

    async with odd.client() as client:
        with pytest.raises(RefusedError, match="unknown method"):
            await client.call(Drop(), messages.Schemas)
        assert SCHEMA in ((await client.call(messages.ListSchemas(), messages.Schemas)).found or [])


async def test_a_frame_that_never_gets_whole_is_given_up(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(ConnectionLimits(frame_seconds=0.05, idle_seconds=0.05))
    for begun in (b"\x00", b"\x00\x00\x00\x64", b"\x00\x00\x00\x64" + b"\x80" * 99, b""):
        async with served.client() as client:
            client.writer.write(begun)
            assert await asyncio.wait_for(_until_closed(client), 5) == b""


async def test_who_does_not_take_answers_is_given_up(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(ConnectionLimits(answer_seconds=0.1), allow_scan=True)
    async with served.client() as slow, served.client() as other:
        split = await other.split(SCHEMA, "wide")
        asked = messages.GetRows(
            split=split, columns=["body"], most_bytes=1 << 24, next=messages.Token()
        )
        slow.writer.transport.pause_reading()
        for _ in range(200):
            slow.send(asked)
        # Answers of 60 MB wait for nobody: the bridge ends the connection.
        while not slow.writer.transport.is_closing():
            slow.send(asked)
            await asyncio.sleep(0)
        assert len(await other.tables()) > 1


async def test_more_connections_than_allowed_are_refused(open_odd: Callable[..., Any]) -> None:
    served = await open_odd(ConnectionLimits(connections=5))
    clients = [await ThriftClient.connect(served.port) for _ in range(20)]
    try:
        answers = await asyncio.gather(
            *(one.call(messages.ListSchemas(), messages.Schemas) for one in clients),
            return_exceptions=True,
        )
        assert sum(isinstance(one, messages.Schemas) for one in answers) == 5
    finally:
        for one in clients:
            await one.close()
    async with served.client() as client:
        # The ends of the others are on their way.
        while client.reader.at_eof() or not await _is_served(client):
            client = await ThriftClient.connect(served.port)
        assert await client.tables()
        await client.close()


async def test_many_connections_are_served_at_once(odd: Served) -> None:
    async def ask(at: int) -> int:
        async with odd.client() as client:
            found = await client.scan(
                SCHEMA, "scanned", ["name"], where={"person": among(at % 100)}
            )
            return len(found)

    assert set(await asyncio.gather(*(ask(at) for at in range(100)))) == {400}


@given(st.binary(max_size=200), st.sampled_from(CALLS))
def test_any_bytes_are_a_call_or_refused(data: bytes, call: Any) -> None:
    for one in (data, message(call.name, data)):
        try:
            read = read_call(one)
        except MalformedError:
            continue
        if read.method is not None:
            try:
                decode(read.data, read.method)
            except MalformedError:
                continue


def test_calls_with_bytes_turned_are_read_or_refused() -> None:
    domain = among(*range(20))
    whole = encode(
        messages.GetSplits(
            table=messages.TableName(schema="s", table="t"),
            desired=messages.ColumnsOrNull(columns={"a", "b"}),
            constraint=messages.Constraint(domains={"a": domain, "b": domain}),
            most=10,
            next=messages.Token(),
        )
    )
    dice = random.Random(7)
    refused = 0
    for _ in range(5_000):
        turned = bytearray(whole[: dice.randint(1, len(whole))])
        for _ in range(dice.randint(1, 5)):
            turned[dice.randrange(len(turned))] = dice.randrange(256)
        try:
            decode(bytes(turned), messages.GetSplits)
        except MalformedError:
            refused += 1
    assert refused > 1_000


async def test_calls_without_arguments_are_refused_or_answered(odd: Served) -> None:
    for call in CALLS:
        async with odd.client() as client:
            body = message(call.name, b"\x00")
            client.writer.write(struct.pack(">I", len(body)) + body)
            answer = await asyncio.wait_for(client.reader.read(4), 5)
            assert (answer == b"") == (call is messages.GetRows)


async def _is_served(client: ThriftClient) -> bool:
    try:
        await client.call(messages.ListSchemas(), messages.Schemas)
    except (OSError, asyncio.IncompleteReadError):
        return False
    return True


async def _until_closed(client: ThriftClient) -> bytes:
    try:
        return await client.reader.read()
    except ConnectionResetError:
        return b""
