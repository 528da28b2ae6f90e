"""Decides what users of Roundview import."""

from __future__ import annotations

from roundview.async_client import AsyncConnection
from roundview.client import Connection, connect, connect_async
from roundview.sql.answers import AsyncSqlAnswer, SqlAnswer
from roundview.view import CustomerView
from roundview_catalog.errors import (
    AccessError,
    CatalogError,
    EngineError,
    IdentityError,
    RequestError,
    RoundviewError,
    SourceError,
)

__all__ = [
    "AccessError",
    "AsyncConnection",
    "AsyncSqlAnswer",
    "CatalogError",
    "Connection",
    "CustomerView",
    "EngineError",
    "IdentityError",
    "RequestError",
    "RoundviewError",
    "SourceError",
    "SqlAnswer",
    "connect",
    "connect_async",
]
