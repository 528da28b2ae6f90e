"""Proves that the values of many row packets are read as each of them says."""

from __future__ import annotations

from typing import Any

import pytest
from asyncmy import errors
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.connectors import mariadb_server, world
from tests.connectors.bulk_values import read
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.opening import fragment, opened
from tests.connectors.test_batches_values import introspected

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Limits
from roundview_catalog.types import parse_type
from roundview_federation.connectors.mysql.packets import Packets
from roundview_federation.connectors.port import NO_CAP

Row = tuple[bytes | None, ...]

SIZES = (0, 1, 250, 251, 252, 255, 256, 65_535, 65_536, 70_000)
"""Bytes of a value on both sides of each step of how a length is written."""


def packed(row: Row) -> bytes:
    """Returns the packet of a row."""
    body = b"".join(b"\xfb" if value is None else _length(value) + value for value in row)
    return len(body).to_bytes(3, "little") + b"\0" + body


def _length(value: bytes) -> bytes:
    if len(value) < 251:
        return bytes([len(value)])
    if len(value) < 2**16:
        return b"\xfc" + len(value).to_bytes(2, "little")
    return b"\xfd" + len(value).to_bytes(3, "little")


def told(rows: list[Row]) -> list[Row]:
    """Returns the rows that their packets are read as."""
    packets = Packets(b"".join(map(packed, rows)), len(rows))
    columns = packets.columns(len(rows[0]))
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


VALUES = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.builds(lambda size, byte: bytes([byte]) * size, st.sampled_from(SIZES), st.integers(0, 255)),
)
ROWS = st.integers(1, 4).flatmap(
    lambda count: st.lists(st.tuples(*[VALUES] * count), min_size=1, max_size=12)
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
@example([(b"x" * 252,), (b"",), (None,)])
@example([(b"\0" * 60, b"1")] * 3 + [(b"\0" * 600, b"1")])
@example([(b"z" * 256,), *[(b"",)] * 4])
def test_rows_are_their_packets(rows: list[Row]) -> None:
    assert told(rows) == rows


def test_many_rows_are_their_packets() -> None:
    rows: list[Row] = [
        (str(at).encode(), None if at % 7 == 0 else b"y" * (at % 300)) for at in range(20_000)
    ]
    assert told(rows) == rows


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x05abc",
        b"\x01a\x01",
        b"\xfc",
        b"\xfc\xff\xff",
        b"\xfd\xff\xff\x7f",
        b"\xfe" * 9,
        b"\xff",
    ],
)
def test_a_row_that_is_not_as_long_as_its_packet_is_refused(body: bytes) -> None:
    bad = len(body).to_bytes(3, "little") + b"\0" + body
    good = packed((b"a", b"b"))
    for data in (bad, good + bad, bad + good, good + bad + good):
        rows = data.count(good) + 1
        with pytest.raises(errors.InternalError):
            Packets(data, rows).columns(2)


async def test_values_of_any_length_arrive(mariadb: MariadbServer) -> None:
    """Rows of several packets are among them: one is longer than a packet may be."""
    database = f"lengths_{mariadb_server.WORLD}"
    huge = 2**24 + 5
    sizes = [*SIZES, 2**24 - 20, huge, 3]
    await mariadb.make(
        database,
        [
            "CREATE TABLE v (k INT PRIMARY KEY, a LONGTEXT, b VARCHAR(9))",
            *(
                f"INSERT INTO v VALUES ({at}, repeat(char({97 + at} USING utf8mb4), {size}), {at})"
                for at, size in enumerate(sizes)
            ),
            "INSERT INTO v (k) VALUES (100)",
        ],
    )
    url = {"url": mariadb.url(database)}
    tables = await introspected(world.source("pos", "mysql", url, {}))
    sql = "SELECT t.k AS c0, t.a AS c1, t.b AS c2 FROM v AS t ORDER BY t.k"
    types = tuple(parse_type(one) for one in ("integer", "text", "text"))
    made = fragment(sql, types=types, is_scan=True, row_cap=NO_CAP)
    limits = Limits(bytes=2 * huge)
    connector: Any = opened(world.source("pos", "mysql", url, tables, limits))
    found = await read(connector, connector.compile(made), {})
    await connector.close()
    wanted = [(at, chr(97 + at) * size, str(at)) for at, size in enumerate(sizes)]
    assert found == [*wanted, (100, None, None)]
    narrow: Any = opened(world.source("pos", "mysql", url, tables, Limits(bytes=huge - 9)))
    with pytest.raises(SourceError) as caught:
        await read(narrow, narrow.compile(made), {})
    await narrow.close()
    assert caught.value.code == "RV405"
