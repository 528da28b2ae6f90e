"""Proves who gets in: holders of keys and tokens, over TLS or by a proof, and nobody else."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.access.issuing import Provider, make_catalog
from tests.connectors.server_certificate import write_certificate

from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.access.verifiers import nobodys_verifier, read_verifier, verifier_of
from roundview_federation.federation import Federation
from roundview_sql.encryption import encryption
from roundview_sql.failures import WireError
from roundview_sql.scram import Scram
from roundview_sql.server import SqlServer


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[str, ApiKeys]]:
    """Serves a catalog that says who is believed, with a certificate; yields where, and its keys."""
    write_certificate(tmp_path)
    (tmp_path / "data").mkdir()
    keys = ApiKeys(tmp_path / "data" / FILE)
    root = make_catalog(tmp_path, Provider())
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    tls = encryption(str(tmp_path / "server.crt"), str(tmp_path / "server.key"))
    server = SqlServer(federation, listener, tls=tls)
    await server.start()
    port = listener.getsockname()[1]
    yield f"host=127.0.0.1 port={port} dbname=c360 connect_timeout=60", keys
    await server.close()
    await federation.close()
    keys.close()


def key(keys: ApiKeys, name: str, *roles: str) -> str:
    """Makes a key."""
    holder = Holder(name, roles, default_purpose="service")
    return keys.create(holder, datetime.now(UTC), timedelta(days=1))[0]


async def relations(dsn: str) -> int:
    """Asks for rows of an entity that only one role may see."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("SELECT order_number FROM sales_order LIMIT 0")
        return len(cursor.description or ())


@pytest.mark.parametrize("mode", ["disable", "require"])
async def test_holders_of_keys_prove_it_with_scram(secured: tuple[str, ApiKeys], mode: str) -> None:
    dsn, keys = secured
    admin, agent = key(keys, "reports", "admin"), key(keys, "desk", "agent")
    assert await relations(f"{dsn} sslmode={mode} user=reports password={admin}") == 1
    with pytest.raises(psycopg.errors.UndefinedTable):
        await relations(f"{dsn} sslmode={mode} user=desk password={agent}")
    for user, password in (("reports", agent), ("nobody", admin), ("reports", "wrong")):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await relations(f"{dsn} sslmode={mode} user={user} password={password}")
    keys.revoke(keys.all()[0].key_id, datetime.now(UTC))
    keys.revoke(keys.all()[1].key_id, datetime.now(UTC))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await relations(f"{dsn} sslmode={mode} user=reports password={admin}")


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
async def test_holders_of_keys_bind_it_to_the_certificate(
    secured: tuple[str, ApiKeys], binding: str
) -> None:
    dsn, keys = secured
    admin = key(keys, "reports", "admin")
    own = f"{dsn} user=reports password={admin} channel_binding={binding}"
    assert await relations(f"{own} sslmode=require") == 1
    if binding == "require":
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            await relations(f"{own} sslmode=disable")


def test_other_bindings_are_refused() -> None:
    for first, is_bound in (
        ("y,,n=,r=x", False), ("n,,n=,r=x", True), ("p=tls-unique,,n=,r=x", True),
        ("p=tls-server-end-point,,n=,r=x", False),
    ):  # fmt: skip
        with pytest.raises(WireError):
            Scram(verifier_of("pencil"), binding=b"digest", is_bound=is_bound).first(first)
    exchange = Scram(verifier_of("pencil"), "%n", binding=b"digest", is_bound=True)
    exchange.first("p=tls-server-end-point,,n=,r=x")
    other = b64encode(b"p=tls-server-end-point,,other").decode()
    with pytest.raises(WireError, match="malformed"):
        exchange.final(f"c={other},r=x%n,p={'A' * 43}=")


async def test_a_key_is_a_password_inside_tls_only(secured: tuple[str, ApiKeys]) -> None:
    dsn, keys = secured
    admin = key(keys, "reports", "admin")
    assert await relations(f"{dsn} sslmode=require user=key password={admin}") == 1
    with pytest.raises(psycopg.OperationalError, match="over TLS only"):
        await relations(f"{dsn} sslmode=disable user=key password={admin}")
    with pytest.raises(psycopg.OperationalError, match="FATAL"):
        await relations(f"{dsn} sslmode=require user=token password=nonsense")


async def test_direct_tls_needs_the_name_of_the_protocol(
    secured: tuple[str, ApiKeys],
) -> None:
    dsn, _ = secured
    port = int(dsn.split("port=")[1].split()[0])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    startup = b"\x00\x03\x00\x00user\x00key\x00\x00"
    message = (len(startup) + 4).to_bytes(4, "big") + startup
    for protocols, expected in ((["postgresql"], b"R"), ([], b"")):
        if protocols:
            context.set_alpn_protocols(protocols)
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(message)
        try:
            assert await reader.read(1) == expected
        except ConnectionError:
            assert not expected
        writer.transport.abort()


def test_the_exchange_of_the_standard() -> None:
    verifier = verifier_of("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    exchange = Scram(verifier, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first = exchange.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert first == f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    last = exchange.final(f"c=biws,r={nonce},p={proof}")
    assert last == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    "last",
    [
        "c=biws,r=x%n,p=AAAA", "c=biws,r=other,p=AAAA", "c=eSws,r=x%n,p=AAAA", "", "p=",
        "c=biws,r=x%n", "c=biws,r=x%n,p=!", f"c=biws,r=x%n,p={'A' * 43}=",
    ],
)  # fmt: skip
def test_other_proofs_are_refused(last: str) -> None:
    exchange = Scram(verifier_of("pencil"), "%n")
    exchange.first("n,,n=,r=x")
    with pytest.raises(WireError):
        exchange.final(last)


@pytest.mark.parametrize("first", ["", "n,,", "p=tls-unique,,n=,r=x", "n,,r=x", "n,,n=u", "n"])
def test_other_beginnings_are_refused(first: str) -> None:
    with pytest.raises(WireError):
        Scram(verifier_of("pencil")).first(first)


def test_nobody_has_always_the_same_verifier() -> None:
    assert nobodys_verifier("a", b"s") == nobodys_verifier("a", b"s")
    assert nobodys_verifier("a", b"s") != nobodys_verifier("b", b"s")
    made = verifier_of("pencil")
    assert read_verifier(str(made)) == made
    assert read_verifier("") is None
