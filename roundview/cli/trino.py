"""Decides the commands about Trino."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from roundview.cli.options import CatalogOption

app = typer.Typer(
    help="See and write what a Trino needs to read the sources.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog="\b\nExamples:\n  roundview trino catalogs\n"
    "  roundview trino catalogs --output /etc/trino/catalog\n"
    "  roundview trino catalogs --bridge 10.0.0.5:8362"
)
def catalogs(
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the files; default: print them.")
    ] = None,
    bridge: Annotated[
        str, typer.Option("--bridge", metavar="HOST:PORT", help="Where Trino finds the bridge.")
    ] = "127.0.0.1:8362",
    catalog: CatalogOption = None,
) -> None:
    """Write the properties of the catalogs by which Trino reads the sources, without secrets."""
    from roundview.settings import find_workspace
    from roundview.trino_catalogs import as_text, properties_of, write
    from roundview_catalog.loader import load

    place = find_workspace(catalog)
    made = properties_of(load(place.catalog, env=place.env), place.env, bridge)
    if output is None:
        for name, properties in made.items():
            typer.echo(f"# {name}.properties\n{as_text(properties)}")
        return
    for path in write(made, output):
        typer.echo(str(path))
    for properties in made.values():
        password = properties.get("connection-password", "")
        if password.startswith("${ENV:"):
            variable = password.removeprefix("${ENV:").removesuffix("}")
            typer.echo(f"set {variable} where Trino runs", err=True)
