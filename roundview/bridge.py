"""Decides how the Thrift bridge runs: who may connect, and what follows the catalog."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from roundview_catalog.errors import RequestError
from roundview_federation.federation import Federation
from roundview_federation.watch import watch

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def tls_context(
    certificate: Path | None, private_key: Path | None, client_ca: Path | None
) -> ssl.SSLContext | None:
    """Returns what asks every caller for a certificate, None where no file is given.

    Raises RequestError if some of the three are missing or cannot be used.
    """
    if certificate is None and private_key is None and client_ca is None:
        return None
    if certificate is None or private_key is None or client_ca is None:
        raise RequestError(
            "TLS needs a certificate, its private key and who signs certificates of callers",
            hint="give --certificate, --private-key and --client-ca together",
        )
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
        context.load_cert_chain(certificate, private_key)
    except (OSError, ValueError):
        raise RequestError(
            "the files of TLS cannot be used",
            hint="check that they are PEM and that the key belongs to the certificate",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def run(
    federation: Federation,
    listener: socket.socket,
    announce: Callable[[], None],
    *,
    tls: ssl.SSLContext | None = None,
    allow_scan: bool = False,
    seconds: float | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; `announce` is called when connections are accepted.

    Raises RequestError RV103 where the library of the protocol is not installed.
    """
    try:
        from roundview_federation.bridge.answering import Bridge
        from roundview_federation.bridge.server import BridgeServer
    except ImportError as error:
        raise RequestError(
            f"the bridge needs {error.name}, which is not installed",
            code="RV103",
            hint="pip install roundview[trino]",
        ) from None
    server = BridgeServer(Bridge(federation, allow_scan=allow_scan, seconds=seconds))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in _SIGNALS:
        loop.add_signal_handler(one, stopped.set)
    watcher = asyncio.create_task(watch(federation, _nothing_follows))
    try:
        await server.start(listener, tls)
        announce()
        await stopped.wait()
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await server.close()
        await federation.close()


async def _nothing_follows(_: frozenset[str]) -> None:
    """The identity store is refreshed by who answers questions."""
