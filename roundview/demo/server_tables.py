"""Decides which tables and indexes the demo's database servers have: those of the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from roundview.demo import crm, pos

_WITHOUT_ROWID = " WITHOUT ROWID"


@dataclass(frozen=True, slots=True)
class Schema:
    """The statements that make a database: `tables` first, `indexes` when the rows are there."""

    tables: tuple[str, ...]
    indexes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Returns the tables in their order."""
        return tuple(
            sqlglot.parse_one(text, read="sqlite").find(exp.Table).name  # type: ignore[union-attr]
            for text in self.tables
        )


def crm_schema() -> Schema:
    """Returns the CRM as PostgreSQL has it."""
    return Schema(tuple(_tables(crm.DDL, "postgres")), tuple(_indexes(crm.INDEXES, "postgres")))


def pos_schema() -> Schema:
    """Returns the tills as MariaDB has them."""
    return Schema(tuple(_tables(pos.DDL, "mysql")), tuple(_indexes(pos.INDEXES, "mysql")))


def mail_schema() -> Schema:
    """Returns the mail tool as PostgreSQL has it."""
    return Schema(_MAIL_TABLES, _MAIL_INDEXES)


def _tables(statements: Sequence[str], dialect: str) -> Iterator[str]:
    for statement in statements:
        tree = sqlglot.parse_one(statement.removesuffix(_WITHOUT_ROWID), read="sqlite")
        for column in tree.find_all(exp.ColumnDef):
            default = column.find(exp.DefaultColumnConstraint)
            if default is not None and column.kind and column.kind.is_type("boolean"):
                default.set("this", exp.convert(default.this.name != "0"))
        yield tree.sql(dialect=dialect)


def _indexes(statements: Sequence[str], dialect: str) -> Iterator[str]:
    for statement in statements:
        tree = sqlglot.parse_one(statement, read="sqlite")
        for term in list(tree.find_all(exp.Ordered)):
            # Where NULLs stand differs, and no reader asks an index for it.
            term.replace(term.this)
        yield tree.sql(dialect=dialect)


_MAIL_TABLES = (
    """CREATE TABLE subscribers (
        id integer PRIMARY KEY, uuid uuid NOT NULL, email text NOT NULL, name text NOT NULL,
        attribs jsonb NOT NULL, status text NOT NULL, created_at timestamptz,
        updated_at timestamptz)""",
    """CREATE TABLE subscriber_lists (
        subscriber_id integer NOT NULL, list_id integer NOT NULL, meta jsonb NOT NULL,
        status text NOT NULL, created_at timestamptz, updated_at timestamptz,
        PRIMARY KEY (subscriber_id, list_id))""",
    """CREATE TABLE campaign_views (
        id bigint PRIMARY KEY, campaign_id integer NOT NULL, subscriber_id integer,
        created_at timestamptz)""",
    """CREATE TABLE link_clicks (
        id bigint PRIMARY KEY, campaign_id integer, link_id integer NOT NULL,
        subscriber_id integer, created_at timestamptz)""",
    """CREATE TABLE bounces (
        id integer PRIMARY KEY, subscriber_id integer NOT NULL, campaign_id integer,
        type text NOT NULL, source text NOT NULL, created_at timestamptz)""",
    """CREATE TABLE lists (
        id integer PRIMARY KEY, uuid uuid NOT NULL, name text NOT NULL, type text NOT NULL,
        optin text NOT NULL, created_at timestamptz)""",
    """CREATE TABLE campaigns (
        id integer PRIMARY KEY, uuid uuid NOT NULL, name text NOT NULL, subject text NOT NULL,
        from_email text NOT NULL, status text NOT NULL, messenger text NOT NULL,
        started_at timestamptz)""",
    "CREATE TABLE links (id integer PRIMARY KEY, uuid uuid NOT NULL, url text NOT NULL)",
)
_MAIL_INDEXES = (
    "CREATE UNIQUE INDEX idx_subs_email ON subscribers (lower(email))",
    "CREATE INDEX idx_subs_email_plain ON subscribers (email)",
    "CREATE INDEX idx_views_subscriber ON campaign_views (subscriber_id)",
    "CREATE INDEX idx_clicks_subscriber ON link_clicks (subscriber_id)",
    "CREATE INDEX idx_bounces_subscriber ON bounces (subscriber_id)",
)
