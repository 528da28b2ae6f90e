"""Decides what is known of a statement before it runs: its parameters and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from roundview_sql import type_codes as codes
from roundview_sql.commands import (
    Command,
    Copy,
    Declare,
    ExecutePrepared,
    Explain,
    Fetch,
    Prepare,
    Question,
    Show,
)
from roundview_sql.failures import WireError, unsupported
from roundview_sql.lexer import statements
from roundview_sql.reading import read_command
from roundview_sql.session import Portal, Session, Statement
from roundview_sql.type_codes import Column

_TYPES: Mapping[str, int] = MappingProxyType(
    {
        "int": codes.INT4, "int4": codes.INT4, "integer": codes.INT4, "int8": codes.INT8,
        "bigint": codes.INT8, "int2": codes.INT2, "smallint": codes.INT2, "text": codes.TEXT,
        "varchar": codes.VARCHAR, "character varying": codes.VARCHAR, "bool": codes.BOOL,
        "boolean": codes.BOOL, "numeric": codes.NUMERIC, "decimal": codes.NUMERIC,
        "float8": codes.FLOAT8, "double precision": codes.FLOAT8, "float4": codes.FLOAT4,
        "real": codes.FLOAT4, "date": codes.DATE, "timestamp": codes.TIMESTAMP,
        "timestamptz": codes.TIMESTAMPTZ, "uuid": codes.UUID, "name": codes.NAME,
        "oid": codes.OID, "json": codes.JSON, "jsonb": codes.JSONB, "unknown": 0,
        "timestamp without time zone": codes.TIMESTAMP, "interval": codes.INTERVAL,
        "timestamp with time zone": codes.TIMESTAMPTZ, "time": codes.TIME,
    }
)  # fmt: skip


async def prepared(session: Session, text: str, types: tuple[int, ...]) -> Statement:
    """Returns a statement of a text with one command at most; raises WireError 42601 for more."""
    found = statements(text)
    if not found:
        return Statement(text, None, types)
    if len(found) > 1:
        raise WireError("42601", "cannot insert multiple commands into a prepared statement")
    command = read_command(found[0])
    session.transaction.check(command)
    statement = Statement(text, command, types)
    await describe(session, statement)
    return statement


async def describe(session: Session, statement: Statement) -> None:
    """Finds out what is known of the question of a statement, again if the catalog has changed."""
    version = session.federation.catalog.version
    question = question_of(statement.command)
    if question is None or statement.version == version:
        return
    found = await session.asker.describe(question.text, statement.types)
    if statement.version and statement.described is not None:
        before = [(one.name, one.oid) for one in statement.described.columns]
        if before != [(one.name, one.oid) for one in found.columns]:
            raise WireError("0A000", "cached plan must not change result type")
    statement.described, statement.version = found, version
    statement.types = found.parameters


def question_of(command: Command | None) -> Question | None:
    """Returns the question in a command, None where it has none."""
    if isinstance(command, Question):
        return command
    if isinstance(command, Declare | Copy | Explain):
        return command.question
    return None


def columns_of(session: Session, statement: Statement) -> tuple[Column, ...] | None:
    """Returns the columns that a statement answers with, None where it has no rows."""
    command = statement.command
    if isinstance(command, Question):
        return statement.described.columns if statement.described is not None else ()
    if isinstance(command, Show):
        return shown_columns(session, command)
    if isinstance(command, Explain):
        return plan_columns(command)
    if isinstance(command, Fetch) and not command.is_move:
        return portal_columns(session, session.portal(command.name, "cursor"))
    if isinstance(command, ExecutePrepared):
        return columns_of(session, session.statement(command.name))
    return None


def portal_columns(session: Session, portal: Portal) -> tuple[Column, ...] | None:
    """Returns the columns of a portal; those of a cursor are its question's."""
    if portal.cursor is not None:
        return portal.cursor.rows.columns
    if portal.is_declared and portal.statement.described is not None:
        return portal.statement.described.columns
    return columns_of(session, portal.statement)


def shown_columns(session: Session, command: Show) -> tuple[Column, ...]:
    """Returns the columns of SHOW."""
    if command.name.lower() == "all":
        return tuple(Column(name, codes.TEXT) for name in ("name", "setting", "description"))
    return (Column(session.variables.shown(command.name)[0], codes.TEXT),)


def plan_columns(command: Explain) -> tuple[Column, ...]:
    """Returns the columns of EXPLAIN."""
    return (Column("QUERY PLAN", codes.JSON if command.is_json else codes.TEXT),)


def type_oids(command: Prepare) -> tuple[int, ...]:
    """Returns the OIDs of the types that PREPARE names."""
    found = []
    for name in command.types:
        base = " ".join(name.lower().partition("(")[0].split())
        oid = _TYPES.get(base.removesuffix("[]").removeprefix("pg_catalog."))
        if oid is None:
            raise unsupported("a parameter of this type")
        found.append(codes.array_of(oid) if base.endswith("[]") else oid)
    return tuple(found)
