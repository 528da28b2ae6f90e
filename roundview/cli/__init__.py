"""Decides what `roundview` in a shell does."""

from __future__ import annotations

from roundview.cli.front import app

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command line."""
    app(prog_name="roundview")
