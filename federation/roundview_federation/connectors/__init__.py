"""Decides which connector serves a source: one technology per module, loaded when needed."""

from __future__ import annotations

from collections.abc import Mapping

from roundview_catalog.errors import CatalogError, Problem
from roundview_catalog.model import Source
from roundview_federation.connectors.port import Connector

CONNECTORS = ("sqlite", "files", "rest", "postgres", "mysql", "trino")


def open_connector(source: Source, *, env: Mapping[str, str]) -> Connector:
    """Returns the connector of a source; nothing is asked of the source yet.

    `env` resolves the references of `source.connection`. Raises CatalogError for a connector
    that does not exist, a library that is not installed or a connection that cannot be meant.
    """
    try:
        if source.connector == "sqlite":
            from roundview_federation.connectors.sqlite import SqliteConnector

            return SqliteConnector(source, env=env)
        if source.connector == "files":
            from roundview_federation.connectors.files import FilesConnector

            return FilesConnector(source, env=env)
        if source.connector == "rest":
            from roundview_federation.connectors.rest import RestConnector

            return RestConnector(source, env=env)
        if source.connector == "postgres":
            from roundview_federation.connectors.postgres import PostgresConnector

            return PostgresConnector(source, env=env)
        if source.connector == "mysql":
            from roundview_federation.connectors.mysql import MysqlConnector

            return MysqlConnector(source, env=env)
        if source.connector == "trino":
            from roundview_federation.connectors.trino import TrinoConnector

            return TrinoConnector(source, env=env)
    except ImportError as error:
        message = f"connector {source.connector} needs {error.name}, which is not installed"
        hint = f"pip install {error.name}"
        raise CatalogError([Problem(source.position, "RV223", message, hint)]) from None
    message = f"there is no connector {source.connector}"
    hint = f"one of {', '.join(CONNECTORS)}"
    raise CatalogError([Problem(source.position, "RV206", message, hint)])
