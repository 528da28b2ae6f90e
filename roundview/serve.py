"""Decides what listens: the doors put together, on loopback, with the catalog watched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import ORJSONResponse, PlainTextResponse, RedirectResponse

from roundview.settings import loopback
from roundview_catalog.errors import RequestError, RoundviewError
from roundview_federation.refresh import refresh_identity
from roundview_federation.watch import watch

if TYPE_CHECKING:
    from roundview_federation.federation import Federation

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_NO_STORE = {"cache-control": "no-store"}
_SHUTDOWN_SECONDS = 5
