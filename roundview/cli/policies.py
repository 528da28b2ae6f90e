"""Decides the commands that show what roles may see, then and now, and prove it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roundview.cli.options import CatalogOption, JsonOption

if TYPE_CHECKING:
    from roundview.policy_testing import Judged
    from roundview.settings import Workspace
    from roundview_catalog.model import Catalog

app = typer.Typer(
    help="See what the rules of policy.yaml amount to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def front() -> None:
    """See what the rules of policy.yaml amount to."""


@app.command(
    epilog="\b\nExamples:\n  roundview policy show agent\n  roundview policy show shop --json\n"
    "  roundview policy show agent --as-of 3f9c0d4b"
)
def show(
    role: Annotated[str, typer.Argument(help="A role of policy.yaml.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="VERSION", help="A version of the audit log, or a day: 2026-03-01."
        ),
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a role can see for each of its purposes, and by which rules."""
    from roundview.output import console, print_json, show_rows
    from roundview.settings import find_workspace
    from roundview_catalog.errors import RequestError
    from roundview_catalog.loader import load
    from roundview_catalog.report import did_you_mean

    place = find_workspace(catalog)
    loaded = load(place.catalog) if as_of is None else _of_version(place, as_of)
    known = loaded.policy.roles.get(role)
    if known is None:
        hint = did_you_mean(role, loaded.policy.roles)
        raise RequestError("there is no such role", code="RV102", hint=hint)
    told = {purpose: _seen(loaded, role, purpose) for purpose in known.purposes}
    actions = sorted(known.actions)
    if as_json:
        version = {"version": loaded.version}
        print_json({"role": role, **version, "actions": actions, "purposes": told})
        return
    out = console()
    glass = "; only in an emergency" if known.is_break_glass else ""
    typer.echo(f"{role}: actions {', '.join(actions) or 'none'}{glass}")
    for purpose, entities in told.items():
        typer.echo(f"\nfor {purpose}")
        rows = [
            (
                entity,
                ", ".join(seen["fields"]),
                " or ".join(seen["rows"]) or "all",
                ", ".join(f"{field}: {mask}" for field, mask in seen["masks"].items()),
                ", ".join(seen["needs_consent"]),
            )
            for entity, seen in entities.items()
        ]
        show_rows(("entity", "fields", "rows", "masks", "needs consent"), rows, out)


@app.command(
    epilog="\b\nExamples:\n  roundview policy diff 3f9c0d4b\n  roundview policy diff 2026-03-01\n"
    "  roundview policy diff catalog ../proposed/catalog --json"
)
def diff(
    before: Annotated[str, typer.Argument(help="A catalog folder, a version, or a day.")],
    after: Annotated[
        str | None, typer.Argument(help="Another one; default: the catalog as it is.")
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each role gains and loses from one policy to another."""
    from dataclasses import asdict

    from roundview.output import console, print_json, show_rows
    from roundview.policy_differences import differences

    found = differences(*(_side(catalog, one) for one in (before, after)))
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        typer.echo("no role gains or loses anything")
    else:
        rows = [
            (one.role, one.purpose, str(one.change), f"{one.what} {one.of}", one.was, one.is_now)
            for one in found
        ]
        show_rows(("role", "for", "", "what", "was", "is"), rows, console())


@app.command(
    epilog="\b\nExamples:\n  roundview policy versions\n  roundview policy versions --json"
)
def versions(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Show since when which version was in force; those with equal rules have one name for them."""
    from dataclasses import asdict

    from roundview.output import console, print_json, show_rows
    from roundview.settings import find_workspace
    from roundview_federation.access.versions import PolicyVersions

    found = PolicyVersions(find_workspace(catalog).data_dir).all()
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        rows = [(one.version, f"{one.since:%Y-%m-%d %H:%M:%S}Z", one.rules[:8]) for one in found]
        show_rows(("version", "since", "rules"), rows, console())


@app.command(
    "test",
    epilog="\b\nExamples:\n  roundview policy test\n  roundview policy test --offline\n"
    "  roundview policy test my-catalog --json",
)
def prove(
    catalog: Annotated[Path | None, typer.Argument(help="Catalog folder.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nothing: leave out what is asked live.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove that the rules amount to what policy_tests.yaml says; exit code 1 if they do not."""
    from dataclasses import asdict

    from roundview.output import console, print_json, show_rows
    from roundview.settings import find_workspace
    from roundview_catalog.errors import RequestError

    place = find_workspace(catalog)
    found = asyncio.run(_judged(place.catalog, is_offline=offline))
    if not found:
        raise RequestError("there are no tests", code="RV102", hint="write policy_tests.yaml")
    if as_json:
        print_json({"holds": all(one.holds for one in found), "tests": [asdict(o) for o in found]})
    else:
        rows = [
            (one.name, "ok" if one.holds else "failed", "; ".join(one.failures) or _looks(one))
            for one in found
        ]
        show_rows(("test", "state", "found"), rows, console())
    raise typer.Exit(0 if all(one.holds for one in found) else 1)


async def _judged(root: Path, *, is_offline: bool) -> list[Judged]:
    from roundview.client import open_federation
    from roundview.policy_testing import judged_live, judged_offline
    from roundview_catalog.errors import CatalogError
    from roundview_catalog.loader import check, load

    problems = check(root)
    if problems:
        raise CatalogError(problems)
    loaded = load(root)
    if is_offline or not any(one.questions for one in loaded.policy_tests):
        return [judged_offline(loaded, one) for one in loaded.policy_tests]
    federation = open_federation(root)
    try:
        return [await judged_live(federation, one) for one in federation.catalog.policy_tests]
    finally:
        await federation.close()


def _looks(one: Judged) -> str:
    said = f"{one.looks} hold"
    return f"{said}, {one.not_asked} not asked" if one.not_asked else said


def _of_version(place: Workspace, text: str) -> Catalog:
    from roundview_federation.access.versions import PolicyVersions

    kept = PolicyVersions(place.data_dir)
    return kept.catalog_of(kept.find(text))


def _side(catalog: Path | None, text: str | None) -> Catalog:
    """Returns one side of a comparison: a folder, a version that is kept, or what is there now."""
    from roundview.settings import CATALOG_FILE, find_workspace
    from roundview_catalog.loader import load

    if text is not None and (Path(text) / CATALOG_FILE).exists():
        return load(Path(text))
    place = find_workspace(catalog)
    return load(place.catalog) if text is None else _of_version(place, text)


def _seen(loaded: Catalog, role: str, purpose: str) -> dict[str, dict[str, Any]]:
    from roundview.policy_differences import seen_by

    decision = seen_by(loaded, role, purpose)
    needed = decision.consent.needed_by if decision.consent is not None else frozenset()
    return {
        entity: {
            "fields": sorted(fields),
            "rows": [rule.sql("postgres") for rule in decision.row_filters.get(entity, ())],
            "masks": {
                field: mask.sql("postgres")
                for (of, field), mask in sorted(decision.masks.items())
                if of == entity
            },
            "needs_consent": sorted(field or "rows" for of, field in needed if of == entity),
        }
        for entity, fields in sorted(decision.fields.items())
    }
