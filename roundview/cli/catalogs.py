"""Decides the commands for people who write catalogs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from roundview.cli.options import CatalogOption, JsonOption

CHECK_EXAMPLES = """\b
Examples:
  roundview check
  roundview check my-catalog --json
  roundview check --live
  roundview check my-catalog --live --source crm --seconds 300"""
INTROSPECT_EXAMPLES = """\b
Examples:
  roundview introspect crm
  roundview introspect crm --print"""

SCHEMAS_EXAMPLES = """\b
Examples:
  roundview schemas
  roundview schemas --catalog my-catalog

\b
Most editors take a schema from the first line of a file:
  # yaml-language-server: $schema=../.schemas/source.json"""


def check(
    catalog: Annotated[Path | None, typer.Argument(help="Catalog folder.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Prove every claim against its source too.")
    ] = False,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="With --live: only this source.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="With --live: longest time for one source.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Check a catalog and print every problem with its place."""
    from roundview.output import print_json
    from roundview.settings import find_workspace
    from roundview_catalog import loader

    place = find_workspace(catalog)
    root = place.catalog
    problems = loader.check(root)
    if live and not problems:
        from roundview.proofs import prove_and_show

        code = prove_and_show(place, source or (), seconds, as_json=as_json)
        raise typer.Exit(code)
    if as_json:
        print_json({"problems": [_problem(one) for one in problems]})
    elif problems:
        for problem in problems:
            typer.echo(str(problem))
    else:
        loaded = loader.load(root)
        entities = {b.entity for source in loaded.sources.values() for b in source.branches}
        typer.echo(f"{len(loaded.sources)} sources, {len(entities)} entities: no problems")
    if problems:
        raise typer.Exit(1)


def introspect(
    name: Annotated[str, typer.Argument(help="Source, as its file under sources/ is named.")],
    catalog: CatalogOption = None,
    show: Annotated[
        bool, typer.Option("--print", help="Print the schema instead of writing the file.")
    ] = False,
) -> None:
    """Write the schema file of a source from what the source says of itself."""
    from roundview.introspection import introspect_source
    from roundview.settings import find_workspace
    from roundview_catalog import schema_file

    place = find_workspace(catalog)
    tables = asyncio.run(introspect_source(place.catalog, name, place.env))
    if show:
        typer.echo(schema_file.text(tables), nl=False)
        return
    path = place.catalog / "sources" / f"{name}.schema.yaml"
    schema_file.write(path, tables)
    typer.echo(f"sources/{path.name}: {len(tables)} tables")


def schemas(catalog: CatalogOption = None) -> None:
    """Write JSON Schemas of the catalog's files, for editors that complete and check YAML."""
    import orjson

    from roundview.settings import find_workspace
    from roundview_catalog.json_schema import json_schemas
    from roundview_catalog.loader import load

    root = find_workspace(catalog).catalog
    folder = root / ".schemas"
    folder.mkdir(exist_ok=True)
    made = json_schemas(load(root).canonical)
    for name, schema in made.items():
        text = orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (folder / f"{name}.json").write_bytes(text)
    typer.echo(f".schemas: {', '.join(made)}")


def _problem(problem: Any) -> dict[str, Any]:
    return {
        "file": problem.position.file,
        "line": problem.position.line,
        "column": problem.position.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }
