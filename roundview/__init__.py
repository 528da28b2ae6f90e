"""Roundview: a live view of a customer over the systems that already hold the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roundview.connection import Connection, CustomerView, connect

__all__ = ["Connection", "CustomerView", "connect"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that the command line starts quickly.
    if name in __all__:
        from roundview import connection

        return getattr(connection, name)
    raise AttributeError(name)
