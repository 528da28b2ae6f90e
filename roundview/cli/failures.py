"""Decides how a failure is said on standard error."""

from __future__ import annotations

import typer

from roundview_catalog.errors import CatalogError, RoundviewError


def tell(error: RoundviewError, statement: str | None = None) -> None:
    """Says what failed; an error that knows its place in the statement points at it."""
    problems = error.problems if isinstance(error, CatalogError) else ()
    for line in problems or (error,):
        typer.echo(str(line), err=True)
    position = error.extensions.get("position")
    if statement is not None and position is not None:
        from roundview.sql.pointing import pointed

        typer.echo(pointed(statement, position), err=True)
    for candidate in error.extensions.get("candidates", ()):
        typer.echo(f"  {candidate.customer_id}  {candidate.hint}", err=True)
