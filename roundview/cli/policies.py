"""Decides the command that shows what a role may see."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from roundview.cli.options import CatalogOption, JsonOption

app = typer.Typer(
    help="See what the rules of policy.yaml amount to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def front() -> None:
    """See what the rules of policy.yaml amount to."""


@app.command(
    epilog="\b\nExamples:\n  roundview policy show agent\n  roundview policy show shop --json"
)
def show(
    role: Annotated[str, typer.Argument(help="A role of policy.yaml.")],
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
    loaded = load(place.catalog, env=place.env)
    known = loaded.policy.roles.get(role)
    if known is None:
        hint = did_you_mean(role, loaded.policy.roles)
        raise RequestError("there is no such role", code="RV102", hint=hint)
    told = {purpose: _seen(loaded, role, purpose) for purpose in known.purposes}
    if as_json:
        print_json({"role": role, "actions": sorted(known.actions), "purposes": told})
        return
    out = console()
    typer.echo(f"{role}: actions {', '.join(sorted(known.actions)) or 'none'}")
    for purpose, entities in told.items():
        typer.echo(f"\nfor {purpose}")
        rows = [
            (
                entity,
                ", ".join(seen["fields"]),
                " or ".join(seen["rows"]) or "all",
                ", ".join(f"{field}: {mask}" for field, mask in seen["masks"].items()),
            )
            for entity, seen in entities.items()
        ]
        show_rows(("entity", "fields", "rows", "masks"), rows, out)


def _seen(loaded: Any, role: str, purpose: str) -> dict[str, dict[str, Any]]:
    from roundview_federation.access.policy import decide
    from roundview_federation.request import Principal

    policy = loaded.policy
    principal = Principal(role, (role,), purposes=(purpose,), default_purpose=purpose)
    is_emergency = policy.roles[role].is_break_glass
    decision = decide(loaded, principal, purpose, is_emergency=is_emergency)
    return {
        entity: {
            "fields": sorted(fields),
            "rows": [rule.sql("postgres") for rule in decision.row_filters.get(entity, ())],
            "masks": {
                field: mask.sql("postgres")
                for (of, field), mask in sorted(decision.masks.items())
                if of == entity
            },
        }
        for entity, fields in sorted(decision.fields.items())
    }
