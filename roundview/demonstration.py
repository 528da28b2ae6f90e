"""Decides what `roundview demo` starts, in which order, and what it tells to try."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import typer
import uvloop

from roundview.client import open_federation
from roundview.demo import estate as estates
from roundview.demo import support
from roundview.listening import listen
from roundview.progress import progress
from roundview.serve import run
from roundview.settings import read_settings
from roundview.sql_door import SqlDoor, sql_door, sql_port
from roundview_catalog.errors import RequestError
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

if TYPE_CHECKING:
    from roundview.demo.server_estate import Servers

_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


def demonstrate(
    directory: Path, people: int, port: int | None, *, on_servers: bool = False
) -> None:
    """Makes the estate, starts its systems, links identities and serves until stopped.

    Raises RequestError where the database servers that are asked for are not installed.
    """
    if on_servers:
        _require_servers()
    settings = read_settings()
    chosen = settings.port if port is None else port
    listener = listen(settings.host, chosen)
    sql = sql_door(settings.host, sql_port(settings, chosen))
    with ExitStack() as running:
        servers: Servers | None = None
        with progress("making the estate") as report:
            estate = estates.make(directory, people, progress=report, on_servers=on_servers)
            if on_servers:
                from roundview.demo import server_estate

                servers = running.enter_context(server_estate.serving(estate, report))
        process = support.start(directory)
        running.callback(process.stop)
        write_env(directory, process, servers.env if servers else _NO_VARIABLES)
        federation = open_federation(estate.catalog)
        _say_what_runs(federation, estate, process, servers)
        run_in_loop(_link_and_serve(federation, listener, estate, sql))


def write_env(
    directory: Path,
    process: support.SupportProcess,
    further: Mapping[str, str] = _NO_VARIABLES,
) -> None:
    """Writes what the estate's catalog names into `env` beside it; the file holds secrets.

    A command in another terminal finds the running systems by it.
    """
    path = directory / "env"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"ROUNDVIEW_DEMO={directory.resolve()}\n")
        file.write(f"SUPPORT_URL={process.url}\nSUPPORT_TOKEN={process.token}\n")
        file.writelines(f"{name}={value}\n" for name, value in further.items())


def address(listener: socket.socket, *, is_secure: bool = False) -> str:
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if is_secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs a server until it ends; being interrupted is its ordinary end."""
    with (
        suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(work)


def _require_servers() -> None:
    from roundview.demo import server_estate

    lacking = server_estate.missing()
    if lacking:
        raise RequestError("; ".join(lacking), code="RV103", hint="or leave --servers out")


async def _link_and_serve(
    federation: Federation, listener: socket.socket, estate: estates.Estate, sql: SqlDoor
) -> None:
    with progress("identity") as report:
        linked = await refresh_identity(federation, progress=report)
    typer.echo(
        f"{linked.summary.records} records of people are {linked.summary.customers} customers"
    )
    await run(federation, listener, lambda: _say_what_to_try(address(listener), estate, sql), sql)


def _say_what_runs(
    federation: Federation,
    estate: estates.Estate,
    process: support.SupportProcess,
    servers: Servers | None,
) -> None:
    names = ", ".join(federation.catalog.sources)
    typer.echo(f"{estate.people} invented people in {names} under {estate.directory}")
    typer.echo(f"the support app is process {process.pid} on port {process.port}: kill it and look")
    for server in (servers.postgres, servers.mariadb) if servers else ():
        typer.echo(f"{server.kind.title} is process {server.pid} on port {server.port}")
    typer.echo(f"acting as the principal {federation.principal.name}: nobody is authenticated")


def _say_what_to_try(base: str, estate: estates.Estate, sql: SqlDoor) -> None:
    phone = estate.personas["heroine"]["identifiers"]["phone"][1]
    question = f'{{ customer(by: {{phone: "{phone}"}}) {{ fullName email }} }}'
    document = orjson.dumps({"query": question}).decode()
    typer.echo(
        f"""
open
  {base}/desk
  {base}/desk?phone={quote(phone, safe="")}
  {base}/graphql/schema
try in another terminal
  .venv/bin/roundview customer phone="{phone}"
  curl -s {base}/graphql -H 'content-type: application/json' -d '{document}'
  psql "{sql.dsn}" -c "SELECT full_name, city FROM customer LIMIT 5"

ctrl-c ends it"""  # noqa: S608  it is shown, not asked
    )
