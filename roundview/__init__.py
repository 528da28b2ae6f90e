"""Decides what users of Roundview import."""

from __future__ import annotations

from roundview.client import AsyncConnection, Connection, connect, connect_async
from roundview.view import CustomerView
from roundview_catalog.errors import (
    AccessError,
    CatalogError,
    IdentityError,
    RequestError,
    RoundviewError,
    SourceError,
)

__all__ = [
    "AccessError",
    "AsyncConnection",
    "CatalogError",
    "Connection",
    "CustomerView",
    "IdentityError",
    "RequestError",
    "RoundviewError",
    "SourceError",
    "connect",
    "connect_async",
]
