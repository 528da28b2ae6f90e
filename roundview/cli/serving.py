"""Decides the commands that serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEMO_EXAMPLES = """\b
Examples:
  roundview demo
  roundview demo --people 20000 --dir big-demo --port 9000
  roundview demo --servers"""
SERVE_EXAMPLES = """\b
Examples:
  roundview serve my-catalog
  roundview serve my-catalog --workers 4
  ROUNDVIEW_PORT=9000 roundview serve my-catalog"""


def demo(
    people: Annotated[
        int, typer.Option(min=10, max=1_000_000, help="How many people to invent.")
    ] = 2000,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where the invented systems are kept.")
    ] = Path(".demo"),
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    servers: Annotated[
        bool, typer.Option("--servers", help="CRM, email and tills on PostgreSQL and MariaDB.")
    ] = False,
) -> None:
    """Make four invented systems and serve a live view over them."""
    from roundview.demonstration import demonstrate

    demonstrate(directory, people, port, on_servers=servers)


def serve(
    catalog: Annotated[Path | None, typer.Argument(help="Catalog folder.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address; beyond loopback with access.yaml and TLS.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    sql_port: Annotated[int | None, typer.Option(help="Port for SQL; 0 takes a free one.")] = None,
) -> None:
    """Serve a catalog: the agents' desk, GraphQL, and SQL for BI tools."""
    from roundview.client import open_federation
    from roundview.demonstration import address, run_in_loop
    from roundview.listening import listen_openly
    from roundview.serve import run
    from roundview.settings import read_settings
    from roundview.sql_door import sql_door
    from roundview.sql_door import sql_port as chosen_sql_port
    from roundview.workers import run_workers

    settings = read_settings(workers=workers)
    federation = open_federation(catalog)
    access = federation.catalog.access
    chosen = settings.port if port is None else port
    listener = listen_openly(host or settings.host, chosen, access, settings)
    processes = settings.workers
    at = chosen_sql_port(settings, chosen) if sql_port is None else sql_port
    sql = sql_door(host or settings.host, at, is_shared=processes != 1)
    base = address(listener, is_secure=settings.tls_certificate is not None)

    def announce() -> None:
        typer.echo(f"desk      {base}/desk")
        typer.echo(f"GraphQL   {base}/graphql (schema: {base}/graphql/schema)")
        typer.echo(f'SQL       psql "{sql.dsn}"')
        if access.is_configured:
            typer.echo("callers are who their tokens or API keys say: see access.yaml")
        else:
            who = federation.principal.name
            typer.echo(f"acting as the principal {who}: nobody is authenticated")

    if processes == 1:
        run_in_loop(run(federation, listener, announce, sql))
    else:
        run_workers(federation, listener, announce, processes, sql)
