"""Decides the commands about API keys: who gets one, which there are, when one ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roundview.cli.options import CatalogOption, JsonOption

if TYPE_CHECKING:
    from roundview_catalog.model import Catalog
    from roundview_federation.access.api_keys import ApiKey, ApiKeys

app = typer.Typer(
    help="Make, list and revoke API keys; `api_keys: true` in access.yaml accepts them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog="\b\nExamples:\n  roundview key create helpdesk --role agent"
    "\n  roundview key create reports --role analyst --expires 30d --attribute region=eu"
)
def create(
    name: Annotated[str, typer.Argument(help="Who will act with the key.")],
    role: Annotated[list[str], typer.Option("--role", help="A role of policy.yaml.")],
    purpose: Annotated[
        list[str] | None, typer.Option("--purpose", help="The only purposes; default: the roles'.")
    ] = None,
    default_purpose: Annotated[
        str, typer.Option("--default-purpose", help="The purpose of requests that name none.")
    ] = "",
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="For the rules.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="graphql:open allows documents of one's own."),
    ] = None,
    expires: Annotated[str, typer.Option(help="How long it lasts, a year at most.")] = "90d",
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it; it is shown only now."""
    from roundview.output import print_json
    from roundview_federation.access.api_keys import Holder
    from roundview_federation.access.principals import SCOPES

    lasts = _duration(expires)
    with _opened(catalog) as (known, keys):
        _require(role, known.policy.roles, "role")
        purposes = {one for name in role for one in known.policy.roles[name].purposes}
        named = [*(purpose or ()), *([default_purpose] if default_purpose else [])]
        _require(named, sorted(purposes), "purpose of these roles")
        _require(scope or (), SCOPES, "scope")
        attributes = dict(_pair(text) for text in attribute or ())
        _require(attributes, known.policy.attributes, "attribute")
        holder = Holder(
            name=name,
            roles=tuple(role),
            attributes=attributes,
            purposes=tuple(purpose or ()),
            default_purpose=default_purpose,
            scopes=tuple(scope or ()),
        )
        text, kept = keys.create(holder, datetime.now(UTC), lasts)
        is_accepted = known.access.api_keys
    if as_json:
        print_json({"key": text, **_shown(kept)})
    else:
        typer.echo(text)
        typer.echo(f"key {kept.key_id} of {name}, until {kept.expires_at:%Y-%m-%d}", err=True)
    if not is_accepted:
        typer.echo("keys are not accepted yet: write `api_keys: true` into access.yaml", err=True)


@app.command("list", epilog="\b\nExamples:\n  roundview key list\n  roundview key list --json")
def list_(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Show every key that was made, but no key itself."""
    from roundview.output import console, print_json, show_rows

    with _opened(catalog) as (_, keys):
        known = keys.all()
    if as_json:
        print_json([_shown(one) for one in known])
        return
    rows = [
        (
            one.key_id,
            one.holder.name,
            ", ".join(one.holder.roles),
            _state(one),
            f"{one.expires_at:%Y-%m-%d}",
        )
        for one in known
    ]
    show_rows(("key", "name", "roles", "state", "until"), rows, console())


@app.command(epilog="\b\nExamples:\n  roundview key revoke 3f9c0d4be1a2")
def revoke(
    key: Annotated[str, typer.Argument(help="What `roundview key list` calls it.")],
    catalog: CatalogOption = None,
) -> None:
    """End a key: the next request with it is refused."""
    with _opened(catalog) as (_, keys):
        keys.revoke(key, datetime.now(UTC))
    typer.echo(f"key {key} is revoked")


@contextmanager
def _opened(catalog: Any) -> Iterator[tuple[Catalog, ApiKeys]]:
    from roundview.settings import find_workspace
    from roundview_catalog.loader import load
    from roundview_federation.access.api_keys import FILE, ApiKeys

    place = find_workspace(catalog)
    known = load(place.catalog)
    with closing(ApiKeys(place.data_dir / FILE)) as keys:
        yield known, keys


def _duration(text: str) -> timedelta:
    from roundview_catalog.durations import seconds
    from roundview_catalog.errors import RequestError

    try:
        return timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise RequestError(
            "--expires is a duration", code="RV105", hint="for example 90d"
        ) from None


def _pair(text: str) -> tuple[str, str]:
    from roundview_catalog.errors import RequestError

    name, separator, value = text.partition("=")
    if not separator or not name:
        raise RequestError("this is not NAME=VALUE", code="RV105", hint="for example region=eu")
    return name, value


def _require(names: Collection[str], known: Collection[str], what: str) -> None:
    from roundview_catalog.errors import RequestError
    from roundview_catalog.report import did_you_mean

    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
            raise RequestError(f"unknown {what}", code="RV102", hint=hint)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if datetime.now(UTC) < key.expires_at else "expired"


def _shown(key: ApiKey) -> dict[str, Any]:
    holder = key.holder
    return {
        "key_id": key.key_id,
        "name": holder.name,
        "roles": list(holder.roles),
        "attributes": dict(holder.attributes),
        "purposes": list(holder.purposes),
        "default_purpose": holder.default_purpose,
        "scopes": list(holder.scopes),
        "state": _state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
