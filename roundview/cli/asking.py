"""Decides the commands that ask: one customer, the state of the sources."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from roundview.cli.options import (
    CatalogOption,
    EmergencyOption,
    IdentifierArgument,
    JsonOption,
    PurposeOption,
    ReasonOption,
    identifier,
)
from roundview_catalog.errors import RequestError

if TYPE_CHECKING:
    from roundview_federation.reveal import Revealed

CUSTOMER_EXAMPLES = """\b
Examples:
  roundview customer email=anna@mail.example
  roundview customer phone="030 4007919" --first 5
  roundview customer order_number=INV-00012 --json
  roundview customer email=anna@mail.example --purpose marketing
  roundview customer phone="030 4007919" --reveal individual.birth_date --reason "new card"
  roundview customer phone="030 4007919" --emergency --reason "accident, asked by the police\""""
SOURCES_EXAMPLES = """\b
Examples:
  roundview sources
  roundview sources --json"""


def customer(
    by: IdentifierArgument,
    catalog: CatalogOption = None,
    first: Annotated[int, typer.Option(min=1, max=200, help="Records of each list.")] = 20,
    purpose: PurposeOption = "",
    reveal: Annotated[
        str,
        typer.Option(
            "--reveal",
            metavar="ENTITY.FIELD",
            help="Show only this masked field, unmasked: needs --reason.",
        ),
    ] = "",
    reason: ReasonOption = "",
    emergency: EmergencyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show everything known of one customer, live from every source."""
    from roundview.client import connect
    from roundview.output import console, print_json, show_customer
    from roundview_federation.plan import Identifier

    kind, value = identifier(by)
    if reveal and emergency:
        raise RequestError("reveal a field, or break the glass", hint="one at a time")
    with connect(catalog) as connection:
        if reveal:
            revealed = connection.reveal_of(
                Identifier(kind, value), reveal, reason=reason, purpose=purpose
            )
            _tell_revealed(revealed, kind, as_json=as_json)
            return
        view = connection.find(
            Identifier(kind, value),
            first=first,
            purpose=purpose,
            reason=reason,
            emergency=emergency,
        )
    if as_json:
        print_json(None if view is None else view.to_dict())
    elif view is None:
        _tell_nobody(kind)
    else:
        show_customer(view, console())


def sources(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Show every source, whether it may be asked, and what it feeds."""
    from roundview.client import connect
    from roundview.output import console, print_json, show_states

    with connect(catalog) as connection:
        states = connection.sources()
    if as_json:
        print_json([asdict(one) for one in states])
    else:
        show_states(states, console())


def _tell_revealed(revealed: Revealed | None, kind: str, *, as_json: bool) -> None:
    from roundview.output import console, print_json, show_rows

    if as_json:
        print_json(None if revealed is None else asdict(revealed))
        return
    if revealed is None:
        _tell_nobody(kind)
        return
    rows = [(one.source, one.source_key, one.slot, one.value) for one in revealed.values]
    show_rows(("source", "record", "slot", "value"), rows, console())
    until = f"{revealed.expires_at.astimezone():%H:%M}"
    told = f"on record; not to be kept after {until}"
    if revealed.missing:
        told += f"; {', '.join(revealed.missing)} did not answer"
    typer.echo(told, err=True)


def _tell_nobody(kind: str) -> None:
    from roundview.output import console

    console().print(f"no customer has this {kind.replace('_', ' ')}")
