"""Decides the command that looks whether an installation is fit to serve."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from roundview.cli.options import CatalogOption, JsonOption

if TYPE_CHECKING:
    from roundview.doctor import Look
    from roundview.settings import Workspace

DOCTOR_EXAMPLES = """\b
Examples:
  roundview doctor
  roundview doctor --offline
  roundview doctor --json --seconds 300"""


def doctor(
    catalog: CatalogOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at files only; ask no source.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Longest time for one source.")] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Look at logins, secrets, claims, roles, links, the audit log, its disk and the clock."""
    from roundview.doctor import exit_code
    from roundview.output import console, print_json, show_rows
    from roundview.settings import find_workspace

    looks = asyncio.run(_looks(find_workspace(catalog), seconds, is_offline=offline))
    code = exit_code(looks)
    if as_json:
        print_json({"exit": code, "looks": [asdict(one) for one in looks]})
    else:
        rows = [(one.name, str(one.state), one.detail, one.hint) for one in looks]
        show_rows(("looked at", "state", "found", "hint"), rows, console())
    raise typer.Exit(code)


async def _looks(place: Workspace, seconds: float, *, is_offline: bool) -> list[Look]:
    from roundview import doctor as looking
    from roundview.client import open_federation
    from roundview.progress import progress

    found = list(looking.offline(place))
    is_loadable = not any(one.name == "catalog" and one.state == "failed" for one in found)
    if is_offline or not is_loadable:
        return found
    federation = open_federation(place.catalog)
    try:
        with progress("doctor") as report:
            found += [one async for one in looking.online(federation, place, seconds, report)]
    finally:
        await federation.close()
    return found
