"""Decides how a catalog says where a source is and how calls prove who we are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, StrictBool, model_validator

from roundview_catalog.tables import Shape


class SqliteConnection(Shape):
    """Where a SQLite database lies."""

    path: str
    """The file, relative to the catalog folder; may hold ${env:…}."""
    table_prefix: str = ""
    """What every table name of the source begins with; mappings leave it out."""


class FilesConnection(Shape):
    """Where files lie."""

    root: str
    """The folder, relative to the catalog folder; may hold ${env:…}."""


class ServerConnection(Shape):
    """Where a database server answers and how we get in."""

    url: str
    """scheme://user:password@host:port/database, parts percent-encoded; may hold ${env:…}."""
    tls: Literal["verify", "require", "disable"] | None = None
    """verify: certificate and name; require: encrypted only; left out, a loopback address is
    asked in clear and everything else is verified."""
    ca: str = ""
    """File with the authorities to trust, relative to the catalog folder."""
    cert: str = ""
    """File with our own certificate."""
    key: str = ""
    """File with the key of our own certificate."""
    table_prefix: str = ""
    """What every table name of the source begins with; mappings leave it out."""


class PostgresConnection(ServerConnection):
    """Where a PostgreSQL server answers."""

    database_schema: str = Field(default="public", alias="schema")
    """The schema that holds the tables."""


class MysqlConnection(ServerConnection):
    """Where a MySQL or MariaDB server answers."""


class TrinoConnection(Shape):
    """Where the Trino answers that alone reaches the source."""

    url: str
    """https://host:port; may hold ${env:…}."""
    user: str = "roundview"
    """The user that asks."""
    password: str = ""
    """Its password, as ${env:…} or ${file:…}; needs https."""
    ca: str = ""
    """File with the authorities to trust, relative to the catalog folder."""


class BasicAuth(Shape):
    """User name and password of HTTP basic authentication."""

    user: str
    """User name."""
    password: str
    """Password, as ${env:…} or ${file:…}."""


class OAuth2(Shape):
    """Client credentials of OAuth 2.0 (RFC 6749, 4.4)."""

    token_url: str
    """Where tokens are given out; may hold ${env:…}."""
    client_id: str
    """Name of the client; may hold ${env:…}."""
    client_secret: str
    """Secret of the client, as ${env:…} or ${file:…}."""
    scope: str = ""
    """What the token is for, separated by blanks."""
    send: Literal["header", "body"] = "header"
    """Where the client proves itself: by HTTP basic authentication, or in the form."""


class Auth(Shape):
    """How calls prove who we are; exactly one way."""

    bearer: str | None = None
    """Token of the Authorization header, as ${env:…} or ${file:…}."""
    basic: BasicAuth | None = None
    """User name and password."""
    header: Mapping[str, str] | None = None
    """A header of the API's own: {X-Api-Key: "${env:KEY}"}."""
    oauth2: OAuth2 | None = None
    """Tokens that a client gets for its credentials."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = (self.bearer, self.basic, self.header, self.oauth2)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("auth names exactly one of bearer, basic, header and oauth2")
        return self


class RestConnection(Shape):
    """Where an API answers."""

    base_url: str
    """Scheme, host and first part of the path; may hold ${env:…}."""
    auth: Auth | None = None
    """How calls prove who we are."""
    private: StrictBool = False
    """Allows a loopback or private address."""
