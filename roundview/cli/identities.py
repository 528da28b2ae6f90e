"""Decides the commands about who is who."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from roundview.cli.options import (
    CatalogOption,
    IdentifierArgument,
    JsonOption,
    identifier,
    record,
)

app = typer.Typer(
    help="See and rebuild which records belong to which customer.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog="\b\nExamples:\n  roundview identity refresh\n  roundview identity refresh crm pos"
)
def refresh(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; default: all.")] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the key columns of sources and link their records again."""
    from roundview.client import connect
    from roundview.output import print_json
    from roundview.progress import progress
    from roundview_catalog.errors import RequestError

    with connect(catalog) as connection:
        unknown = set(sources or ()) - set(connection.catalog.sources)
        if unknown:
            known = ", ".join(connection.catalog.sources)
            raise RequestError(
                f"unknown source {min(unknown)}", code="RV102", hint=f"one of {known}"
            )
        with progress("identity") as report:
            done = connection.refresh_identity(*(sources or ()), progress=report)
    if as_json:
        print_json(asdict(done))
        return
    summary = done.summary
    typer.echo(
        f"{summary.records} records, {summary.customers} customers:"
        f" {summary.new} new, {summary.merged} merged;"
        f" identifiers that link nobody: {summary.shared} shared, {summary.blocked} blocked"
    )
    for name, reason in done.skipped.items():
        typer.echo(f"{name} was not read: {reason}", err=True)


@app.command(
    epilog="\b\nExamples:\n  roundview identity lookup phone=0304007919"
    "\n  roundview identity lookup email=anna@mail.example --json"
)
def lookup(
    by: IdentifierArgument, catalog: CatalogOption = None, as_json: JsonOption = False
) -> None:
    """Show which records an identifier is known to lead to, without asking any source."""
    from roundview.client import connect
    from roundview.output import console, print_json, show_rows
    from roundview_federation.plan import Identifier

    kind, value = identifier(by)
    with connect(catalog) as connection:
        known = connection.known_records(Identifier(kind, value))
    if as_json:
        print_json(
            [
                {"customer_id": one, "records": [f"{source}/{key}" for source, key in members]}
                for one, members in known.items()
            ]
        )
    elif not known:
        typer.echo(f"no record is known by this {kind.replace('_', ' ')}")
    else:
        rows = [
            (one, f"{source}/{key}") for one, members in known.items() for source, key in members
        ]
        show_rows(("customer", "record"), rows, console())


@app.command(epilog="\b\nExamples:\n  roundview identity explain crm/17 pos/23")
def explain(
    first: Annotated[str, typer.Argument(metavar="SOURCE/KEY", help="A person's record.")],
    second: Annotated[str, typer.Argument(metavar="SOURCE/KEY", help="Another one.")],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why two records are, or are not, the same customer."""
    from roundview.client import connect
    from roundview.output import print_json

    a, b = record(first), record(second)
    with connect(catalog) as connection:
        explanation = connection.explain(a, b)
    if as_json:
        print_json(asdict(explanation))
    else:
        typer.echo(str(explanation))
