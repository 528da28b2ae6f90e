"""Decides the command that serves sources to Trino."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from roundview_catalog.errors import RequestError

BRIDGE_EXAMPLES = """\b
Examples:
  roundview thrift-bridge my-catalog
  roundview thrift-bridge my-catalog --port 9090 --timeout 5m --allow-scan
  roundview thrift-bridge my-catalog --host 10.0.0.5 --certificate bridge.crt \\
    --private-key bridge.key --client-ca trino-ca.crt

\b
Whoever may connect reads everything behind it: no policy is applied here. So it listens on
loopback, or elsewhere to those alone whose certificate is signed by --client-ca."""


def thrift_bridge(
    catalog: Annotated[Path | None, typer.Argument(help="Catalog folder.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8362,
    allow_scan: Annotated[
        bool, typer.Option("--allow-scan", help="Read more of a source than its limits say.")
    ] = False,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="Longest reading: 800ms, 30s, 5m."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Own certificate, PEM.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", help="Its private key, PEM.")
    ] = None,
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", help="Who signs certificates of callers, PEM.")
    ] = None,
) -> None:
    """Serve sources and links to Trino's Thrift connector."""
    from roundview.bridge import run, tls_context
    from roundview.client import open_federation
    from roundview.demonstration import run_in_loop
    from roundview.listening import bind, listen

    seconds = _seconds(timeout)
    tls = tls_context(certificate, private_key, client_ca)
    listener = listen(host, port) if tls is None else bind(host, port)
    federation = open_federation(catalog)
    address, chosen = listener.getsockname()[:2]

    def announce() -> None:
        typer.echo(f"Thrift    {address}:{chosen}" + (" (TLS)" if tls is not None else ""))
        typer.echo("for Trino connector.name=trino_thrift")
        typer.echo(f"          trino.thrift.client.addresses={address}:{chosen}")

    run_in_loop(
        run(federation, listener, announce, tls=tls, allow_scan=allow_scan, seconds=seconds)
    )


def _seconds(timeout: str | None) -> float | None:
    from roundview_catalog.durations import seconds

    try:
        return None if timeout is None else seconds(timeout)
    except ValueError as error:
        raise RequestError("--timeout is no duration", code="RV105", hint=str(error)) from None
