"""Decides what the `roundview` command offers and how it answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roundview_catalog.errors import CatalogError, RoundviewError

if TYPE_CHECKING:
    import socket

    from roundview.connection import Connection

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A live view of a customer over the systems that already hold the data.",
    pretty_exceptions_enable=False,
)
identity = typer.Typer(no_args_is_help=True, help="Who is who: links between records.")
app.add_typer(identity, name="identity")

CatalogOption = Annotated[
    Path, typer.Option("--catalog", "-c", help="Folder of the catalog.", envvar="ROUNDVIEW_CATALOG")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DEMO = Path(".demo/catalog")


def main() -> None:
    """Runs the command line; errors end with the exit code of their family."""
    try:
        app(standalone_mode=False)
    except CatalogError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        sys.exit(error.row.exit)
    except RoundviewError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.row.exit)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        error.show()  # type: ignore[attr-defined]
        sys.exit(error.exit_code)


@app.command(epilog="Example: roundview demo --people 500")
def demo(
    people: Annotated[int, typer.Option(min=1, help="How many people.")] = 2000,
    directory: Annotated[Path, typer.Option("--dir", help="Where it lies.")] = Path(".demo"),
    port: Annotated[int, typer.Option(help="Where it listens on 127.0.0.1.")] = 8360,
) -> None:
    """Makes the demo's systems, links their records and serves them in the foreground."""
    from roundview.demo.estate import make
    from roundview.serve import listen

    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    estate = make(directory, people)
    _say(f"systems: {directory}/crm.db and {directory}/pos.db, {people} people")
    with _open(estate.catalog) as roundview:
        done = roundview.refresh()
    _say(f"identity: {done.records} records are {done.summary.customers} customers")
    here = f"http://127.0.0.1:{port}"
    _say(f"serving on loopback, everybody acts as the principal demo; stop with Ctrl+C\n\n"
         f"  {here}/desk\n"
         f"  {here}/desk?phone=030%204007919\n"
         f"  {here}/graphql/schema\n\n"
         f"  .venv/bin/roundview customer phone='030 4007919' --catalog {estate.catalog}\n"
         f"  .venv/bin/roundview check {estate.catalog}")  # fmt: skip
    _serve(estate.catalog, listener)


@app.command(epilog="Example: roundview serve catalog --port 8360")
def serve(
    catalog: Annotated[Path, typer.Argument(help="Folder of the catalog.")] = _DEMO,
    port: Annotated[int, typer.Option(help="Where it listens on 127.0.0.1.")] = 8360,
) -> None:
    """Serves a catalog: the agents' page and GraphQL, on loopback only."""
    from roundview.serve import listen

    listener = listen("127.0.0.1", port)
    _say(f"http://127.0.0.1:{listener.getsockname()[1]}/desk, acting as the principal demo")
    _serve(catalog, listener)


@app.command(epilog="Example: roundview check catalog")
def check(
    catalog: Annotated[Path, typer.Argument(help="Folder of the catalog.")] = _DEMO,
    as_json: JsonOption = False,
) -> None:
    """Prints every problem of a catalog as file:line:column code message — hint."""
    from roundview_catalog.loader import check as problems_of
    from roundview_catalog.loader import load

    problems = problems_of(catalog)
    if as_json:
        _json([{**_place(p.position), "code": p.code, "message": p.message, "hint": p.hint}
               for p in problems])  # fmt: skip
    else:
        for problem in problems:
            _say(str(problem))
    if problems:
        raise typer.Exit(1)
    loaded = load(catalog)
    entities = {branch.entity for s in loaded.sources.values() for branch in s.branches}
    if not as_json:
        _say(f"{len(loaded.sources)} sources, {len(entities)} entities: no problems")


@app.command(epilog="Example: roundview customer phone='030 4007919'")
def customer(
    by: Annotated[str, typer.Argument(help="KIND=VALUE: phone, email, loyalty_no …")],
    catalog: CatalogOption = _DEMO,
    as_json: JsonOption = False,
) -> None:
    """Shows the whole customer, live."""
    kind, value = _pair(by)
    with _open(catalog) as roundview:
        view = roundview.customer(**{kind: value}).to_dict()
    if as_json:
        _json(view)
    else:
        _show(view)


@app.command(epilog="Example: roundview sources --json")
def sources(catalog: CatalogOption = _DEMO, as_json: JsonOption = False) -> None:
    """Says whether each source may be asked, proved now."""
    with _open(catalog) as roundview:
        states = roundview.states()
    if as_json:
        _json(states)
        return
    for state in states:
        _say(f"{state['name']:12} {state['state']:12} {state['detail']}")


@identity.command(epilog="Example: roundview identity refresh")
def refresh(catalog: CatalogOption = _DEMO, as_json: JsonOption = False) -> None:
    """Rebuilds the links from the live key columns of every source."""
    from rich.console import Console
    from rich.progress import Progress

    with _open(catalog) as roundview, Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("identity", total=None)
        done = roundview.refresh(
            lambda stage, at, total: bar.update(task, description=stage, completed=at, total=total)
        )
    summary = done.summary
    if as_json:
        _json({"records": done.records, "customers": summary.customers, "new": summary.new,
               "merged": summary.merged, "shared": summary.shared, "blocked": summary.blocked,
               "skipped": done.skipped})  # fmt: skip
        return
    _say(f"{done.records} records are {summary.customers} customers ({summary.new} new)")
    for name, reason in done.skipped.items():
        _say(f"{name} was left as it is: {reason}")


@identity.command(epilog="Example: roundview identity lookup email=ann@mail.example")
def lookup(
    by: Annotated[str, typer.Argument(help="KIND=VALUE")],
    catalog: CatalogOption = _DEMO,
    as_json: JsonOption = False,
) -> None:
    """Shows which records the links of an identifier lead to; no source is asked."""
    from roundview_federation.plan import Identifier

    kind, value = _pair(by)
    with _open(catalog) as roundview:
        xref = roundview.federation.xref
        forms = roundview.federation.normalized(Identifier(kind, value))
        ids = sorted({one for form in forms for one in xref.lookup(kind, form)})
        found = {one: [f"{source}/{key}" for source, key in xref.members(one)] for one in ids}
    if as_json:
        _json(found)
        return
    for customer_id, records in found.items():
        _say(f"{customer_id}  {', '.join(records)}")
    if not found:
        _say("nobody")


@app.command(epilog="Example: roundview introspect crm")
def introspect(
    name: Annotated[str, typer.Argument(help="Name of a SQLite source file in sources/.")],
    catalog: CatalogOption = _DEMO,
) -> None:
    """Writes sources/NAME.schema.yaml: what the source says of itself."""
    import asyncio

    from roundview.introspection import write_schema

    path = asyncio.run(write_schema(catalog, name, _env(catalog)))
    _say(f"wrote {path}")


def _open(catalog: Path) -> Connection:
    from roundview.connection import connect

    return connect(catalog, env=_env(catalog))


def _serve(catalog: Path, listener: socket.socket) -> None:
    import uvloop

    from roundview.connection import connect
    from roundview.serve import run

    uvloop.run(run(connect(catalog, env=_env(catalog)).federation, listener))


def _env(catalog: Path) -> dict[str, str]:
    # The estate's own catalog names its folder; a shell need not know that.
    return {"ROUNDVIEW_DEMO": str(catalog.resolve().parent), **os.environ}


def _pair(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    if not equals or not value:
        raise typer.BadParameter("write KIND=VALUE, for example phone='030 4007919'")
    return kind, value


def _place(position: Any) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column}


def _json(value: Any) -> None:
    import orjson

    _say(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def _say(text: str) -> None:
    typer.echo(text)


def _show(view: dict[str, Any]) -> None:
    from roundview.output import customer_text

    _say(customer_text(view))
