"""Decides which connector serves a source: one technology per module."""

from __future__ import annotations

from collections.abc import Mapping

from roundview_catalog.errors import InternalError
from roundview_catalog.model import Source
from roundview_federation.connectors.port import Connector


def open_connector(source: Source, *, env: Mapping[str, str]) -> Connector:
    """Returns the connector of a source; nothing is asked of the source yet."""
    if source.connector == "sqlite":
        from roundview_federation.connectors.sqlite import SqliteConnector

        return SqliteConnector(source, env=env)
    raise InternalError(f"no connector {source.connector}")
