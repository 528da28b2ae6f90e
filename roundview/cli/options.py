"""Decides the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from roundview_catalog.errors import RequestError

CatalogOption = Annotated[
    Path | None,
    typer.Option("--catalog", help="Catalog folder.", envvar="ROUNDVIEW_CATALOG"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="What the data is for.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, in a few words: kept in the audit log.")
]
EmergencyOption = Annotated[
    bool,
    typer.Option("--emergency", help="Break the glass: needs --reason and raises an alarm."),
]
IdentifierArgument = Annotated[
    str, typer.Argument(metavar="KIND=VALUE", help="An identifier: phone=…, email=…")
]


def identifier(text: str) -> tuple[str, str]:
    """Splits KIND=VALUE.

    >>> identifier("phone=030 123")
    ('phone', '030 123')
    """
    kind, separator, value = text.partition("=")
    # Only names go on: what is no name is not shown, it may steer a terminal.
    if not separator or not (kind.isascii() and kind.strip().isidentifier()):
        raise RequestError(
            "this is not KIND=VALUE", code="RV101", hint="for example phone=030123456"
        )
    return kind.strip(), value


def record(text: str) -> tuple[str, str]:
    """Splits SOURCE/SOURCE_KEY; the key may hold further slashes."""
    source, separator, key = text.partition("/")
    if not separator or not key:
        raise RequestError("this is not SOURCE/SOURCE_KEY", code="RV101", hint="for example crm/17")
    return source, key
