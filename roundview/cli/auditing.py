"""Decides the commands about who saw whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from roundview.cli.options import CatalogOption, IdentifierArgument, JsonOption, identifier

if TYPE_CHECKING:
    from roundview_federation.audit.searching import Sighting

app = typer.Typer(
    help="Prove, search and hand out the record of who saw whom.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    "verify", epilog="\b\nExamples:\n  roundview audit verify\n  roundview audit verify --json"
)
def verify(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Prove that no record was changed, moved, put in or cut off; exit code 3 if one was."""
    from roundview.auditing import verify_log
    from roundview.output import print_json
    from roundview.progress import progress
    from roundview.settings import find_workspace

    place = find_workspace(catalog)
    with progress("audit") as report:
        found = verify_log(place, report)
    if as_json:
        print_json({"is_whole": found.is_whole, **asdict(found)})
    else:
        span = f", {found.first} to {found.last}" if found.records else ""
        typer.echo(f"{found.records} records in {found.segments} segments{span}")
        typer.echo(f"compared with {found.heads} heads, {found.recoveries} recoveries from crashes")
        for finding in found.findings:
            typer.echo(f"wrong: {finding}")
        typer.echo("as it was written" if found.is_whole else "not as it was written")
    if not found.is_whole:
        raise typer.Exit(3)


@app.command(
    "who-saw",
    epilog="\b\nExamples:\n  roundview audit who-saw email=anna@mail.example"
    "\n  roundview audit who-saw customer_id=0190e1c2-… --many --json",
)
def who_saw(
    by: IdentifierArgument,
    many: Annotated[
        bool, typer.Option("--many", help="Show questions about many people too.")
    ] = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who was shown what of a customer, when, why and for what."""
    from roundview.auditing import sightings
    from roundview.client import open_federation
    from roundview.output import console, print_json, show_rows
    from roundview.progress import progress
    from roundview.settings import find_workspace
    from roundview_federation.plan import Identifier

    kind, value = identifier(by)
    place = find_workspace(catalog)

    async def search() -> tuple[Sighting, ...]:
        federation = open_federation(catalog)
        try:
            with progress("audit") as report:
                return await sightings(federation, place, Identifier(kind, value), report)
        finally:
            await federation.close()

    found = asyncio.run(search())
    shown = [one for one in found if many or one.is_certain]
    if as_json:
        print_json([asdict(one) for one in shown])
        return
    rows = [
        (one.at[:19], one.actor, one.purpose, one.reason, _about(one), one.status or "not noted")
        for one in shown
    ]
    if rows:
        show_rows(("at", "actor", "purpose", "reason", "asked for", "ended"), rows, console())
    else:
        typer.echo("nobody, as far as the log reaches back")
    if len(found) > len(shown):
        hidden = len(found) - len(shown)
        typer.echo(f"{hidden} questions about many people may have shown this one too: --many")


@app.command(
    "export",
    epilog="\b\nExamples:\n  roundview audit export > audit.jsonl"
    "\n  roundview audit export --format csv > audit.csv",
)
def export(
    form: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    catalog: CatalogOption = None,
) -> None:
    """Write every record to standard output."""
    from roundview.auditing import exported
    from roundview.client import open_federation
    from roundview.progress import progress
    from roundview.settings import find_workspace

    place = find_workspace(catalog)

    async def write() -> None:
        federation = open_federation(catalog)
        try:
            with progress("audit") as report:
                lines: Iterator[str] = await exported(federation, place, form, report)
                for line in lines:
                    typer.echo(line)
        finally:
            await federation.close()

    asyncio.run(write())


def _about(one: Sighting) -> str:
    entities = ", ".join(one.fields)
    return f"{one.question}: {entities}" if one.is_certain else f"{one.question} (many): {entities}"
