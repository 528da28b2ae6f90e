"""`roundview thrift-bridge` listens on loopback, or elsewhere to known callers alone."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.bridge import odd_shop
from tests.bridge.thrift_client import ThriftClient, among
from tests.connectors.server_certificate import write_certificate
from typer.testing import CliRunner

from roundview.cli import app

ROUNDVIEW = (sys.executable, "-c", "from roundview.cli import main; main()", "thrift-bridge")


@pytest.fixture(scope="module")
async def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    await (await odd_shop.opened(folder)).close()
    return folder


@contextmanager
def running(catalog: Path, *options: str) -> Iterator[int]:
    """Runs the command on a free port until it is interrupted, which is its ordinary end."""
    env = {**os.environ, "ROUNDVIEW_DATA_DIR": str(catalog / "data")}
    secret = catalog / "data/secret"
    secret.write_bytes(b"s" * 32)
    process = subprocess.Popen(
        [*ROUNDVIEW, str(catalog), "--port", "0", *options],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    try:
        assert "trino_thrift" in lines[1], process.stderr.read() if process.stderr else ""
        yield int(lines[2].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")


def refused(*options: str) -> str:
    """Returns what the command says when it does not start."""
    done = CliRunner().invoke(app, ["thrift-bridge", *options])
    assert done.exit_code != 0
    return done.stderr


async def asked(port: int, tls: ssl.SSLContext | None = None) -> int:
    client = await ThriftClient.connect(port, tls)
    try:
        rows = await client.scan(odd_shop.SCHEMA, "scanned", ["id"], where={"person": among(5)})
        return len(rows)
    finally:
        await client.close()


async def test_it_serves_until_it_is_told_to_stop(catalog: Path) -> None:
    with running(catalog, "--timeout", "5s") as port:
        assert await asked(port) == 400


async def test_only_known_callers_connect_by_tls(catalog: Path, tmp_path: Path) -> None:
    write_certificate(tmp_path)
    known, key = tmp_path / "server.crt", tmp_path / "server.key"
    files = ("--certificate", str(known), "--private-key", str(key), "--client-ca", str(known))
    caller = ssl.create_default_context(cafile=known)
    stranger = ssl.create_default_context(cafile=known)
    caller.load_cert_chain(known, key)
    with running(catalog, "--host", "127.0.0.1", *files) as port:
        assert await asked(port, caller) == 400
        with pytest.raises((ssl.SSLError, asyncio.IncompleteReadError, OSError)):
            await asked(port, stranger)
        with pytest.raises((asyncio.IncompleteReadError, OSError)):
            await asked(port)
        assert await asked(port, caller) == 400


def test_nobody_is_served_elsewhere_without_tls(catalog: Path, tmp_path: Path) -> None:
    assert "RV300" in refused(str(catalog), "--host", "0.0.0.0")
    write_certificate(tmp_path)
    certificate = str(tmp_path / "server.crt")
    half = refused(str(catalog), "--host", "0.0.0.0", "--certificate", certificate)
    assert "--client-ca" in half
    files = ("--certificate", certificate, "--private-key", certificate, "--client-ca", certificate)
    assert "PEM" in refused(str(catalog), *files)
    assert "RV105" in refused(str(catalog), "--timeout", "soon")
