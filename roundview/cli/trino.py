"""Decides the commands about Trino."""

from __future__ import annotations

import asyncio
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
    "  roundview trino catalogs --bridge 10.0.0.5:8362 --bridge-tls\n"
    "  roundview trino catalogs --apply"
)
def catalogs(
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the files; default: print them.")
    ] = None,
    apply_: Annotated[
        bool,
        typer.Option("--apply", help="Make them on the Trino of engines.trino, while it runs."),
    ] = False,
    bridge: Annotated[
        str, typer.Option("--bridge", metavar="HOST:PORT", help="Where Trino finds the bridge.")
    ] = "127.0.0.1:8362",
    bridge_tls: Annotated[
        bool, typer.Option("--bridge-tls", help="The bridge asks Trino for a certificate.")
    ] = False,
    catalog: CatalogOption = None,
) -> None:
    """Write the properties of the catalogs by which Trino reads the sources, without secrets."""
    from roundview.settings import find_workspace
    from roundview.trino_catalogs import apply, as_text, properties_of, variables_in, write
    from roundview_catalog.errors import RequestError
    from roundview_catalog.loader import load

    place = find_workspace(catalog)
    loaded = load(place.catalog, env=place.env)
    made = properties_of(loaded, place.env, bridge, is_bridge_encrypted=bridge_tls)
    if apply_:
        if loaded.engines.trino is None:
            raise RequestError(
                "the catalog names no Trino", code="RV102", hint="engines.trino in roundview.yaml"
            )
        asyncio.run(apply(made, loaded.engines.trino, place))
        typer.echo(f"made in Trino: {', '.join(made)}")
    if output is not None:
        for path in write(made, output):
            typer.echo(str(path))
    elif not apply_:
        for name, properties in made.items():
            typer.echo(f"# {name}.properties\n{as_text(properties)}")
        return
    for variable in () if apply_ else variables_in(made):
        typer.echo(f"set {variable} where Trino runs", err=True)
