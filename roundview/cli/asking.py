"""Decides the commands that ask: one customer, the state of the sources."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from roundview.cli.options import CatalogOption, IdentifierArgument, JsonOption, identifier

CUSTOMER_EXAMPLES = """\b
Examples:
  roundview customer email=anna@mail.example
  roundview customer phone="030 4007919" --first 5
  roundview customer order_number=INV-00012 --json"""
SOURCES_EXAMPLES = """\b
Examples:
  roundview sources
  roundview sources --json"""


def customer(
    by: IdentifierArgument,
    catalog: CatalogOption = None,
    first: Annotated[int, typer.Option(min=1, max=200, help="Records of each list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show everything known of one customer, live from every source."""
    from roundview.client import connect
    from roundview.output import console, print_json, show_customer
    from roundview_federation.plan import Identifier

    kind, value = identifier(by)
    with connect(catalog) as connection:
        view = connection.find(Identifier(kind, value), first=first)
    if as_json:
        print_json(None if view is None else view.to_dict())
    elif view is None:
        console().print(f"no customer has this {kind.replace('_', ' ')}")
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
